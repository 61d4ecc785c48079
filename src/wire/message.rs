//! Length-prefixed messages (BEP 3, BEP 6, BEP 10).

use crate::ids::{BlockRef, PieceIndex};
use crate::limits;

/// A message that borrows its payload from the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// No bytes at all.
    KeepAlive,
    /// 0
    Choke,
    /// 1
    Unchoke,
    /// 2
    Interested,
    /// 3
    NotInterested,
    /// 4
    Have(PieceIndex),
    /// 5: one bit a piece, the first piece in the highest bit of the first byte.
    Bitfield(&'a [u8]),
    /// 6
    Request(BlockRef),
    /// 7
    Piece {
        /// Piece that the data belongs to.
        piece: PieceIndex,
        /// First byte in that piece.
        begin: u32,
        /// The block.
        data: &'a [u8],
    },
    /// 8
    Cancel(BlockRef),
    /// 9: port of the sender's DHT node (BEP 5).
    Port(u16),
    /// 13 (BEP 6)
    Suggest(PieceIndex),
    /// 14 (BEP 6)
    HaveAll,
    /// 15 (BEP 6)
    HaveNone,
    /// 16 (BEP 6)
    Reject(BlockRef),
    /// 17 (BEP 6)
    AllowedFast(PieceIndex),
    /// 20 (BEP 10)
    Extended {
        /// 0 is the handshake, the rest as agreed in it.
        id: u8,
        /// What that extension says.
        payload: &'a [u8],
    },
    /// A kind that we do not know, short enough to be skipped.
    Unknown(u8),
}

/// What decides how long the kinds of message may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of a bitfield of this torrent.
    pub bitfield: usize,
    /// Longest block we may have asked for; 0 while we ask for none.
    pub block: usize,
}

impl Bounds {
    /// For who does not know the torrent yet and wants none of its blocks: the bitfield that `input` may begin with has
    /// whatever length it says it has, up to that of the largest torrent.
    pub fn of_stranger(input: &[u8]) -> Bounds {
        let bitfield = match *input {
            [a, b, c, d, 5, ..] => usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(0).saturating_sub(1),
            _ => 0,
        };
        Bounds { bitfield, block: 0 }
    }
}

/// A message that no well-behaved peer sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The length is not one that this kind can have.
    #[error("message {id} of {length} bytes")]
    Length {
        /// Kind.
        id: u8,
        /// Announced length, kind included.
        length: u32,
    },
    /// Longer than any message.
    #[error("message of {length} bytes")]
    TooLong {
        /// Announced length.
        length: u32,
    },
    /// Data that nobody asked for.
    #[error("a block that was not asked for")]
    UnwantedBlock,
}

/// Bytes before the data of a piece message.
pub const PIECE_HEADER: usize = 13;

