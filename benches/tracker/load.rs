//! Announces a second, side by side with opentracker: `cargo bench --bench tracker_load`.
//!
//! One tracker at a time, pinned to core 0 (`taskset`), this program on core 1, over loopback; both trackers are told the
//! same 10,000 torrents and get the same announces, in turns, so that whatever else the machine does meets both alike.
//! Beside the rate stand the tracker's processor time an announce, which other work on the machine hardly changes, and
//! how busy the load itself was: near 100 % it, and not the tracker, may be the limit.
//!
//! The load keeps a window of announces under way. Over UDP it sends 64 of one size in a system call that goes through
//! the network stack as one packet until the receiving socket (`UDP_SEGMENT`), so that sending costs it less than
//! answering costs a tracker. Over HTTP it opens connections in order and reads them in order; on loopback neither
//! step waits, so it needs no event loop.
#![expect(unsafe_code, reason = "batched datagrams and UDP_SEGMENT have no safe wrapper")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, mem, ptr, thread};

use sower::ids::InfoHash;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TORRENTS: usize = 10_000;
/// Clients that announce in each torrent.
const CLIENTS: u16 = 50;
const NUMWANT: u32 = 50;
/// Announces under way over UDP, over HTTP.
const UDP_WINDOW: usize = 512;
const HTTP_WINDOW: usize = 64;
const BATCH: usize = 64;
const BATCH_COUNT: libc::c_uint = 64;
const ANNOUNCE: usize = 98;
const ANNOUNCE_SEGMENT: u16 = 98;

/// A tracker to measure.
struct Tracker {
    name: &'static str,
    process: Child,
    address: SocketAddr,
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Tracker {
    /// Runs `command` on core 0 and waits until it accepts connections.
    fn start(name: &'static str, port: u16, command: &[String]) -> Result<Tracker> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let quiet = || Stdio::null();
        let process =
            Command::new("taskset").args(["-c", "0"]).args(command).stdout(quiet()).stderr(quiet()).spawn()?;
        let tracker = Tracker { name, process, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("{name} does not accept connections").into());
            }
            thread::yield_now();
        }
        Ok(tracker)
    }

    fn sower(hashes: &[InfoHash]) -> Result<Tracker> {
        let port = free_port()?;
        let mut command: Vec<String> =
            [env!("CARGO_BIN_EXE_sower"), "tracker", "--bind", "127.0.0.1", "--port", &port.to_string()]
                .map(Into::into)
                .into();
        command.extend(hashes.iter().flat_map(|hash| ["--torrent".to_owned(), hash.to_string()]));
        Tracker::start("sower", port, &command)
    }

    /// Debian's build serves a list of torrents; it reads it inside the folder that it locks itself into.
    fn opentracker(hashes: &[InfoHash], folder: &str) -> Result<Tracker> {
        let port = free_port()?;
        let list: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
        fs::write(format!("{folder}/whitelist"), list)?;
        let port_text = port.to_string();
        let command =
            ["opentracker", "-i", "127.0.0.1", "-p", &port_text, "-P", &port_text, "-d", folder, "-w", "whitelist"];
        Tracker::start("opentracker", port, &command.map(Into::into))
    }

    /// Processor time so far, in seconds.
    fn processor_s(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // user and system time, in hundredths of a second (proc(5))
        Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// One measurement.
struct Sample {
    per_second: f64,
    tracker_us: f64,
    load_busy: f64,
}

/// Runs `load` for `time`; it returns how many answers it got until the deadline.
fn measure(tracker: &Tracker, time: Duration, mut load: impl FnMut(Instant) -> Result<u64>) -> Result<Sample> {
    let (start, processor, own) = (Instant::now(), tracker.processor_s()?, own_processor());
    let answers = load(start + time)?;
    let passed = start.elapsed().as_secs_f64();
    let answers = answers as f64;
    Ok(Sample {
        per_second: answers / passed,
        tracker_us: (tracker.processor_s()? - processor) / answers * 1e6,
        load_busy: (own_processor() - own).as_secs_f64() / passed * 100.0,
    })
}

fn own_processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

// --- UDP ----------------------------------------------------------------------------------------------------------

/// Room for one control message with a 16-bit value.
#[repr(C)]
struct Segment {
    header: libc::cmsghdr,
    size: u16,
    padding: [u8; 6],
}

struct UdpLoad<'a> {
    socket: UdpSocket,
    connection: [u8; 8],
    hashes: &'a [InfoHash],
    rng: fastrand::Rng,
    outgoing: Vec<u8>,
    incoming: Vec<[u8; 2_048]>,
}

