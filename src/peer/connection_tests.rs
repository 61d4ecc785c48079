use std::net::Ipv4Addr;

use super::*;
use crate::wire::extension::MetadataMessage;

fn torrent(private: bool) -> Torrent {
    let geometry = Geometry::new(32_768, [(100_000, false)]).expect("valid");
    Torrent { info_hash: InfoHash([1; 20]), geometry, info: vec![b'x'; 20_000].into(), private }
}

fn peer(reserved: Reserved, torrent: &Torrent) -> (Peer, Vec<u8>) {
    let theirs = Handshake { reserved, info_hash: torrent.info_hash, peer_id: PeerId([2; 20]) };
    let ours = Identity { peer_id: PeerId([3; 20]), client: "sower".to_owned(), port: 6881 };
    let mut out = Vec::new();
    let peer = Peer::new(&theirs, IpAddr::V4(Ipv4Addr::LOCALHOST), torrent, &Pieces::All, &ours, &mut out);
    (peer, out)
}

/// The messages in `bytes`, as text.
fn read(mut bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while let Some((message, length)) =
        crate::wire::decode(bytes, Bounds { bitfield: 1, block: 16_384 }).expect("our own messages are valid")
    {
        all.push(format!("{message:?}"));
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty(), "whole messages only");
    all
}

const fn block(piece: u32, begin: u32, length: u32) -> BlockRef {
    BlockRef { piece: PieceIndex(piece), begin, length }
}

#[test]
fn a_plain_peer_is_greeted_with_a_bitfield() {
    let (_, out) = peer(Reserved::default(), &torrent(false));
    assert_eq!(read(&out), ["Bitfield([240])"]);
}

#[test]
fn a_fast_and_extended_peer_is_greeted_with_an_extension_handshake_have_all_and_its_allowed_pieces() {
    let (_, out) = peer(Reserved::OURS, &torrent(false));
    let messages = read(&out);
    assert!(messages[0].starts_with("Extended { id: 0"));
    assert_eq!(messages[1], "HaveAll");
    assert_eq!(messages.len(), 2 + 4, "a torrent of four pieces allows four");
}

#[test]
fn requests_of_a_choked_peer_are_rejected_if_it_speaks_fast_and_dropped_if_not() {
    let torrent = torrent(false);
    let (mut peer_fast, _) = peer(Reserved::OURS, &torrent);
    peer_fast.fast_set = Box::default();
    let mut out = Vec::new();
    let request = Message::Request(block(0, 0, 16_384));
    assert_eq!(peer_fast.handle(request, &torrent, &Pieces::All, &mut out), Ok(Event::None));
    assert!(read(&out)[0].starts_with("Reject"));
    let (mut plain, _) = peer(Reserved::default(), &torrent);
    out.clear();
    assert_eq!(plain.handle(request, &torrent, &Pieces::All, &mut out), Ok(Event::None));
    assert!(out.is_empty() && !plain.wants_turn());
}

#[test]
fn allowed_fast_pieces_are_served_to_choked_peers_once() {
    let torrent = torrent(false);
    let (mut peer, _) = peer(Reserved::OURS, &torrent);
    let mut out = Vec::new();
    let mut served = 0;
    for _ in 0..100 {
        let event = peer.handle(Message::Request(block(0, 0, 16_384)), &torrent, &Pieces::All, &mut out);
        served += u32::from(event == Ok(Event::Requested));
    }
    assert_eq!(served, 100_000 / 16_384, "the bytes of the allowed pieces, and no more");
}

#[test]
fn choking_rejects_what_waits_and_keeps_allowed_pieces() {
    let torrent = torrent(false);
    let (mut peer, _) = peer(Reserved::OURS, &torrent);
    peer.fast_set = [PieceIndex(1)].into();
    let mut out = Vec::new();
    peer.unchoke(&mut out);
    for piece in 0..3 {
        let event = peer.handle(Message::Request(block(piece, 0, 16_384)), &torrent, &Pieces::All, &mut out);
        assert_eq!(event, Ok(Event::Requested));
    }
    out.clear();
    peer.choke(&mut out);
    assert_eq!(peer.requests.first(), Some(block(1, 0, 16_384)));
    let messages = read(&out);
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0], "Choke");
}

#[test]
fn a_full_queue_rejects() {
    let torrent = torrent(false);
    let (mut peer, _) = peer(Reserved::OURS, &torrent);
    let mut out = Vec::new();
    peer.unchoke(&mut out);
    out.clear();
    for _ in 0..limits::REQUESTS_PER_PEER {
        assert_eq!(
            peer.handle(Message::Request(block(0, 0, 1)), &torrent, &Pieces::All, &mut out),
            Ok(Event::Requested)
        );
    }
    assert!(out.is_empty());
    assert_eq!(peer.handle(Message::Request(block(0, 0, 1)), &torrent, &Pieces::All, &mut out), Ok(Event::None));
    assert!(read(&out)[0].starts_with("Reject"));
}

