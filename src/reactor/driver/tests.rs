//! One suite for both drivers: whatever the loop may rely on is shown here for each of them.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};

use super::{Buffer, Counts, Driver, DriverConfig, Event, MemoryRange, RingDriver, TaskRun, Token, Waker, probe};
use crate::reactor::sockets::{self, Family, Listening};

/// Far beyond what anything here takes; reaching it means that something never came.
const PATIENCE: Duration = Duration::from_secs(30);

/// A driver and everything it said.
struct World<D> {
    driver: D,
    events: Vec<Event>,
    accepted: Vec<(OwnedFd, SocketAddr)>,
    received: HashMap<Token, Vec<u8>>,
    closed: HashMap<Token, Option<io::Error>>,
    writable: HashMap<Token, usize>,
    paged_in: HashMap<u64, io::Result<()>>,
    mail: usize,
    /// Buffers are kept here instead of being released.
    hold: bool,
    held: Vec<Buffer>,
    forgotten: HashSet<Token>,
}

impl<D: Driver> World<D> {
    fn new() -> World<D> {
        World::with(&DriverConfig::default())
    }

    fn with(config: &DriverConfig) -> World<D> {
        World {
            driver: D::new(config).expect("driver"),
            events: Vec::new(),
            accepted: Vec::new(),
            received: HashMap::new(),
            closed: HashMap::new(),
            writable: HashMap::new(),
            paged_in: HashMap::new(),
            mail: 0,
            hold: false,
            held: Vec::new(),
            forgotten: HashSet::new(),
        }
    }

    fn turn(&mut self, timeout: Duration) {
        self.driver.wait(Some(timeout), &mut self.events).expect("wait");
        for event in std::mem::take(&mut self.events) {
            self.note(event);
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Accepted { socket, address } => self.accepted.push((socket, address)),
            Event::Received { token, buffer } => {
                self.check_alive(token);
                let bytes = self.driver.bytes(&buffer);
                assert_eq!(bytes.len(), buffer.len());
                assert!(!bytes.is_empty());
                self.received.entry(token).or_default().extend_from_slice(bytes);
                if self.hold {
                    self.held.push(buffer);
                } else {
                    self.driver.release(buffer);
                }
            }
            Event::Closed { token, error } => {
                self.check_alive(token);
                self.closed.insert(token, error);
            }
            Event::Writable { token } => {
                self.check_alive(token);
                *self.writable.entry(token).or_default() += 1;
            }
            Event::PagedIn { token, result } => assert!(self.paged_in.insert(token, result).is_none()),
            Event::Mail => self.mail += 1,
        }
    }

    fn check_alive(&self, token: Token) {
        assert!(!self.forgotten.contains(&token), "{token:?} spoke after it was forgotten");
        assert!(!self.closed.contains_key(&token), "{token:?} spoke after it was closed");
    }

    fn until(&mut self, what: &str, reached: impl Fn(&World<D>) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !reached(self) {
            assert!(Instant::now() < limit, "{}: waited in vain: {what}", self.driver.name());
            self.turn(Duration::from_millis(100));
        }
    }

    /// Turns until the driver has nothing more to say: a knock of ours, sent after everything else, comes through alone.
    fn settle(&mut self) {
        for _ in 0..3 {
            let before = self.mail;
            self.driver.waker().wake();
            self.until("the knock", |world| world.mail > before);
        }
    }

    fn adopt(&mut self, socket: &OwnedFd, token: Token) {
        self.driver.adopt(socket.as_fd(), token).expect("adopt");
    }

    fn forget(&mut self, token: Token, socket: OwnedFd) {
        self.driver.forget(token, socket);
        self.forgotten.insert(token);
    }

    fn bytes_of(&self, token: Token) -> &[u8] {
        self.received.get(&token).map_or(&[], Vec::as_slice)
    }

    fn listen(&mut self, family: Family) -> u16 {
        let how = Listening { port: 0, family, shared: false, backlog: 1024 };
        let listener = sockets::listener(how).expect("listener");
        let port = sockets::local_address(&listener).expect("address").port();
        self.driver.listen(listener).expect("listen");
        port
    }
}

fn token(slot: u32, generation: u32) -> Token {
    Token { slot, generation }
}

/// Our non-blocking end and the other one.
fn pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let theirs = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (ours, _) = listener.accept().expect("accept");
    ours.set_nonblocking(true).expect("non-blocking");
    (ours.into(), theirs)
}

fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
}

fn code(error: Option<&io::Error>) -> Option<i32> {
    error.and_then(io::Error::raw_os_error)
}

fn a_storm_of_connections_is_accepted_whole<D: Driver>() {
    let mut world = World::<D>::new();
    let port = world.listen(Family::Both);
    let second = world.listen(Family::V4);
    let client = std::thread::spawn(move || {
        let to = |index| if index % 2 == 0 { port } else { second };
        (0..500).map(|index| TcpStream::connect(("127.0.0.1", to(index))).expect("connect")).collect::<Vec<_>>()
    });
    world.until("500 connections", |world| world.accepted.len() == 500);
    let streams = client.join().expect("client");
    let expected: HashSet<SocketAddr> = streams.iter().map(|s| s.local_addr().expect("address")).collect();
    let seen: HashSet<SocketAddr> = world.accepted.iter().map(|(_, address)| *address).collect();
    assert_eq!(seen, expected, "addresses as the clients know them: IPv4, not mapped");
    for (socket, _) in &world.accepted {
        let flags = rustix::fs::fcntl_getfl(socket).expect("flags");
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
        assert!(rustix::io::fcntl_getfd(socket).expect("flags").contains(rustix::io::FdFlags::CLOEXEC));
    }
}

fn a_stopped_listener_refuses<D: Driver>() {
    let mut world = World::<D>::new();
    let port = world.listen(Family::V4);
    let _first = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    world.until("a connection", |world| world.accepted.len() == 1);
    world.driver.stop_listening();
    world.settle();
    let refused = TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let again = world.listen(Family::V4);
    let _second = TcpStream::connect(("127.0.0.1", again)).expect("connect");
    world.until("a connection to the new listener", |world| world.accepted.len() == 2);
}

fn bytes_before_the_end_come_first<D: Driver>() {
    let mut world = World::<D>::new();
    let (ours, mut theirs) = pair();
    world.adopt(&ours, token(0, 0));
    let sent: Vec<u8> = (0..100_000_u32).map(|i| i.to_be_bytes()[3]).collect();
    theirs.write_all(&sent).expect("send");
    theirs.shutdown(std::net::Shutdown::Write).expect("half-close");
    world.until("the end", |world| world.closed.contains_key(&token(0, 0)));
    assert_eq!(world.bytes_of(token(0, 0)), sent);
    assert!(world.closed[&token(0, 0)].is_none());
    send(&ours, b"still open this way", SendFlags::empty()).expect("send");
    let mut heard = [0; 19];
    theirs.read_exact(&mut heard).expect("receive");
    world.settle();
    world.forget(token(0, 0), ours);
    world.settle();
}

fn an_end_that_comes_alone_is_told<D: Driver>() {
    let mut world = World::<D>::new();
    let (ours, mut theirs) = pair();
    world.adopt(&ours, token(0, 0));
    theirs.write_all(b"last words").expect("send");
    world.until("bytes", |world| world.bytes_of(token(0, 0)) == b"last words");
    drop(theirs);
    world.until("the end", |world| world.closed.contains_key(&token(0, 0)));
    assert!(world.closed[&token(0, 0)].is_none());
}

fn a_reset_is_an_error<D: Driver>() {
    let mut world = World::<D>::new();
    let (ours, theirs) = pair();
    world.adopt(&ours, token(0, 0));
    world.settle();
    reset(theirs);
    world.until("the end", |world| world.closed.contains_key(&token(0, 0)));
    assert_eq!(code(world.closed[&token(0, 0)].as_ref()), Some(libc::ECONNRESET));
    world.settle();
}

fn bytes_keep_their_order_however_they_are_split<D: Driver>() {
    let mut world = World::<D>::with(&DriverConfig { buffer_bytes: 64, buffers: 32, ..DriverConfig::default() });
    let mut random = fastrand::Rng::with_seed(7);
    let (ours, mut theirs): (Vec<_>, Vec<_>) = (0..20).map(|_| pair()).unzip();
    for (slot, socket) in (0..).zip(&ours) {
        world.adopt(socket, token(slot, slot + 5));
    }
    let mut sent = vec![Vec::new(); ours.len()];
    for _ in 0..3_000 {
        let index = random.usize(..ours.len());
        let part: Vec<u8> = (0..random.usize(1..300)).map(|_| random.u8(..)).collect();
        theirs[index].write_all(&part).expect("send");
        sent[index].extend(part);
        if random.bool() {
            world.turn(Duration::ZERO);
        }
    }
    for (slot, sent) in (0..).zip(&sent) {
        world.until("all bytes", |world| world.bytes_of(token(slot, slot + 5)).len() >= sent.len());
        assert!(world.bytes_of(token(slot, slot + 5)) == sent.as_slice(), "socket {slot}");
    }
}

