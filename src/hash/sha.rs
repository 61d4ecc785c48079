#![expect(unsafe_code, reason = "vector instructions")]
//! Up to four messages at a time with the CPU's own SHA-1 instructions (SHA-NI).
//!
//! One message alone waits for `sha1rnds4`, whose answer takes six cycles while another could start after two (Zen 3:
//! 1.7 GB/s alone, 3.0, 3.8 and 4.4 GB/s with two, three and four; five spill too many registers). So this is the
//! fastest way on a CPU that has these instructions and no AVX-512. Mixing them with AVX2 lanes was tried: a legacy SSE
//! instruction while the upper halves of the registers are in use costs over a hundred cycles.
//!
//! Sound because [`compress`] is the only door, carries the features, and its caller must have detected them. Loads read
//! whole arrays behind references; no pointer is kept.

use std::arch::x86_64::*;

use super::lanes::{BLOCK, State};

/// Advances `states[n]` over `data[n]`. All slices have one length, a multiple of [`BLOCK`].
///
/// # Safety
/// The CPU has SHA, SSE4.1 and SSSE3.
#[target_feature(enable = "sha,sse4.1,ssse3")]
pub(super) unsafe fn compress<const N: usize>(states: &mut [State; N], data: &[&[u8]; N]) {
    let mut messages = [Message::new(&[0; 5]); N];
    for (message, state) in messages.iter_mut().zip(states.iter()) {
        *message = Message::new(state);
    }
    for block in 0..data[0].len() / BLOCK {
        mix(&mut messages, data, block * BLOCK);
    }
    for (state, message) in states.iter_mut().zip(messages) {
        *state = message.state();
    }
}

/// One message's chaining values: `a` to `d` with `a` highest, and `e` in the highest word.
#[derive(Clone, Copy)]
struct Message {
    abcd: __m128i,
    e: __m128i,
}

impl Message {
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn new(state: &State) -> Message {
        let [a, b, c, d, e] = state.map(u32::cast_signed);
        Message { abcd: _mm_set_epi32(a, b, c, d), e: _mm_set_epi32(e, 0, 0, 0) }
    }

    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn state(self) -> State {
        let abcd = self.abcd;
        let words = [_mm_extract_epi32::<3>(abcd), _mm_extract_epi32::<2>(abcd), _mm_extract_epi32::<1>(abcd)];
        let [a, b, c] = words;
        [a, b, c, _mm_extract_epi32::<0>(abcd), _mm_extract_epi32::<3>(self.e)].map(i32::cast_unsigned)
    }
}

/// Words `4 * quarter` to `4 * quarter + 3` of the block that `bytes` begins with, the first one highest.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn load(bytes: &[u8], quarter: usize) -> __m128i {
    let (quarter, _) = bytes[16 * quarter..].split_first_chunk::<16>().expect("whole blocks");
    // SAFETY: an unaligned load of the 16 bytes of an array
    let words = unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) };
    _mm_shuffle_epi8(words, _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f))
}

/// The block at `offset` of each message, four rounds of all messages at a time.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn mix<const N: usize>(messages: &mut [Message; N], data: &[&[u8]; N], offset: usize) {
    let initial = *messages;
    let mut words = [[_mm_setzero_si128(); 4]; N];
    for (words, data) in words.iter_mut().zip(data) {
        let block = &data[offset..];
        *words = [load(block, 0), load(block, 1), load(block, 2), load(block, 3)];
    }
    /// Rounds `4 * group` to `4 * group + 3` with function `$function`. `e` becomes the `a` to `d` of before: what the
    /// next `sha1nexte` makes its `e` from.
    macro_rules! rounds {
        ($function:literal: $($group:literal)*) => { $( for lane in 0..N {
            let (message, w) = (&mut messages[lane], &mut words[lane]);
            if $group >= 4 {
                let sum = _mm_xor_si128(_mm_sha1msg1_epu32(w[$group % 4], w[($group + 1) % 4]), w[($group + 2) % 4]);
                w[$group % 4] = _mm_sha1msg2_epu32(sum, w[($group + 3) % 4]);
            }
            let e = if $group == 0 {
                _mm_add_epi32(message.e, w[0])
            } else {
                _mm_sha1nexte_epu32(message.e, w[$group % 4])
            };
            message.e = message.abcd;
            message.abcd = _mm_sha1rnds4_epu32::<$function>(message.abcd, e);
        } )* };
    }
    rounds!(0: 0 1 2 3 4);
    rounds!(1: 5 6 7 8 9);
    rounds!(2: 10 11 12 13 14);
    rounds!(3: 15 16 17 18 19);
    for (message, initial) in messages.iter_mut().zip(initial) {
        message.e = _mm_sha1nexte_epu32(message.e, initial.e);
        message.abcd = _mm_add_epi32(message.abcd, initial.abcd);
    }
}
