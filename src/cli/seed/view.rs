//! What the user sees: a live view on a terminal, lines elsewhere, events for programs.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::screen::{Screen, event, printable};
use crate::cli::units::{Bytes, Rate};
use crate::ids::TorrentId;
use crate::reactor::TurnTimes;
use crate::session::{CLIENT, Farewell, ReactorView, Session, Status, TorrentState, TorrentView, TrackerView};

use super::prepare::Announced;
use crate::cli::notify::Notifier;

/// Torrents and peers in the live view: what fits a small window.
const TORRENTS_SHOWN: usize = 12;
const PEERS_SHOWN: usize = 8;
/// Seconds between two lines where there is no terminal.
const LINE_SECONDS: u64 = 10;

/// The output of `sower seed`.
pub(super) struct View {
    screen: Screen,
    /// Of the live view.
    lines: Vec<ProgressBar>,
    reported: Vec<String>,
    /// What trackers said last that was told, while it lasts.
    troubles: HashMap<(TorrentId, String), String>,
    turns: u64,
    last_line: String,
    manager: Notifier,
}

impl View {
    pub(super) fn new(json: bool) -> View {
        let (manager, unheard) = match Notifier::from_environment() {
            Ok(manager) => (manager, None),
            Err(error) => (Notifier::default(), Some(error)),
        };
        let view = View {
            screen: Screen::new(json),
            lines: Vec::new(),
            reported: Vec::new(),
            troubles: HashMap::new(),
            turns: 0,
            last_line: String::new(),
            manager,
        };
        if let Some(error) = unheard {
            view.warn(&format!("the service manager at NOTIFY_SOCKET cannot be told anything: {error}"));
        }
        view
    }

    /// The ports are open.
    pub(super) fn started(&mut self, session: &Session, holdbacks: &[String]) {
        let fleet = session.fleet();
        let send = fleet.send();
        let reactors = fleet.len();
        if let Screen::Json = self.screen {
            return event(&json!({
                "event": "started", "port": fleet.port(), "driver": fleet.driver(), "send": send.to_string(),
                "reactors": reactors, "congestion": fleet.congestion().name, "near_congestion": fleet.congestion().near,
                "limits": holdbacks,
            }));
        }
        self.screen.line(&format!(
            "{CLIENT}: port {}, {}, {reactors} reactor{}, sending by {send}, {}",
            fleet.port(),
            fleet.driver(),
            if reactors == 1 { "" } else { "s" },
            fleet.congestion(),
        ));
        holdbacks.iter().for_each(|holdback| self.screen.line(&format!("  limits speed: {holdback}")));
    }

    /// A bar for hashing `name`; hidden unless there is a terminal.
    pub(super) fn hashing(&self, name: &str, total: u64) -> ProgressBar {
        let Screen::Live(bars) = &self.screen else { return ProgressBar::hidden() };
        let template = "hashing {msg} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} ETA {eta}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bars.add(ProgressBar::new(total).with_style(style).with_message(printable(name)))
    }

    /// Hashing has come this far.
    pub(super) fn hashed(&mut self, name: &str, done: u64, total: u64) {
        self.manager.status(&format!(
            "hashing {}: {} %",
            printable(name),
            u128::from(done) * 100 / u128::from(total.max(1))
        ));
        match &self.screen {
            Screen::Json => event(&json!({"event": "hashing", "name": name, "done": done, "total": total})),
            Screen::Lines => {
                let line =
                    format!("hashing {}: {} % of {}", printable(name), done * 10 / total.max(1) * 10, Bytes(total));
                if line != self.last_line {
                    self.screen.line(&line);
                    self.last_line = line;
                }
            }
            Screen::Live(_) => {}
        }
    }

    /// Hashing is over. A program learns how far it came, and that there was any, however quick it was.
    pub(super) fn hashing_ended(&mut self, name: &str, done: u64, total: u64) {
        if done > 0 && self.screen.is_json() {
            self.hashed(name, done, total);
        }
    }

    /// Something worth knowing that stops nothing.
    pub(super) fn warn(&self, warning: &str) {
        self.screen.warn(warning);
    }