fn two_thousand_connections_are_all_heard<D: Driver>() {
    let mut world = World::<D>::with(&DriverConfig { connections: 10, buffers: 256, ..DriverConfig::default() });
    let (ours, mut theirs): (Vec<_>, Vec<_>) = (0..2_000).map(|_| pair()).unzip();
    for (slot, socket) in (0..).zip(&ours) {
        world.adopt(socket, token(slot, 1));
    }
    for round in 1..=3 {
        for stream in &mut theirs {
            stream.write_all(b"seventeen bytes..").expect("send");
        }
        world.until("all of them", |world| world.received.values().filter(|b| b.len() == 17 * round).count() == 2_000);
    }
    assert_eq!(world.writable.len(), 2_000, "each said once that it takes bytes");
    drop(theirs);
    world.until("all ends", |world| world.closed.len() == 2_000);
    for (slot, socket) in (0..).zip(ours) {
        world.forget(token(slot, 1), socket);
    }
    world.settle();
}

fn lack_of_buffers_delays_and_loses_nothing<D: Driver>() {
    let mut world = World::<D>::with(&DriverConfig { buffer_bytes: 16, buffers: 4, ..DriverConfig::default() });
    let (ours, mut theirs): (Vec<_>, Vec<_>) = (0..9).map(|_| pair()).unzip();
    for (slot, socket) in (0..).zip(&ours) {
        world.adopt(socket, token(slot, 0));
    }
    world.settle();
    world.hold = true;
    for stream in &mut theirs {
        stream.write_all(b"fits exactly 16.").expect("send");
        stream.write_all(b"and more").expect("send");
    }
    world.until("all buffers out", |world| world.held.len() == 4);
    world.settle();
    assert_eq!(world.held.len(), 4);
    assert!(world.driver.counts().buffers_exhausted > 0);
    world.hold = false;
    for buffer in std::mem::take(&mut world.held) {
        world.driver.release(buffer);
    }
    world.until("the rest", |world| (0..9).all(|slot| world.bytes_of(token(slot, 0)).len() == 24));
    for slot in 0..9 {
        assert_eq!(world.bytes_of(token(slot, 0)), b"fits exactly 16.and more");
    }
}

fn a_flood_does_not_drown_the_others<D: Driver>() {
    let mut world = World::<D>::with(&DriverConfig { buffer_bytes: 1024, buffers: 32, ..DriverConfig::default() });
    let (ours, mut theirs): (Vec<_>, Vec<_>) = (0..9).map(|_| pair()).unzip();
    for (slot, socket) in (0..).zip(&ours) {
        world.adopt(socket, token(slot, 0));
    }
    let (quiet, floods) = theirs.split_first_mut().expect("nine");
    for flood in floods {
        flood.set_nonblocking(true).expect("non-blocking");
        while flood.write(&[1; 65536]).is_ok() {}
    }
    quiet.write_all(b"me too").expect("send");
    world.until("the quiet one", |world| world.bytes_of(token(0, 0)) == b"me too");
    let flooded: usize = (1..9).map(|slot| world.bytes_of(token(slot, 0)).len()).sum();
    assert!(flooded <= 1024 * 32 * 8, "{flooded} bytes of the flood came first");
}

