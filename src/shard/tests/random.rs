//! Anything in any order: the books stay right.

use proptest::prelude::*;

use super::*;
use crate::metainfo::{Builder, Metainfo, PathIndex};

#[derive(Clone, Debug)]
enum Step {
    Accept,
    Dial,
    Greet(usize, u8, u32, bool),
    Say(usize, Vec<u8>),
    Noise(usize, Vec<u8>),
    Http(usize, u8),
    CancelStorm(usize, u32),
    Turn(u8, u32),
    Writable(usize),
    PagedIn(usize),
    BackedUp(usize, bool),
    Output(usize),
    Close(usize),
    TakeDown,
    Settle,
    Pass(u64),
    Limit(Option<u64>),
    SetSlots(usize),
    Withdraw(bool),
    Sleep(u8),
    Doubt(Option<u32>),
}

fn step() -> impl Strategy<Value = Step> {
    let any_peer = 0usize..12;
    prop_oneof![
        4 => Just(Step::Accept),
        1 => Just(Step::Dial),
        8 => (any_peer.clone(), 1u8..4, 0u32..10, any::<bool>()).prop_map(|(a, b, c, d)| Step::Greet(a, b, c, d)),
        20 => (any_peer.clone(), prop::collection::vec(0u8..16, 1..12)).prop_map(|(a, b)| Step::Say(a, b)),
        1 => (any_peer.clone(), prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(a, b)| Step::Noise(a, b)),
        4 => (any_peer.clone(), 0u8..8).prop_map(|(a, b)| Step::Http(a, b)),
        1 => (any_peer.clone(), 1u32..80).prop_map(|(a, b)| Step::CancelStorm(a, b)),
        14 => (0u8..8, 0u32..300_000).prop_map(|(a, b)| Step::Turn(a, b)),
        4 => any_peer.clone().prop_map(Step::Writable),
        4 => any_peer.clone().prop_map(Step::PagedIn),
        2 => (any_peer.clone(), any::<bool>()).prop_map(|(a, b)| Step::BackedUp(a, b)),
        3 => any_peer.clone().prop_map(Step::Output),
        1 => any_peer.prop_map(Step::Close),
        3 => Just(Step::TakeDown),
        3 => Just(Step::Settle),
        6 => (1u64..20_000_000).prop_map(Step::Pass),
        1 => prop::option::of(0u64..2_000_000).prop_map(Step::Limit),
        1 => (0usize..6).prop_map(Step::SetSlots),
        1 => any::<bool>().prop_map(Step::Withdraw),
        4 => (0u8..5).prop_map(Step::Sleep),
        4 => prop::option::weighted(0.8, 0u32..4).prop_map(Step::Doubt),
    ]
}

/// One of sixteen messages that a peer of a small torrent may send, few of them fatal.
fn message(number: u8, out: &mut Vec<u8>) {
    let block = |begin| BlockRef { piece: PieceIndex(1), begin, length: 16_384 };
    match number {
        0..=2 => Message::Interested.encode(out),
        3 => Message::NotInterested.encode(out),
        4..=8 => Message::Request(block(u32::from(number) << 14)).encode(out),
        9 => Message::Request(BlockRef { length: 131_072, ..block(0) }).encode(out),
        10 => Message::Cancel(block(5 << 14)).encode(out),
        11 => Message::Have(PieceIndex(1)).encode(out),
        12 => Message::Bitfield(&[0b1010_0000]).encode(out),
        13 => Message::Bitfield(&[0b0100_0000]).encode(out),
        14 => Message::KeepAlive.encode(out),
        _ => Message::Have(PieceIndex(3)).encode(out),
    }
}

/// Requests and parts of them; a file of 64 MiB, most of the time a part of it.
fn http(kind: u8) -> String {
    let path = format!("/{}/a", InfoHash([1; 20]));
    let get = |field: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{field}\r\n");
    match kind {
        0 => get(""),
        1 | 2 => get("Range: bytes=16777000-17000000\r\n"),
        3 => get("Range: bytes=-1\r\nConnection: close\r\n"),
        4 => get("").replace("GET", "HEAD"),
        5 => get("").replace("/a ", "/b ").repeat(3),
        6 => "GET /".to_owned(),
        _ => "\r\n\r\n".to_owned(),
    }
}

