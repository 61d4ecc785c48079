//! One thread of the load: its own epoll, its share of the leechers, nothing shared but a few numbers for whoever watches.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::time::{ClockId, clock_gettime};

use super::identity::{peer_id, source};
use super::leecher::{Context, Leecher, Turn};
use super::meter::{self, Meter};
use super::phase::{Phase, Shared};
use super::picker::Picker;
use super::pieces::Verifier;
use super::plan::{Behaviour, Plan};
use super::socket::{self, Opening};

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Connections of one thread that wait for their handshake: a seeder refuses or drops what comes in too large a crowd.
const GREETING: usize = 128;
/// Microseconds between two looks at every leecher.
const TICK: u64 = 50_000;
/// Microseconds before a lost connection is tried again.
const RETRY: u64 = 1_000_000;
/// Receive buffer of a slow reader.
const SLOW_BUFFER: usize = 32 * 1024;

/// Time that a thread spins before it sleeps.
const SPIN: Duration = Duration::from_micros(500);
/// Pause between two looks while it spins, where that many requests are in flight that it adds nothing to their latency.
/// Measured with our own seeder: 33 to 38 GB for each second of the load's processor time, without pauses 17.
const PAUSE: Duration = Duration::from_micros(30);
const IN_FLIGHT: usize = 64;
/// Longest sleep: phases change without an event.
const SLEEP_NANOSECONDS: i64 = 5_000_000;

/// What a thread brings home.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    pub(super) meter: Meter,
    /// Payload within the window.
    pub(super) bytes: u64,
    pub(super) bytes_of_peers: Vec<u64>,
    pub(super) window: Duration,
    /// Processor time, without that spent waiting.
    pub(super) cpu: Duration,
    pub(super) verified: u64,
    pub(super) bad: u64,
}

/// A place that a leecher has, or will have.
struct Place {
    leecher: Option<Leecher>,
    /// Number among all leechers of the run.
    number: usize,
    generation: u32,
    /// When it may be filled, in microseconds.
    due: u64,
    /// Payload of leechers that were here before.
    earlier: u64,
    /// Payload before the window.
    base: u64,
}

/// What came within the window.
struct Closed {
    latency: Histogram<u64>,
    bytes: u64,
    bytes_of_peers: Vec<u64>,
    window: Duration,
    cpu: Duration,
}

/// When the window began.
struct Window {
    begun: Instant,
    cpu: Duration,
    bytes: u64,
}

pub(super) struct Thread<'run> {
    context: Context<'run>,
    shared: &'run Shared,
    index: usize,
    epoll: OwnedFd,
    places: Vec<Place>,
    /// Places with more to read.
    again: Vec<usize>,
    greeting: usize,
    next_tick: u64,
    window: Option<Window>,
    closed: Option<Closed>,
    /// Time spent spinning within the window.
    spun: Duration,
}

