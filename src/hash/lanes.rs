//! SHA-1 (FIPS 180-4) written once over vectors: lane `n` of every vector belongs to message `n`.
//!
//! The algorithm knows nothing of a CPU: [`Lanes`] lists the few operations it needs, the back ends give them in one
//! instruction or two, and the tests give them in plain Rust, so that every width runs on any CPU.
//!
//! No closures where vectors pass: a closure does not have the CPU features of the function that it stands in, and whether it is
//! inlined in time hangs on how the crate is built (a third of the speed without LTO).

/// Chaining values of one message.
pub(super) type State = [u32; 5];

/// Bytes of one SHA-1 block.
pub(super) const BLOCK: usize = 64;

/// The chaining values that every message begins with.
pub(super) const INITIAL: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// `N` words, one for each message.
pub(super) trait Lanes<const N: usize>: Copy {
    /// The same word in every lane.
    fn splat(word: u32) -> Self;
    /// Lane `n` is `words[n]`.
    fn from_words(words: [u32; N]) -> Self;
    /// The inverse of `from_words`.
    fn into_words(self) -> [u32; N];
    /// Four words of every fourth block: part `p` (four lanes) is the 16 bytes at `offset` of `blocks[first + 4 * p]`.
    fn row(blocks: &[&[u8; BLOCK]; N], first: usize, offset: usize) -> Self;
    /// In every part, the lower two words of both, alternating.
    fn low_words(self, other: Self) -> Self;
    /// In every part, the upper two words of both, alternating.
    fn high_words(self, other: Self) -> Self;
    /// In every part, the lower half of `self`, then of `other`.
    fn low_halves(self, other: Self) -> Self;
    /// In every part, the upper half of `self`, then of `other`.
    fn high_halves(self, other: Self) -> Self;
    /// Each word with its bytes reversed.
    fn swap_bytes(self) -> Self;
    /// Sum modulo 2^32.
    fn add(self, other: Self) -> Self;
    /// Exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Rotated left by `LEFT` bits; `RIGHT` is `32 - LEFT`, which constant generics cannot compute yet.
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self;
    /// Bits of `x` where `self` is set, else of `y`.
    fn choose(self, x: Self, y: Self) -> Self;
    /// Bits that most of the three have.
    fn majority(self, x: Self, y: Self) -> Self;
    /// Exclusive or of three; one instruction on AVX-512.
    #[inline(always)]
    fn parity(self, x: Self, y: Self) -> Self {
        self.xor(x).xor(y)
    }
}

/// Advances `states[n]` over `data[n]`. All slices have one length, a multiple of [`BLOCK`].
#[inline(always)]
pub(super) fn compress<L: Lanes<N>, const N: usize>(states: &mut [State; N], data: &[&[u8]; N]) {
    let mut state: [L; 5] = std::array::from_fn(|word| L::from_words(std::array::from_fn(|lane| states[lane][word])));
    for block in 0..data[0].len() / BLOCK {
        let blocks = std::array::from_fn(|lane| {
            let (block, _) = data[lane][block * BLOCK..].split_first_chunk().expect("slices have one length");
            block
        });
        state = mix(state, load(&blocks));
    }
    for (word, vector) in state.into_iter().enumerate() {
        for (lane, value) in vector.into_words().into_iter().enumerate() {
            states[lane][word] = value;
        }
    }
}

