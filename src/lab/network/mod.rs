//! A model of a network: nodes with access links, connections between them, time that jumps from event to event.
//!
//! **Modelled.** Each node has one link with a rate up, a rate down and a delay to a core that is never full. Connections
//! that send from one node take turns at its link, a parcel (at most a block and its header) each, as TCP streams share a bottleneck
//! fairly. Parcels to one node queue before its link in the order of their arrival. A connection has at most a window of
//! bytes under way, twice what fills its path, so a slow receiver slows its senders down instead of queueing without end. Connections
//! take a round trip to open; what one end sends arrives whole and in order, until either end closes: then what was not
//! sent is lost, and so is what arrives at a closed end.
//!
//! **Not modelled.** Loss of packets, slow start, acknowledgements on the way back, headers of TCP and IP, cross traffic.
//!
//! Equal events happen in the order in which they were planned, so a run is the same each time.

mod terms;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::clock::Time;
use crate::limits;
use terms::Side;

pub use terms::{Access, End, Event, NodeId, Parcel};

/// Bytes that wait at a sender before a connection counts as full: the block that goes next. What waits here cannot be
/// overtaken by a message, so more would only make peers deaf.
const SEND_BUFFER: u64 = limits::BLOCK as u64;
/// Bytes that a connection has under way at least: four blocks.
const WINDOW_MIN: u64 = 4 * limits::BLOCK as u64;

/// What waits to happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Planned {
    /// The parcel that this end sends has left its node.
    Sent(End),
    /// The next parcel for this end has reached its node's link.
    Reached(End),
    /// It is through the link.
    Through(End),
    /// A connection opens at this end.
    Opens(End),
    /// The other end is found to be closed.
    Closes(End),
    Timer(NodeId, u64),
}

/// A node's link.
#[derive(Debug)]
struct Link {
    access: Access,
    /// Ends that have something to send and a window for it.
    turns: VecDeque<End>,
    sending: bool,
    /// When the last parcel that came will be through.
    down_free_at: Time,
    /// Bytes that were sent and that came.
    bytes: (u64, u64),
}

/// One direction of a connection, from the node that sends.
#[derive(Debug, Default)]
struct Direction {
    waiting: VecDeque<Parcel>,
    waiting_bytes: u64,
    under_way: VecDeque<Parcel>,
    under_way_bytes: u64,
    /// Those of them that have reached the receiver's link.
    reached: usize,
    in_turns: bool,
    /// Its sender waits for room.
    is_full: bool,
    /// Its sender has closed it.
    is_closed: bool,
}

#[derive(Debug)]
struct Line {
    generation: u32,
    nodes: [NodeId; 2],
    window: u64,
    delay: Duration,
    directions: [Direction; 2],
}

/// The network.
#[derive(Debug, Default)]
pub struct Network {
    now: Time,
    links: Vec<Link>,
    lines: Vec<Line>,
    free: Vec<u32>,
    planned: BinaryHeap<Reverse<(Time, u64, Planned)>>,
    plans: u64,
    /// What has happened and was not told yet.
    happened: VecDeque<(NodeId, Event)>,
}

impl Network {
    /// Without nodes; time begins at `now`.
    pub fn starting_at(now: Time) -> Network {
        Network { now, ..Network::default() }
    }

    /// The time of the last event.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A new node.
    pub fn add(&mut self, access: Access) -> NodeId {
        let link = Link { access, turns: VecDeque::new(), sending: false, down_free_at: self.now, bytes: (0, 0) };
        self.links.push(link);
        NodeId(self.links.len() - 1)
    }

    /// Bytes that a node has sent and received, over all its connections.
    pub fn bytes(&self, node: NodeId) -> (u64, u64) {
        self.links[node.0].bytes
    }

    /// Connections that are open, about to be, or not yet closed at both ends.
    pub fn open_connections(&self) -> usize {
        self.lines.len() - self.free.len()
    }