fn a_forgotten_slot_serves_its_next_owner_only<D: Driver>() {
    let mut world = World::<D>::new();
    let mut former = Vec::new();
    for generation in 0..200 {
        let (ours, mut theirs) = pair();
        world.adopt(&ours, token(7, generation));
        if generation % 3 == 0 {
            world.turn(Duration::ZERO);
        }
        theirs.write_all(&generation.to_be_bytes()).expect("send");
        if generation % 2 == 0 {
            theirs.shutdown(std::net::Shutdown::Write).expect("half-close");
        }
        if generation % 5 == 0 {
            world.turn(Duration::ZERO);
        }
        // Bytes, an end, receive and poll operations are under way here, in every mixture.
        world.forget(token(7, generation), ours);
        former.push(theirs);
    }
    let (ours, mut theirs) = pair();
    world.adopt(&ours, token(7, 200));
    theirs.write_all(b"mine").expect("send");
    world.until("the last owner", |world| world.bytes_of(token(7, 200)) == b"mine");
    world.settle();
    for stream in &mut former {
        // Closed for real, which the other side sees; unread bytes make it a reset.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    world.forget(token(7, 200), ours);
}

fn a_taken_slot_is_refused<D: Driver>() {
    let mut world = World::<D>::new();
    let (first, mut theirs) = pair();
    let (second, _other) = pair();
    world.adopt(&first, token(0, 0));
    world.driver.adopt(second.as_fd(), token(0, 1)).expect_err("taken");
    world.driver.adopt(second.as_fd(), token(Token::SLOTS, 0)).expect_err("out of range");
    theirs.write_all(b"unharmed").expect("send");
    world.until("bytes", |world| world.bytes_of(token(0, 0)) == b"unharmed");
}

fn every_full_socket_tells_when_it_takes_bytes_again<D: Driver>() {
    let mut world = World::<D>::new();
    let (ours, mut theirs) = pair();
    let name = token(0, 0);
    world.adopt(&ours, name);
    world.until("the first notice", |world| world.writable.contains_key(&name));
    let chunk = [9; 65536];
    let mut under_way = 0;
    for _ in 0..50 {
        loop {
            match send(&ours, &chunk, SendFlags::NOSIGNAL) {
                Ok(taken) => under_way += taken,
                Err(error) => break assert_eq!(error, rustix::io::Errno::AGAIN),
            }
        }
        let before = world.writable[&name];
        let mut taken = vec![0; under_way];
        theirs.read_exact(&mut taken).expect("receive");
        under_way = 0;
        world.until("the next notice", |world| world.writable[&name] > before);
    }
    world.settle();
    let idle = world.writable[&name];
    world.settle();
    assert_eq!(world.writable[&name], idle, "an idle socket says nothing");
}

fn a_connect_ends_in_writable_or_closed<D: Driver>() {
    let mut world = World::<D>::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let good = sockets::connect(listener.local_addr().expect("address")).expect("connect");
    let nobody = {
        let closed = TcpListener::bind("127.0.0.1:0").expect("bind");
        closed.local_addr().expect("address")
    };
    world.adopt(&good, token(0, 0));
    let bad = sockets::connect(nobody);
    world.until("writable", |world| world.writable.contains_key(&token(0, 0)));
    assert!(sockets::take_error(&good).expect("asked").is_none());
    let (mut theirs, _) = listener.accept().expect("accept");
    theirs.write_all(b"welcome").expect("send");
    world.until("bytes", |world| world.bytes_of(token(0, 0)) == b"welcome");
    // On loopback a refusal may come back from connect itself.
    if let Ok(bad) = bad {
        world.adopt(&bad, token(1, 0));
        world.until("refused", |world| world.closed.contains_key(&token(1, 0)));
        assert_eq!(code(world.closed[&token(1, 0)].as_ref()), Some(libc::ECONNREFUSED));
        assert!(!world.writable.contains_key(&token(1, 0)));
    }
}

/// A connect that is answered only while the driver already waits: the handshake completes when the full backlog of the
/// listener gets room.
fn a_connect_that_takes_its_time_is_told<D: Driver>() {
    let mut world = World::<D>::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    socket2::SockRef::from(&listener).listen(0).expect("backlog");
    let address = listener.local_addr().expect("address");
    let first = sockets::connect(address).expect("connect");
    world.adopt(&first, token(0, 0));
    world.until("the first stands", |world| world.writable.contains_key(&token(0, 0)));
    let second = sockets::connect(address).expect("connect");
    world.adopt(&second, token(1, 0));
    world.settle();
    assert!(!world.writable.contains_key(&token(1, 0)), "the backlog was not full");
    let _first = listener.accept().expect("accept");
    world.until("the second stands", |world| world.writable.contains_key(&token(1, 0)));
    assert!(sockets::take_error(&second).expect("asked").is_none());
}

fn paused_sockets_keep_their_bytes_until_resumed<D: Driver>() {
    let mut world = World::<D>::new();
    let (ours, mut theirs) = pair();
    let name = token(0, 0);
    world.adopt(&ours, name);
    world.settle();
    for round in 1..=20_u8 {
        world.driver.pause_receive(name);
        world.settle();
        theirs.write_all(&[round; 5000]).expect("send");
        world.settle();
        assert_eq!(world.bytes_of(name).len(), 5000 * (usize::from(round) - 1), "heard while paused");
        world.driver.resume_receive(name);
        if round % 2 == 0 {
            // Changing one's mind within a turn, in either direction, changes nothing.
            world.driver.pause_receive(name);
            world.driver.resume_receive(name);
        }
        world.until("bytes", |world| world.bytes_of(name).len() == 5000 * usize::from(round));
    }
    world.driver.pause_receive(name);
    drop(theirs);
    world.settle();
    world.driver.resume_receive(name);
    world.until("the end", |world| world.closed.contains_key(&name));
}

fn a_reset_is_told_of_a_paused_socket_too<D: Driver>() {
    for pauses_first in [true, false] {
        let mut world = World::<D>::new();
        let (ours, mut theirs) = pair();
        let name = token(0, 0);
        world.adopt(&ours, name);
        world.settle();
        if pauses_first {
            world.driver.pause_receive(name);
            world.settle();
        }
        theirs.write_all(&[1; 5000]).expect("send");
        reset(theirs);
        world.driver.pause_receive(name);
        world.until("the end", |world| world.closed.contains_key(&name));
    }
}

fn mail_from_any_thread_ends_the_wait<D: Driver>() {
    let mut world = World::<D>::new();
    let waker = world.driver.waker();
    world.turn(Duration::ZERO);
    assert_eq!(world.mail, 0);
    for _ in 0..100 {
        waker.wake();
    }
    world.until("mail", |world| world.mail > 0);
    world.turn(Duration::ZERO);
    assert_eq!(world.mail, 1, "a hundred calls are one event");

    // Nothing put into the box before a call may be left lying there.
    let (sender, receiver) = crossbeam::channel::bounded(64);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (sender, waker) = (sender.clone(), waker.clone());
            std::thread::spawn(move || {
                for _ in 0..5_000 {
                    sender.send(()).expect("open");
                    waker.wake();
                }
            })
        })
        .collect();
    let mut read = 0;
    while read < 20_000 {
        let before = world.mail;
        world.until("mail", |world| world.mail > before);
        read += receiver.try_iter().count();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("sender"));
    drop(world);
    waker.wake();
}

