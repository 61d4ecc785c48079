//! The allowed-fast set (BEP 6): pieces that a peer may ask for while choked.

use std::net::Ipv4Addr;

use sha1::{Digest, Sha1};

use crate::ids::{InfoHash, PieceIndex};

/// Pieces in the set; the number that BEP 6 suggests.
pub const ALLOWED_FAST: usize = 10;

/// The set of a peer at `address`, in the order in which BEP 6 generates it: at most `count` of `pieces` pieces.
pub fn allowed_fast(address: Ipv4Addr, info_hash: InfoHash, pieces: u32, count: usize) -> Vec<PieceIndex> {
    let wanted = count.min(usize::try_from(pieces).unwrap_or(usize::MAX));
    let mut set = Vec::with_capacity(wanted);
    let [a, b, c, _] = address.octets();
    let mut seed = [a, b, c, 0].to_vec();
    seed.extend_from_slice(&info_hash.0);
    while set.len() < wanted {
        let digest = Sha1::digest(&seed);
        for word in digest.chunks_exact(4) {
            let index = PieceIndex(u32::from_be_bytes([word[0], word[1], word[2], word[3]]) % pieces);
            if set.len() < wanted && !set.contains(&index) {
                set.push(index);
            }
        }
        seed = digest.to_vec();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_bep_6_hold() {
        let address = Ipv4Addr::new(80, 4, 4, 200);
        let hash = InfoHash([0xaa; 20]);
        let indexes = |count| allowed_fast(address, hash, 1313, count).iter().map(|piece| piece.0).collect::<Vec<_>>();
        assert_eq!(indexes(7), [1059, 431, 808, 1217, 287, 376, 1188]);
        assert_eq!(indexes(9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    }

    #[test]
    fn a_torrent_of_few_pieces_has_a_small_set() {
        let set = allowed_fast(Ipv4Addr::LOCALHOST, InfoHash([1; 20]), 3, ALLOWED_FAST);
        assert_eq!(set.len(), 3);
        assert!(allowed_fast(Ipv4Addr::LOCALHOST, InfoHash([1; 20]), 0, ALLOWED_FAST).is_empty());
    }
}
