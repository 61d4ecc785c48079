//! What the drivers do with descriptors: none is lost, and running out of them is survived. Both concern the whole process,
//! so this is a program of its own with a single test.

use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sower::reactor::driver::{Driver, DriverConfig, EpollDriver, Event, MemoryRange, RingDriver, Token, probe};
use sower::reactor::sockets::{self, Family, Listening};

const PATIENCE: Duration = Duration::from_secs(30);

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

fn listen<D: Driver>(driver: &mut D) -> u16 {
    let listener = sockets::listener(Listening { port: 0, family: Family::Both, shared: false, backlog: 128 });
    let listener = listener.expect("listener");
    let port = sockets::local_address(&listener).expect("address").port();
    driver.listen(listener).expect("listen");
    port
}

fn connect(port: u16, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("connect")).collect()
}

/// Waits until `accepted` holds `count`; tells how often the wait returned.
fn accept<D: Driver>(driver: &mut D, accepted: &mut Vec<OwnedFd>, count: usize, failures: u64) -> usize {
    let limit = Instant::now() + PATIENCE;
    let (mut events, mut waits) = (Vec::new(), 0);
    while accepted.len() < count || driver.counts().accept_failures < failures {
        assert!(Instant::now() < limit, "{}: {} of {count} accepted", driver.name(), accepted.len());
        driver.wait(Some(Duration::from_secs(1)), &mut events).expect("wait");
        waits += 1;
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => accepted.push(socket),
                Event::Received { buffer, .. } => driver.release(buffer),
                _ => {}
            }
        }
    }
    waits
}

fn a_dropped_driver_leaves_nothing_open<D: Driver>() {
    let before = open_descriptors();
    let mut driver = D::new(&DriverConfig::default()).expect("driver");
    let port = listen(&mut driver);
    let clients = connect(port, 60);
    let mut accepted = Vec::new();
    accept(&mut driver, &mut accepted, 60, 0);
    let kept = accepted.split_off(30);
    for (slot, socket) in (0..).zip(&accepted) {
        driver.adopt(socket.as_fd(), Token { slot, generation: 0 }).expect("adopt");
    }
    driver.wait(Some(Duration::ZERO), &mut Vec::new()).expect("wait");
    for (slot, socket) in (0..).zip(accepted) {
        driver.forget(Token { slot, generation: 0 }, socket);
    }
    for (slot, socket) in (0..).zip(&kept) {
        driver.adopt(socket.as_fd(), Token { slot, generation: 1 }).expect("adopt");
    }
    driver.page_in(0, MemoryRange { address: 4096, length: 4096 }).expect("started");
    // These are accepted, if at all, by the farewell itself.
    let late = connect(port, 10);
    let waker = driver.waker();
    drop(driver);
    drop((waker, clients, late, kept));
    assert_eq!(open_descriptors(), before);
}

fn a_lack_of_descriptors_is_survived_without_spinning<D: Driver>() {
    let mut driver = D::new(&DriverConfig::default()).expect("driver");
    let port = listen(&mut driver);
    let clients = connect(port, 20);
    let usual = getrlimit(Resource::Nofile);
    // Descriptors are given from the lowest free number, so this leaves five.
    let next = std::fs::File::open("/dev/null").expect("null").as_fd().try_clone_to_owned().expect("number");
    let room = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&next)).expect("positive") + 5;
    drop(next);
    setrlimit(Resource::Nofile, Rlimit { current: Some(room), ..usual }).expect("limit");
    let mut accepted = Vec::new();
    let waits = accept(&mut driver, &mut accepted, 1, 3);
    let got = accepted.len();
    setrlimit(Resource::Nofile, usual).expect("limit");
    assert!(got < 20, "the limit was felt");
    assert!(waits < 50, "{}: {waits} waits for three failures", driver.name());
    accept(&mut driver, &mut accepted, 20, 0);
    drop(clients);
}

#[test]
fn descriptors_are_never_lost_and_may_run_out() {
    a_dropped_driver_leaves_nothing_open::<EpollDriver>();
    a_lack_of_descriptors_is_survived_without_spinning::<EpollDriver>();
    match probe() {
        Ok(()) => {
            a_dropped_driver_leaves_nothing_open::<RingDriver>();
            a_lack_of_descriptors_is_survived_without_spinning::<RingDriver>();
        }
        Err(why) => eprintln!("skipped for io_uring: {why}"),
    }
}