fn ranges_are_paged_in_or_say_why_not<D: Driver>() {
    const PAGE: usize = 4096;
    let mut world = World::<D>::with(&DriverConfig { page_ins: 8, ..DriverConfig::default() });
    let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("file");
    let length = 256 * PAGE;
    rustix::io::pwrite(&file, &vec![5; length], 0).expect("content");
    rustix::fs::fsync(&file).expect("on disk");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("cold");
    let map = memmap2::MmapOptions::new().map_raw_read_only(&file).expect("map");
    map.advise(memmap2::Advice::Random).expect("as storage maps files");
    let range =
        |page: usize, pages: usize| MemoryRange { address: map.as_ptr().addr() + page * PAGE, length: pages * PAGE };
    world.driver.page_in(u64::MAX, range(0, 64)).expect("cold");
    world.driver.page_in(1 << 60, range(64, 64)).expect("cold");
    world.until("two answers", |world| world.paged_in.len() == 2);
    world.driver.page_in(3, range(0, 64)).expect("warm");
    world.driver.page_in(4, MemoryRange { address: range(1, 0).address + 13, length: 1 }).expect("no page's start");
    world.until("four answers", |world| world.paged_in.len() == 4);
    assert!(world.paged_in.values().all(Result::is_ok), "{:?}", world.paged_in);
    file.set_len(128 * PAGE as u64).expect("truncate");
    for (token, page) in [(5, 100), (6, 128), (7, 255)] {
        world.driver.page_in(token, range(page, 255.min(page + 64) - page + 1)).expect("started");
    }
    world.until("seven answers", |world| world.paged_in.len() == 7);
    for token in 5..=7 {
        assert_eq!(code(world.paged_in[&token].as_ref().err()), Some(libc::EFAULT), "page-in {token}");
    }
    let refused = (100..200).map(|token| world.driver.page_in(token, range(0, 1))).filter(Result::is_err).count();
    assert_eq!(refused, 92, "eight at once");
    world.until("eight more", |world| world.paged_in.len() == 15);
    world.driver.page_in(8, range(0, 1)).expect("room again");
    world.until("one more", |world| world.paged_in.contains_key(&8));
}

