//! What a small receive costs: a thread sends 17 bytes (a request) on each of many connections, the driver's thread
//! reports them all, and so on. Prints receives per second and the driver's CPU time for each.
//!
//! `cargo bench --bench driver`; loopback, cubic.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sower::reactor::driver::{Driver, DriverConfig, EpollDriver, Event, RingDriver, TaskRun, Token, probe};
use sower::reactor::sockets::Options;

const MESSAGE: [u8; 17] = [0; 17];
const RECEIVES: usize = 400_000;

fn main() {
    // `cargo test` runs benches too, to see that they start.
    let receives = if std::env::args().any(|argument| argument == "--bench") { RECEIVES } else { 1_000 };
    println!("{:>11} {:>20} {:>12} {:>14}", "connections", "driver", "receives/s", "CPU ns/receive");
    for connections in [1, 50, 1_000] {
        // Alternating, so that a disturbance of the machine hits all of them.
        for _ in 0..3 {
            let config = DriverConfig::default();
            measure(connections, receives, "epoll", EpollDriver::new(&config).expect("epoll"));
            for mode in [TaskRun::Deferred, TaskRun::Cooperative, TaskRun::Plain] {
                match probe() {
                    Ok(()) => {
                        let driver = RingDriver::with(&config, mode).expect("probed");
                        measure(connections, receives, &format!("io_uring {mode:?}"), driver);
                    }
                    Err(why) => println!("{why}"),
                }
            }
        }
    }
}

fn pairs(connections: usize) -> (Vec<OwnedFd>, Vec<TcpStream>) {
    let options = Options { congestion_control: Some("cubic".into()), ..Options::default() };
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    options.apply(&listener).expect("cubic");
    let pair = |_| {
        let theirs = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
        options.apply(&theirs).expect("cubic");
        let (ours, _) = listener.accept().expect("accept");
        ours.set_nonblocking(true).expect("non-blocking");
        (ours.into(), theirs)
    };
    (0..connections).map(pair).unzip()
}

fn measure(connections: usize, receives: usize, name: &str, mut driver: impl Driver) {
    let (ours, mut theirs) = pairs(connections);
    for (slot, socket) in (0..).zip(&ours) {
        driver.adopt(socket.as_fd(), Token { slot, generation: 0 }).expect("adopt");
    }
    let rounds = receives.div_ceil(connections);
    let (go, start) = crossbeam::channel::bounded::<()>(1);
    let sender = std::thread::spawn(move || {
        while start.recv().is_ok() {
            for stream in &mut theirs {
                stream.write_all(&MESSAGE).expect("send");
            }
        }
    });
    let mut events = Vec::new();
    let (begin, cpu) = (Instant::now(), thread_cpu());
    for _ in 0..rounds {
        go.send(()).expect("sender");
        let mut missing = connections * MESSAGE.len();
        while missing > 0 {
            driver.wait(None, &mut events).expect("wait");
            for event in events.drain(..) {
                if let Event::Received { buffer, .. } = event {
                    missing -= buffer.len();
                    driver.release(buffer);
                }
            }
        }
    }
    let (elapsed, cpu) = (begin.elapsed(), thread_cpu() - cpu);
    drop(go);
    sender.join().expect("sender");
    let count = rounds * connections;
    let rate = count as f64 / elapsed.as_secs_f64();
    println!("{connections:>11} {name:>20} {rate:>12.0} {:>14}", cpu.as_nanos() / count as u128);
}

fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("positive")
}
