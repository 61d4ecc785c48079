//! The peer protocol (BEP 3) as a leecher speaks it. Written apart from the seeder's, so that the two check each other.
//!
//! Neither Fast (BEP 6) nor extensions (BEP 10) are announced: a seeder then answers each request in order or not at all.

use crate::ids::{InfoHash, PeerId};
use crate::limits;

/// Bytes of a handshake.
pub(super) const HANDSHAKE: usize = 68;
/// Bytes before the payload of a piece message.
pub(super) const PIECE_HEAD: usize = 13;
/// Bytes of a request.
pub(super) const REQUEST: usize = 17;
/// Bytes that a request names.
pub(super) const BLOCK: u32 = 16 * 1024;
/// The message `interested`.
pub(super) const INTERESTED: [u8; 5] = [0, 0, 0, 1, 2];
/// A keep-alive.
pub(super) const KEEP_ALIVE: [u8; 4] = [0; 4];

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// A part of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) piece: u32,
    /// First byte in the piece.
    pub(super) begin: u32,
    pub(super) length: u32,
}

/// What the first bytes after a message boundary say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Head {
    /// Too few bytes to tell.
    More,
    /// A whole message that changes nothing, of that many bytes: keep-alive, `have`, `interested`.
    Trifle(u32),
    /// `choke`, five bytes.
    Choke,
    /// `unchoke`, five bytes.
    Unchoke,
    /// A message that may be skipped, of that many bytes with its length.
    Other(u32),
    /// A reject (BEP 6), of that many bytes.
    Reject(u32),
    /// The thirteen bytes before a block.
    Piece(Block),
    /// No message.
    Broken(&'static str),
}

/// What the leecher says first.
pub(super) fn handshake(info_hash: InfoHash, peer_id: PeerId) -> [u8; HANDSHAKE] {
    let mut bytes = [0; HANDSHAKE];
    bytes[..20].copy_from_slice(PROTOCOL);
    bytes[28..48].copy_from_slice(&info_hash.0);
    bytes[48..].copy_from_slice(&peer_id.0);
    bytes
}

/// The info-hash of the seeder's handshake.
pub(super) fn answered(bytes: &[u8; HANDSHAKE]) -> Result<InfoHash, &'static str> {
    if bytes[..20] != PROTOCOL[..] {
        return Err("the answer is no BitTorrent handshake");
    }
    let mut hash = [0; 20];
    hash.copy_from_slice(&bytes[28..48]);
    Ok(InfoHash(hash))
}

/// A request for `block`.
pub(super) fn request(block: Block) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[3] = 13;
    bytes[4] = 6;
    bytes[5..9].copy_from_slice(&block.piece.to_be_bytes());
    bytes[9..13].copy_from_slice(&block.begin.to_be_bytes());
    bytes[13..].copy_from_slice(&block.length.to_be_bytes());
    bytes
}

/// Reads what stands at a boundary. Looks at [`PIECE_HEAD`] bytes at most.
pub(super) fn head(bytes: &[u8]) -> Head {
    let Some(length) = word(bytes, 0) else { return Head::More };
    if length == 0 {
        return Head::Trifle(4);
    }
    let Some(&id) = bytes.get(4) else { return Head::More };
    let fixed =
        |right: u32, head: Head| if length == right { head } else { Head::Broken("a message of a wrong length") };
    match id {
        0 => fixed(1, Head::Choke),
        1 => fixed(1, Head::Unchoke),
        2 | 3 => fixed(1, Head::Trifle(5)),
        4 if bytes.len() < 9 => fixed(5, Head::More),
        4 => fixed(5, Head::Trifle(9)),
        7 if !(9..=limits::BLOCK_MAX + 9).contains(&length) => Head::Broken("a piece message of a wrong length"),
        7 => match (word(bytes, 5), word(bytes, 9)) {
            (Some(piece), Some(begin)) => Head::Piece(Block { piece, begin, length: length - 9 }),
            _ => Head::More,
        },
        16 => fixed(13, Head::Reject(17)),
        _ if length > limits::MESSAGE => Head::Broken("a message longer than any"),
        _ => Head::Other(length + 4),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_first_bytes_and_never_before() {
        let piece = Block { piece: 7, begin: 16_384, length: BLOCK };
        let mut bytes = request(piece);
        bytes[..5].copy_from_slice(&[0, 0, 0x40, 9, 7]);
        assert_eq!(head(&bytes[..13]), Head::Piece(piece));
        (0..13).for_each(|cut| assert_eq!(head(&bytes[..cut]), Head::More, "{cut}"));
        assert_eq!(head(&KEEP_ALIVE), Head::Trifle(4));
        assert_eq!(head(&INTERESTED), Head::Trifle(5));
        assert_eq!(head(&[0, 0, 0, 1, 0]), Head::Choke);
        assert_eq!(head(&[0, 0, 0, 1, 1, 9, 9]), Head::Unchoke);
        assert_eq!(head(&[0, 0, 0, 5, 4, 0, 0, 0, 1]), Head::Trifle(9));
        assert_eq!(head(&[0, 0, 0, 129, 5]), Head::Other(133));
        assert!(matches!(head(&[0, 0, 0, 2, 0]), Head::Broken(_)));
        assert!(matches!(head(&[0xff, 0, 0, 2, 7]), Head::Broken(_)));
        assert!(matches!(head(&[0xff, 0, 0, 2, 99]), Head::Broken(_)));
    }

    #[test]
    fn an_answer_names_the_torrent_or_is_none() {
        let hash = InfoHash([9; 20]);
        let mut bytes = handshake(hash, PeerId([1; 20]));
        assert_eq!(answered(&bytes), Ok(hash));
        bytes[3] = 0;
        assert!(answered(&bytes).is_err());
    }
}
