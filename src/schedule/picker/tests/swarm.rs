//! Random swarms: a seed, pickers that trade with each other, liars, peers that choke, stall and leave. In virtual time.

use std::collections::BTreeMap;

use super::*;

const STEP: Duration = Duration::from_millis(50);

struct Node {
    picker: Picker,
    /// Pieces it has, as on the wire.
    bits: Vec<u8>,
    /// Digests of blocks under way.
    store: BTreeMap<BlockRef, u64>,
    /// Requests that others sent to it.
    queue: Vec<(usize, BlockRef)>,
    /// Blocks that it owes whom, from the point of view of those who asked.
    asked: Vec<(usize, BlockRef)>,
    serves: Vec<bool>,
    connected: Vec<bool>,
    lies: bool,
    here: bool,
    blocks_a_step: usize,
}

struct Swarm {
    geometry: Geometry,
    nodes: Vec<Node>,
    random: Rng,
    now: Time,
    banned: usize,
}

fn slot(number: usize) -> PeerKey {
    key(u32::try_from(number).expect("few"))
}

fn good(block: BlockRef) -> u64 {
    u64::from(block.piece.0) << 32 | u64::from(block.begin)
}

impl Swarm {
    /// Node 0 is a seed that stays; some of the others lie.
    fn new(seed: u64) -> Swarm {
        let mut random = Rng::with_seed(seed);
        let (count, liars) = (random.usize(2..9), random.usize(..3));
        let (pieces, blocks) = (random.u32(1..40), random.u32(1..6));
        let geometry = geometry(pieces, blocks);
        let node = |number: usize| Node {
            picker: Picker::new(shape(pieces, blocks), &mut Rng::with_seed(seed)),
            bits: vec![0; pieces.div_ceil(8) as usize],
            store: BTreeMap::new(),
            queue: Vec::new(),
            asked: Vec::new(),
            serves: vec![false; count + liars],
            connected: vec![true; count + liars],
            lies: number >= count,
            here: true,
            blocks_a_step: 0,
        };
        let nodes = (0..count + liars).map(node).collect();
        let mut swarm = Swarm { geometry, nodes, random, now: START, banned: 0 };
        for number in 0..swarm.nodes.len() {
            swarm.nodes[number].blocks_a_step = swarm.random.usize(1..6);
            if number == 0 || swarm.nodes[number].lies {
                swarm.nodes[number].bits.fill(0xff);
            }
        }
        for (us, them) in swarm.pairs() {
            let bits = swarm.nodes[them].bits.clone();
            let requests_max = swarm.random.usize(1..40);
            let manner = Manner { requests_max, whole_pieces: swarm.random.u8(..8) == 0 };
            swarm.nodes[us].picker.joined(START, slot(them), Holds::Bits(&bits), manner);
        }
        swarm
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.nodes.len();
        all.clone().flat_map(|us| all.clone().map(move |them| (us, them))).filter(|(us, them)| us != them).collect()
    }

    fn has(&self, node: usize, piece: u32) -> bool {
        Holds::Bits(&self.nodes[node].bits).has(PieceIndex(piece))
    }

