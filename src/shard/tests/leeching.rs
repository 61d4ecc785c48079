//! Downloading: two or more shards that speak to each other over perfect lines, cut at random.

use super::*;
use crate::limits::BLOCK;
use crate::schedule::picker::Order;
use crate::shard::{Download, Whole};
use crate::wire::piece_header;

const PIECE_BYTES: u32 = 4 * BLOCK;

fn small_torrent(pieces: u32) -> Arc<Torrent> {
    let total = u64::from(pieces) * u64::from(PIECE_BYTES) - 5_000;
    let geometry = Geometry::new(PIECE_BYTES, [(total, false)]).expect("valid");
    Arc::new(Torrent { info_hash: InfoHash([1; 20]), geometry, info: vec![b'x'; 40_000].into(), private: false })
}

pub(super) fn nothing() -> Download {
    Download { had: Box::default(), priorities: Vec::new(), memory: 1 << 20, order: Order::default() }
}

/// What byte `at` of the torrent is.
fn byte(at: u64) -> u8 {
    u8::try_from((at * 7 + at / 251) % 251).unwrap_or(0)
}

pub(super) struct Node {
    pub(super) shard: Shard,
    lies: bool,
    written: Vec<PieceIndex>,
    bad: usize,
    pub(super) finished: bool,
    /// Greatest number of bytes that its buffers took.
    memory: usize,
}

/// Nodes, and lines between them: `(from, key there, to, key there)`, with the bytes under way.
pub(super) struct Net {
    pub(super) torrent: Arc<Torrent>,
    pub(super) nodes: Vec<Node>,
    lines: Vec<(usize, PeerKey, usize, PeerKey)>,
    rng: fastrand::Rng,
    pub(super) now: Time,
    ticked: Time,
}

impl Net {
    pub(super) fn new(pieces: u32, seed: u64) -> Net {
        let rng = fastrand::Rng::with_seed(seed);
        Net {
            torrent: small_torrent(pieces),
            nodes: Vec::new(),
            lines: Vec::new(),
            rng,
            now: Time(1_000_000_000),
            ticked: Time(1_000_000_000),
        }
    }

