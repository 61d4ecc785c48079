//! Pieces that are hashed together while they are read.

use super::lanes::{BLOCK, INITIAL, State};
use super::{Digest, Engine};

/// SHA-1 of several pieces, fed a part of each at a time. Works on any number, best on [`Engine::lanes`].
#[derive(Clone, Debug)]
pub struct Batch {
    engine: Engine,
    states: Vec<State>,
    /// Bytes taken so far, of each piece.
    bytes: u64,
}

impl Batch {
    /// Begins `pieces` pieces.
    pub fn new(engine: Engine, pieces: usize) -> Batch {
        Batch { engine, states: vec![INITIAL; pieces], bytes: 0 }
    }

    /// Takes the next part of each piece. All parts have one length, a multiple of 64 bytes.
    ///
    /// # Panics
    /// If they have not, or are not as many as the pieces.
    pub fn update(&mut self, parts: &[&[u8]]) {
        let Some(first) = parts.first() else { return };
        assert_eq!(first.len() % BLOCK, 0, "whole blocks but at the end");
        self.engine.compress(&mut self.states, parts);
        self.bytes += first.len() as u64;
    }

    /// Takes the rest of each piece, of any length and perhaps nothing, and returns the digests.
    ///
    /// # Panics
    /// If they are not as many as the pieces.
    pub fn finish(mut self, rests: &[&[u8]]) -> Vec<Digest> {
        let together = rests.iter().map(|rest| rest.len()).min().unwrap_or(0) / BLOCK * BLOCK;
        let parts: Vec<&[u8]> = rests.iter().map(|rest| &rest[..together]).collect();
        self.update(&parts);
        let last = self.states.into_iter().zip(rests);
        last.map(|(state, rest)| close(state, self.bytes, &rest[together..])).collect()
    }
}

/// Ends a message of which `bytes` are in `state` and `rest` is not: padding and length as in FIPS 180-4, 5.1.1.
fn close(mut state: State, bytes: u64, rest: &[u8]) -> Digest {
    let bits = (bytes + rest.len() as u64) * 8;
    let (blocks, rest) = rest.as_chunks::<BLOCK>();
    sha1::block_api::compress(&mut state, blocks);
    let mut last = [0; 2 * BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    last[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    sha1::block_api::compress(&mut state, last[..end].as_chunks().0);
    let mut digest = [0; 20];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;
    use proptest::prelude::*;
    use sha1::Digest as _;

    fn engines() -> impl Iterator<Item = Engine> {
        Backend::ALL.into_iter().filter_map(Engine::with)
    }

    fn hex(digest: Digest) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_vectors_of_the_standard_hold_in_every_lane() {
        let million = vec![b'a'; 1_000_000];
        let vectors: [(&[u8], &str); 4] = [
            (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
            (&million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ];
        for engine in engines() {
            for (message, digest) in vectors {
                for found in engine.digest_many(&[message; 21]) {
                    assert_eq!(hex(found), digest, "{engine:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_has_no_digests() {
        assert!(Engine::detect().digest_many(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn all_back_ends_agree_on_any_lengths(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..40)
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let want: Vec<Digest> = pieces.iter().map(|piece| sha1::Sha1::digest(piece).into()).collect();
            for engine in engines() {
                prop_assert_eq!(&engine.digest_many(&pieces), &want, "{:?}", engine);
            }
        }

        #[test]
        fn feeding_in_steps_changes_nothing(
            count in 1usize..35, steps in prop::collection::vec(0usize..4, 0..5), rest in 0usize..150, seed in any::<u8>()
        ) {
            let length = steps.iter().sum::<usize>() * BLOCK + rest;
            let pieces: Vec<Vec<u8>> = (0..count)
                .map(|piece| (0..length).map(|at| u8::try_from((at * 31 + piece * 7) % 251).unwrap_or(0) ^ seed).collect())
                .collect();
            let want: Vec<Digest> = pieces.iter().map(|piece| sha1::Sha1::digest(piece).into()).collect();
            for engine in engines() {
                let mut batch = Batch::new(engine, count);
                let mut at = 0;
                for step in &steps {
                    let parts: Vec<&[u8]> = pieces.iter().map(|piece| &piece[at..at + step * BLOCK]).collect();
                    batch.update(&parts);
                    at += step * BLOCK;
                }
                let rests: Vec<&[u8]> = pieces.iter().map(|piece| &piece[at..]).collect();
                prop_assert_eq!(&batch.finish(&rests), &want, "{:?}", engine);
            }
        }
    }
}
