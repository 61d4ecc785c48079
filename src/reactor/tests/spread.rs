//! Several reactors on one port: connections are even, whatever the kernel's hash says.

use std::time::Instant;

use super::super::driver::{DriverConfig, EpollDriver};
use super::super::mailbox::ARRIVALS;
use super::super::spread::Arrival;
use super::*;

/// Reactors that share a port.
struct Fleet {
    reactors: Vec<Reactor>,
    spread: Arc<Spread>,
    port: u16,
}

impl Fleet {
    fn new(ring: bool, count: usize, content: &Content) -> Fleet {
        let (mut port, spread) = (0, Spread::new(count));
        let admission = Arc::new(Admission::new(u16::MAX, (1, 2)));
        let mut reactors = Vec::new();
        for number in 0..count {
            let how = Listening { port, family: Family::V4, shared: true, backlog: 4_096 };
            let listener = listener(how).expect("a free port");
            port = local_address(&listener).expect("bound").port();
            let reactor = start(ReactorConfig {
                number,
                spread: spread.clone(),
                admission: admission.clone(),
                ..config(ring, port, vec![listener])
            });
            reactors.push(reactor.expect("a reactor"));
            assert!(reactors[number].mailbox().send(content.add()).is_ok(), "the mailbox has room");
        }
        Fleet { reactors, spread, port }
    }

    fn connect(&self, count: usize) -> Vec<TcpStream> {
        (0..count).map(|_| TcpStream::connect(("127.0.0.1", self.port)).expect("it listens")).collect()
    }

    /// Waits until so many connections stand, and answers how many each reactor has.
    fn settled(&self, connections: usize) -> Vec<usize> {
        let end = Instant::now() + PATIENCE;
        while self.spread.counts().iter().sum::<usize>() != connections {
            assert!(Instant::now() < end, "{:?} of {connections}", self.spread.counts());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.spread.counts()
    }
}

fn difference(counts: &[usize]) -> usize {
    counts.iter().max().expect("reactors") - counts.iter().min().expect("reactors")
}

/// Two peers on one of two reactors had half of the machine.
#[test]
fn connections_are_spread_evenly_whatever_their_ports() {
    allow_descriptors();
    on_both_drivers(|ring| {
        let content = Content::new(1);
        for reactors in [2, 4] {
            let mut fleet = Fleet::new(ring, reactors, &content);
            let mut streams = Vec::new();
            for count in [2, 10, 50, 1_000] {
                streams.extend(fleet.connect(count - streams.len()));
                let counts = fleet.settled(count);
                assert!(difference(&counts) <= 1, "{count} connections on {reactors} reactors: {counts:?}");
            }
            // many leave, wherever they were; as many come
            fastrand::Rng::with_seed(7).shuffle(&mut streams);
            streams.truncate(500);
            fleet.settled(500);
            streams.extend(fleet.connect(500));
            let counts = fleet.settled(1_000);
            assert!(difference(&counts) <= 1, "after half were replaced, on {reactors} reactors: {counts:?}");
            // the reactors themselves say so too
            let really: Vec<usize> = fleet.reactors.iter_mut().map(|reactor| end(reactor).connections).collect();
            assert_eq!(really, counts);
        }
    });
}

#[test]
fn a_connection_that_was_handed_over_is_served() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let mut fleet = Fleet::new(ring, 3, &content);
        let greet = |stream| RawPeer::greet(stream, content.number).expect("greeted");
        let mut peers: Vec<RawPeer> = fleet.connect(6).into_iter().map(greet).collect();
        for peer in &mut peers {
            peer.wait_for_slot();
            peer.download(&content.blocks(), &content.bytes).expect("byte for byte");
        }
        let sent: Vec<u64> = fleet.reactors.iter_mut().map(|reactor| end(reactor).totals.sent).collect();
        assert_eq!(sent, [2 * u64::from(LENGTH); 3], "two peers each");
    });
}

fn end(reactor: &mut Reactor) -> Snapshot {
    reactor.stop().expect("it ran until told to stop");
    reactor.mailbox().latest().expect("a last snapshot")
}

#[test]
fn a_full_queue_of_another_reactor_leaves_connections_where_they_were_accepted() {
    allow_descriptors();
    let driver = <EpollDriver as super::super::driver::Driver>::new(&DriverConfig::default()).expect("a driver");
    let busy = Arc::new(Mailbox::new(super::super::driver::Driver::waker(&driver)));
    let spread = Spread::new(2);
    spread.join(1, &busy);
    let address = SocketAddr::from(([192, 0, 2, 1], 1));
    let connection = || File::open("/dev/null").expect("a descriptor").into();
    let served: Vec<Arrival> = (0..3 * ARRIVALS).filter_map(|_| spread.settle(0, connection(), address)).collect();
    assert_eq!(spread.counts(), [2 * ARRIVALS, ARRIVALS]);
    assert!(served.iter().all(|arrival| arrival.place.reactor() == 0));
    drop((served, busy));
    assert_eq!(spread.counts(), [0, 0], "those in the queue of a reactor that ended are no longer counted");
    let kept = spread.settle(0, connection(), address);
    let also_kept = spread.settle(0, connection(), address);
    assert!(kept.is_some() && also_kept.is_some(), "nothing is handed to a reactor that is not there");
}

fn allow_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the soft limit may be raised");
}