    /// Wakes a node.
    pub fn wake(&mut self, node: NodeId, at: Time, number: u64) {
        self.plan(at, Planned::Timer(node, number));
    }

    /// Opens a connection. The one who dials may send when it is told that the connection is open.
    pub fn dial(&mut self, from: NodeId, to: NodeId) -> End {
        let delay = self.links[from.0].access.delay + self.links[to.0].access.delay;
        let slowest = self.links[from.0].access.up.min(self.links[to.0].access.down);
        let back = self.links[to.0].access.up.min(self.links[from.0].access.down);
        // twice what is under way in a round trip at full rate
        let fills = |rate: u64| u64::try_from(u128::from(rate) * delay.as_micros() * 4 / 1_000_000).unwrap_or(u64::MAX);
        let window = fills(slowest.max(back)).max(WINDOW_MIN);
        let line = Line { generation: 0, nodes: [from, to], window, delay, directions: Default::default() };
        let end = self.place(line);
        self.plan(self.now + delay, Planned::Opens(end.other()));
        self.plan(self.now + delay * 2, Planned::Opens(end));
        end
    }

    fn place(&mut self, line: Line) -> End {
        let side = Side::Dialling;
        if let Some(number) = self.free.pop() {
            let place = &mut self.lines[number as usize];
            let generation = place.generation + 1;
            *place = Line { generation, ..line };
            return End { line: number, generation, side };
        }
        self.lines.push(line);
        End { line: u32::try_from(self.lines.len() - 1).expect("memory ends before"), generation: 0, side }
    }

    /// Hands something to a connection. It is taken even if the connection is full; nothing is sent on a closed one.
    pub fn send(&mut self, end: End, parcel: Parcel) {
        let Some(direction) = self.direction(end).filter(|direction| !direction.is_closed) else { return };
        direction.waiting_bytes += parcel.length();
        match (direction.waiting.back_mut(), parcel) {
            // messages go together while they wait
            (Some(Parcel::Bytes(waiting)), Parcel::Bytes(more))
                if waiting.len() + more.len() <= limits::BLOCK as usize =>
            {
                waiting.extend_from_slice(&more);
            }
            (_, parcel) => direction.waiting.push_back(parcel),
        }
        self.take_turns(end);
    }

    /// Whether a connection takes more. If not, [`Event::Room`] comes when it does.
    pub fn has_room(&mut self, end: End) -> bool {
        let Some(direction) = self.direction(end) else { return false };
        direction.is_full = direction.waiting_bytes >= SEND_BUFFER;
        !direction.is_full
    }

    /// Closes a connection. What waits is lost; the other end is told when what is under way has arrived.
    pub fn close(&mut self, end: End) {
        let Some(direction) = self.direction(end).filter(|direction| !direction.is_closed) else { return };
        direction.is_closed = true;
        direction.waiting.clear();
        direction.waiting_bytes = 0;
        let is_idle = direction.under_way.is_empty();
        if is_idle {
            self.tell_closed(end);
        }
        self.free_line(end);
    }

    fn tell_closed(&mut self, end: End) {
        let Some(delay) = self.line(end).map(|line| line.delay) else { return };
        self.plan(self.now + delay, Planned::Closes(end.other()));
    }

    /// A line goes when both ends are closed and nothing is under way.
    fn free_line(&mut self, end: End) {
        let Some(line) = self.line(end) else { return };
        if line.directions.iter().all(|direction| direction.is_closed && direction.under_way.is_empty()) {
            line.generation += 1;
            self.free.push(end.line);
        }
    }

    fn plan(&mut self, at: Time, what: Planned) {
        self.plans += 1;
        self.planned.push(Reverse((at, self.plans, what)));
    }

    fn line(&mut self, end: End) -> Option<&mut Line> {
        self.lines.get_mut(end.line as usize).filter(|line| line.generation == end.generation)
    }

