//! SHA-1 of many pieces at once.
//!
//! SHA-1 of one message is a chain of 80 dependent rounds a block, so one message leaves most of a CPU idle. Pieces are
//! independent of each other: [`Engine`] hashes as many at once as the CPU has use for.
//!
//! | back end | pieces at once | chosen |
//! |---|---|---|
//! | AVX-512 | 16, one in each 32-bit lane | wherever the CPU has it |
//! | SHA-NI | 4, taking turns in the pipeline | else, where the CPU has it |
//! | AVX2 | 8, one in each 32-bit lane | else, where the CPU has it |
//! | the `sha1` crate | 1 | else; also the last few of an odd number, and the oracle of the tests |
//!
//! A caller with whole pieces in memory uses [`Engine::digest_many`]. One that reads them uses [`Batch`], and feeds a few
//! kilobytes of each piece at a time, so that all of it stays in the core's own cache.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod batch;
mod engine;
mod lanes;
#[cfg(target_arch = "x86_64")]
mod sha;

pub use batch::Batch;
pub use engine::{Backend, Engine};

/// A SHA-1.
pub type Digest = [u8; 20];