fn a_wait_ends_with_its_timeout<D: Driver>() {
    let mut world = World::<D>::new();
    let begin = Instant::now();
    let timeout = Duration::from_millis(20);
    while begin.elapsed() < timeout {
        world.driver.wait(Some(timeout), &mut world.events).expect("wait");
    }
    assert!(world.events.is_empty());
}

/// A ring that older kernels would give: completions posted at once, page-ins by our threads. And with room for a handful
/// of completions, so that everything overflows and every multishot ends early.
struct OldAndCramped(RingDriver);

impl Driver for OldAndCramped {
    fn new(config: &DriverConfig) -> io::Result<OldAndCramped> {
        RingDriver::build(config, TaskRun::Plain, 4, false).map(OldAndCramped)
    }
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn waker(&self) -> Waker {
        self.0.waker()
    }
    fn listen(&mut self, listener: OwnedFd) -> io::Result<()> {
        self.0.listen(listener)
    }
    fn stop_listening(&mut self) {
        self.0.stop_listening();
    }
    fn adopt(&mut self, socket: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        self.0.adopt(socket, token)
    }
    fn forget(&mut self, token: Token, socket: OwnedFd) {
        self.0.forget(token, socket);
    }
    fn pause_receive(&mut self, token: Token) {
        self.0.pause_receive(token);
    }
    fn resume_receive(&mut self, token: Token) {
        self.0.resume_receive(token);
    }
    fn page_in(&mut self, token: u64, range: MemoryRange) -> io::Result<()> {
        self.0.page_in(token, range)
    }
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.0.wait(timeout, events)
    }
    fn bytes(&self, buffer: &Buffer) -> &[u8] {
        self.0.bytes(buffer)
    }
    fn release(&mut self, buffer: Buffer) {
        self.0.release(buffer);
    }
    fn counts(&self) -> Counts {
        self.0.counts()
    }
}

/// Runs a test that needs io_uring, or says why not.
fn with_ring(test: impl FnOnce()) {
    match probe() {
        Ok(()) => test(),
        Err(why) => eprintln!("skipped: {why}"),
    }
}

#[test]
fn completions_that_overflow_are_counted_and_not_lost() {
    with_ring(overflow_in_every_mode);
}

fn overflow_in_every_mode() {
    for mode in [TaskRun::Deferred, TaskRun::Cooperative, TaskRun::Plain] {
        let mut world = World::<OldAndCramped>::new();
        world.driver = OldAndCramped(RingDriver::build(&DriverConfig::default(), mode, 4, true).expect("driver"));
        let (ours, mut theirs): (Vec<_>, Vec<_>) = (0..100).map(|_| pair()).unzip();
        for (slot, socket) in (0..).zip(&ours) {
            world.adopt(socket, token(slot, 0));
        }
        for length in 1..=20 {
            for stream in &mut theirs {
                stream.write_all(b"x").expect("send");
            }
            world.until("all bytes", |world| (0..100).all(|slot| world.bytes_of(token(slot, 0)).len() == length));
        }
        assert!(world.driver.counts().completions_delayed > 0, "{mode:?}");
    }
}

macro_rules! for_each_driver {
    ($($name:ident,)*) => {
        mod epoll {
            $(#[test] fn $name() { super::$name::<super::super::EpollDriver>(); })*
        }
        mod io_uring {
            $(#[test] fn $name() { super::with_ring(super::$name::<super::super::RingDriver>); })*
        }
        mod io_uring_cramped {
            $(#[test] fn $name() { super::with_ring(super::$name::<super::OldAndCramped>); })*
        }
    };
}

for_each_driver! {
    a_storm_of_connections_is_accepted_whole,
    a_stopped_listener_refuses,
    bytes_before_the_end_come_first,
    an_end_that_comes_alone_is_told,
    a_reset_is_an_error,
    bytes_keep_their_order_however_they_are_split,
    two_thousand_connections_are_all_heard,
    lack_of_buffers_delays_and_loses_nothing,
    a_flood_does_not_drown_the_others,
    a_forgotten_slot_serves_its_next_owner_only,
    a_taken_slot_is_refused,
    every_full_socket_tells_when_it_takes_bytes_again,
    a_connect_ends_in_writable_or_closed,
    a_connect_that_takes_its_time_is_told,
    paused_sockets_keep_their_bytes_until_resumed,
    a_reset_is_told_of_a_paused_socket_too,
    mail_from_any_thread_ends_the_wait,
    ranges_are_paged_in_or_say_why_not,
    a_wait_ends_with_its_timeout,
}
