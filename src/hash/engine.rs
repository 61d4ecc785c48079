#![expect(unsafe_code, reason = "calls of functions that need a CPU feature")]
//! Which instructions to use, and on how many pieces at once.
//!
//! Sound because an [`Engine`] is only made in [`Engine::with`], after the CPU was asked for the features.

use super::lanes::State;
use super::{Batch, Digest};

/// A way to compute SHA-1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backend {
    /// Sixteen lanes of AVX-512.
    Avx512,
    /// Four messages that take turns in the CPU's SHA-1 instructions.
    Sha,
    /// Eight lanes of AVX2.
    Avx2,
    /// The `sha1` crate, one message at a time.
    Single,
}

/// Computes SHA-1 of several pieces at once on the calling thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Engine {
    backend: Backend,
}

impl Backend {
    /// All of them, the best first.
    pub const ALL: [Backend; 4] = [Backend::Avx512, Backend::Sha, Backend::Avx2, Backend::Single];

    /// Name for the operator.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Avx512 => "AVX-512 x16",
            Backend::Sha => "SHA-NI x4",
            Backend::Avx2 => "AVX2 x8",
            Backend::Single => "sha1 crate",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_supported(self) -> bool {
        match self {
            Backend::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
            Backend::Sha => {
                is_x86_feature_detected!("sha")
                    && is_x86_feature_detected!("sse4.1")
                    && is_x86_feature_detected!("ssse3")
            }
            Backend::Avx2 => is_x86_feature_detected!("avx2"),
            Backend::Single => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_supported(self) -> bool {
        self == Backend::Single
    }
}

impl Engine {
    /// The fastest on this CPU that agrees with the `sha1` crate on a few blocks. Asking takes microseconds, and a wrong answer
    /// (of an emulator, say) would make a torrent that nobody can ever finish.
    pub fn detect() -> Engine {
        // without optimisation every vector operation is a call: 37 MB/s, forty times slower than the crate, which is
        // optimised even in a debug build
        let choice = if cfg!(debug_assertions) { &[Backend::Single][..] } else { &Backend::ALL[..] };
        let mut engines = choice.iter().copied().filter_map(Engine::with);
        engines.find(|engine| engine.agrees_with_the_oracle()).unwrap_or(Engine { backend: Backend::Single })
    }

    fn agrees_with_the_oracle(self) -> bool {
        let words: [u8; 256] = std::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap_or(0));
        let pieces: [&[u8]; 16] = std::array::from_fn(|lane| &words[lane..]);
        let single = Engine { backend: Backend::Single };
        self.digest_many(&pieces) == single.digest_many(&pieces)
    }

    /// A given one; `None` if this CPU cannot run it.
    pub fn with(backend: Backend) -> Option<Engine> {
        backend.is_supported().then_some(Engine { backend })
    }

    /// What it runs on.
    pub fn backend(self) -> Backend {
        self.backend
    }

    /// How many pieces to give at once.
    pub fn lanes(self) -> usize {
        match self.backend {
            Backend::Avx512 => 16,
            Backend::Sha => 4,
            Backend::Avx2 => 8,
            Backend::Single => 1,
        }
    }

    /// SHA-1 of each piece. Lengths may differ; equal ones are fastest.
    pub fn digest_many(self, pieces: &[&[u8]]) -> Vec<Digest> {
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        // similar lengths side by side: a batch goes on together to the end of its shortest
        order.sort_by_key(|&piece| pieces[piece].len());
        let mut digests = vec![[0; 20]; pieces.len()];
        for together in order.chunks(self.lanes()) {
            let pieces: Vec<&[u8]> = together.iter().map(|&piece| pieces[piece]).collect();
            for (&piece, digest) in together.iter().zip(Batch::new(self, pieces.len()).finish(&pieces)) {
                digests[piece] = digest;
            }
        }
        digests
    }

    /// Advances `states[n]` over `data[n]`. All slices have one length, a multiple of the block.
    pub(super) fn compress(self, states: &mut [State], data: &[&[u8]]) {
        assert_eq!(states.len(), data.len());
        assert!(data.iter().all(|slice| slice.len() == data[0].len()), "lanes advance together");
        #[cfg(target_arch = "x86_64")]
        match self.backend {
            // SAFETY: `with` saw the features
            Backend::Avx512 => in_lanes(states, data, |states, data| unsafe { super::avx512::compress(states, data) }),
            // SAFETY: as above
            Backend::Avx2 => in_lanes(states, data, |states, data| unsafe { super::avx2::compress(states, data) }),
            Backend::Sha => in_turns(states, data),
            Backend::Single => one_by_one(states, data),
        }
        #[cfg(not(target_arch = "x86_64"))]
        one_by_one(states, data);
    }
}

fn one_by_one(states: &mut [State], data: &[&[u8]]) {
    for (state, data) in states.iter_mut().zip(data) {
        sha1::block_api::compress(state, data.as_chunks().0);
    }
}

/// Full vectors, then the rest: in a vector with idle lanes as long as at least a quarter of them works (one lane is
/// about a quarter as fast as the `sha1` crate), else one by one.
#[cfg(target_arch = "x86_64")]
fn in_lanes<const N: usize>(states: &mut [State], data: &[&[u8]], compress: impl Fn(&mut [State; N], &[&[u8]; N])) {
    let (full, rest) = states.as_chunks_mut::<N>();
    let (full_data, rest_data) = data.as_chunks::<N>();
    for (states, data) in full.iter_mut().zip(full_data) {
        compress(states, data);
    }
    if rest.len() < N.div_ceil(4) {
        return one_by_one(rest, rest_data);
    }
    let mut padded: [State; N] = std::array::from_fn(|lane| rest[lane.min(rest.len() - 1)]);
    compress(&mut padded, &std::array::from_fn(|lane| rest_data[lane.min(rest.len() - 1)]));
    rest.copy_from_slice(&padded[..rest.len()]);
}

#[cfg(target_arch = "x86_64")]
fn in_turns(states: &mut [State], data: &[&[u8]]) {
    fn advance<const N: usize>(states: &mut [State], data: &[&[u8]]) {
        let states = states.as_chunks_mut::<N>().0.iter_mut();
        for (states, data) in states.zip(data.as_chunks::<N>().0) {
            // SAFETY: this back end was chosen, and `with` saw the features
            unsafe { super::sha::compress(states, data) };
        }
    }
    let full = states.len() / 4 * 4;
    advance::<4>(&mut states[..full], &data[..full]);
    let (rest, rest_data) = (&mut states[full..], &data[full..]);
    match rest.len() {
        3 => advance::<3>(rest, rest_data),
        2 => advance::<2>(rest, rest_data),
        _ => advance::<1>(rest, rest_data),
    }
}