    /// What is sent by `end`.
    fn direction(&mut self, end: End) -> Option<&mut Direction> {
        self.line(end).map(|line| &mut line.directions[end.side as usize])
    }

    /// Whose end it is, while the connection lasts.
    pub fn node(&self, end: End) -> NodeId {
        self.lines[end.line as usize].nodes[end.side as usize]
    }

    /// Puts `end` in its node's turns, if it has something to send and may.
    fn take_turns(&mut self, end: End) {
        let Some(line) = self.line(end) else { return };
        let window = line.window;
        let direction = &mut line.directions[end.side as usize];
        if direction.in_turns || direction.waiting.is_empty() || direction.under_way_bytes >= window {
            return;
        }
        direction.in_turns = true;
        let node = self.node(end);
        self.links[node.0].turns.push_back(end);
        self.send_next(node);
    }

    fn send_next(&mut self, node: NodeId) {
        while !self.links[node.0].sending {
            let Some(end) = self.links[node.0].turns.pop_front() else { return };
            let Some(direction) = self.direction(end) else { continue };
            direction.in_turns = false;
            let Some(parcel) = direction.waiting.pop_front() else { continue };
            let length = parcel.length();
            direction.waiting_bytes -= length;
            direction.under_way_bytes += length;
            direction.under_way.push_back(parcel);
            if direction.is_full && direction.waiting_bytes < SEND_BUFFER {
                direction.is_full = false;
                self.happened.push_back((node, Event::Room(end)));
            }
            let link = &mut self.links[node.0];
            link.sending = true;
            link.bytes.0 += length;
            let takes = time_for(length, link.access.up);
            self.plan(self.now + takes, Planned::Sent(end));
        }
    }

    /// The next thing that happens, to whom. `None`: nothing ever will.
    pub fn next_event(&mut self) -> Option<(NodeId, Event)> {
        loop {
            if let Some(happened) = self.happened.pop_front() {
                return Some(happened);
            }
            let Reverse((at, _, planned)) = self.planned.pop()?;
            self.now = at;
            match planned {
                Planned::Sent(end) => self.sent(end),
                Planned::Reached(end) => self.reached(end),
                Planned::Through(end) => self.through(end),
                Planned::Opens(end) => self.opens(end),
                Planned::Closes(end) => self.closes(end),
                Planned::Timer(node, number) => self.happened.push_back((node, Event::Timer(number))),
            }
        }
    }

    fn sent(&mut self, end: End) {
        // a line stays while something is under way, so it is still this one
        let node = self.node(end);
        self.links[node.0].sending = false;
        if let Some(delay) = self.line(end).map(|line| line.delay) {
            self.plan(self.now + delay, Planned::Reached(end.other()));
        }
        self.take_turns(end);
        self.send_next(node);
    }

    fn reached(&mut self, end: End) {
        let node = self.node(end);
        let Some(direction) = self.direction(end.other()) else { return };
        let length = direction.under_way.get(direction.reached).map_or(0, Parcel::length);
        direction.reached += 1;
        let link = &mut self.links[node.0];
        link.down_free_at = link.down_free_at.max(self.now) + time_for(length, link.access.down);
        let through_at = link.down_free_at;
        self.plan(through_at, Planned::Through(end));
    }

    fn through(&mut self, end: End) {
        let (node, sender) = (self.node(end), end.other());
        let Some(direction) = self.direction(sender) else { return };
        let Some(parcel) = direction.under_way.pop_front() else { return };
        direction.reached -= 1;
        direction.under_way_bytes -= parcel.length();
        let last_of_closed = direction.is_closed && direction.under_way.is_empty();
        self.links[node.0].bytes.1 += parcel.length();
        if self.direction(end).is_some_and(|back| !back.is_closed) {
            self.happened.push_back((node, Event::Arrived(end, parcel)));
        }
        self.take_turns(sender);
        if last_of_closed {
            self.plan(self.now, Planned::Closes(end));
        }
        self.free_line(end);
    }