fn files() -> Arc<PathIndex> {
    let bytes = Builder::single(std::ffi::OsStr::new("a"), 1, 1).hashes(vec![[0; 20]]).write().expect("valid");
    Arc::new(PathIndex::new(Metainfo::parse(&bytes).expect("just written")))
}

/// A third torrent is sometimes dormant; the first, which is published, sleeps whenever it may.
fn sleep(shard: &mut Shard, kind: u8) {
    let (third, id) = (InfoHash([3; 20]), TorrentId(1_000));
    match kind {
        0 => shard.know(&[(third, id)], true),
        1 => drop(shard.add(id, torrent_of_pieces(3, 4), 2)),
        2 => shard.turn_down(id),
        3 => drop(shard.sleep(id)),
        _ => shard.forget(third),
    }
    while shard.next_wanted().is_some() {}
}

/// The shard, and every key that it ever gave out: the old ones are tried too.
struct Run {
    world: World,
    keys: Vec<PeerKey>,
    next_torrent: u32,
}

impl Run {
    fn key(&self, number: usize) -> PeerKey {
        // mostly the newest, sometimes somebody long gone
        let newest = self.keys.len().saturating_sub(1 + number);
        self.keys.get(newest).copied().unwrap_or(PeerKey { slot: 99, generation: 0 })
    }

    fn take(&mut self, step: Step) {
        let now = self.world.now;
        let shard = &mut self.world.shard;
        match step {
            Step::Accept => self.keys.extend(shard.accept(SocketAddr::from(([10, 77, 0, 3], 9)), now)),
            Step::Dial => self.keys.extend(shard.dial(FIRST, SocketAddr::from(([10, 77, 0, 4], 9)), now)),
            Step::Turn(kind, bytes) => turn(shard, now, kind, u64::from(bytes)),
            Step::TakeDown => while shard.next_close().is_some() {},
            Step::Settle => {
                shard.settle_slots(now);
                shard.settle_http(now);
                let _ = shard.next_timeout(now);
            }
            Step::Pass(micros) => {
                self.world.now = now + Duration::from_micros(micros);
                shard.release_paced(self.world.now);
                if self.world.now.since(shard.ticked_at) >= Duration::from_secs(1) {
                    shard.tick(self.world.now, 500);
                }
            }
            Step::Limit(rate) => shard.set_upload_limit(rate, now),
            Step::SetSlots(slots) => shard.set_slots(FIRST, slots),
            Step::Withdraw(again) => {
                shard.withdraw(TorrentId(self.next_torrent), Reason::Stopped);
                if again {
                    self.next_torrent += 1;
                    shard.add(TorrentId(self.next_torrent), torrent_of_pieces(2, 4), 2);
                }
            }
            Step::Sleep(kind) => sleep(shard, kind),
            Step::Doubt(None) => shard.doubt(FIRST),
            Step::Doubt(Some(piece)) => shard.piece_right(FIRST, PieceIndex(piece)),
            step => self.peer(step, now),
        }
        self.world.shard.check();
    }