    pub(super) fn join(&mut self, download: Option<Download>, slots: Slots) -> usize {
        let number = u8::try_from(self.nodes.len()).expect("few");
        let identity = Identity { peer_id: PeerId([number; 20]), client: "sower".to_owned(), port: 6881 };
        let config = Config { identity: Arc::new(identity), seed: self.rng.u64(..), ..config(slots) };
        let mut shard = Shard::new(config, self.now);
        shard.add(FIRST, self.torrent.clone(), 2);
        if let Some(download) = download {
            shard.download(FIRST, download);
        }
        self.nodes.push(Node { shard, lies: false, written: Vec::new(), bad: 0, finished: false, memory: 0 });
        self.nodes.len() - 1
    }

    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let address = |node: usize| SocketAddr::from(([10, 77, 0, u8::try_from(node).expect("few")], 9));
        let dialled = self.nodes[from].shard.dial(FIRST, address(to), self.now).expect("room");
        let accepted = self.nodes[to].shard.accept(address(from), self.now).expect("room");
        self.nodes[from].shard.writable(dialled);
        self.lines.push((from, dialled, to, accepted));
        self.lines.push((to, accepted, from, dialled));
        let mut hello = Vec::new();
        self.nodes[from].shard.take_output(dialled, self.now, &mut hello);
        self.deliver(from, dialled, &hello);
    }

    /// Bytes of a block as `node` has them.
    fn data(&self, node: usize, block: BlockRef) -> Vec<u8> {
        let start = self.torrent.geometry.offset(block);
        let lie = u8::from(self.nodes[node].lies);
        (start..start + u64::from(block.length)).map(|at| byte(at) ^ lie).collect()
    }

    fn deliver(&mut self, from: usize, key: PeerKey, bytes: &[u8]) {
        let Some((_, _, to, other)) = self.lines.iter().find(|line| (line.0, line.1) == (from, key)).copied() else {
            return;
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(self.rng.usize(1..=rest.len().min(9_000)));
            self.nodes[to].shard.received(other, piece, self.now);
            rest = after;
        }
    }

    /// Everything that one node has to say and to send.
    fn turn(&mut self, node: usize) -> bool {
        let mut active = false;
        self.nodes[node].shard.release_paced(self.now);
        self.nodes[node].shard.settle_slots(self.now);
        while let Some(key) = self.nodes[node].shard.next_output() {
            let mut out = Vec::new();
            self.nodes[node].shard.take_output(key, self.now, &mut out);
            self.deliver(node, key, &out);
            active = true;
        }
        while let Some(turn) = self.nodes[node].shard.next_turn(self.now) {
            let mut blocks = Vec::new();
            self.nodes[node].shard.take_blocks(&turn, 16, &mut blocks);
            let bytes: u64 = blocks.iter().map(|block| u64::from(block.length)).sum();
            self.nodes[node].shard.sent(turn.key, bytes, self.now);
            self.nodes[node].shard.served(turn.key, bytes);
            for block in blocks {
                let message = [&piece_header(block)[..], &self.data(node, block)].concat();
                self.deliver(node, turn.key, &message);
            }
            active = true;
        }
        while let Some(whole) = self.nodes[node].shard.next_whole() {
            self.judge(node, whole);
            active = true;
        }
        let finished = self.nodes[node].shard.next_finished().is_some();
        self.nodes[node].finished |= finished;
        let closed: Vec<PeerKey> =
            std::iter::from_fn(|| self.nodes[node].shard.next_close()).map(|(key, ..)| key).collect();
        for key in closed {
            if let Some(line) = self.lines.iter().find(|line| (line.0, line.1) == (node, key)).copied() {
                self.nodes[line.2].shard.close(line.3, Reason::Ended);
                self.lines.retain(|(a, b, c, d)| (*a, *b) != (node, key) && (*c, *d) != (node, key));
            }
        }
        self.nodes[node].shard.check();
        active
    }

    fn judge(&mut self, node: usize, whole: Whole) {
        let start = self.torrent.geometry.offset(BlockRef { piece: whole.piece, begin: 0, length: 1 });
        assert_eq!(whole.bytes.len(), self.torrent.geometry.piece_length(whole.piece) as usize);
        let good = (start..).zip(&whole.bytes).all(|(at, &found)| byte(at) == found);
        let digest = |block: &[u8]| block.iter().fold(7u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte));
        let digests: Vec<u64> = whole.bytes.chunks(BLOCK as usize).map(digest).collect();
        let node = &mut self.nodes[node];
        let memory = node.shard.swarms[&FIRST].download.as_ref().expect("downloads").memory();
        node.memory = node.memory.max(memory);
        if good {
            node.written.push(whole.piece);
            node.shard.piece_good(FIRST, whole.piece, whole.bytes, &digests, self.now);
        } else {
            node.bad += 1;
            node.shard.piece_bad(FIRST, whole.piece, whole.bytes, &digests, self.now);
        }
    }

    /// Runs until nobody has anything to say for `seconds`, in virtual time.
    pub(super) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            while (0..self.nodes.len()).fold(false, |active, node| self.turn(node) | active) {}
            self.now = self.now + Duration::from_secs(1);
            self.nodes.iter_mut().for_each(|node| node.shard.tick(self.now, 100));
        }
    }

    /// Lets `span` of virtual time pass, no faster than somebody waits for; how many turns that took.
    pub(super) fn pass(&mut self, span: Duration) -> usize {
        let (end, mut turns) = (self.now + span, 0);
        loop {
            while (0..self.nodes.len()).fold(false, |active, node| self.turn(node) | active) {
                turns += 1;
            }
            turns += 1;
            let due = self.nodes.iter_mut().map(|node| node.shard.next_timeout(self.now)).min().expect("nodes");
            let due = due.min(self.ticked + Duration::from_secs(1)).max(Time(self.now.0 + 1));
            if due > end {
                self.now = end;
                return turns;
            }
            self.now = due;
            if self.now >= self.ticked + Duration::from_secs(1) {
                self.ticked = self.now;
                self.nodes.iter_mut().for_each(|node| node.shard.tick(self.now, 100));
            }
        }
    }

    /// Ends the connection between two.
    pub(super) fn part(&mut self, one: usize, other: usize) {
        let keys =
            self.lines.iter().filter(|line| (line.0, line.2) == (one, other) || (line.0, line.2) == (other, one));
        let keys: Vec<(usize, PeerKey)> = keys.map(|line| (line.0, line.1)).collect();
        keys.into_iter().for_each(|(node, key)| self.nodes[node].shard.close(key, Reason::Ended));
    }

    fn status(&self, node: usize) -> TorrentStatus {
        self.nodes[node].shard.torrents().remove(0)
    }
}

