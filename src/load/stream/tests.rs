//! The stream against an oracle that knows what was sent: random messages between blocks, random amounts at a time.

use proptest::prelude::*;

use super::*;
use crate::ids::PeerId;
use crate::load::protocol::{BLOCK, handshake};

/// Bytes that arrive a few at a time.
struct Bytes {
    all: Vec<u8>,
    arrived: usize,
    read: usize,
    /// Payload that was taken unseen, as ranges of the stream.
    calls: usize,
}

impl Bytes {
    fn give(&mut self, count: usize) -> usize {
        let count = count.min(self.arrived - self.read);
        self.read += count;
        self.calls += 1;
        count
    }
}

impl Incoming for Bytes {
    fn queued(&mut self) -> io::Result<usize> {
        Ok(self.arrived - self.read)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.read;
        let count = self.give(into.len());
        into[..count].copy_from_slice(&self.all[from..from + count]);
        Ok(count)
    }

    fn take(&mut self, _: Block, _: u32, count: usize) -> io::Result<usize> {
        Ok(self.give(count))
    }

    fn skip(&mut self, count: usize) -> io::Result<usize> {
        Ok(self.give(count))
    }
}

/// What a seeder may say.
#[derive(Clone, Copy, Debug)]
enum Said {
    Block,
    Have,
    KeepAlive,
    Unchoke,
    /// A long message that means nothing: an extension's.
    Extended(u16),
}

fn block(number: u32, length: u32) -> Block {
    Block { piece: number / 16, begin: number % 16 * BLOCK, length }
}

/// The blocks that are asked for, the last of them short.
fn asked(count: u32) -> VecDeque<Request> {
    let length = |number| if number + 1 == count { 1_000 } else { BLOCK };
    (0..count).map(|number| Request { block: block(number, length(number)), sent: 0 }).collect()
}

fn message(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).expect("short");
    [&length.to_be_bytes()[..], &[id], body].concat()
}

fn piece(block: Block, fill: u8) -> Vec<u8> {
    let body =
        [&block.piece.to_be_bytes()[..], &block.begin.to_be_bytes(), &vec![fill; block.length as usize]].concat();
    message(7, &body)
}

/// A stream that says all of that, with the blocks in order.
fn stream_of(said: &[Said], requests: &VecDeque<Request>, fill: u8) -> Vec<u8> {
    let mut bytes = handshake(InfoHash([7; 20]), PeerId([1; 20])).to_vec();
    let mut blocks = requests.iter();
    for said in said {
        bytes.extend(match said {
            Said::Block => blocks.next().map_or_else(Vec::new, |request| piece(request.block, fill)),
            Said::Have => message(4, &[0, 0, 0, 9]),
            Said::KeepAlive => vec![0; 4],
            Said::Unchoke => message(1, &[]),
            Said::Extended(length) => message(20, &vec![3; usize::from(*length)]),
        });
    }
    blocks.for_each(|request| bytes.extend(piece(request.block, fill)));
    bytes
}

/// The torrent of [`asked`].
fn geometry(count: u32) -> Geometry {
    Geometry::new(16 * BLOCK, [(u64::from(count - 1) * u64::from(BLOCK) + 1_000, false)]).expect("valid")
}

/// Those blocks in that order; all of them are whole.
fn stream_in_order(order: &[u32]) -> Vec<u8> {
    let mut bytes = handshake(InfoHash([7; 20]), PeerId([1; 20])).to_vec();
    order.iter().for_each(|&number| bytes.extend(piece(block(number, BLOCK), 7)));
    bytes
}

