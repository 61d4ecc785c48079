//! Torrents that are known and not in memory.

use super::*;
use crate::limits;
use crate::metainfo::{Builder, Metainfo, PathIndex};

const SLEEPER: TorrentId = TorrentId(5);

fn world() -> World {
    let mut world = World::new(Slots::Auto);
    world.shard.know(&[(InfoHash([5; 20]), SLEEPER), (InfoHash([6; 20]), TorrentId(6))], true);
    world
}

fn hello(id: u32) -> Vec<u8> {
    let mut bytes = handshake(Reserved::OURS, 5, id);
    bytes.extend(encoded(&[Message::HaveNone, Message::Interested, Message::Request(block(0, 16_384))]));
    bytes
}

fn wanted(world: &mut World) -> Vec<TorrentId> {
    std::iter::from_fn(|| world.shard.next_wanted()).collect()
}

fn held(world: &mut World) -> Vec<(PeerKey, bool)> {
    std::iter::from_fn(|| world.shard.next_hold()).collect()
}

#[test]
fn whoever_asks_for_a_dormant_torrent_goes_on_when_it_is_there_however_its_bytes_were_cut() {
    for cut in [1, 67, 68, 69, 80, hello(1).len()] {
        let mut world = world();
        let (one, two) = (world.accept(), world.accept());
        for (key, id) in [(one, 1), (two, 2)] {
            hello(id).chunks(cut).for_each(|part| world.hear(key, part));
        }
        assert_eq!(wanted(&mut world), [SLEEPER], "it is told once");
        assert_eq!(held(&mut world), [(one, true), (two, true)], "and they are not received from");
        assert!(world.output.is_empty() && world.shard.torrents().len() == 1);
        assert_eq!((world.shard.awaiting(), world.shard.dormant_torrents()), (2, 2));
        world.pass(5);

        assert!(world.shard.add(SLEEPER, torrent_of_pieces(5, PIECES), 4));
        world.settle();
        assert_eq!(held(&mut world), [(one, false), (two, false)]);
        assert_eq!((world.shard.awaiting(), world.shard.dormant_torrents()), (0, 1));
        for key in [one, two] {
            assert!(world.heard(key).contains(&"Unchoke".to_owned()), "cut into {cut}");
            assert!(world.shard.connections.get(key).is_some_and(|c| c.input.is_empty()));
        }
    }
}

#[test]
fn who_waits_is_closed_in_time_and_for_the_right_reason() {
    let mut world = world();
    let ask = |world: &mut World, torrent| {
        let key = world.accept();
        world.hear(key, &handshake(Reserved::OURS, torrent, 1));
        key
    };
    let refused = ask(&mut world, 5);
    world.shard.turn_down(SLEEPER);
    let again = ask(&mut world, 5);
    assert_eq!(wanted(&mut world), [SLEEPER], "whoever comes after a refusal has it wanted anew");
    let forgotten = ask(&mut world, 6);
    world.shard.forget(InfoHash([6; 20]));
    assert_eq!(wanted(&mut world), [], "nobody wants it any more");
    let unknown = ask(&mut world, 6);
    world.pass(15);
    let reasons = [refused, forgotten, unknown, again].map(|key| world.reason(key));
    let expected = [Reason::Absent, Reason::UnknownTorrent, Reason::UnknownTorrent, Reason::HandshakeTimeout];
    assert_eq!(reasons, expected.map(Some));
    assert_eq!((world.shard.awaiting(), world.shard.dormant_torrents(), world.shard.greeting), (0, 1, 0));
    assert!(world.shard.dial(SLEEPER, world.address(), world.now).is_none(), "it is not there to dial for");
}

#[test]
fn who_waits_costs_a_bounded_number_of_bytes() {
    let mut world = world();
    let key = world.accept();
    world.hear(key, &hello(1));
    let more = vec![0; 4_096];
    let mut kept = hello(1).len();
    while kept + more.len() <= limits::AWAITING_INPUT {
        kept += more.len();
        world.hear(key, &more);
    }
    assert_eq!(world.reason(key), None);
    world.hear(key, &more);
    assert_eq!(world.reason(key), Some(Reason::RequestFlood));
}

#[test]
fn a_torrent_sleeps_when_nobody_is_connected_and_what_it_sent_is_told_each_time() {
    let mut world = world();
    let mut sent = 0;
    for _ in 0..3 {
        let key = world.accept();
        world.hear(key, &hello(1));
        assert_eq!(wanted(&mut world), [SLEEPER]);
        world.shard.add(SLEEPER, torrent_of_pieces(5, PIECES), 4);
        world.settle();
        world.ask(key, 1, 16_384);
        sent += world.serve().expect("a request waits").1;
        assert!(!world.shard.sleep(SLEEPER), "a peer is connected");
        world.shard.close(key, Reason::Ended);
        assert!(!world.shard.sleep(SLEEPER), "and not taken down");
        world.settle();
        let dialled = world.shard.dial(SLEEPER, world.address(), world.now).expect("there is room");
        assert!(!world.shard.sleep(SLEEPER), "we greet somebody");
        world.shard.close(dialled, Reason::Failed);
        world.settle();
        assert!(world.shard.sleep(SLEEPER) && !world.shard.sleep(SLEEPER));
        let last = world.shard.next_ended().expect("its end");
        assert_eq!((last.id, last.sent), (SLEEPER, 16_384));
        assert!(world.shard.next_ended().is_none());
        assert_eq!((world.shard.torrents().len(), world.shard.dormant_torrents()), (1, 2));
    }
    assert_eq!((sent, world.shard.totals().sent), (3 * 16_384, 3 * 16_384));
}

#[test]
fn an_http_request_for_a_dormant_torrent_waits_for_it_too() {
    let bytes = Builder::single(std::ffi::OsStr::new("a"), 1, 1).hashes(vec![[0; 20]]).write().expect("valid");
    let files = Arc::new(PathIndex::new(Metainfo::parse(&bytes).expect("just written")));
    let mut world = world();
    let (first, kept) = (world.accept(), world.accept());
    let get = |hash: u8, path: &str| format!("GET /{}/{path} HTTP/1.1\r\nHost: a\r\n\r\n", InfoHash([hash; 20]));
    world.hear(kept, get(9, "a").as_bytes());
    assert!(world.output.remove(&kept).expect("an answer").starts_with(b"HTTP/1.1 404"), "nobody's");
    [first, kept].into_iter().for_each(|key| world.hear(key, get(5, "a").as_bytes()));
    assert_eq!((wanted(&mut world), world.shard.awaiting()), (vec![SLEEPER], 2));
    world.pass(2);
    world.shard.add(SLEEPER, torrent_of_pieces(5, PIECES), 4);
    world.shard.publish(SLEEPER, files);
    world.settle();
    for key in [first, kept] {
        assert!(world.output[&key].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&world.output[&key]));
    }
    assert!(world.serve().is_some() && !world.shard.sleep(SLEEPER), "bodies are being sent");
    [first, kept].into_iter().for_each(|key| world.shard.close(key, Reason::Ended));
    world.settle();
    assert!(world.shard.sleep(SLEEPER));
}