    /// Lets `us` ask `them`, and holds the answer against what a look at everything says.
    fn ask(&mut self, us: usize, them: usize) {
        if !self.nodes[us].connected[them] {
            return;
        }
        let bits = std::mem::take(&mut self.nodes[them].bits);
        let holds = Holds::Bits(&bits);
        let before: BTreeSet<u32> = self.nodes[us].picker.begun.keys().copied().collect();
        let mut out = Vec::new();
        self.nodes[us].picker.ask(self.now, slot(them), holds, &mut self.random, &mut out);
        self.nodes[them].bits = bits;
        let picker = &self.nodes[us].picker;
        for block in &out {
            assert!(self.geometry.contains(*block) && !self.has(us, block.piece.0));
            assert!(self.has(them, block.piece.0) && self.nodes[them].serves[us]);
            assert!(!self.nodes[us].asked.contains(&(them, *block)), "asked twice of one peer");
            let twice = self.nodes[us].asked.iter().any(|(_, asked)| asked == block);
            assert!(!twice || picker.is_end_game(), "asked of two peers outside the end game");
        }
        if picker.had_count >= 4 {
            let mut new: Vec<u32> = picker.begun.keys().filter(|piece| !before.contains(piece)).copied().collect();
            let told = |piece: &u32| picker.rarity.told(*piece);
            new.sort_unstable_by_key(told);
            let others = (0..self.geometry.pieces()).filter(|piece| picker.wanted.contains(*piece));
            let rarest_left = others.filter(|piece| self.has(them, *piece)).map(|piece| told(&piece)).min();
            assert!(new.last().is_none_or(|last| rarest_left.is_none_or(|left| told(last) <= left)), "rarest first");
        }
        for block in out {
            self.nodes[us].asked.push((them, block));
            self.nodes[them].queue.push((us, block));
        }
    }

    fn deliver(&mut self, from: usize, to: usize, block: BlockRef) {
        self.nodes[to].asked.retain(|asked| *asked != (from, block));
        let data = if self.nodes[from].lies && self.random.bool() { self.random.u64(..) } else { good(block) };
        let received = self.nodes[to].picker.received(self.now, slot(from), block);
        if received != Received::Unwanted {
            assert_eq!(self.nodes[to].store.insert(block, data), None, "kept twice");
        }
        if let Received::Complete { digests } = received {
            self.check(to, block.piece, digests);
        }
        self.carry_out(to);
        self.ask(to, from);
    }

    fn check(&mut self, us: usize, piece: PieceIndex, wanted: bool) {
        let node = &mut self.nodes[us];
        let of_piece: Vec<BlockRef> = node.store.keys().filter(|block| block.piece == piece).copied().collect();
        let digests: Vec<u64> = of_piece.iter().filter_map(|block| node.store.remove(block)).collect();
        assert_eq!(digests.len(), self.geometry.piece_length(piece).div_ceil(BLOCK) as usize, "complete means all");
        if of_piece.iter().zip(&digests).any(|(block, digest)| good(*block) != *digest) {
            return node.picker.failed(self.now, piece, &digests);
        }
        node.picker.verified(piece, if wanted { &digests } else { &[] });
        node.bits[piece.0 as usize / 8] |= 0x80 >> (piece.0 % 8);
        for other in (0..self.nodes.len()).filter(|other| *other != us) {
            if self.nodes[other].connected[us] {
                self.nodes[other].picker.have(piece);
            }
        }
    }

    /// Sends cancels, throws out who was proved bad.
    fn carry_out(&mut self, us: usize) {
        while let Some((them, block)) = self.nodes[us].picker.next_cancel() {
            let them = them.slot as usize;
            self.nodes[us].asked.retain(|asked| *asked != (them, block));
            self.nodes[them].queue.retain(|queued| *queued != (us, block));
        }
        while let Some(guilty) = self.nodes[us].picker.next_ban() {
            let them = guilty.slot as usize;
            assert!(self.nodes[them].lies, "only liars are banned");
            self.banned += 1;
            self.disconnect(us, them);
        }
    }

    fn disconnect(&mut self, us: usize, them: usize) {
        for (us, them) in [(us, them), (them, us)] {
            if std::mem::replace(&mut self.nodes[us].connected[them], false) {
                let bits = self.nodes[them].bits.clone();
                self.nodes[us].picker.left(slot(them), Holds::Bits(&bits));
                self.nodes[us].asked.retain(|(asked, _)| *asked != them);
                self.nodes[them].queue.retain(|(queued, _)| *queued != us);
            }
        }
    }

