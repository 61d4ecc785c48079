//! Newtypes that keep one index or digest from being taken for another.

use std::fmt;

/// The name of a swarm: SHA-1 of the raw `info` dictionary (BEP 3), or the first 20 bytes of its SHA-256 (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHash(pub [u8; 20]);

/// The name of a peer, 20 bytes, ours in the Azureus style (BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 20]);

/// A piece of one torrent, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PieceIndex(pub u32);

/// A file of one torrent, counted from 0 in the order of the torrent file, padding files included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileIndex(pub u32);

/// A torrent of this process. Never used again for another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TorrentId(pub u32);

/// A place in a reactor's table of peers. The generation tells a late completion from a new owner of the place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PeerKey {
    /// Place in the table.
    pub slot: u32,
    /// How often the place has been given away.
    pub generation: u32,
}

/// What a request names (BEP 3): `length` bytes at byte `begin` of `piece`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BlockRef {
    /// Piece it lies in.
    pub piece: PieceIndex,
    /// First byte, counted from the piece's start.
    pub begin: u32,
    /// Bytes.
    pub length: u32,
}

/// In one piece: lists of thousands of torrents name each of them several times.
fn write_hex(bytes: &[u8; 20], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 40];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    f.write_str(str::from_utf8(&text).unwrap_or_default())
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl InfoHash {
    /// Reads 40 hexadecimal digits in either case.
    pub fn from_hex(text: &str) -> Option<InfoHash> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut hash = [0; 20];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        Some(InfoHash(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_hash_survives_hex() {
        let hash = InfoHash(std::array::from_fn(|i| u8::try_from(i * 13).unwrap_or(0)));
        assert_eq!(InfoHash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(InfoHash::from_hex("12"), None);
        assert_eq!(InfoHash::from_hex(&"zz".repeat(20)), None);
    }
}