/// Vector `t` of the result holds word `t` of every block, which stands in the block with its first byte highest.
#[inline(always)]
fn load<L: Lanes<N>, const N: usize>(blocks: &[&[u8; BLOCK]; N]) -> [L; 16] {
    let [a, b, c, d] = load_quarter(blocks, 0);
    let [e, f, g, h] = load_quarter(blocks, 16);
    let [i, j, k, l] = load_quarter(blocks, 32);
    let [m, n, o, p] = load_quarter(blocks, 48);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Four words, transposed. The rows have lanes `r`, `r + 4`, ... in their parts, so that a transposition of four by four
/// inside the parts, which no instruction crosses cheaply, is all there is to do.
#[inline(always)]
fn load_quarter<L: Lanes<N>, const N: usize>(blocks: &[&[u8; BLOCK]; N], offset: usize) -> [L; 4] {
    let a = L::row(blocks, 0, offset).swap_bytes();
    let b = L::row(blocks, 1, offset).swap_bytes();
    let c = L::row(blocks, 2, offset).swap_bytes();
    let d = L::row(blocks, 3, offset).swap_bytes();
    let (ab, cd) = (a.low_words(b), c.low_words(d));
    let (ab_high, cd_high) = (a.high_words(b), c.high_words(d));
    [ab.low_halves(cd), ab.high_halves(cd), ab_high.low_halves(cd_high), ab_high.high_halves(cd_high)]
}

/// The body of the loops below, once for each number: unrolled by hand, because the compiler gives up at this size and
/// then moves five state words a round.
macro_rules! each {
    ($t:ident in $($number:literal)* => $body:block) => { $( { let $t: usize = $number; $body } )* };
}

#[inline(always)]
fn mix<L: Lanes<N>, const N: usize>(initial: [L; 5], mut w: [L; 16]) -> [L; 5] {
    let mut s = initial;
    let k = L::splat(0x5a82_7999);
    each!(t in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 => { s = round(s, s[1].choose(s[2], s[3]), k, w[t]); });
    each!(t in 16 17 18 19 => { s = round(s, s[1].choose(s[2], s[3]), k, expand(&mut w, t)); });
    let k = L::splat(0x6ed9_eba1);
    each!(t in 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 => {
        s = round(s, s[1].parity(s[2], s[3]), k, expand(&mut w, t));
    });
    let k = L::splat(0x8f1b_bcdc);
    each!(t in 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 => {
        s = round(s, s[1].majority(s[2], s[3]), k, expand(&mut w, t));
    });
    let k = L::splat(0xca62_c1d6);
    each!(t in 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 => {
        s = round(s, s[1].parity(s[2], s[3]), k, expand(&mut w, t));
    });
    let [a, b, c, d, e] = initial;
    [a.add(s[0]), b.add(s[1]), c.add(s[2]), d.add(s[3]), e.add(s[4])]
}

/// One round: `mixed` is f(b, c, d). The sum is ordered so that the rotated `a`, which is last to be known, comes last.
#[inline(always)]
fn round<L: Lanes<N>, const N: usize>([a, b, c, d, e]: [L; 5], mixed: L, k: L, word: L) -> [L; 5] {
    let sum = e.add(word.add(k)).add(mixed).add(a.rotate::<5, 27>());
    [sum, a, b.rotate::<30, 2>(), c, d]
}

/// Word `t` of the message schedule, which takes the place of word `t - 16`.
#[inline(always)]
fn expand<L: Lanes<N>, const N: usize>(w: &mut [L; 16], t: usize) -> L {
    let word = w[(t + 13) % 16].parity(w[(t + 8) % 16], w[(t + 2) % 16]).xor(w[t % 16]).rotate::<1, 31>();
    w[t % 16] = word;
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lanes in plain Rust.
    #[derive(Clone, Copy)]
    struct Portable<const N: usize>([u32; N]);

    impl<const N: usize> Portable<N> {
        fn zip(self, other: Self, op: impl Fn(u32, u32) -> u32) -> Self {
            Portable(std::array::from_fn(|lane| op(self.0[lane], other.0[lane])))
        }

        /// Lane `4 * p + i` from `pick(p, i)`: whether of `other`, and which word of part `p`.
        fn pick(self, other: Self, pick: [(bool, usize); 4]) -> Self {
            Portable(std::array::from_fn(|lane| {
                let (from_other, word) = pick[lane % 4];
                let source = if from_other { other.0 } else { self.0 };
                source[lane / 4 * 4 + word]
            }))
        }
    }

    impl<const N: usize> Lanes<N> for Portable<N> {
        fn splat(word: u32) -> Self {
            Portable([word; N])
        }

        fn from_words(words: [u32; N]) -> Self {
            Portable(words)
        }

        fn into_words(self) -> [u32; N] {
            self.0
        }

        fn row(blocks: &[&[u8; BLOCK]; N], first: usize, offset: usize) -> Self {
            Portable(std::array::from_fn(|lane| {
                let bytes = &blocks[first + lane / 4 * 4][offset + lane % 4 * 4..][..4];
                u32::from_le_bytes(bytes.try_into().expect("four bytes"))
            }))
        }

        fn low_words(self, other: Self) -> Self {
            self.pick(other, [(false, 0), (true, 0), (false, 1), (true, 1)])
        }

        fn high_words(self, other: Self) -> Self {
            self.pick(other, [(false, 2), (true, 2), (false, 3), (true, 3)])
        }

        fn low_halves(self, other: Self) -> Self {
            self.pick(other, [(false, 0), (false, 1), (true, 0), (true, 1)])
        }

        fn high_halves(self, other: Self) -> Self {
            self.pick(other, [(false, 2), (false, 3), (true, 2), (true, 3)])
        }

        fn swap_bytes(self) -> Self {
            Portable(self.0.map(u32::swap_bytes))
        }

        fn add(self, other: Self) -> Self {
            self.zip(other, u32::wrapping_add)
        }

        fn xor(self, other: Self) -> Self {
            self.zip(other, |a, b| a ^ b)
        }

        fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
            assert_eq!(LEFT + RIGHT, 32);
            Portable(self.0.map(|word| word.rotate_left(LEFT.cast_unsigned())))
        }

        fn choose(self, x: Self, y: Self) -> Self {
            Portable(std::array::from_fn(|lane| (self.0[lane] & x.0[lane]) | (!self.0[lane] & y.0[lane])))
        }

        fn majority(self, x: Self, y: Self) -> Self {
            Portable(std::array::from_fn(|lane| (self.0[lane] & x.0[lane]) | (y.0[lane] & (self.0[lane] | x.0[lane]))))
        }
    }

    fn agrees_with_the_oracle<const N: usize>(bytes: &[u8], blocks: usize) {
        let data: [&[u8]; N] = std::array::from_fn(|lane| &bytes[lane * 7..][..blocks * BLOCK]);
        let mut state = INITIAL;
        let mut states: [State; N] = std::array::from_fn(|_| {
            state = state.map(|word| word.rotate_left(1));
            state
        });
        let want = std::array::from_fn(|lane| {
            let mut state = states[lane];
            sha1::block_api::compress(&mut state, data[lane].as_chunks().0);
            state
        });
        compress::<Portable<N>, N>(&mut states, &data);
        assert_eq!(states, want);
    }

    proptest! {
        #[test]
        fn every_width_agrees_with_the_sha1_crate(
            bytes in prop::collection::vec(any::<u8>(), 16 * 7 + 4 * BLOCK), blocks in 0usize..=4
        ) {
            agrees_with_the_oracle::<4>(&bytes, blocks);
            agrees_with_the_oracle::<8>(&bytes, blocks);
            agrees_with_the_oracle::<16>(&bytes, blocks);
        }
    }
}
