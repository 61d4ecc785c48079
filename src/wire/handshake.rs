//! The 68 bytes that open a connection (BEP 3), and what other protocols send in their place.

use crate::ids::{InfoHash, PeerId};

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// The eight reserved bytes: what a peer can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// What this program announces: Fast (BEP 6) and the extension protocol (BEP 10).
    pub const OURS: Reserved = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x04]);

    /// The extension protocol alone: who has no torrent yet cannot say what it has of it, which Fast wants to hear first.
    pub const EXTENDED: Reserved = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0]);

    /// Speaks the extension protocol (BEP 10).
    pub fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }

    /// Speaks Fast (BEP 6).
    pub fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }
}

/// A handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// Capabilities.
    pub reserved: Reserved,
    /// The swarm that the connection is for.
    pub info_hash: InfoHash,
    /// Who sent it.
    pub peer_id: PeerId,
}

/// Why a first contact is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The first bytes are an HTTP request.
    #[error("an HTTP request")]
    Http,
    /// The first bytes are those of no protocol that is served here; an encrypted contact (MSE) looks like this,
    /// because it begins with a random public key.
    #[error("not a plaintext BitTorrent handshake")]
    NotPlaintext,
}

impl Handshake {
    /// Bytes of one.
    pub const LENGTH: usize = 68;

    /// Reads one from the start of `input`; `None` while it may still become one. Refuses at the first wrong byte, so
    /// that a client which tried encryption can fall back at once.
    pub fn decode(input: &[u8]) -> Result<Option<Handshake>, HandshakeError> {
        let seen = input.len().min(PROTOCOL.len());
        if input[..seen] != PROTOCOL[..seen] {
            let http = [&b"GET "[..], b"HEAD ", b"POST "].iter().any(|verb| input.starts_with(verb));
            return Err(if http { HandshakeError::Http } else { HandshakeError::NotPlaintext });
        }
        let Some(Ok(bytes)) = input.get(..Self::LENGTH).map(<&[u8; Self::LENGTH]>::try_from) else {
            return Ok(None);
        };
        let part = |from: usize| std::array::from_fn(|at| bytes[from + at]);
        Ok(Some(Handshake {
            reserved: Reserved(std::array::from_fn(|at| bytes[20 + at])),
            info_hash: InfoHash(part(28)),
            peer_id: PeerId(part(48)),
        }))
    }

    /// Appends its bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(&self.reserved.0);
        out.extend_from_slice(&self.info_hash.0);
        out.extend_from_slice(&self.peer_id.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Handshake =
        Handshake { reserved: Reserved::OURS, info_hash: InfoHash([7; 20]), peer_id: PeerId([9; 20]) };

    #[test]
    fn a_handshake_is_read_back_and_every_prefix_of_it_waits_for_more() {
        let mut bytes = Vec::new();
        SAMPLE.encode(&mut bytes);
        assert_eq!(bytes.len(), Handshake::LENGTH);
        for cut in 0..bytes.len() {
            assert_eq!(Handshake::decode(&bytes[..cut]), Ok(None));
        }
        assert_eq!(Handshake::decode(&bytes), Ok(Some(SAMPLE)));
        assert!(SAMPLE.reserved.fast() && SAMPLE.reserved.extended());
    }

    #[test]
    fn other_protocols_are_told_apart_by_their_first_bytes() {
        assert_eq!(Handshake::decode(b"GET / HTTP/1.1\r\n"), Err(HandshakeError::Http));
        assert_eq!(Handshake::decode(&[0x42]), Err(HandshakeError::NotPlaintext));
        assert_eq!(Handshake::decode(b"\x13BitTorrent protocoL"), Err(HandshakeError::NotPlaintext));
    }
}
