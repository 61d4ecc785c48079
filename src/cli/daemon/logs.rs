//! The log: lines of text or JSON on standard error, so many from one place within an interval, and then how many more there were.
//!
//! What a stranger can cause often enough, such as a bad request, must fill no disk. A line that is left out is counted, and
//! [`Log::tell_left_out`] tells of it in one line for each place.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use super::config::{self, Level, LogFormat};
use crate::api::Journal;
use crate::cli::screen::printable;

/// For which lines of a place are counted.
const INTERVAL: Duration = Duration::from_secs(10);

/// The log of this process.
pub(super) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    bursts: Arc<Mutex<Bursts>>,
    /// The latest lines.
    pub(super) journal: Arc<Journal>,
}

impl Log {
    /// From now on events are written.
    pub(super) fn start(config: &config::Log) -> Log {
        let (filter, handle) = reload::Layer::new(filter(&config.level));
        let bursts = Arc::new(Mutex::new(Bursts { most: config.burst.0, places: HashMap::new() }));
        let journal = Arc::<Journal>::default();
        let kept = Keep(journal.clone());
        let registry = tracing_subscriber::registry().with(filter).with(Limit(bursts.clone())).with(kept);
        let lines = fmt::layer().with_writer(std::io::stderr);
        let started = match config.format {
            LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
            LogFormat::Text => {
                let lines = lines.with_ansi(std::io::stderr().is_terminal()).with_target(false);
                let lines = lines.fmt_fields(debug_fn(write_member).delimited(" "));
                // the journal notes the time itself
                match std::env::var_os("JOURNAL_STREAM") {
                    Some(_) => registry.with(lines.without_time()).try_init(),
                    None => registry.with(lines).try_init(),
                }
            }
        };
        // an error says that somebody in this process writes events already
        drop(started);
        Log { filter: handle, bursts, journal }
    }

    /// Another level.
    pub(super) fn set_level(&self, level: &Level) {
        // an error says that the log is gone, with all that it could be told
        let _ = self.filter.reload(filter(level));
    }

    /// Tells of each place how many lines it had left out.
    pub(super) fn tell_left_out(&self) {
        let left_out = lock(&self.bursts).left_out(Instant::now());
        for (place, count) in left_out {
            let (file, line) = (place.file().unwrap_or("?"), place.line().unwrap_or(0));
            tracing::warn!(count, place = %format_args!("{file}:{line}"), "left out lines of the log");
        }
    }
}

/// A word alone is about this program; the libraries under it tell of trouble only, and never of addresses and headers.
fn filter(level: &Level) -> EnvFilter {
    let is_word = level.0.chars().all(|letter| letter.is_ascii_alphanumeric());
    EnvFilter::new(if is_word { format!("warn,sower={}", level.0) } else { level.0.clone() })
}

/// A member of a line of text. Names of files and torrents are strangers' words: they begin no line of their own, and tell a terminal
/// nothing.
fn write_member(line: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = printable(&format!("{value:?}").replace('\n', "; "));
    match field.name() {
        "message" => write!(line, "{value}"),
        name => write!(line, "{name}={value}"),
    }
}

fn lock(bursts: &Mutex<Bursts>) -> MutexGuard<'_, Bursts> {
    // counts are whole at any moment
    bursts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets lines through as long as their place has not had too many.
struct Limit(Arc<Mutex<Bursts>>);

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        lock(&self.0).admit(event.metadata(), Instant::now())
    }
}

/// Keeps the latest lines for clients.
struct Keep(Arc<Journal>);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut words = Words::default();
        event.record(&mut words);
        let text = words.message + &words.fields;
        self.0.note(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), *event.metadata().level(), text);
    }
}

/// What a line says: its message, then its fields.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // writing to a string cannot fail
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Lines of each place. There are as many places as the program has.
struct Bursts {
    most: u32,
    places: HashMap<Identifier, Burst>,
}

struct Burst {
    place: &'static Metadata<'static>,
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl Bursts {
    fn admit(&mut self, place: &'static Metadata<'static>, now: Instant) -> bool {
        let fresh = || Burst { place, since: now, lines: 0, left_out: 0 };
        let burst = self.places.entry(place.callsite()).or_insert_with(fresh);
        if now.duration_since(burst.since) >= INTERVAL {
            (burst.since, burst.lines) = (now, 0);
        }
        burst.lines = burst.lines.saturating_add(1);
        let admitted = burst.lines <= self.most;
        burst.left_out += u64::from(!admitted);
        admitted
    }

    /// Places whose interval is over, and what they had left out in it.
    fn left_out(&mut self, now: Instant) -> Vec<(&'static Metadata<'static>, u64)> {
        let over = |burst: &&mut Burst| burst.left_out > 0 && now.duration_since(burst.since) >= INTERVAL;
        let over = self.places.values_mut().filter(over);
        over.map(|burst| (burst.place, std::mem::take(&mut burst.left_out))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PLACES: Mutex<Vec<&'static Metadata<'static>>> = Mutex::new(Vec::new());

    struct Collect;

    impl<S: Subscriber> Layer<S> for Collect {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            PLACES.lock().expect("not poisoned").push(event.metadata());
        }
    }

    #[test]
    fn a_place_gets_so_many_lines_and_what_is_beyond_is_counted() {
        tracing::subscriber::with_default(Registry::default().with(Collect), || {
            tracing::info!("one place");
            tracing::info!("another");
        });
        let places = PLACES.lock().expect("not poisoned").clone();
        let (one, other) = (places[0], places[1]);

        let start = Instant::now();
        let mut bursts = Bursts { most: 3, places: HashMap::new() };
        let admitted = (0..10).filter(|_| bursts.admit(one, start)).count();
        assert_eq!(admitted, 3);
        assert!(bursts.admit(other, start), "one place costs another nothing");
        assert!(bursts.left_out(start).is_empty(), "the interval is not over");
        let later = start + INTERVAL;
        assert_eq!(bursts.left_out(later).iter().map(|(_, count)| *count).collect::<Vec<_>>(), [7]);
        assert!(bursts.left_out(later).is_empty(), "told once");
        assert!(bursts.admit(one, later), "a new interval");
    }
}