    /// A torrent is served.
    pub(super) fn seeding(&mut self, torrent: &Announced, session: &Session) {
        if let Screen::Json = self.screen {
            let fleet = session.fleet();
            return event(&json!({
                "event": "seeding", "info_hash": torrent.info_hash.to_string(), "name": torrent.name, "size": torrent.size,
                "magnet": torrent.magnet, "torrent": torrent.file, "trackers": torrent.trackers, "port": fleet.port(),
                "driver": fleet.driver(), "send": fleet.send().to_string(), "reactors": fleet.len(),
                "web_seed": torrent.web_seeds,
            }));
        }
        self.screen.line(&format!(
            "seeding {}, {}, info-hash {}",
            printable(&torrent.name),
            Bytes(torrent.size),
            torrent.info_hash
        ));
        if let Some(file) = &torrent.file {
            self.screen.line(&format!("  torrent  {}", printable(&file.display().to_string())));
        }
        self.screen.line(&format!("  magnet   {}", torrent.magnet));
        torrent.trackers.iter().for_each(|url| self.screen.line(&format!("  tracker  {}", printable(url))));
        torrent.web_seeds.iter().for_each(|url| self.screen.line(&format!("  http     {url}")));
    }

    /// Everything that was asked for is served.
    pub(super) fn ready(&self) {
        self.manager.ready();
    }

    /// Once a second.
    pub(super) fn turn(&mut self, status: &Status) {
        if self.turns.is_multiple_of(LINE_SECONDS) {
            self.manager.status(&summary(status));
        }
        self.turns += 1;
        self.report_failures(status);
        self.report_trackers(status);
        match &self.screen {
            Screen::Json => event(&stats(status)),
            Screen::Lines => {
                let line = summary(status);
                if self.turns.is_multiple_of(LINE_SECONDS) && line != self.last_line {
                    self.screen.line(&line);
                    self.last_line = line;
                }
            }
            Screen::Live(bars) => show(bars, &mut self.lines, &live_lines(status)),
        }
    }

    /// Each failure is told once.
    fn report_failures(&mut self, status: &Status) {
        for torrent in &status.torrents {
            let TorrentState::Failed(cause) = &torrent.state else { continue };
            let hash = torrent.info_hash.to_string();
            if self.reported.contains(&hash) {
                continue;
            }
            match self.screen {
                Screen::Json => event(&json!({"event": "error", "info_hash": hash, "message": cause})),
                _ => self.screen.line(&format!("stopped {}: {}", printable(&torrent.name), printable(cause))),
            }
            self.reported.push(hash);
        }
    }

    /// A tracker's trouble is told when it begins and when it changes; the live view and the statistics show it anyway.
    fn report_trackers(&mut self, status: &Status) {
        let Screen::Lines = self.screen else { return };
        for torrent in &status.torrents {
            for tracker in &torrent.trackers {
                let key = (torrent.id, tracker.url.clone());
                let Some(cause) = &tracker.error else {
                    self.troubles.remove(&key);
                    continue;
                };
                if self.troubles.insert(key, cause.clone()).as_ref() != Some(cause) {
                    self.screen.line(&format!("tracker {}: {}", printable(&tracker.url), printable(cause)));
                }
            }
        }
    }

    /// The end has begun.
    pub(super) fn stopping(&mut self) {
        self.manager.stopping();
        if let Screen::Live(bars) = &self.screen {
            show(bars, &mut self.lines, &["stopping: telling the trackers (Ctrl-C again ends at once)".to_owned()]);
        }
    }

    /// The end.
    pub(super) fn stopped(&mut self, farewell: &Farewell) {
        if let Screen::Live(bars) = &self.screen {
            show(bars, &mut self.lines, &[]);
        }
        let uploaded = farewell.uploaded;
        match self.screen {
            Screen::Json => event(&json!({"event": "stopped", "uploaded": uploaded})),
            _ => self.screen.line(&format!("stopped after {} ({uploaded} bytes) sent", Bytes(uploaded))),
        }
    }
}

fn show(screen: &MultiProgress, lines: &mut Vec<ProgressBar>, texts: &[String]) {
    while lines.len() > texts.len() {
        if let Some(line) = lines.pop() {
            line.finish_and_clear();
            screen.remove(&line);
        }
    }
    while lines.len() < texts.len() {
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        lines.push(screen.add(ProgressBar::new_spinner().with_style(style)));
    }
    lines.iter().zip(texts).for_each(|(line, text)| line.set_message(text.clone()));
}

fn ratio(torrent: &TorrentView) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    let ratio = torrent.uploaded as f64 / torrent.size.max(1) as f64;
    ratio
}

