//! The table of malformed and abusive exchanges, each with the right answer.

use std::time::Duration;

use crate::raw::*;

/// One line of the table: what is wrong, and the exchange, which panics if the answer is not the right one.
pub(crate) type Case = (&'static str, fn(&Target));

/// Hands are shaken with Fast and extensions; then these bytes; then the seeder must hang up.
fn closes(target: &Target, bytes: &[u8]) {
    let mut peer = target.greeted(MODERN);
    peer.send(bytes);
    peer.assert_closed();
}

/// The same without Fast and extensions.
fn plain_closes(target: &Target, bytes: &[u8]) {
    let mut peer = target.greeted(PLAIN);
    peer.send(bytes);
    peer.assert_closed();
}

/// The same with a peer that may ask.
fn unchoked_closes(target: &Target, bytes: &[u8]) {
    let mut peer = target.unchoked(MODERN);
    peer.send(bytes);
    peer.assert_closed();
}

/// The bytes are passed over: the peer is served afterwards.
fn passes(target: &Target, bytes: &[u8]) {
    let mut peer = target.greeted(MODERN);
    peer.send(bytes);
    peer.assert_welcome(target);
}

/// In place of a handshake.
fn contact_closes(target: &Target, bytes: &[u8]) {
    let mut peer = target.bare();
    peer.send(bytes);
    assert!(!peer.is_answered(), "an answer to a stranger");
}

fn altered(mut handshake: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    handshake[at] = byte;
    handshake
}

/// First contact.
pub(crate) const CONTACT: &[Case] = &[
    ("an HTTP request", |t| contact_closes(t, b"GET / HTTP/1.1\r\nHost: seeder\r\n\r\n")),
    ("an HTTP request for a torrent", |t| contact_closes(t, b"GET /announce?info_hash=%00 HTTP/1.0\r\n\r\n")),
    ("the public key of an encrypted contact", |t| contact_closes(t, &[0xa5; 96])),
    ("the first byte of an encrypted contact", |t| contact_closes(t, &[0xa5])),
    ("a TLS hello", |t| contact_closes(t, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")),
    ("zeros", |t| contact_closes(t, &[0; 68])),
    ("a protocol name of 255 bytes", |t| contact_closes(t, &altered(t.handshake(MODERN), 0, 255))),
    ("a protocol name that differs in its last byte", |t| contact_closes(t, &altered(t.handshake(MODERN), 19, b'L'))),
    ("an unknown info-hash", |t| contact_closes(t, &altered(t.handshake(MODERN), 28, !t.info_hash[0]))),
    ("an info-hash that differs in its last bit", |t| {
        contact_closes(t, &altered(t.handshake(MODERN), 47, t.info_hash[19] ^ 1));
    }),
    ("the seeder's own peer id", |t| {
        let mut peer = t.bare();
        peer.send(&t.handshake(MODERN));
        let id = peer.read_handshake(t);
        let mut mirror = t.bare();
        mirror.send(&[&t.handshake(MODERN)[..48], &id].concat());
        mirror.assert_ended();
        peer.assert_welcome(t);
    }),
    ("a peer id that is connected already", |t| {
        let handshake = t.handshake(MODERN);
        let mut first = t.bare();
        first.send(&handshake);
        first.read_handshake(t);
        first.become_unchoked();
        // reactors share nothing: on the same one it is closed, on another it is one more connection
        let mut second = t.bare();
        second.send(&handshake);
        second.hang_up();
        second.assert_ended();
        first.assert_served(t);
    }),
    ("a connection that ends at once", |t| drop(t.bare())),
    ("half a handshake and the end", |t| {
        let mut peer = t.bare();
        peer.send(&t.handshake(MODERN)[..40]);
        peer.hang_up();
        peer.assert_closed();
    }),
    ("a handshake cut at every byte", |t| {
        for cut in 1..68 {
            let handshake = t.handshake(MODERN);
            let mut peer = t.bare();
            peer.send(&handshake[..cut]);
            peer.send(&handshake[cut..]);
            peer.read_handshake(t);
        }
    }),
    ("a handshake byte by byte", |t| {
        let mut peer = t.bare();
        t.handshake(MODERN).chunks(1).for_each(|byte| peer.send(byte));
        peer.read_handshake(t);
        peer.assert_welcome(t);
    }),
    ("handshake, interest and requests in one packet", |t| {
        let mut peer = t.bare();
        peer.send(&[t.handshake(MODERN), message(INTERESTED, &[]), message(HAVE_NONE, &[])].concat());
        peer.read_handshake(t);
        peer.read_kind(UNCHOKE).expect("unchoked");
        peer.assert_served(t);
    }),
    ("all reserved bits set", |t| {
        let mut peer = t.greeted([0xff; 8]);
        peer.assert_welcome(t);
    }),
];

/// Lengths that a kind cannot have.
pub(crate) const LENGTHS: &[Case] = &[
    ("length 2^32 - 1", |t| closes(t, &[0xff; 4])),
    ("length -2^31", |t| closes(t, &[0x80, 0, 0, 0])),
    ("length 2^31 - 1 with a kind", |t| closes(t, &[0x7f, 0xff, 0xff, 0xff, REQUEST])),
    ("length 16 MiB of an unknown kind", |t| closes(t, &[1, 0, 0, 0, 99])),
    ("choke with a body", |t| closes(t, &message(CHOKE, &[0]))),
    ("unchoke with a body", |t| closes(t, &message(UNCHOKE, &[0; 5]))),
    ("interested with a body", |t| closes(t, &message(INTERESTED, &[1]))),
    ("not interested with a body", |t| closes(t, &message(NOT_INTERESTED, &[1]))),
    ("have of 3 bytes", |t| closes(t, &message(HAVE, &[0; 3]))),
    ("have of 5 bytes", |t| closes(t, &message(HAVE, &[0; 5]))),
    ("empty have", |t| closes(t, &message(HAVE, &[]))),
    ("request of 11 bytes", |t| closes(t, &message(REQUEST, &[0; 11]))),
    ("request of 13 bytes", |t| closes(t, &message(REQUEST, &[0; 13]))),
    ("cancel of 11 bytes", |t| closes(t, &message(CANCEL, &[0; 11]))),
    ("reject of 13 bytes", |t| closes(t, &message(REJECT, &[0; 13]))),
    ("port of 1 byte", |t| closes(t, &message(PORT, &[1]))),
    ("port of 3 bytes", |t| closes(t, &message(PORT, &[1; 3]))),
    ("have-all with a body", |t| closes(t, &message(HAVE_ALL, &[1]))),
    ("suggest of 5 bytes", |t| closes(t, &message(SUGGEST, &[0; 5]))),
    ("extension message without its id", |t| closes(t, &message(EXTENDED, &[]))),
    ("extension message of 64 KiB", |t| closes(t, &message(EXTENDED, &[0; 65_536]))),
    ("unknown kind of 8 KiB", |t| closes(t, &message(99, &[0; 8_192]))),
];

/// Statements about pieces.
pub(crate) const PIECES: &[Case] = &[
    ("empty bitfield", |t| closes(t, &message(BITFIELD, &[]))),
    ("bitfield short of a byte", |t| closes(t, &message(BITFIELD, &t.bits(0)[1..]))),
    ("bitfield with a byte too many", |t| closes(t, &message(BITFIELD, &[&t.bits(0)[..], &[0]].concat()))),
    ("bitfield with spare bits set", |t| closes(t, &message(BITFIELD, &t.bits(0xff)))),
    // BEP 3 has it first and once, but aria2 sends another in place of many haves
    ("bitfields without end", |t| passes(t, &message(BITFIELD, &t.bits(0)).repeat(1_000))),
    ("bitfields, haves and have-none in turn", |t| {
        let said = [message(HAVE, &[0; 4]), message(BITFIELD, &t.bits(0)), message(HAVE_NONE, &[])];
        passes(t, &said.concat().repeat(1_000));
    }),
    ("have-all twice", |t| closes(t, &message(HAVE_ALL, &[]).repeat(2))),
    ("have-all without Fast", |t| plain_closes(t, &message(HAVE_ALL, &[]))),
    ("have-none without Fast", |t| plain_closes(t, &message(HAVE_NONE, &[]))),
    ("reject without Fast", |t| plain_closes(t, &block_message(REJECT, (0, 0, BLOCK)))),
    ("have beyond the last piece", |t| closes(t, &message(HAVE, &t.pieces().to_be_bytes()))),
    ("have of piece 2^32 - 1", |t| closes(t, &message(HAVE, &[0xff; 4]))),
    ("have of the same piece a thousand times", |t| passes(t, &message(HAVE, &[0; 4]).repeat(1_000))),
    ("a complete peer", |t| closes(t, &message(HAVE_ALL, &[]))),
    ("a block that nobody asked for", |t| {
        closes(t, &message(DATA, &[&[0; 8][..], &[7; BLOCK as usize]].concat()));
    }),
    ("the header of a block of 128 KiB", |t| closes(t, &[0, 2, 0, 9, DATA, 0, 0, 0, 0, 0, 0, 0, 0])),
];

/// Requests and cancels.
pub(crate) const REQUESTS: &[Case] = &[
    ("request beyond the last piece", |t| unchoked_closes(t, &block_message(REQUEST, (t.pieces(), 0, BLOCK)))),
    ("request of piece 2^32 - 1", |t| unchoked_closes(t, &block_message(REQUEST, (u32::MAX, 0, BLOCK)))),
    ("request that begins at the end of its piece", |t| {
        unchoked_closes(t, &block_message(REQUEST, (0, PIECE, BLOCK)));
    }),
    ("request across the end of its piece", |t| {
        unchoked_closes(t, &block_message(REQUEST, (0, PIECE - 1, 2)));
    }),
    ("request across the end of the last piece", |t| {
        unchoked_closes(t, &block_message(REQUEST, (t.pieces() - 1, 0, t.tail() + 1)));
    }),
    ("request whose end overflows", |t| unchoked_closes(t, &block_message(REQUEST, (0, u32::MAX, BLOCK)))),
    ("request whose length overflows", |t| unchoked_closes(t, &block_message(REQUEST, (0, BLOCK, u32::MAX)))),
    ("request of no byte", |t| unchoked_closes(t, &block_message(REQUEST, (0, 0, 0)))),
    ("request of a whole piece", |t| unchoked_closes(t, &block_message(REQUEST, (0, 0, PIECE)))),
    ("request out of range while choked", |t| closes(t, &block_message(REQUEST, (t.pieces(), 0, BLOCK)))),
    ("odd requests within the data", |t| {
        let mut peer = t.unchoked(MODERN);
        let last = t.pieces() - 1;
        for block in [
            (0, 0, 1),
            (1, 4_095, 4_097),
            (3, 17, 128 * 1024),
            (last, t.tail() - 1, 1),
            (last, 0, t.tail().min(131_072)),
        ] {
            peer.send(&block_message(REQUEST, block));
            assert_data(t, block, &peer.read_kind(DATA).expect("data"));
        }
    }),
    ("request while choked, with Fast", |t| {
        let mut peer = t.greeted(MODERN);
        peer.send(&extended(0, "d1:md11:ut_metadatai9eee"));
        // asking for metadata, and its answer, mark the end of what the seeder says at first
        peer.send(&extended(2, "d8:msg_typei0e5:piecei0ee"));
        peer.read_metadata();
        let piece = (0..t.pieces()).find(|piece| !peer.allowed_fast.contains(piece)).expect("more pieces than ten");
        let block = (piece, 0, BLOCK);
        peer.send(&block_message(REQUEST, block));
        assert_eq!(peer.read(), Some((REJECT, block_message(REJECT, block)[5..].to_vec())));
        peer.assert_welcome(t);
    }),
    ("request while choked, without Fast", |t| {
        let mut peer = t.greeted(PLAIN);
        peer.send(&block_message(REQUEST, (0, 0, BLOCK)).repeat(100));
        peer.assert_welcome(t);
    }),
    ("an allowed-fast piece asked for again and again while choked", |t| {
        let mut peer = t.greeted(MODERN);
        peer.read_kind(ALLOWED_FAST).expect("an allowed-fast piece: this is IPv4");
        let block = (peer.allowed_fast[0], 0, BLOCK);
        peer.send(&block_message(REQUEST, block).repeat(1_000));
        let answers: Vec<u8> = answers(&mut peer, 1_000).iter().map(|(id, _)| *id).collect();
        assert!(answers.contains(&DATA), "it was allowed");
        assert!(answers.contains(&REJECT), "sixteen MiB went to a choked peer");
    }),
    ("a flood of requests, with Fast", |t| {
        let mut peer = t.unchoked(MODERN);
        let block = (1, 0, 1_024);
        peer.send(&block_message(REQUEST, block).repeat(10_000));
        for (id, body) in answers(&mut peer, 10_000) {
            if id == DATA {
                assert_data(t, block, &body);
            }
        }
        peer.assert_served(t);
    }),
    ("a flood of requests, without Fast", |t| {
        let mut peer = t.unchoked(PLAIN);
        peer.send(&block_message(REQUEST, (1, 0, 512)).repeat(10_000));
        // some are lost, as BEP 3 has it; this one comes after them
        let last = (2, BLOCK, 777);
        loop {
            peer.send(&block_message(REQUEST, last));
            let body = peer.read_kind(DATA).expect("data");
            if body.len() == 8 + 777 {
                return assert_data(t, last, &body);
            }
        }
    }),
    ("cancels of everything that was asked for", |t| {
        let mut peer = t.unchoked(MODERN);
        let blocks: Vec<Block> = (0..500).map(|number| (number % 10, number / 10 * 256, 256)).collect();
        let all = |id| blocks.iter().flat_map(|block| block_message(id, *block)).collect::<Vec<u8>>();
        peer.send(&[all(REQUEST), all(CANCEL)].concat());
        // BEP 6: each is answered once, by data or by a reject
        answers(&mut peer, 500);
        peer.assert_served(t);
    }),
    ("a cancel of what was never asked for", |t| unchoked_closes(t, &block_message(CANCEL, (0, 0, BLOCK)))),
    ("a storm of cancels", |t| unchoked_closes(t, &block_message(CANCEL, (0, 0, BLOCK)).repeat(10_000))),
    ("a cancel out of range", |t| unchoked_closes(t, &block_message(CANCEL, (u32::MAX, u32::MAX, u32::MAX)))),
    ("a reject of what was never asked for", |t| passes(t, &block_message(REJECT, (0, 0, BLOCK)))),
    ("a request cut at every byte", |t| {
        let mut peer = t.unchoked(MODERN);
        for cut in 1..17 {
            let block = (u32::try_from(cut % 4).expect("small"), 0, BLOCK);
            let request = block_message(REQUEST, block);
            peer.send(&request[..cut]);
            peer.send(&request[cut..]);
            assert_data(t, block, &peer.read_kind(DATA).expect("data"));
        }
    }),
    ("half a request and the end", |t| {
        let mut peer = t.unchoked(MODERN);
        peer.send(&block_message(REQUEST, (0, 0, BLOCK))[..9]);
        peer.hang_up();
        peer.assert_closed();
    }),
    ("a reset in the middle of a chunk", |t| {
        let mut peer = t.unchoked(MODERN);
        let blocks = (0..PIECE / BLOCK).flat_map(|number| block_message(REQUEST, (0, number * BLOCK, BLOCK)));
        peer.send(&blocks.collect::<Vec<u8>>());
        peer.read_kind(DATA).expect("a first block");
        socket2::SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)).expect("a reset at the end");
    }),
    ("a peer that asks for all and reads nothing", |t| {
        let mut peer = t.unchoked(MODERN);
        for piece in 0..t.pieces() - 1 {
            peer.send(&block_message(REQUEST, (piece, 0, 131_072)));
        }
        socket2::SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO)).expect("a reset at the end");
    }),
];