/// Reads all of `bytes`, in the portions given, again and again; the events, and the number of calls.
fn read_all(bytes: Vec<u8>, portions: &[usize], careful: bool, count: u32) -> (Vec<Event>, Vec<Block>, usize) {
    let mut io = Bytes { all: bytes, arrived: 0, read: 0, calls: 0 };
    let (mut requests, geometry) = (asked(count), geometry(count));
    let mut stream = Stream::new(careful);
    let (mut events, mut got) = (Vec::new(), Vec::new());
    for portion in portions.iter().cycle() {
        if io.arrived == io.all.len() {
            break;
        }
        io.arrived = (io.arrived + portion).min(io.all.len());
        stream.wake(&mut io).expect("no error");
        loop {
            let expected = Expected { requests: &requests, geometry: &geometry };
            let Some(event) = stream.next(&mut io, expected, &mut usize::MAX.clone()).expect("no error") else { break };
            if let Event::Blocks { first, count } = event {
                got.extend(requests.drain(first..first + count).map(|request| request.block));
            } else {
                events.push(event);
            }
            if matches!(event, Event::Broken(_) | Event::End) {
                return (events, got, io.calls);
            }
        }
    }
    assert_eq!(io.read, io.all.len(), "everything that came is read");
    (events, got, io.calls)
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        12 => Just(Said::Block),
        1 => Just(Said::Have),
        1 => Just(Said::KeepAlive),
        1 => Just(Said::Unchoke),
        1 => (0u16..2_000).prop_map(Said::Extended),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_block_is_counted_whatever_stands_between_and_however_it_arrives(
        said in prop::collection::vec(said(), 0..60),
        portions in prop::collection::vec(1usize..300_000, 1..8),
        fill in prop_oneof![Just(0u8), Just(7), Just(0x55)],
        careful: bool,
    ) {
        let count = 40;
        let bytes = stream_of(&said, &asked(count), fill);
        let (events, got, _) = read_all(bytes, &portions, careful, count);
        prop_assert_eq!(got, asked(count).into_iter().map(|request| request.block).collect::<Vec<_>>());
        prop_assert!(!events.iter().any(|event| matches!(event, Event::Broken(_) | Event::Unasked)), "{:?}", events);
        if careful {
            let unchokes = said.iter().filter(|said| matches!(said, Said::Unchoke)).count();
            prop_assert_eq!(events.iter().filter(|event| **event == Event::Unchoke).count(), unchokes);
        }
    }

    #[test]
    fn blocks_in_whatever_order_answer_one_request_each(
        order in Just((0..60).collect::<Vec<u32>>()).prop_shuffle(),
        portions in prop::collection::vec(1usize..500_000, 1..8),
        careful: bool,
    ) {
        let (events, got, _) = read_all(stream_in_order(&order), &portions, careful, 61);
        prop_assert_eq!(got.len(), 60);
        prop_assert_eq!(events.len(), 1, "more than the handshake: {:?}", events);
    }

    #[test]
    fn no_bytes_make_it_panic_or_read_for_ever(
        bytes in prop::collection::vec(any::<u8>(), 0..3_000), portions in prop::collection::vec(1usize..200, 1..5)
    ) {
        let bytes = [&handshake(InfoHash([7; 20]), PeerId([1; 20]))[..], &bytes].concat();
        let mut io = Bytes { all: bytes, arrived: 0, read: 0, calls: 0 };
        let mut stream = Stream::new(false);
        let (requests, geometry) = (VecDeque::new(), geometry(40));
        let expected = Expected { requests: &requests, geometry: &geometry };
        let mut told = 0;
        for portion in portions.iter().cycle() {
            if io.arrived == io.all.len() {
                break;
            }
            io.arrived = (io.arrived + portion).min(io.all.len());
            stream.wake(&mut io).expect("no error");
            while let Some(event) = stream.next(&mut io, expected, &mut usize::MAX.clone()).expect("no error") {
                told += 1;
                prop_assert!(told < 4_000);
                if matches!(event, Event::Broken(_) | Event::End) {
                    return Ok(());
                }
            }
        }
    }
}

#[test]
fn blocks_that_are_queued_are_taken_in_two_calls() {
    let count = 33;
    let bytes = stream_of(&[], &asked(count), 7);
    let all = bytes.len();
    let (_, got, calls) = read_all(bytes.clone(), &[all], false, count);
    assert_eq!((got.len(), calls), (33, 3), "handshake, head, all the rest");
    let (_, got, calls) = read_all(bytes, &[all], true, count);
    assert_eq!((got.len(), calls), (33, 1 + 2 * 33));
}

#[test]
fn a_choke_after_the_last_queued_block_is_seen() {
    let mut bytes = stream_of(&[], &asked(5), 7);
    bytes.extend(message(0, &[]));
    let all = bytes.len();
    let (events, got, _) = read_all(bytes, &[all], false, 5);
    assert_eq!(got.len(), 5);
    assert_eq!(events[1..], [Event::Choke]);
}

#[test]
fn a_message_between_blocks_that_were_taken_unseen_is_stepped_over_and_told() {
    // as many blocks as the careful ones and some more, so that it goes back to taking many at a time
    let count = 200;
    let said = [Said::Block, Said::Block, Said::Extended(300), Said::Block];
    let requests = asked(count);
    let bytes = stream_of(&said, &requests, 7);
    let (events, got, calls) = read_all(bytes, &[100_000], false, count);
    assert_eq!(got.len(), 200);
    assert_eq!(events[1..], [Event::Resynchronised]);
    assert!(calls < 2 * 200 + 300 + 100, "{calls}");
}

#[test]
fn answers_out_of_order_are_told_apart_block_by_block() {
    let requests = asked(4);
    let mut bytes = handshake(InfoHash([7; 20]), PeerId([1; 20])).to_vec();
    for number in [2, 0, 3, 1] {
        bytes.extend(piece(requests[number].block, 7));
    }
    let (events, got, _) = read_all(bytes, &[20_000], true, 4);
    assert_eq!(got, [2, 0, 3, 1].map(|number| requests[number].block));
    assert_eq!(events.len(), 1);
}

/// libtorrent reads with several disk threads and sends what is there first. In an order that it did send blocks in, the
/// second half of a piece came before the first. Of sixteen blocks that were queued, all but the first were taken unseen
/// for the first sixteen asked for; the next head was that of block 9, which was struck by then, as were the four
/// behind it. That was mistaken for the middle of a block, no head of an open request was found within 64 KiB, and the
/// connection was given up: "no message begins where one should".
#[test]
fn the_head_of_a_block_that_was_struck_already_is_a_head() {
    let order = [0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 19, 20, 21, 8, 9, 10, 11, 12, 13, 14];
    let bytes = stream_in_order(&order);
    let queued = HANDSHAKE + 16 * (PIECE_HEAD + BLOCK as usize);
    let (events, got, _) = read_all(bytes, &[queued], false, 23);
    assert_eq!(events.len(), 1, "more than the handshake: {events:?}");
    assert_eq!(got.len(), 22);
}

#[test]
fn a_block_that_nobody_asked_for_is_told_and_passed_over() {
    let mut bytes = handshake(InfoHash([7; 20]), PeerId([1; 20])).to_vec();
    bytes.extend(piece(block(900, BLOCK), 7));
    bytes.extend(piece(block(0, BLOCK), 7));
    let (events, got, _) = read_all(bytes, &[4_000], false, 2);
    assert_eq!(events[1..], [Event::Unasked]);
    assert_eq!(got, [block(0, BLOCK)]);
}