#[test]
fn a_leecher_fetches_all_from_a_seed_and_both_let_go() {
    let mut net = Net::new(9, 1);
    let (seed, leecher) = (net.join(None, Slots::Auto), net.join(Some(nothing()), Slots::Auto));
    net.connect(leecher, seed);
    net.run(3);
    assert!(net.nodes[leecher].finished);
    assert_eq!(net.nodes[leecher].written.len(), 9);
    let download = net.status(leecher).download.expect("downloaded");
    let total = net.torrent.geometry.total();
    assert_eq!((download.good, download.received, download.wasted, download.missing), (total, total, 0, 0));
    assert_eq!(net.nodes[seed].shard.totals().sent, total);
    assert_eq!((net.nodes[seed].shard.connections(), net.nodes[leecher].shard.connections()), (0, 0));
}

#[test]
fn two_leechers_with_half_each_complete_each_other() {
    let mut net = Net::new(16, 2);
    let half = |bits: [u8; 2]| Some(Download { had: bits.into(), ..nothing() });
    let (a, b) = (net.join(half([0xaa; 2]), Slots::Auto), net.join(half([0x55; 2]), Slots::Auto));
    net.connect(a, b);
    net.run(5);
    assert!(net.nodes[a].finished && net.nodes[b].finished);
    assert_eq!((net.nodes[a].written.len(), net.nodes[b].written.len()), (8, 8));
}

#[test]
fn pieces_pass_through_a_leecher_that_has_only_some_of_them_yet() {
    // a seed that only the first can reach, and a chain behind it
    let mut net = Net::new(12, 3);
    let nodes: Vec<usize> = (0..4).map(|number| net.join((number > 0).then(nothing), Slots::Auto)).collect();
    nodes.windows(2).for_each(|pair| net.connect(pair[1], pair[0]));
    net.run(10);
    assert!(nodes[1..].iter().all(|&node| net.nodes[node].finished));
    assert_eq!(net.nodes[nodes[0]].shard.totals().sent, net.torrent.geometry.total());
}

#[test]
fn what_is_skipped_is_not_fetched_and_the_rest_finishes() {
    let mut net = Net::new(8, 4);
    let mut priorities = vec![crate::schedule::picker::Priority::Skip; 8];
    priorities[2] = crate::schedule::picker::Priority::Normal;
    let seed = net.join(None, Slots::Auto);
    let leecher = net.join(Some(Download { priorities, ..nothing() }), Slots::Auto);
    net.connect(leecher, seed);
    net.run(3);
    assert!(net.nodes[leecher].finished);
    assert_eq!(net.nodes[leecher].written, [PieceIndex(2)]);
}

#[test]
fn a_liar_is_banned_and_what_it_sent_is_fetched_again() {
    let mut net = Net::new(10, 5);
    let (seed, liar) = (net.join(None, Slots::Auto), net.join(None, Slots::Auto));
    let leecher = net.join(Some(nothing()), Slots::Auto);
    net.nodes[liar].lies = true;
    net.connect(leecher, liar);
    net.connect(leecher, seed);
    net.run(120);
    assert!(net.nodes[leecher].finished);
    assert!(net.nodes[leecher].bad > 0);
    let closed = &net.nodes[leecher].shard.totals().closed;
    assert_eq!(closed[Reason::Banned as usize], 1);
    assert!(net.nodes[leecher].shard.next_ban().is_some());
    net.connect(leecher, liar);
    net.run(1);
    assert!(net.nodes[leecher].shard.connections() == 0, "nobody from there is a peer again");
}

#[test]
fn buffers_stay_within_their_bound() {
    let mut net = Net::new(64, 6);
    let seeds: Vec<usize> = (0..4).map(|_| net.join(None, Slots::Auto)).collect();
    let memory = 10 * u64::from(PIECE_BYTES);
    let leecher = net.join(Some(Download { memory, ..nothing() }), Slots::Auto);
    seeds.iter().for_each(|&seed| net.connect(leecher, seed));
    net.run(20);
    assert!(net.nodes[leecher].finished);
    // those under way, and what one turn's whole pieces left behind
    assert!(net.nodes[leecher].memory <= 10 * PIECE_BYTES as usize, "{}", net.nodes[leecher].memory);
    assert_eq!(net.nodes[leecher].shard.swarms[&FIRST].download.as_ref().expect("kept").memory(), 0);
}

