#![expect(unsafe_code, reason = "vector instructions")]
//! Eight lanes in AVX2 registers.
//!
//! Sound because [`compress`] is the only door: it carries the feature, its caller must have detected it, and everything
//! else here is inlined into it. Loads read whole arrays behind references; no pointer is kept.

use std::arch::x86_64::*;

use super::lanes::{self, BLOCK, Lanes, State};

/// Advances eight states; see [`lanes::compress`].
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn compress(states: &mut [State; 8], data: &[&[u8]; 8]) {
    lanes::compress::<Avx2, 8>(states, data);
}

#[derive(Clone, Copy)]
struct Avx2(__m256i);

/// One instruction.
macro_rules! op {
    ($instruction:expr) => {
        // SAFETY: an `Avx2` is made and used only inside `compress`, whose caller promised the feature
        unsafe { $instruction }
    };
}

impl Lanes<8> for Avx2 {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        Avx2(op!(_mm256_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn from_words(words: [u32; 8]) -> Self {
        // SAFETY: an unaligned load of the 32 bytes of an array
        Avx2(unsafe { _mm256_loadu_si256(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn into_words(self) -> [u32; 8] {
        let mut words = [0; 8];
        // SAFETY: an unaligned store to the 32 bytes of an array
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self.0) };
        words
    }

    #[inline(always)]
    fn row(blocks: &[&[u8; BLOCK]; 8], first: usize, offset: usize) -> Self {
        Avx2(op!(_mm256_set_m128i(load_part(blocks[first + 4], offset), load_part(blocks[first], offset))))
    }

    #[inline(always)]
    fn low_words(self, other: Self) -> Self {
        Avx2(op!(_mm256_unpacklo_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn high_words(self, other: Self) -> Self {
        Avx2(op!(_mm256_unpackhi_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn low_halves(self, other: Self) -> Self {
        Avx2(op!(_mm256_unpacklo_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn high_halves(self, other: Self) -> Self {
        Avx2(op!(_mm256_unpackhi_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        let order = op!(_mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203)));
        Avx2(op!(_mm256_shuffle_epi8(self.0, order)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Avx2(op!(_mm256_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Avx2(op!(_mm256_xor_si256(self.0, other.0)))
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        // a shift by one is an addition, which more of the CPU's ports can do
        let left = if LEFT == 1 { self.add(self).0 } else { op!(_mm256_slli_epi32::<LEFT>(self.0)) };
        let right = op!(_mm256_srli_epi32::<RIGHT>(self.0));
        Avx2(op!(_mm256_or_si256(left, right)))
    }

    #[inline(always)]
    fn choose(self, x: Self, y: Self) -> Self {
        y.xor(Avx2(op!(_mm256_and_si256(self.0, x.xor(y).0))))
    }

    #[inline(always)]
    fn majority(self, x: Self, y: Self) -> Self {
        let differ = Avx2(op!(_mm256_and_si256(self.xor(x).0, y.xor(x).0)));
        x.xor(differ)
    }
}

#[inline(always)]
fn load_part(block: &[u8; BLOCK], offset: usize) -> __m128i {
    let (bytes, _) = block[offset..].split_first_chunk::<16>().expect("a quarter of a block");
    // SAFETY: an unaligned load of the 16 bytes of an array
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