#[test]
fn a_cancelled_request_is_answered_with_a_reject_and_a_second_cancel_closes() {
    let torrent = torrent(false);
    let (mut peer, _) = peer(Reserved::OURS, &torrent);
    let mut out = Vec::new();
    peer.unchoke(&mut out);
    let _ = peer.handle(Message::Request(block(0, 0, 5)), &torrent, &Pieces::All, &mut out);
    out.clear();
    assert_eq!(peer.handle(Message::Cancel(block(0, 0, 5)), &torrent, &Pieces::All, &mut out), Ok(Event::None));
    assert!(read(&out)[0].starts_with("Reject") && !peer.wants_turn());
    assert_eq!(
        peer.handle(Message::Cancel(block(0, 0, 5)), &torrent, &Pieces::All, &mut out),
        Err(Reason::CancelFlood)
    );
}

#[test]
fn impossible_messages_close_with_their_reason() {
    let torrent = torrent(false);
    let cases: [(Reserved, &[Message<'_>], Reason); 10] = [
        (Reserved::OURS, &[Message::Request(block(4, 0, 1))], Reason::BadRequest),
        (Reserved::OURS, &[Message::Request(block(0, 0, 0))], Reason::BadRequest),
        (Reserved::OURS, &[Message::Request(block(0, 32_768, 1))], Reason::BadRequest),
        (Reserved::OURS, &[Message::Request(block(0, u32::MAX, u32::MAX))], Reason::BadRequest),
        (Reserved::OURS, &[Message::Have(PieceIndex(4))], Reason::BadPiece),
        (Reserved::OURS, &[Message::Bitfield(&[0xff])], Reason::BadBitfield),
        (Reserved::default(), &[Message::HaveAll], Reason::NotFast),
        (Reserved::default(), &[Message::Extended { id: 0, payload: b"de" }], Reason::BadExtension),
        (Reserved::OURS, &[Message::Extended { id: 0, payload: b"x" }], Reason::BadExtension),
        (Reserved::OURS, &[Message::Cancel(block(0, 0, 1))], Reason::CancelFlood),
    ];
    for (reserved, messages, reason) in cases {
        let (mut peer, mut out) = peer(reserved, &torrent);
        let (last, first) = messages.split_last().expect("not empty");
        first.iter().for_each(|message| assert!(peer.handle(*message, &torrent, &Pieces::All, &mut out).is_ok()));
        assert_eq!(peer.handle(*last, &torrent, &Pieces::All, &mut out), Err(reason), "{messages:?}");
    }
}

#[test]
fn metadata_is_given_in_pieces_and_not_for_ever_and_never_of_private_torrents() {
    let hello = Message::Extended { id: 0, payload: b"d1:md11:ut_metadatai7eee" };
    let request = MetadataMessage::Request { piece: 1 }.encode();
    let ask = Message::Extended { id: METADATA, payload: &request };
    let answers = |private| {
        let torrent = torrent(private);
        let (mut peer, mut out) = peer(Reserved::OURS, &torrent);
        assert_eq!(peer.handle(hello, &torrent, &Pieces::All, &mut out), Ok(Event::Introduced));
        (0..6)
            .map(|_| {
                let mut out = Vec::new();
                assert_eq!(peer.handle(ask, &torrent, &Pieces::All, &mut out), Ok(Event::None));
                out.len()
            })
            .collect::<Vec<_>>()
    };
    let lengths = answers(false);
    assert!(lengths[..4].iter().all(|&length| length > 20_000 - 16_384), "{lengths:?}");
    assert!(lengths[4..].iter().all(|&length| length < 100), "{lengths:?}");
    assert!(answers(true).iter().all(|&length| length < 100));
}

#[test]
fn a_peer_that_has_everything_wants_nothing() {
    let torrent = torrent(false);
    let (mut peer, mut out) = peer(Reserved::OURS, &torrent);
    assert!(!peer.wants_nothing());
    for piece in 0..4 {
        let event = peer.handle(Message::Have(PieceIndex(piece)), &torrent, &Pieces::All, &mut out);
        assert_eq!(event, Ok(Event::Has(PieceIndex(piece))));
    }
    assert!(peer.wants_nothing());
}

#[test]
fn a_second_bitfield_replaces_what_was_said_before() {
    let torrent = torrent(false);
    let (mut peer, mut out) = peer(Reserved::OURS, &torrent);
    assert_eq!(
        peer.handle(Message::Have(PieceIndex(3)), &torrent, &Pieces::All, &mut out),
        Ok(Event::Has(PieceIndex(3)))
    );
    assert_eq!(peer.handle(Message::Bitfield(&[0b1100_0000]), &torrent, &Pieces::All, &mut out), Ok(Event::HasSet));
    assert!(peer.take_replaced().contains(PieceIndex(3)));
    assert!(peer.pieces().contains(PieceIndex(1)) && !peer.pieces().contains(PieceIndex(3)));
}