#[test]
fn while_downloading_five_slots_are_given() {
    let mut world = Net::new(8, 8);
    let hub = world.join(Some(Download { had: [0b1000_0000].into(), ..nothing() }), Slots::Auto);
    let keys: Vec<PeerKey> = (0..9u32)
        .map(|id| {
            let shard = &mut world.nodes[hub].shard;
            let key = shard.accept(SocketAddr::from(([10, 77, 0, 9], 9)), world.now).expect("room");
            shard.received(key, &handshake(Reserved::default(), 1, id), world.now);
            shard.received(key, &encoded(&[Message::Interested]), world.now);
            key
        })
        .collect();
    world.nodes[hub].shard.settle_slots(world.now);
    assert_eq!((world.nodes[hub].shard.unchoked(), world.nodes[hub].shard.waiting()), (5, 4));
    assert_eq!(keys.len(), 9);
}

#[test]
fn a_flood_of_blocks_that_nobody_asked_for_ends_the_connection() {
    let mut net = Net::new(8, 9);
    let leecher = net.join(Some(nothing()), Slots::Auto);
    let shard = &mut net.nodes[leecher].shard;
    let key = shard.accept(SocketAddr::from(([10, 77, 0, 9], 9)), net.now).expect("room");
    shard.received(key, &handshake(Reserved::default(), 1, 1), net.now);
    let unasked = BlockRef { piece: PieceIndex(0), begin: 0, length: BLOCK };
    let message = [&piece_header(unasked)[..], &[0; BLOCK as usize]].concat();
    let sent = (0..5_000)
        .take_while(|_| {
            shard.received(key, &message, net.now);
            shard.connections.get(key).is_some_and(|connection| connection.closing.is_none())
        })
        .count();
    assert_eq!(sent, 1_000, "what crosses our cancels is no flood");
    let (_, _, reason) = shard.next_close().expect("closed");
    assert_eq!(reason, Reason::UnwantedBlock);
    assert_eq!(shard.torrents()[0].download.expect("kept").wasted, 1_001 * u64::from(BLOCK));
}

#[test]
fn a_peer_that_refuses_everything_is_asked_no_more() {
    let mut net = Net::new(8, 10);
    let leecher = net.join(Some(nothing()), Slots::Auto);
    let shard = &mut net.nodes[leecher].shard;
    let key = shard.accept(SocketAddr::from(([10, 77, 0, 9], 9)), net.now).expect("room");
    shard.received(key, &handshake(Reserved::OURS, 1, 1), net.now);
    shard.received(key, &encoded(&[Message::HaveAll, Message::Unchoke]), net.now);
    let mut asked = 0;
    loop {
        let mut out = Vec::new();
        shard.take_output(key, net.now, &mut out);
        let requests = requests_in(&out);
        if requests.is_empty() {
            break;
        }
        asked += requests.len();
        let rejects: Vec<Message<'_>> = requests.into_iter().map(Message::Reject).collect();
        shard.received(key, &encoded(&rejects), net.now);
    }
    assert!((1_000..2_000).contains(&asked), "{asked}");
}

/// The requests among the messages in `bytes`, a handshake before them passed over.
fn requests_in(bytes: &[u8]) -> Vec<BlockRef> {
    let mut rest = if bytes.starts_with(b"\x13Bit") { &bytes[Handshake::LENGTH..] } else { bytes };
    let mut requests = Vec::new();
    while let Some((message, length)) = wire::decode(rest, Bounds { bitfield: 1, block: 0 }).expect("our own") {
        if let Message::Request(block) = message {
            requests.push(block);
        }
        rest = &rest[length..];
    }
    requests
}

#[test]
fn of_two_connections_opened_at_once_one_stays_on_both_sides() {
    for swapped in [false, true] {
        let mut net = Net::new(8, 11);
        let half = |bits: u8| Some(Download { had: [bits].into(), ..nothing() });
        let (a, b) = (net.join(half(0xf0), Slots::Auto), net.join(half(0x0f), Slots::Auto));
        if swapped {
            net.connect(b, a)
        } else {
            net.connect(a, b)
        }
        if swapped {
            net.connect(a, b)
        } else {
            net.connect(b, a)
        }
        net.run(4);
        assert!(net.nodes[a].finished && net.nodes[b].finished, "swapped: {swapped}");
    }
}