/// Everything else that can be said.
pub(crate) const MESSAGES: &[Case] = &[
    ("keep-alives without end", |t| passes(t, &[0; 40_000])),
    ("unknown kinds", |t| passes(t, &[10, 11, 12, 18, 19, 21, 99, 255].map(|id| message(id, &[1, 2, 3])).concat())),
    ("choke and unchoke, over and over", |t| {
        passes(t, &[message(CHOKE, &[]), message(UNCHOKE, &[])].concat().repeat(1_000));
    }),
    ("interest that flickers", |t| {
        let mut peer = t.greeted(MODERN);
        peer.send(&[message(INTERESTED, &[]), message(NOT_INTERESTED, &[])].concat().repeat(1_000));
        peer.send(&message(INTERESTED, &[]));
        peer.send(&extended(0, "d1:md11:ut_metadatai9eee"));
        peer.send(&extended(2, "d8:msg_typei0e5:piecei0ee"));
        // in the end it is interested, and there is a slot for it
        let mut choked = true;
        while let Some((id, body)) = peer.read() {
            match id {
                CHOKE => choked = true,
                UNCHOKE => choked = false,
                EXTENDED if body[0] == 9 => break,
                _ => {}
            }
        }
        if choked {
            peer.read_kind(UNCHOKE).expect("unchoked");
        }
        peer.assert_served(t);
    }),
    ("a DHT port", |t| passes(t, &message(PORT, &[0x1a, 0xe1]))),
    ("suggestions and allowances for a seed", |t| {
        passes(t, &[message(SUGGEST, &[0xff; 4]), message(ALLOWED_FAST, &[0; 4])].concat());
    }),
    ("extension message without the protocol", |t| plain_closes(t, &extended(0, "de"))),
    ("extension handshake that is no bencode", |t| closes(t, &extended(0, "hello"))),
    ("empty extension handshake", |t| closes(t, &extended(0, ""))),
    ("extension handshake that is a list", |t| closes(t, &extended(0, "le"))),
    ("extension handshake that ends early", |t| closes(t, &extended(0, "d1:md11:ut_metadatai3e"))),
    ("extension handshake 16,000 lists deep", |t| {
        closes(t, &extended(0, &["d1:m", &"l".repeat(16_000), &"e".repeat(16_000), "e"].concat()));
    }),
    ("extension handshake with a string of 2^63 bytes", |t| closes(t, &extended(0, "d1:v9223372036854775807:e"))),
    ("extension handshake with values of wrong types and signs", |t| {
        passes(t, &extended(0, "d1:md11:ut_metadatai-1e6:ut_pexle8:xxxxxxxxi999ee1:pi-5e4:reqqi-1e1:vi3ee"));
    }),
    ("extension handshakes without end", |t| passes(t, &extended(0, "d1:md11:ut_metadatai3eee").repeat(1_000))),
    ("an extension that was never named", |t| passes(t, &extended(200, "d1:ai1ee"))),
    ("metadata asked for before saying under which id", |t| passes(t, &extended(2, "d8:msg_typei0e5:piecei0ee"))),
    ("metadata beyond its end", |t| {
        let mut peer = t.greeted(MODERN);
        peer.send(&extended(0, "d1:md11:ut_metadatai9eee"));
        peer.send(&extended(2, "d8:msg_typei0e5:piecei4000000000ee"));
        assert!(peer.read_metadata().starts_with(b"d8:msg_typei2e"), "a reject");
    }),
    ("metadata of a negative piece", |t| closes(t, &extended(2, "d8:msg_typei0e5:piecei-1ee"))),
    ("metadata message that is garbage", |t| closes(t, &extended(2, "\u{1}\u{2}\u{3}"))),
    ("metadata message of an unknown kind", |t| passes(t, &extended(2, "d8:msg_typei77e5:piecei0ee"))),
    ("metadata that nobody asked for", |t| {
        passes(t, &extended(2, "d8:msg_typei1e5:piecei0e10:total_sizei4eeabcd"));
    }),
    ("metadata asked for without end", |t| {
        let mut peer = t.greeted(MODERN);
        peer.send(&extended(0, "d1:md11:ut_metadatai9eee"));
        peer.send(&extended(2, "d8:msg_typei0e5:piecei0ee").repeat(1_000));
        let first = peer.read_metadata();
        assert!(first.ends_with(&t.info), "the info dictionary, which is shorter than 16 KiB");
        let rejects = (1..1_000).filter(|_| peer.read_metadata().starts_with(b"d8:msg_typei2e")).count();
        assert!(rejects > 900, "only {rejects} of a thousand were rejected");
    }),
];

/// Reads the answers to `count` requests.
fn answers(peer: &mut Peer, count: usize) -> Vec<(u8, Vec<u8>)> {
    let mut answers = Vec::new();
    while answers.len() < count {
        let (id, body) = peer.read().unwrap_or_else(|| panic!("closed after {} of {count} answers", answers.len()));
        if matches!(id, DATA | REJECT) {
            answers.push((id, body));
        }
    }
    answers
}

impl Peer {
    /// The next metadata message, sent under the id 9.
    fn read_metadata(&mut self) -> Vec<u8> {
        loop {
            let (id, body) = self.read().expect("a metadata message");
            if id == EXTENDED && body[0] == 9 {
                return body[1..].to_vec();
            }
        }
    }
}