impl<'a> UdpLoad<'a> {
    fn new(tracker: SocketAddr, hashes: &'a [InfoHash]) -> Result<UdpLoad<'a>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(tracker)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20)?;
        let mut answer = [0; 16];
        let start = Instant::now();
        // answers to an earlier run may still come to this port number, and a busy machine may take its time
        loop {
            socket.send(&[&0x0417_2710_1980u64.to_be_bytes()[..], &[0; 8]].concat())?;
            match socket.recv(&mut answer) {
                Ok(16) if answer[3] == 0 => break,
                Err(error) if start.elapsed() > Duration::from_secs(10) => return Err(error.into()),
                _ => {}
            }
        }
        let connection = answer[8..].try_into()?;
        let (outgoing, incoming) = (vec![0; BATCH * ANNOUNCE], vec![[0; 2_048]; BATCH]);
        Ok(UdpLoad { socket, connection, hashes, rng: fastrand::Rng::with_seed(1), outgoing, incoming })
    }

    /// Every client of every torrent once, so that all swarms are full before anything is measured.
    fn fill(&mut self) -> Result<()> {
        let all: Vec<(usize, u16)> =
            (0..CLIENTS).flat_map(|client| (0..TORRENTS).map(move |torrent| (torrent, client))).collect();
        for part in all.chunks(BATCH) {
            for (at, &(torrent, client)) in part.iter().enumerate() {
                self.write(at, torrent, client);
            }
            self.send(part.len())?;
            let (mut answered, mut silent) = (0, 0);
            while answered < part.len() {
                let count = self.receive()?;
                answered += count.unwrap_or(0);
                silent += usize::from(count.is_none());
                if silent > 50 {
                    return Err("an answer was lost while the swarms were filled".into());
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, at: usize, torrent: usize, client: u16) {
        let out = &mut self.outgoing[at * ANNOUNCE..][..ANNOUNCE];
        out[..8].copy_from_slice(&self.connection);
        out[8..16].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
        out[16..36].copy_from_slice(&self.hashes[torrent].0);
        out[36..56].copy_from_slice(b"-XX0000-............");
        out[54..56].copy_from_slice(&client.to_be_bytes());
        // every fifth client is a seeder
        out[64..72].copy_from_slice(&u64::from(!client.is_multiple_of(5)).to_be_bytes());
        out[88..92].copy_from_slice(&(u32::from(client) + 1).to_be_bytes());
        out[92..96].copy_from_slice(&NUMWANT.to_be_bytes());
        out[96..98].copy_from_slice(&(10_000 + client).to_be_bytes());
    }

    fn send(&mut self, count: usize) -> Result<()> {
        // SAFETY: integers and pointers, for which zero is a value
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        let mut vector = libc::iovec { iov_base: self.outgoing.as_mut_ptr().cast(), iov_len: count * ANNOUNCE };
        // SAFETY: integers
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        header.cmsg_len = size_of::<libc::cmsghdr>() + size_of::<u16>();
        header.cmsg_level = libc::SOL_UDP;
        header.cmsg_type = libc::UDP_SEGMENT;
        let mut control = Segment { header, size: ANNOUNCE_SEGMENT, padding: [0; 6] };
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of::<Segment>();
        // SAFETY: `message` points to `vector` over `count` announces of `outgoing` and to `control`, all alive
        let sent = unsafe { libc::sendmsg(self.socket.as_raw_fd(), &raw const message, 0) };
        if sent < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok(()) }
    }

    /// Announces answered by what waits, after waiting for the first; none if nothing came.
    fn receive(&mut self) -> Result<Option<usize>> {
        let mut vectors: Vec<libc::iovec> = self
            .incoming
            .iter_mut()
            .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
            .collect();
        // SAFETY: integers and pointers, for which zero is a value
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for (message, vector) in messages.iter_mut().zip(&mut vectors) {
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let (fd, first) = (self.socket.as_raw_fd(), messages.as_mut_ptr());
        // SAFETY: BATCH headers, each over a buffer of its own, all alive
        let received = unsafe { libc::recvmmsg(fd, first, BATCH_COUNT, libc::MSG_WAITFORONE as _, ptr::null_mut()) };
        let Ok(received) = usize::try_from(received) else { return Ok(None) };
        for (message, bytes) in messages[..received].iter().zip(&self.incoming) {
            let length = message.msg_len as usize;
            if length < 20 || bytes[3] != 1 {
                return Err(format!("not an announce's answer: {}", bytes[..length].escape_ascii()).into());
            }
        }
        Ok(Some(received))
    }

    fn run(&mut self, until: Instant) -> Result<u64> {
        let (mut answers, mut under_way) = (0, 0);
        while Instant::now() < until {
            while under_way + BATCH <= UDP_WINDOW {
                for at in 0..BATCH {
                    let (torrent, client) = (self.rng.usize(..TORRENTS), self.rng.u16(..CLIENTS));
                    self.write(at, torrent, client);
                }
                self.send(BATCH)?;
                under_way += BATCH;
            }
            match self.receive()? {
                Some(count) => {
                    answers += count as u64;
                    under_way = under_way.saturating_sub(count);
                }
                // all that is under way was lost
                None => under_way = 0,
            }
        }
        while self.receive()?.is_some() {}
        Ok(answers)
    }
}

// --- HTTP ---------------------------------------------------------------------------------------------------------

struct HttpLoad<'a> {
    tracker: SocketAddr,
    hashes: &'a [InfoHash],
    rng: fastrand::Rng,
    request: Vec<u8>,
}

impl HttpLoad<'_> {
    fn write(&mut self, close: bool) {
        let (hash, client) = (self.hashes[self.rng.usize(..TORRENTS)], self.rng.u16(..CLIENTS));
        self.request.clear();
        self.request.extend_from_slice(b"GET /announce?info_hash=");
        for byte in hash.0 {
            let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
            self.request.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
        let (port, left) = (10_000 + client, u8::from(!client.is_multiple_of(5)));
        let rest = "uploaded=0&downloaded=0&corrupt=0&key=1A2B3C4D&compact=1&no_peer_id=1&supportcrypto=1&redundant=0";
        let connection = if close { "Connection: close\r\n" } else { "" };
        let host = self.tracker;
        let _ = write!(
            self.request,
            "&peer_id=-XX0000-abcdefghij{client:02}&port={port}&left={left}&numwant={NUMWANT}&{rest} HTTP/1.1\r\n\
             Host: {host}\r\nUser-Agent: load\r\nAccept-Encoding: gzip\r\n{connection}\r\n"
        );
    }

    fn ask(&mut self, mut stream: TcpStream, close: bool) -> Result<TcpStream> {
        self.write(close);
        stream.write_all(&self.request)?;
        Ok(stream)
    }

    fn check(stream: &mut TcpStream) -> Result<()> {
        let mut answer = [0; 4_096];
        let length = stream.read(&mut answer)?;
        let good =
            answer[..length].starts_with(b"HTTP/1.1 200") && answer[..length].windows(9).any(|at| at == b"d8:comple");
        if good { Ok(()) } else { Err(format!("not an answer: {}", answer[..length].escape_ascii()).into()) }
    }

    /// A connection for each announce.
    fn run_once_each(&mut self, until: Instant) -> Result<u64> {
        let (mut answers, mut waiting) = (0, std::collections::VecDeque::new());
        while Instant::now() < until {
            while waiting.len() < HTTP_WINDOW {
                let stream = TcpStream::connect(self.tracker)?;
                waiting.push_back(self.ask(stream, true)?);
            }
            let Some(mut stream) = waiting.pop_front() else { continue };
            Self::check(&mut stream)?;
            answers += 1;
        }
        Ok(answers)
    }

    /// One announce after the other on each of a window of connections.
    fn run_kept(&mut self, until: Instant) -> Result<u64> {
        let connect = |_| TcpStream::connect(self.tracker).inspect(|stream| drop(stream.set_nodelay(true)));
        let mut streams = (0..HTTP_WINDOW).map(connect).collect::<std::io::Result<Vec<_>>>()?;
        let mut answers = 0;
        for stream in &mut streams {
            self.write(false);
            stream.write_all(&self.request)?;
        }
        while Instant::now() < until {
            for stream in &mut streams {
                Self::check(stream)?;
                answers += 1;
                self.write(false);
                stream.write_all(&self.request)?;
            }
        }
        Ok(answers)
    }
}

// --- the table ----------------------------------------------------------------------------------------------------

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(title: &str, tracker: &str, samples: &[Sample]) {
    let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field).collect());
    let (rate, us, busy) = (of(|s| s.per_second), of(|s| s.tracker_us), of(|s| s.load_busy));
    println!("{title:<22} {tracker:<12} {rate:>9.0}/s {us:>7.2} us each, load {busy:>3.0} % busy");
}