    fn opens(&mut self, end: End) {
        let Some(line) = self.line(end) else { return };
        let (node, from) = (line.nodes[end.side as usize], line.nodes[end.other().side as usize]);
        if line.directions[end.side as usize].is_closed {
            return;
        }
        let event = if end.side == Side::Accepting { Event::Incoming(end, from) } else { Event::Open(end) };
        self.happened.push_back((node, event));
    }

    fn closes(&mut self, end: End) {
        if self.direction(end).is_some_and(|direction| !direction.is_closed) {
            self.happened.push_back((self.node(end), Event::Closed(end)));
        }
    }
}

/// How long a link takes for so many bytes.
fn time_for(bytes: u64, rate: u64) -> Duration {
    let micros = (u128::from(bytes) * 1_000_000 + u128::from(rate / 2)) / u128::from(rate.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BlockRef;

    const KIB: u64 = 1024;
    const BLOCK: u32 = 16 * 1024;

    fn access(up_kib: u64, down_kib: u64, delay_ms: u64) -> Access {
        Access { up: up_kib * KIB, down: down_kib * KIB, delay: Duration::from_millis(delay_ms) }
    }

    /// Sends `blocks` over each connection as room allows; when each had all, and how much had come of each by then.
    fn transfer(network: &mut Network, senders: &[End], blocks: u64) -> Vec<(f64, Vec<u64>)> {
        let mut left = vec![blocks; senders.len()];
        let mut came = vec![0u64; senders.len()];
        let mut done = vec![(0.0, Vec::new()); senders.len()];
        let index = |end: End| senders.iter().position(|sender| *sender == end || sender.other() == end);
        for number in 0..senders.len() {
            fill(network, senders[number], &mut left[number]);
        }
        while let Some((_, event)) = network.next_event() {
            match event {
                Event::Room(end) => {
                    let number = index(end).expect("known");
                    fill(network, end, &mut left[number]);
                }
                Event::Arrived(end, Parcel::Plain(bytes)) => {
                    let number = index(end).expect("known");
                    came[number] += u64::from(bytes);
                    if came[number] == blocks * u64::from(BLOCK) {
                        done[number] = (network.now().0 as f64 / 1e6, came.clone());
                    }
                }
                _ => {}
            }
        }
        done
    }

    fn fill(network: &mut Network, end: End, left: &mut u64) {
        while *left > 0 && network.has_room(end) {
            network.send(end, Parcel::Plain(BLOCK));
            *left -= 1;
        }
    }

    fn seconds(done: &[(f64, Vec<u64>)]) -> Vec<f64> {
        done.iter().map(|(seconds, _)| *seconds).collect()
    }

    fn close_to(value: f64, wanted: f64) -> bool {
        (value - wanted).abs() <= wanted * 0.03
    }

    #[test]
    fn a_transfer_takes_what_the_slower_link_takes_and_the_delay() {
        for (up, down) in [(64, 6_400), (6_400, 64)] {
            let mut network = Network::default();
            let (from, to) = (network.add(access(up, 1, 50)), network.add(access(1, down, 50)));
            let end = network.dial(from, to);
            let done = transfer(&mut network, &[end], 100);
            // 100 blocks of 16 KiB at 64 KiB/s, and one block at the faster link
            assert!(close_to(done[0].0, 25.1), "{done:?}");
            assert_eq!((network.bytes(from).0, network.bytes(to).1), (100 * 16 * KIB, 100 * 16 * KIB));
        }
    }

    #[test]
    fn connections_share_a_link_evenly_and_one_that_is_slow_elsewhere_leaves_its_share() {
        let mut network = Network::default();
        let from = network.add(access(96, 1, 10));
        let ends: Vec<End> = [1_000, 1_000, 16]
            .into_iter()
            .map(|down| {
                let to = network.add(access(1, down, 10));
                network.dial(from, to)
            })
            .collect();
        let done = transfer(&mut network, &ends, 100);
        // 1,600 KiB each: 16 KiB/s for the slow one, 40 for the others
        assert!(close_to(done[0].0, 40.0) && close_to(done[1].0, 40.0), "{:?}", seconds(&done));
        assert!(close_to(done[2].0, 100.0), "{:?}", seconds(&done));
        assert!(close_to(done[0].1[2] as f64, 640.0 * 1024.0), "the slow one was as fast as it can: {:?}", done[0]);
    }

    #[test]
    fn senders_to_one_node_share_its_link() {
        let mut network = Network::default();
        let to = network.add(access(1, 64, 10));
        let ends: Vec<End> = (0..4)
            .map(|_| {
                let from = network.add(access(1_000, 1, 10));
                network.dial(from, to)
            })
            .collect();
        let done = transfer(&mut network, &ends, 40);
        assert!(seconds(&done).into_iter().all(|seconds| close_to(seconds, 40.0)), "{:?}", seconds(&done));
    }

    #[test]
    fn a_long_path_is_filled() {
        let mut network = Network::default();
        let (from, to) = (network.add(access(10_000, 1, 200)), network.add(access(1, 10_000, 200)));
        let end = network.dial(from, to);
        let done = transfer(&mut network, &[end], 6_250);
        assert!(close_to(done[0].0, 10.4), "{:?}", seconds(&done));
    }

    #[test]
    fn messages_arrive_in_order_and_a_connection_takes_a_round_trip_to_open() {
        let mut network = Network::default();
        let (from, to) = (network.add(access(100, 100, 30)), network.add(access(100, 100, 20)));
        let end = network.dial(from, to);
        assert_eq!(network.next_event(), Some((to, Event::Incoming(end.other(), from))));
        assert_eq!(network.now(), Time(50_000));
        assert_eq!(network.next_event(), Some((from, Event::Open(end))));
        assert_eq!(network.now(), Time(100_000));
        for byte in 0..5u8 {
            network.send(end, Parcel::Bytes(vec![byte; 10_000]));
            network
                .send(end, Parcel::Block(BlockRef { piece: crate::ids::PieceIndex(byte.into()), begin: 0, length: 9 }));
        }
        let mut came = Vec::new();
        while let Some((node, Event::Arrived(at, parcel))) = network.next_event() {
            assert_eq!((node, at), (to, end.other()));
            came.push(match parcel {
                Parcel::Bytes(bytes) => u32::from(bytes[0]) * 2,
                Parcel::Block(block) => block.piece.0 * 2 + 1,
                _ => panic!("nobody sent that"),
            });
        }
        assert_eq!(came, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_under_way_arrives_before_the_end_and_what_waits_is_lost() {
        let mut network = Network::default();
        let (from, to) = (network.add(access(16, 16, 500)), network.add(access(16, 16, 500)));
        let end = network.dial(from, to);
        (0..5).for_each(|_| network.send(end, Parcel::Plain(BLOCK)));
        network.send(end.other(), Parcel::Plain(BLOCK));
        network.wake(from, Time(1_500_000), 7);
        let mut came = 0;
        while let Some((_, event)) = network.next_event() {
            match event {
                Event::Timer(7) => network.close(end),
                Event::Arrived(at, _) => {
                    assert_eq!(at, end.other(), "nothing comes to a closed end");
                    came += 1;
                }
                Event::Closed(at) => {
                    assert_eq!((at, came), (end.other(), 2), "the second block was on its way");
                    network.close(at);
                }
                _ => {}
            }
        }
        assert_eq!(came, 2);
        assert_eq!(network.free.len(), 1, "the line is free again");
        let next = network.dial(from, to);
        assert!(next.line == end.line && next != end);
        assert!(!network.has_room(end), "the old end is no end of the new line");
    }
}