    fn peer(&mut self, step: Step, now: Time) {
        let (Step::Greet(number, ..)
        | Step::Say(number, _)
        | Step::Noise(number, _)
        | Step::Http(number, _)
        | Step::CancelStorm(number, _)
        | Step::Writable(number)
        | Step::PagedIn(number)
        | Step::BackedUp(number, _)
        | Step::Output(number)
        | Step::Close(number)) = &step
        else {
            return;
        };
        let key = self.key(*number);
        let shard = &mut self.world.shard;
        match step {
            Step::Greet(_, torrent, id, fast) => {
                let reserved = if fast { Reserved::OURS } else { Reserved::default() };
                shard.received(key, &handshake(reserved, torrent, id), now);
            }
            Step::Say(_, numbers) => {
                let mut bytes = Vec::new();
                numbers.into_iter().for_each(|number| message(number, &mut bytes));
                let cut = bytes.len() / 2;
                shard.received(key, &bytes[..cut], now);
                shard.received(key, &bytes[cut..], now);
            }
            Step::Noise(_, bytes) => shard.received(key, &bytes, now),
            Step::Http(_, kind) => shard.received(key, http(kind).as_bytes(), now),
            Step::CancelStorm(_, count) => {
                let cancel = Message::Cancel(BlockRef { piece: PieceIndex(1), begin: 4 << 14, length: 16_384 });
                (0..count).for_each(|_| shard.received(key, &encoded(&[cancel]), now));
            }
            Step::Writable(_) => shard.writable(key),
            Step::PagedIn(_) => shard.paged_in(key),
            Step::BackedUp(_, moved) => shard.backed_up(key, moved, now),
            Step::Output(_) => {
                while let Some(key) = shard.next_output() {
                    shard.take_output(key, now, &mut Vec::new());
                }
            }
            _ => shard.close(key, Reason::Ended),
        }
    }
}

/// A turn, ended in one of the ways there are.
fn turn(shard: &mut Shard, now: Time, kind: u8, bytes: u64) {
    let Some(turn) = shard.next_turn(now) else { return };
    let mut blocks = Vec::new();
    shard.take_blocks(&turn, 4, &mut blocks);
    let taken: u64 = blocks.iter().map(|block| u64::from(block.length)).sum();
    assert!(taken > 0 && taken <= turn.bytes, "a turn has something to send, within its allowance");
    if shard.wait_for_check(&turn, &mut blocks) {
        return assert!(blocks.is_empty());
    }
    let taken: u64 = blocks.iter().map(|block| u64::from(block.length)).sum();
    while shard.next_check().is_some() {}
    match kind {
        0 => shard.cold(turn.key, &blocks),
        1 => {
            let part = bytes.min(taken);
            shard.sent(turn.key, part, now);
            shard.blocked(turn.key, part, now);
        }
        2 => shard.close(turn.key, Reason::Failed),
        3 => {
            shard.put_back(turn.key, &blocks[1..]);
            shard.reject(turn.key, blocks[0]);
            shard.served(turn.key, 0);
        }
        _ => {
            shard.sent(turn.key, taken, now);
            shard.served(turn.key, taken);
        }
    }
}

fn run(slots: Slots, peer_rate: Option<u64>, steps: Vec<Step>) -> World {
    let mut world = World::with(Config { connections_max: 20, peer_rate, ..config(slots) });
    world.shard = Shard::new(world.shard.config.clone(), world.now);
    world.shard.add(FIRST, torrent_of_pieces(1, 4), 2);
    world.shard.add(TorrentId(2), torrent_of_pieces(2, 4), 2);
    world.shard.publish(FIRST, files());
    let mut run = Run { world, keys: Vec::new(), next_torrent: 2 };
    steps.into_iter().for_each(|step| run.take(step));
    run.world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_count_is_right_after_every_step(
        steps in prop::collection::vec(step(), 1..250), policy in 0u8..3, peer_rate in prop::option::of(1_000u64..500_000)
    ) {
        let slots = [Slots::Auto, Slots::Unlimited, Slots::Fixed(2)][usize::from(policy)];
        let mut world = run(slots, peer_rate, steps);
        // and when everybody is gone nothing is left
        let keys: Vec<PeerKey> = world.shard.connections.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| world.shard.close(key, Reason::Ended));
        while world.shard.next_close().is_some() {}
        world.shard.check();
        let totals = world.shard.totals();
        let refused = totals.closed[Reason::Full as usize] + totals.closed[Reason::FullHandshakes as usize];
        prop_assert_eq!(totals.closed.iter().sum::<u64>(), totals.accepted + totals.dialled + refused);
        prop_assert!(world.shard.turns.is_empty() && world.shard.waiting() == 0 && world.shard.unchoked() == 0);
        prop_assert!(world.shard.swarms.values().all(|swarm| swarm.peers.is_empty() && swarm.unchoked == 0));
    }
}