/// The bytes that frame `block`'s data as a piece message.
pub fn piece_header(block: BlockRef) -> [u8; PIECE_HEADER] {
    let mut header = [0; PIECE_HEADER];
    header[..4].copy_from_slice(&(9 + block.length).to_be_bytes());
    header[4] = 7;
    header[5..9].copy_from_slice(&block.piece.0.to_be_bytes());
    header[9..].copy_from_slice(&block.begin.to_be_bytes());
    header
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// The block of a piece message whose header `input` begins with, so that its data need not be here in one piece; `None` for
/// another message, or while bytes of the header are missing.
pub fn decode_piece_header(input: &[u8], bounds: Bounds) -> Result<Option<BlockRef>, WireError> {
    if input.len() < PIECE_HEADER || input[4] != 7 {
        return Ok(None);
    }
    let length = be32(input, 0);
    if length > limits::MESSAGE {
        return Err(WireError::TooLong { length });
    }
    // a body of length 0 is a keep-alive, and the byte behind it another message's
    if length == 0 {
        return Ok(None);
    }
    check_length(7, length, bounds)?;
    Ok(Some(BlockRef { piece: PieceIndex(be32(input, 5)), begin: be32(input, 9), length: length - 9 }))
}

/// Decodes the message that `input` begins with and returns its length in bytes; `None` while bytes are missing.
pub fn decode(input: &[u8], bounds: Bounds) -> Result<Option<(Message<'_>, usize)>, WireError> {
    if input.len() < 4 {
        return Ok(None);
    }
    let length = be32(input, 0);
    if length == 0 {
        return Ok(Some((Message::KeepAlive, 4)));
    }
    if length > limits::MESSAGE {
        return Err(WireError::TooLong { length });
    }
    let Some(&id) = input.get(4) else { return Ok(None) };
    check_length(id, length, bounds)?;
    let end = 4 + usize::try_from(length).expect("bounded above");
    let Some(body) = input.get(5..end) else { return Ok(None) };
    Ok(Some((parse(id, body), end)))
}

/// Holds `length` (kind included) against the bound of its kind.
fn check_length(id: u8, length: u32, bounds: Bounds) -> Result<(), WireError> {
    let body = usize::try_from(length).expect("bounded by limits::MESSAGE") - 1;
    let valid = match id {
        0..=3 | 14 | 15 => body == 0,
        4 | 13 | 17 => body == 4,
        5 => body == bounds.bitfield,
        6 | 8 | 16 => body == 12,
        7 if bounds.block == 0 => return Err(WireError::UnwantedBlock),
        7 => body > 8 && body <= 8 + bounds.block,
        9 => body == 2,
        20 => (1..=limits::EXTENDED_MESSAGE).contains(&body),
        _ => body <= limits::UNKNOWN_MESSAGE,
    };
    if valid { Ok(()) } else { Err(WireError::Length { id, length }) }
}

/// Reads a body whose length [`check_length`] has passed.
fn parse(id: u8, body: &[u8]) -> Message<'_> {
    let piece = || PieceIndex(be32(body, 0));
    let block = || BlockRef { piece: piece(), begin: be32(body, 4), length: be32(body, 8) };
    match id {
        0 => Message::Choke,
        1 => Message::Unchoke,
        2 => Message::Interested,
        3 => Message::NotInterested,
        4 => Message::Have(piece()),
        5 => Message::Bitfield(body),
        6 => Message::Request(block()),
        7 => Message::Piece { piece: piece(), begin: be32(body, 4), data: &body[8..] },
        8 => Message::Cancel(block()),
        9 => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        13 => Message::Suggest(piece()),
        14 => Message::HaveAll,
        15 => Message::HaveNone,
        16 => Message::Reject(block()),
        17 => Message::AllowedFast(piece()),
        20 => Message::Extended { id: body[0], payload: &body[1..] },
        _ => Message::Unknown(id),
    }
}

impl Message<'_> {
    /// Appends its bytes to `out`. An unknown message has none.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Message::KeepAlive => out.extend_from_slice(&[0; 4]),
            Message::Choke => frame(out, 0, &[]),
            Message::Unchoke => frame(out, 1, &[]),
            Message::Interested => frame(out, 2, &[]),
            Message::NotInterested => frame(out, 3, &[]),
            Message::Have(piece) => frame(out, 4, &[&piece.0.to_be_bytes()]),
            Message::Bitfield(bits) => frame(out, 5, &[bits]),
            Message::Request(block) => block_frame(out, 6, block),
            Message::Piece { piece, begin, data } => {
                frame(out, 7, &[&piece.0.to_be_bytes(), &begin.to_be_bytes(), data]);
            }
            Message::Cancel(block) => block_frame(out, 8, block),
            Message::Port(port) => frame(out, 9, &[&port.to_be_bytes()]),
            Message::Suggest(piece) => frame(out, 13, &[&piece.0.to_be_bytes()]),
            Message::HaveAll => frame(out, 14, &[]),
            Message::HaveNone => frame(out, 15, &[]),
            Message::Reject(block) => block_frame(out, 16, block),
            Message::AllowedFast(piece) => frame(out, 17, &[&piece.0.to_be_bytes()]),
            Message::Extended { id, payload } => frame(out, 20, &[&[id], payload]),
            Message::Unknown(_) => {}
        }
    }
}

