//! What a small receive costs: a thread sends 17 bytes (a request) on each of many connections, the driver's thread
//! reports them all, and so on. `cargo bench --bench driver`; loopback, cubic. Counted in receives, in processor time of
//! the driver's thread: that figure stands on a machine that does other things too.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::channel::{Sender, bounded};
use rustix::time::{ClockId, clock_gettime};
use sower::reactor::driver::{Driver, DriverConfig, EpollDriver, Event, RingDriver, TaskRun, Token, probe};

mod loopback;
use loopback::{MEASURED, OTHER, pin};

const MESSAGE: [u8; 17] = [0; 17];

fn receives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a receive of 17 bytes");
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(1)).sample_size(20);
    let config = DriverConfig::default();
    for connections in [1, 50, 1_000] {
        measure(&mut group, connections, "epoll", EpollDriver::new(&config).expect("epoll"));
        if let Err(refused) = probe() {
            eprintln!("without io_uring: {refused}");
            continue;
        }
        for mode in [TaskRun::Deferred, TaskRun::Cooperative, TaskRun::Plain] {
            let driver = RingDriver::with(&config, mode).expect("probed");
            measure(&mut group, connections, &format!("io_uring {mode:?}"), driver);
        }
    }
    group.finish();
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, connections: usize, name: &str, mut driver: impl Driver) {
    let (go, ours) = senders(connections);
    pin(MEASURED);
    for (slot, socket) in (0..).zip(&ours) {
        driver.adopt(socket.as_fd(), Token { slot, generation: 0 }).expect("adopt");
    }
    let mut events = Vec::new();
    group.bench_function(BenchmarkId::new(name, connections), |bencher| {
        bencher.iter_custom(|count| {
            let rounds = count.div_ceil(connections as u64);
            let begin = thread_cpu();
            for _ in 0..rounds {
                go.send(()).expect("the senders live");
                receive(&mut driver, connections * MESSAGE.len(), &mut events);
            }
            (thread_cpu() - begin).mul_f64(count as f64 / (rounds * connections as u64) as f64)
        });
    });
}

/// Connections on which a thread sends a message each for every word to go; it ends when nobody can say it any more.
fn senders(connections: usize) -> (Sender<()>, Vec<OwnedFd>) {
    let (listener, address) = loopback::listen();
    let pair = |_| {
        let theirs = loopback::connect(address);
        let (ours, _) = listener.accept().expect("just connected");
        ours.set_nonblocking(true).expect("a socket");
        (OwnedFd::from(ours), theirs)
    };
    let (ours, mut theirs): (Vec<_>, Vec<_>) = (0..connections).map(pair).unzip();
    let (go, start) = bounded(1);
    std::thread::spawn(move || {
        pin(OTHER);
        while start.recv().is_ok() {
            theirs.iter_mut().for_each(|stream| stream.write_all(&MESSAGE).expect("the driver lives"));
        }
    });
    (go, ours)
}

fn receive(driver: &mut impl Driver, mut missing: usize, events: &mut Vec<Event>) {
    while missing > 0 {
        driver.wait(None, events).expect("wait");
        for event in events.drain(..) {
            if let Event::Received { buffer, .. } = event {
                missing -= buffer.len();
                driver.release(buffer);
            }
        }
    }
}

fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("positive")
}

criterion_group!(benches, receives);
criterion_main!(benches);
