#![expect(unsafe_code, reason = "vector instructions")]
//! Sixteen lanes in AVX-512 registers, which rotate in one instruction and know every function of three bits.
//!
//! Sound because [`compress`] is the only door: it carries the feature, its caller must have detected it, and everything
//! else here is inlined into it. Loads read whole arrays behind references; no pointer is kept.

use std::arch::x86_64::*;

use super::lanes::{self, BLOCK, Lanes, State};

/// Advances sixteen states; see [`lanes::compress`].
///
/// # Safety
/// The CPU has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn compress(states: &mut [State; 16], data: &[&[u8]; 16]) {
    lanes::compress::<Avx512, 16>(states, data);
}

#[derive(Clone, Copy)]
struct Avx512(__m512i);

/// One instruction.
macro_rules! op {
    ($instruction:expr) => {
        // SAFETY: an `Avx512` is made and used only inside `compress`, whose caller promised the feature
        unsafe { $instruction }
    };
}

impl Lanes<16> for Avx512 {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        Avx512(op!(_mm512_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn from_words(words: [u32; 16]) -> Self {
        // SAFETY: an unaligned load of the 64 bytes of an array
        Avx512(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn into_words(self) -> [u32; 16] {
        let mut words = [0; 16];
        // SAFETY: an unaligned store to the 64 bytes of an array
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) };
        words
    }

    #[inline(always)]
    fn row(blocks: &[&[u8; BLOCK]; 16], first: usize, offset: usize) -> Self {
        let row = op!(_mm512_castsi128_si512(load_part(blocks[first], offset)));
        let row = op!(_mm512_inserti32x4::<1>(row, load_part(blocks[first + 4], offset)));
        let row = op!(_mm512_inserti32x4::<2>(row, load_part(blocks[first + 8], offset)));
        Avx512(op!(_mm512_inserti32x4::<3>(row, load_part(blocks[first + 12], offset))))
    }

    #[inline(always)]
    fn low_words(self, other: Self) -> Self {
        Avx512(op!(_mm512_unpacklo_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn high_words(self, other: Self) -> Self {
        Avx512(op!(_mm512_unpackhi_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn low_halves(self, other: Self) -> Self {
        Avx512(op!(_mm512_unpacklo_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn high_halves(self, other: Self) -> Self {
        Avx512(op!(_mm512_unpackhi_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn swap_bytes(self) -> Self {
        let order = op!(_mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203)));
        Avx512(op!(_mm512_shuffle_epi8(self.0, order)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Avx512(op!(_mm512_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Avx512(op!(_mm512_xor_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        Avx512(op!(_mm512_rol_epi32::<LEFT>(self.0)))
    }

    // the numbers are truth tables: bit 4a + 2b + c is the result for bits a, b, c

    #[inline(always)]
    fn choose(self, x: Self, y: Self) -> Self {
        Avx512(op!(_mm512_ternarylogic_epi32::<0b1100_1010>(self.0, x.0, y.0)))
    }

    #[inline(always)]
    fn majority(self, x: Self, y: Self) -> Self {
        Avx512(op!(_mm512_ternarylogic_epi32::<0b1110_1000>(self.0, x.0, y.0)))
    }

    #[inline(always)]
    fn parity(self, x: Self, y: Self) -> Self {
        Avx512(op!(_mm512_ternarylogic_epi32::<0b1001_0110>(self.0, x.0, y.0)))
    }
}

#[inline(always)]
fn load_part(block: &[u8; BLOCK], offset: usize) -> __m128i {
    let (bytes, _) = block[offset..].split_first_chunk::<16>().expect("a quarter of a block");
    // SAFETY: an unaligned load of the 16 bytes of an array
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