fn main() -> Result<()> {
    // not to be run once, to see that it works: `cargo bench -- --test`, `cargo test --benches` (without this flag)
    if env::args().any(|argument| argument == "--test") || env::args().all(|argument| argument != "--bench") {
        return Ok(());
    }
    let setting = |name: &str, default| env::var(name).map_or(Ok(default), |text| text.parse::<u64>());
    let (time, rounds) = (Duration::from_secs(setting("SECONDS", 3)?), setting("ROUNDS", 5)?);
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(1);
    rustix::thread::sched_setaffinity(None, &cores)?;
    let mut rng = fastrand::Rng::with_seed(20);
    let hashes: Vec<InfoHash> = (0..TORRENTS).map(|_| InfoHash(std::array::from_fn(|_| rng.u8(..)))).collect();
    let folder = env::temp_dir().join("sower-tracker-load");
    fs::create_dir_all(&folder)?;
    let mut trackers = vec![Tracker::sower(&hashes)?];
    match Tracker::opentracker(&hashes, &folder.to_string_lossy()) {
        Ok(tracker) => trackers.push(tracker),
        Err(error) => println!("without opentracker: {error}"),
    }
    for tracker in &trackers {
        UdpLoad::new(tracker.address, &hashes)?.fill()?;
    }
    let only = env::var("ONLY").unwrap_or_default();
    let in_turns = |title: &str, one: &dyn Fn(&Tracker) -> Result<Sample>| -> Result<()> {
        if !title.contains(&only) {
            return Ok(());
        }
        let mut samples: Vec<Vec<Sample>> = trackers.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (tracker, samples) in trackers.iter().zip(&mut samples) {
                match one(tracker) {
                    Ok(sample) => samples.push(sample),
                    Err(error) if samples.is_empty() => println!("{title:<22} {:<12} {error}", tracker.name),
                    Err(error) => return Err(error),
                }
            }
        }
        let pairs = trackers.iter().zip(&samples).filter(|(_, samples)| !samples.is_empty());
        pairs.for_each(|(tracker, samples)| report(title, tracker.name, samples));
        Ok(())
    };
    let http = |tracker: &Tracker| HttpLoad {
        tracker: tracker.address,
        hashes: &hashes,
        rng: fastrand::Rng::with_seed(2),
        request: Vec::new(),
    };
    in_turns("UDP", &|tracker| {
        let mut load = UdpLoad::new(tracker.address, &hashes)?;
        measure(tracker, time, |until| load.run(until))
    })?;
    in_turns("HTTP, one each", &|tracker| measure(tracker, time, |until| http(tracker).run_once_each(until)))?;
    in_turns("HTTP, kept alive", &|tracker| measure(tracker, time, |until| http(tracker).run_kept(until)))
}
