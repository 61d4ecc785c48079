//! What nginx sends by bare sendfile: the upper reference of `benches/peers/run`, which calls this program.
//!
//! N connections kept alive, each with an address of its own, ask for the whole file again and again and drop what comes
//! in the kernel (`MSG_TRUNC`), as `sower bench` does in its mode `discard`: a reference that copied would be no upper one.
//! Prints the same JSON document as `sower bench --json`.
//!
//! `http_load HOST:PORT PATH CONNECTIONS WARM_UP_SECONDS DURATION_SECONDS PID CPU`

use std::error::Error;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::thread::{CpuSet, sched_setaffinity};
use socket2::{Domain, Protocol, Socket, Type};
use sower::load::report::Document;
use sower::load::{Machine, Outcome, OwnThreads, Report, Seeder};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Taken with one call at most: more than a socket's receive buffer holds. Address space only, nothing is written to it.
const TAKE: usize = 16 << 20;
const EVENTS: usize = 64;
/// How the load of `sower bench` waits, and why: it spins this long before it sleeps, so that the server does not pay for
/// waking it; looks are this far apart, so that more than one packet comes together.
const SPIN: Duration = Duration::from_micros(500);
const PAUSE: Duration = Duration::from_micros(30);
const SLEEP_NANOSECONDS: i64 = 5_000_000;

struct Connection {
    socket: Socket,
    /// What came of an answer's head.
    head: Vec<u8>,
    /// Of its body still to come.
    left: usize,
    /// Payload within the window.
    bytes: u64,
}

impl Connection {
    /// The source is 127.1.0.1 and up.
    fn open(server: SocketAddr, number: u32) -> Result<Connection> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        let source = Ipv4Addr::from_bits(0x7f01_0001 + number);
        socket.bind(&SocketAddr::from(SocketAddrV4::new(source, 0)).into())?;
        socket.connect(&server.into())?;
        socket.set_tcp_nodelay(true)?;
        Ok(Connection { socket, head: Vec::new(), left: 0, bytes: 0 })
    }

    fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.head.clear();
        Ok((&self.socket).write_all(request)?)
    }

    /// Takes what is there, with one call; the socket is known to have something.
    fn take(&mut self, request: &[u8], space: &mut [MaybeUninit<u8>]) -> Result<()> {
        if self.left == 0 {
            return self.read_head();
        }
        let wanted = self.left.min(space.len());
        let taken = self.socket.recv_with_flags(&mut space[..wanted], libc::MSG_TRUNC | libc::MSG_DONTWAIT);
        let taken = match taken {
            Ok(0) => return Err("the server ended a connection".into()),
            Ok(taken) => taken,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.left -= taken;
        self.bytes += taken as u64;
        if self.left == 0 { self.ask(request) } else { Ok(()) }
    }

    fn read_head(&mut self) -> Result<()> {
        let mut part = [0; 4096];
        let count = (&self.socket).read(&mut part)?;
        if count == 0 {
            return Err("the server ended a connection".into());
        }
        self.head.extend_from_slice(&part[..count]);
        let Some(end) = self.head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(()) };
        let text = String::from_utf8_lossy(&self.head[..end]).to_ascii_lowercase();
        if !text.starts_with("http/1.1 200") {
            return Err(format!("an answer that was not looked for: {text}").into());
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.ok_or("an answer without its length")?.trim().parse()?;
        let body = self.head.len() - end - 4;
        self.bytes += body as u64;
        self.left = length - body;
        Ok(())
    }
}

struct Load {
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    space: Vec<u8>,
    /// Time spent spinning.
    spun: Duration,
}

impl Load {
    fn connect(server: SocketAddr, path: &str, count: u32) -> Result<Load> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n").into_bytes();
        let mut connections = (0..count).map(|number| Connection::open(server, number)).collect::<Result<Vec<_>>>()?;
        for (connection, number) in connections.iter_mut().zip(0..) {
            epoll::add(&epoll, &connection.socket, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
            connection.ask(&request)?;
        }
        Ok(Load { epoll, connections, request, space: Vec::with_capacity(TAKE), spun: Duration::ZERO })
    }

    fn run_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut events = Vec::with_capacity(EVENTS);
        while Instant::now() < end {
            self.wait(&mut events)?;
            for event in &events {
                let connection = &mut self.connections[usize::try_from(event.data.u64())?];
                connection.take(&self.request, self.space.spare_capacity_mut())?;
            }
        }
        Ok(())
    }

    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> Result<()> {
        self.poll(events, 0)?;
        let begun = Instant::now();
        while events.is_empty() && begun.elapsed() < SPIN {
            let pause = Instant::now();
            while pause.elapsed() < PAUSE {
                std::hint::spin_loop();
            }
            self.poll(events, 0)?;
            self.spun += pause.elapsed();
        }
        if events.is_empty() { self.poll(events, SLEEP_NANOSECONDS) } else { Ok(()) }
    }

    fn poll(&self, events: &mut Vec<epoll::Event>, nanoseconds: i64) -> Result<()> {
        events.clear();
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout))?;
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [server, path, connections, warm_up, duration, pid, cpu] = arguments.as_slice() else {
        println!("http_load is run by benches/peers/run");
        return Ok(());
    };
    let mut cpus = CpuSet::new();
    cpus.set(cpu.parse()?);
    sched_setaffinity(None, &cpus)?;
    let seeder = Seeder::of(&[pid.parse()?])?;
    let mut load = Load::connect(server.parse()?, path, connections.parse()?)?;
    load.run_for(Duration::from_secs(warm_up.parse()?))?;
    load.connections.iter_mut().for_each(|connection| connection.bytes = 0);
    load.spun = Duration::ZERO;
    let (own, measuring, start) = (OwnThreads::begin(""), seeder.begin()?, Instant::now());
    load.run_for(Duration::from_secs(duration.parse()?))?;
    let window = start.elapsed();
    let (seeder, mut load_threads) = (measuring.end()?, own.end());
    load_threads.iter_mut().for_each(|thread| thread.cpu = thread.cpu.saturating_sub(load.spun));
    let bytes_of_peers: Vec<u64> = load.connections.iter().map(|connection| connection.bytes).collect();
    let peers = bytes_of_peers.len();
    let outcome = Outcome {
        window,
        bytes: bytes_of_peers.iter().sum(),
        connections: peers as u64,
        bytes_of_peers,
        load_threads,
        seeder: Some(seeder),
        ..Outcome::new("http", peers)
    };
    let document: Document = Report::new(Machine::look(String::new(), None), vec![outcome]).document();
    println!("{}", serde_json::to_string(&document)?);
    Ok(())
}