fn frame(out: &mut Vec<u8>, id: u8, parts: &[&[u8]]) {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&u32::try_from(length).expect("our own messages are short").to_be_bytes());
    out.push(id);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn block_frame(out: &mut Vec<u8>, id: u8, block: BlockRef) {
    frame(out, id, &[&block.piece.0.to_be_bytes(), &block.begin.to_be_bytes(), &block.length.to_be_bytes()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { bitfield: 3, block: 16_384 };
    const BLOCK: BlockRef = BlockRef { piece: PieceIndex(1), begin: 2, length: 3 };

    fn samples() -> Vec<Message<'static>> {
        let piece = PieceIndex(0x0102_0304);
        vec![
            Message::KeepAlive,
            Message::Choke,
            Message::Unchoke,
            Message::Interested,
            Message::NotInterested,
            Message::Have(piece),
            Message::Bitfield(&[1, 2, 3]),
            Message::Request(BLOCK),
            Message::Piece { piece, begin: 5, data: b"data" },
            Message::Cancel(BLOCK),
            Message::Port(6881),
            Message::Suggest(piece),
            Message::HaveAll,
            Message::HaveNone,
            Message::Reject(BLOCK),
            Message::AllowedFast(piece),
            Message::Extended { id: 3, payload: b"de" },
        ]
    }

    #[test]
    fn every_message_is_read_back_and_every_prefix_of_it_waits_for_more() {
        for message in samples() {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            for cut in 0..bytes.len() {
                assert_eq!(decode(&bytes[..cut], BOUNDS), Ok(None), "{message:?} cut at {cut}");
            }
            assert_eq!(decode(&bytes, BOUNDS), Ok(Some((message, bytes.len()))));
        }
    }

    #[test]
    fn a_piece_header_frames_the_data_that_follows_it() {
        let block = BlockRef { piece: PieceIndex(9), begin: 16, length: 4 };
        let mut bytes = piece_header(block).to_vec();
        bytes.extend_from_slice(b"data");
        let piece = Message::Piece { piece: block.piece, begin: block.begin, data: b"data" };
        assert_eq!(decode(&bytes, BOUNDS), Ok(Some((piece, bytes.len()))));
    }

    #[test]
    fn the_header_of_a_piece_message_tells_its_block_before_the_data_is_here() {
        let block = BlockRef { piece: PieceIndex(9), begin: 16, length: 4 };
        let bytes = piece_header(block);
        assert_eq!(decode_piece_header(&bytes, BOUNDS), Ok(Some(block)));
        assert_eq!(decode_piece_header(&bytes[..12], BOUNDS), Ok(None));
        let mut other = Vec::new();
        Message::Request(BLOCK).encode(&mut other);
        assert_eq!(decode_piece_header(&other, BOUNDS), Ok(None));
        // a keep-alive and the start of a bitfield or whatever follows it
        assert_eq!(decode_piece_header(&[0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0], BOUNDS), Ok(None));
        for length in [1, 8, 9, 16_394, u32::MAX] {
            let mut bytes = bytes;
            bytes[..4].copy_from_slice(&u32::to_be_bytes(length));
            assert!(decode_piece_header(&bytes, BOUNDS).is_err(), "{length}");
        }
    }

    #[test]
    fn lengths_that_a_kind_cannot_have_are_refused_before_the_body_arrives() {
        for (id, length) in
            [(0u8, 2u32), (4, 4), (4, 6), (5, 3), (5, 5), (6, 12), (6, 14), (9, 2), (20, 1), (99, 60_000)]
        {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.push(id);
            assert_eq!(decode(&bytes, BOUNDS), Err(WireError::Length { id, length }));
        }
        let length = u32::MAX;
        assert_eq!(decode(&length.to_be_bytes(), BOUNDS), Err(WireError::TooLong { length }));
    }

    #[test]
    fn who_does_not_know_the_torrent_reads_a_bitfield_of_any_length_that_a_torrent_has() {
        let mut bytes = Vec::new();
        Message::Bitfield(&[0xff; 77]).encode(&mut bytes);
        assert_eq!(decode(&bytes, Bounds::of_stranger(&bytes)), Ok(Some((Message::Bitfield(&[0xff; 77]), 82))));
        assert_eq!(decode(&bytes[..3], Bounds::of_stranger(&bytes[..3])), Ok(None));
        let length = limits::MESSAGE + 1;
        let mut endless = length.to_be_bytes().to_vec();
        endless.push(5);
        assert_eq!(decode(&endless, Bounds::of_stranger(&endless)), Err(WireError::TooLong { length }));
        let header = piece_header(BLOCK);
        assert_eq!(decode(&header, Bounds::of_stranger(&header)), Err(WireError::UnwantedBlock));
    }

    #[test]
    fn a_seed_refuses_data_at_its_header() {
        let header = piece_header(BLOCK);
        assert_eq!(decode(&header[..5], Bounds { bitfield: 1, block: 0 }), Err(WireError::UnwantedBlock));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic_or_read_beyond_the_message(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((_, length))) = decode(&bytes, BOUNDS) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
