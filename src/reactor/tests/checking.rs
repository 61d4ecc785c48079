//! Content that was taken on trust, by real reactors.

use std::collections::BTreeSet;
use std::path::Path;

use sha1::Digest as _;

use super::*;
use crate::hash::Engine;
use crate::metainfo::{Builder, Metainfo};
use crate::storage::{self, LazyCheck, LazyHashers};

fn doubted(content: &Content, hashers: &LazyHashers) -> Command {
    let hashes = content.bytes.chunks(PIECE as usize).map(|piece| sha1::Sha1::digest(piece).into()).collect();
    let builder = Builder::single(std::ffi::OsStr::new("0"), u64::from(LENGTH), PIECE).hashes(hashes);
    let torrent = Arc::new(Metainfo::parse(&builder.write().expect("valid")).expect("just written"));
    let mut files = storage::Content::empty(content.folder.path());
    files.push(Path::new("0"), u64::from(LENGTH));
    let check = Arc::new(LazyCheck::new(hashers, Arc::new(files), torrent, &[]));
    let Command::Add { id, serving, slots, download } = content.add() else { panic!("it adds") };
    Command::Add { id, serving: Serving { unverified: Some(check), ..serving }, slots, download }
}

#[test]
fn content_taken_on_trust_is_served_whole_and_each_piece_is_hashed_once() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let hashers = LazyHashers::start(Engine::detect(), 2).expect("threads");
        let mut seeder = Seeder::new(ring, &[]);
        seeder.send(doubted(&content, &hashers));
        let mut peers = [seeder.connect(&content), seeder.connect(&content), seeder.connect(&content)];
        for peer in &mut peers {
            peer.wait_for_slot();
        }
        std::thread::scope(|scope| {
            let [one, two, _] = &mut peers;
            scope.spawn(|| one.download(&content.blocks(), &content.bytes).expect("byte for byte"));
            let mut backwards = content.blocks();
            backwards.reverse();
            let bytes = &content.bytes;
            scope.spawn(move || two.download(&backwards, bytes).expect("byte for byte"));
        });
        assert_eq!(hashers.hashed(), u64::from(LENGTH.div_ceil(PIECE)));
        seeder.download(&mut peers[2], &content);
        assert_eq!(hashers.hashed(), u64::from(LENGTH.div_ceil(PIECE)), "all of it is known");
        assert!(seeder.end().failures.is_empty());
    });
}

#[test]
fn not_a_byte_of_a_piece_that_does_not_match_goes_out_and_its_torrent_stops() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let hashers = LazyHashers::start(Engine::detect(), 2).expect("threads");
        let bad = PieceIndex(7);
        let mut wrong = content.bytes.clone();
        wrong[(bad.0 * PIECE + PIECE / 2) as usize] ^= 1;
        std::fs::write(content.path(), wrong).expect("disk space");
        let mut seeder = Seeder::new(ring, &[]);
        seeder.send(doubted(&content, &hashers));
        let mut peer = seeder.connect(&content);
        peer.wait_for_slot();
        let first = content.blocks().into_iter().filter(|block| block.piece.0 < 3).collect::<Vec<_>>();
        peer.download(&first, &content.bytes).expect("these are right");
        let requests: Vec<Message<'_>> = content.blocks().into_iter().map(Message::Request).collect();
        peer.say(&requests).expect("connected");
        let mut came = BTreeSet::new();
        let mut hear = |came: &mut BTreeSet<u32>| {
            peer.hear(|message| {
                if let Message::Piece { piece, .. } = message {
                    came.insert(piece.0);
                }
            })
        };
        while hear(&mut came).is_ok() {}
        assert!(!came.contains(&bad.0), "{came:?}");
        let last = seeder
            .reactor
            .stop()
            .map(|()| seeder.reactor.mailbox().latest().expect("a last snapshot"))
            .expect("it ran");
        let [(id, cause)] = &last.failures[..] else { panic!("one failed: {:?}", last.failures) };
        assert_eq!(*id, content.id());
        assert!(cause.starts_with("piece 7 (") && cause.contains(&content.path().display().to_string()), "{cause}");
    });
}