    fn toggle_choke(&mut self, us: usize, them: usize) {
        if !self.nodes[us].connected[them] {
            return;
        }
        self.nodes[them].serves[us] ^= true;
        if self.nodes[them].serves[us] {
            self.nodes[us].picker.unchoked(slot(them));
            return;
        }
        let fast = self.random.bool();
        self.nodes[us].picker.choked(slot(them), fast);
        let dropped: Vec<BlockRef> =
            self.nodes[us].asked.extract_if(.., |(asked, _)| *asked == them).map(|(_, block)| block).collect();
        self.nodes[them].queue.retain(|(queued, _)| *queued != us);
        if fast {
            dropped.into_iter().for_each(|block| self.nodes[us].picker.rejected(slot(them), block));
        }
    }

    fn step(&mut self, number: usize) {
        self.now = self.now + STEP;
        for (us, them) in self.pairs() {
            let chance = if self.nodes[them].serves[us] { 200 } else { 10 };
            if self.random.u32(..chance) == 0 {
                self.toggle_choke(us, them);
            }
        }
        // somebody who downloads may leave, and one of the peers may stall for good
        if self.random.u32(..2_000) == 0 && self.nodes.len() > 3 {
            let gone = self.random.usize(1..self.nodes.len());
            self.nodes[gone].here = false;
            (0..self.nodes.len()).filter(|other| *other != gone).for_each(|other| self.disconnect(gone, other));
        }
        if self.random.u32(..2_000) == 0 {
            let stalled = self.random.usize(1..self.nodes.len());
            self.nodes[stalled].blocks_a_step = 0;
        }
        for from in 0..self.nodes.len() {
            for _ in 0..self.nodes[from].blocks_a_step {
                if self.nodes[from].queue.is_empty() {
                    break;
                }
                let chosen = self.random.usize(..self.nodes[from].queue.len());
                let (to, block) = self.nodes[from].queue.swap_remove(chosen);
                self.deliver(from, to, block);
            }
        }
        if number.is_multiple_of(20) {
            for us in 0..self.nodes.len() {
                self.nodes[us].picker.tick(self.now);
                self.carry_out(us);
            }
        }
        for (us, them) in self.pairs() {
            if us != 0 && !self.nodes[us].lies {
                self.ask(us, them);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.nodes.iter().skip(1).all(|node| node.lies || !node.here || node.picker.is_done())
    }
}

/// What is kept twice for speed says the same.
fn check_books(picker: &Picker) {
    for (piece, begun) in &picker.begun {
        let listed = picker.open.contains(&picker.open_key(*piece, begun));
        assert_eq!(listed, begun.has_free(), "a piece is open while a block of it is free");
        assert!(!picker.wanted.contains(*piece) && !picker.had[*piece as usize]);
        for (number, first) in begun.asked() {
            let also = picker.also_asked.get(&(*piece, number)).cloned().unwrap_or_default();
            for owes in std::iter::once(first).chain(also) {
                let block = picker.shape.block(*piece, number);
                let link = picker.links.get(&owes).expect("who owes is connected");
                assert_eq!(link.owed().filter(|owed| *owed == block).count(), 1);
            }
        }
    }
    let owed: usize = picker.links.values().map(|link| link.owed().count()).sum();
    let asked: usize = picker.begun.values().map(|begun| begun.asked().count()).sum();
    let also: usize = picker.also_asked.values().map(Vec::len).sum();
    assert_eq!(owed, asked + also);
    assert!(picker.open.len() <= picker.begun.len());
}

fn run(seed: u64) -> Swarm {
    let mut swarm = Swarm::new(seed);
    let mut steps = 0;
    while !swarm.is_done() {
        swarm.step(steps);
        steps += 1;
        swarm.nodes.iter().for_each(|node| check_books(&node.picker));
        assert!(steps < 20_000, "seed {seed}: not done after {:?}", swarm.now - START);
    }
    swarm
}

#[test]
fn in_random_swarms_everybody_who_stays_finishes_and_only_liars_are_banned() {
    let banned: usize = (0..300).map(|seed| run(seed).banned).sum();
    assert!(banned > 100, "liars are found: {banned}");
}