fn summary(status: &Status) -> String {
    let waiting = if status.waiting > 0 { format!(", {} waiting", status.waiting) } else { String::new() };
    format!(
        "up {}, {} sent, {} connected, {} unchoked{waiting}, reactor {} % busy",
        Rate(status.upload_rate),
        Bytes(status.uploaded),
        status.connections,
        status.unchoked,
        status.busy_per_mille / 10,
    )
}

fn live_lines(status: &Status) -> Vec<String> {
    let mut lines = vec![String::new(), summary(status)];
    if let Some(amplification) = status.read_amplification().filter(|_| status.paging.bytes > 0) {
        lines.push(format!("disk {} read, {amplification:.2} for each byte sent", Bytes(status.paging.bytes)));
    }
    for torrent in status.torrents.iter().take(TORRENTS_SHOWN) {
        // fits 80 columns
        let rate = if torrent.state == TorrentState::Seeding {
            Rate(torrent.upload_rate).to_string()
        } else {
            "STOPPED".into()
        };
        lines.push(format!(
            "  {:<24.24} {rate:>12} {:>10}  ratio {:>5.2} {:>5}/{} peers",
            printable(&torrent.name),
            Bytes(torrent.uploaded).to_string(),
            ratio(torrent),
            torrent.unchoked,
            torrent.peers,
        ));
        for tracker in torrent.trackers.iter().filter(|tracker| tracker.error.is_some()) {
            let cause = tracker.error.as_deref().unwrap_or_default();
            lines.push(format!("    tracker {}: {}", printable(&tracker.url), printable(cause)));
        }
    }
    if status.torrents.len() > TORRENTS_SHOWN {
        lines.push(format!("  and {} more torrents", status.torrents.len() - TORRENTS_SHOWN));
    }
    for peer in status.peers.iter().take(PEERS_SHOWN) {
        lines.push(format!(
            "    {:<26} {:<14.14} {:>12} {:>10}  {:>3} %{}",
            peer.address.to_string(),
            printable(peer.client.as_deref().unwrap_or("?")),
            Rate(peer.sent_rate).to_string(),
            Bytes(peer.sent).to_string(),
            peer.progress_per_mille / 10,
            if peer.choked && peer.interested { "  waiting" } else { "" },
        ));
    }
    lines
}

fn disk(status: &Status) -> Value {
    json!({
        "read": status.paging.bytes,
        "amplification": status.read_amplification(), "process_read": status.process_read,
    })
}

fn turns(times: &TurnTimes) -> Value {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let (longest_step, step) = times.longest_step();
    json!({
        "count": times.turns(), "p50": micros(times.quantile(500)), "p99": micros(times.quantile(990)),
        "p999": micros(times.quantile(999)), "longest": micros(times.longest_turn()),
        "longest_step": micros(longest_step), "longest_step_in": step.to_string(),
    })
}

fn stats(status: &Status) -> Value {
    let tracker = |tracker: &TrackerView| json!({"url": tracker.url, "works": tracker.works, "error": tracker.error});
    let torrent = |torrent: &TorrentView| {
        let state = if torrent.state == TorrentState::Seeding { "seeding" } else { "failed" };
        json!({
            "info_hash": torrent.info_hash.to_string(), "uploaded": torrent.uploaded, "upload_rate": torrent.upload_rate,
            "peers": torrent.peers, "slots": torrent.unchoked, "ratio": ratio(torrent), "state": state,
            "trackers": torrent.trackers.iter().map(tracker).collect::<Vec<_>>(),
        })
    };
    let reactor = |reactor: &ReactorView| {
        json!({
            "peers": reactor.connections, "slots": reactor.unchoked, "busy_per_mille": reactor.busy_per_mille,
            "sent": reactor.sent,
        })
    };
    json!({
        "event": "stats", "upload_rate": status.upload_rate, "uploaded": status.uploaded, "peers": status.connections,
        "slots": status.unchoked, "waiting": status.waiting, "busy_per_mille": status.busy_per_mille,
        "spliced": status.spliced, "copied": status.copied, "paged_in": status.paging.ranges,
        "disk": disk(status),
        "turn_micros": turns(&status.turn_times),
        "closed": status.closed.iter().map(|(name, count)| ((*name).to_owned(), Value::from(*count))).collect::<serde_json::Map<_, _>>(),
        "reactors": status.reactors.iter().map(reactor).collect::<Vec<_>>(),
        "torrents": status.torrents.iter().map(torrent).collect::<Vec<_>>(),
    })
}