impl<'run> Thread<'run> {
    /// The thread of that index, with its share of the leechers.
    pub(super) fn new(plan: &'run Plan, shared: &'run Shared, index: usize) -> io::Result<Thread<'run>> {
        let numbers = (0..plan.peers).filter(|number| number % plan.threads == index);
        let place = |number| Place { leecher: None, number, generation: 0, due: 0, earlier: 0, base: 0 };
        Ok(Thread {
            context: Context {
                plan,
                meter: Meter::new(),
                verifier: Verifier::new(plan.torrent.clone()),
                scratch: vec![0; 256 * 1024],
                outgoing: Vec::new(),
                now: shared.now(),
                asking: false,
            },
            shared,
            index,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            places: numbers.map(place).collect(),
            again: Vec::new(),
            greeting: 0,
            next_tick: 0,
            window: None,
            closed: None,
            spun: Duration::ZERO,
        })
    }

    /// Runs until the phase says stop.
    pub(super) fn run(mut self) -> io::Result<Harvest> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        while !self.shared.is_in(Phase::Stop) {
            self.context.now = self.shared.now();
            if !self.context.asking && self.shared.is_in(Phase::WarmUp) {
                self.begin_asking();
            }
            if self.window.is_none() && self.shared.is_in(Phase::Measure) {
                self.open_window();
            }
            if self.closed.is_none() && self.shared.is_in(Phase::Close) {
                self.close_window();
            }
            if self.context.now >= self.next_tick {
                self.next_tick = self.context.now + TICK;
                self.tick();
            }
            self.fill_places();
            self.wait(&mut events)?;
            let ends = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            for event in &events {
                // the structure is packed: a copy of the field
                let flags = event.flags;
                self.turn(event.data.u64(), flags.intersects(ends));
            }
            for place in std::mem::take(&mut self.again) {
                self.turn(self.token(place), false);
            }
            self.publish();
        }
        Ok(self.harvest())
    }

    /// Waits for events. Spins first: a thread that sleeps is woken by whoever sends, over loopback the seeder itself, at a
    /// cost that no seeder has whose leechers are elsewhere. The pauses let more than one packet come together.
    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        self.poll(events, 0)?;
        if !events.is_empty() || !self.again.is_empty() {
            return Ok(());
        }
        let plan = self.context.plan;
        let in_flight = plan.active.saturating_mul(plan.depth);
        let length = if in_flight >= IN_FLIGHT { PAUSE } else { Duration::ZERO };
        // by the same clock as what it is taken from: another process may have had the core meanwhile
        let (begun, cpu) = (Instant::now(), own_cpu());
        while plan.spin && begun.elapsed() < SPIN {
            let pause = Instant::now();
            while pause.elapsed() < length {
                std::hint::spin_loop();
            }
            self.poll(events, 0)?;
            if !events.is_empty() {
                break;
            }
        }
        if self.window.is_some() {
            self.spun += own_cpu().saturating_sub(cpu);
        }
        if events.is_empty() { self.poll(events, SLEEP_NANOSECONDS) } else { Ok(()) }
    }

    fn poll(&self, events: &mut Vec<epoll::Event>, nanoseconds: i64) -> io::Result<()> {
        events.clear();
        let timeout = Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn token(&self, place: usize) -> u64 {
        u64::from(self.places[place].generation) << 32 | place as u64
    }

    fn turn(&mut self, token: u64, ending: bool) {
        let place = usize::try_from(token & u64::from(u32::MAX)).unwrap_or(usize::MAX);
        if self.places.get(place).is_none_or(|_| self.token(place) != token) {
            return;
        }
        let Some(leecher) = &mut self.places[place].leecher else { return };
        self.context.now = self.shared.now();
        let before = (leecher.is_greeted(), leecher.is_unchoked());
        let turn = leecher.ready(ending, &mut self.context);
        let after = (leecher.is_greeted(), leecher.is_unchoked());
        self.count(before, after);
        match turn {
            Turn::Done => {}
            Turn::More => self.again.push(place),
            Turn::Lost => self.vacate(place, RETRY, true),
            Turn::Leaves => self.vacate(place, 0, false),
        }
    }

    /// Keeps the numbers of greeted and unchoked leechers.
    fn count(&mut self, before: (bool, bool), after: (bool, bool)) {
        let meter = &mut self.context.meter;
        let change = |number: &mut usize, before: bool, after: bool| match (before, after) {
            (false, true) => *number += 1,
            (true, false) => *number -= 1,
            _ => {}
        };
        change(&mut meter.handshakes, before.0, after.0);
        change(&mut meter.unchoked, before.1, after.1);
        if !before.0 && after.0 {
            self.greeting -= 1;
        }
    }

    fn vacate(&mut self, place: usize, wait: u64, lost: bool) {
        let Some(leecher) = self.places[place].leecher.take() else { return };
        let was = (leecher.is_greeted(), leecher.is_unchoked());
        if !was.0 {
            self.greeting -= 1;
        }
        self.count(was, (false, false));
        self.context.meter.disconnects += u64::from(lost);
        self.places[place].earlier += leecher.bytes;
        self.places[place].due = self.context.now + wait;
        leecher.close(&mut self.context);
    }

    /// Connects leechers where places are empty.
    fn fill_places(&mut self) {
        if self.greeting >= GREETING || self.places.len() == self.context.meter.handshakes + self.greeting {
            return;
        }
        for place in 0..self.places.len() {
            let empty = self.places[place].leecher.is_none() && self.places[place].due <= self.context.now;
            if empty && self.greeting < GREETING && self.connect(place).is_err() {
                self.places[place].due = self.context.now + RETRY;
                self.context.meter.disconnects += 1;
            }
        }
    }

    fn connect(&mut self, place: usize) -> io::Result<()> {
        let plan = self.context.plan;
        let serial = self.shared.next_serial();
        let number = self.places[place].number;
        let active = number < plan.active;
        let slow = active && matches!(plan.behaviour, Behaviour::Slow { .. });
        let opening = Opening {
            target: plan.target,
            source: source(plan, serial),
            congestion: plan.congestion.as_deref(),
            receive_buffer: slow.then_some(SLOW_BUFFER),
        };
        let opened = socket::connect(opening).and_then(|socket| {
            self.places[place].generation = self.places[place].generation.wrapping_add(1);
            let flags =
                epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(self.token(place)), flags)?;
            Ok(socket)
        });
        let socket = opened.inspect_err(|error| {
            self.context.meter.error(|| format!("cannot connect to {}: {error}", plan.target));
        })?;
        self.context.meter.connections += 1;
        self.greeting += 1;
        let picker = self.picker(number, serial);
        let peer_id = peer_id(plan.seed, serial);
        self.places[place].leecher = Some(Leecher::new(socket, active, peer_id, picker, &self.context));
        Ok(())
    }

    /// Those who stay begin at equal distances, those who leave soon anywhere.
    fn picker(&self, number: usize, serial: u32) -> Picker {
        let plan = self.context.plan;
        let pieces = plan.torrent.geometry().pieces();
        let mut random = fastrand::Rng::with_seed(plan.seed ^ u64::from(serial) << 20);
        let even = number as u64 * u64::from(pieces) / plan.active.max(1) as u64;
        let piece = match plan.behaviour {
            Behaviour::Churn { .. } => random.u32(..pieces),
            _ => u32::try_from(even).unwrap_or(0) % pieces,
        };
        Picker::new(piece, plan.order, random)
    }

    fn tick(&mut self) {
        let allowance = match self.context.plan.behaviour {
            Behaviour::Slow { rate } => usize::try_from(rate * TICK / 1_000_000).unwrap_or(usize::MAX).max(1),
            _ => 0,
        };
        for place in 0..self.places.len() {
            let Some(leecher) = &mut self.places[place].leecher else { continue };
            if allowance > 0 {
                leecher.allow(allowance);
            }
            match leecher.tick(&mut self.context) {
                Turn::More => self.again.push(place),
                Turn::Lost => self.vacate(place, RETRY, true),
                Turn::Done | Turn::Leaves => {}
            }
        }
    }

    fn publish(&self) {
        let (published, meter) = (&self.shared.threads[self.index], &self.context.meter);
        published.bytes.store(meter.bytes, Ordering::Relaxed);
        let measured = self.window.as_ref().map_or(0, |window| meter.bytes - window.bytes);
        published.measured.store(measured, Ordering::Relaxed);
        published.handshakes.store(meter.handshakes, Ordering::Relaxed);
        published.unchoked.store(meter.unchoked, Ordering::Relaxed);
    }

    /// Gives every leecher a turn, in which it asks for as much as it may.
    fn begin_asking(&mut self) {
        self.context.asking = true;
        let greeted = |place: &usize| self.places[*place].leecher.as_ref().is_some_and(Leecher::is_greeted);
        self.again = (0..self.places.len()).filter(greeted).collect();
    }

    fn open_window(&mut self) {
        self.context.meter.latency = meter::histogram();
        for place in &mut self.places {
            place.base = place.payload();
        }
        self.window = Some(Window { begun: Instant::now(), cpu: own_cpu(), bytes: self.context.meter.bytes });
    }

    fn close_window(&mut self) {
        let Some(opened) = &self.window else { return };
        let active = self.places.iter().filter(|place| place.number < self.context.plan.active);
        let bytes_of_peers = active.map(|place| place.payload() - place.base).collect();
        let meter = &mut self.context.meter;
        self.closed = Some(Closed {
            latency: std::mem::replace(&mut meter.latency, meter::histogram()),
            bytes: meter.bytes - opened.bytes,
            bytes_of_peers,
            window: opened.begun.elapsed(),
            cpu: (own_cpu() - opened.cpu).saturating_sub(self.spun),
        });
    }

    fn harvest(mut self) -> Harvest {
        if self.closed.is_none() {
            self.close_window();
        }
        self.context.verifier.finish();
        let (verified, bad) = (self.context.verifier.good, self.context.verifier.bad);
        let mut meter = self.context.meter;
        let Some(closed) = self.closed else { return Harvest { meter, verified, bad, ..Harvest::default() } };
        meter.latency = closed.latency;
        let Closed { bytes, bytes_of_peers, window, cpu, .. } = closed;
        Harvest { meter, bytes, bytes_of_peers, window, cpu, verified, bad }
    }
}

impl Place {
    fn payload(&self) -> u64 {
        self.earlier + self.leecher.as_ref().map_or(0, |leecher| leecher.bytes)
    }
}

/// CPU time of this thread.
fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}
