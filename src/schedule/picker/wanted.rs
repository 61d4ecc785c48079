//! Pieces that may be begun, by priority and by how many peers have them.

use fastrand::Rng;

use crate::ids::PieceIndex;

use super::{Holds, Priority};

/// Pieces that are looked at in order of rarity before the two sets are compared as bits: a peer with little of what is
/// wanted would else have us walk through all of it.
const LOOKS: usize = 2_048;

/// For each priority and count a list of pieces, so that coming and going are O(1).
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// By reversed priority, then by count. Peers that have everything do not count: they change no order.
    lists: [Vec<Vec<u32>>; 3],
    /// By piece: its place in its list.
    places: Box<[u32]>,
    /// One bit a piece, as on the wire.
    bits: Box<[u8]>,
    len: usize,
}

fn class(priority: Priority) -> usize {
    (Priority::High as usize).saturating_sub(priority as usize).min(2)
}

impl Wanted {
    pub(super) fn new(pieces: u32) -> Wanted {
        let bits = vec![0; pieces.div_ceil(8) as usize].into();
        Wanted { lists: Default::default(), places: vec![0; pieces as usize].into(), bits, len: 0 }
    }

    pub(super) fn contains(&self, piece: u32) -> bool {
        self.bits.get(piece as usize / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
    }

    /// Adds a piece that is not here.
    pub(super) fn insert(&mut self, piece: u32, priority: Priority, count: u16) {
        let lists = &mut self.lists[class(priority)];
        if lists.len() <= usize::from(count) {
            lists.resize_with(usize::from(count) + 1, Vec::new);
        }
        let list = &mut lists[usize::from(count)];
        self.places[piece as usize] = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.push(piece);
        self.bits[piece as usize / 8] |= 0x80 >> (piece % 8);
        self.len += 1;
    }

    /// Takes a piece out, if it is here; it was added with this priority and count.
    pub(super) fn remove(&mut self, piece: u32, priority: Priority, count: u16) {
        if !self.contains(piece) {
            return;
        }
        let list = &mut self.lists[class(priority)][usize::from(count)];
        let place = self.places[piece as usize];
        list.swap_remove(place as usize);
        if let Some(&moved) = list.get(place as usize) {
            self.places[moved as usize] = place;
        }
        self.bits[piece as usize / 8] &= !(0x80 >> (piece % 8));
        self.len -= 1;
    }

    /// Nothing is here that somebody has. `told_only`: nobody has everything, so a count of 0 means nobody.
    pub(super) fn is_exhausted(&self, told_only: bool) -> bool {
        let unknown = |lists: &Vec<Vec<u32>>| lists.first().map_or(0, Vec::len);
        self.len == if told_only { self.lists.iter().map(unknown).sum() } else { 0 }
    }

    /// The rarest piece of the highest priority in `holds`, among equals a random one. `rank` is the order of the lists.
    pub(super) fn rarest<R: Ord>(&self, holds: Holds<'_>, random: &mut Rng, rank: impl Fn(u32) -> R) -> Option<u32> {
        let mut looks = 0;
        for list in self.lists.iter().flatten().filter(|list| !list.is_empty()) {
            let (before, from) = list.split_at(random.usize(..list.len()));
            for &piece in from.iter().chain(before) {
                if holds.has(PieceIndex(piece)) {
                    return Some(piece);
                }
                looks += 1;
                if looks == LOOKS {
                    return self.least(holds, random, rank);
                }
            }
        }
        None
    }

    /// The piece in `holds` with the least rank, among equals a random one. Looks at every piece that is in both.
    pub(super) fn least<R: Ord>(&self, holds: Holds<'_>, random: &mut Rng, rank: impl Fn(u32) -> R) -> Option<u32> {
        let mut best: Option<(R, u32)> = None;
        let mut equals = 0;
        self.for_each_common(holds, |piece| {
            let rank = rank(piece);
            let order = best.as_ref().map_or(std::cmp::Ordering::Less, |(best, _)| rank.cmp(best));
            equals = if order.is_lt() { 1 } else { equals + u32::from(order.is_eq()) };
            if order.is_lt() || order.is_eq() && random.u32(..equals) == 0 {
                best = Some((rank, piece));
            }
        });
        best.map(|(_, piece)| piece)
    }

    fn for_each_common(&self, holds: Holds<'_>, mut act: impl FnMut(u32)) {
        let all = [0xff; 8];
        for (word, ours) in (0u32..).zip(self.bits.chunks(8)) {
            let from = word as usize * 8;
            let theirs = match holds {
                Holds::All => &all[..],
                Holds::Bits(bits) => bits.get(from..bits.len().min(from + 8)).unwrap_or_default(),
            };
            let mut common = to_word(ours) & to_word(theirs);
            while common != 0 {
                let bit = common.leading_zeros();
                common &= !(1 << (63 - bit));
                act(word * 64 + bit);
            }
        }
    }
}

/// Up to eight bytes, the first one highest.
fn to_word(bytes: &[u8]) -> u64 {
    match bytes.try_into() {
        Ok(whole) => u64::from_be_bytes(whole),
        Err(_) => (0..8).zip(bytes).map(|(at, byte)| u64::from(*byte) << (56 - 8 * at)).sum(),
    }
}
