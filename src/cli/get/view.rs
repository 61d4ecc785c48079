//! What the user of `sower get` sees: a bar on a terminal, lines elsewhere, events for programs.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::screen::{Screen, event, printable};
use crate::cli::units::{Bytes, Rate, Span};
use crate::metainfo::{Magnet, Metainfo};
use crate::session::metadata::MetadataCounts;
use crate::session::{CLIENT, DownloadView, Farewell, Session, Status, TorrentView};

/// Seconds between two lines where there is no terminal.
const LINE_SECONDS: u64 = 10;
/// Seconds over which the rate behind the time left is measured.
const SMOOTH_SECONDS: f64 = 8.0;

/// The output of `sower get`.
pub(super) struct View {
    screen: Screen,
    bar: Option<ProgressBar>,
    began: Instant,
    turns: u64,
    /// Bytes a second, smoothed.
    rate: f64,
    last_line: String,
    troubles: Vec<String>,
}

impl View {
    pub(super) fn new(json: bool) -> View {
        let (last_line, troubles) = Default::default();
        View { screen: Screen::new(json), bar: None, began: Instant::now(), turns: 0, rate: 0.0, last_line, troubles }
    }

    /// The port is open.
    pub(super) fn started(&self, session: &Session) {
        let fleet = session.fleet();
        if self.screen.is_json() {
            let (driver, send) = (fleet.driver(), fleet.send().to_string());
            return event(&json!({"event": "started", "port": fleet.port(), "driver": driver, "send": send}));
        }
        self.screen.line(&format!("{CLIENT}: port {}, {}, {}", fleet.port(), fleet.driver(), fleet.congestion()));
    }

    /// It is not known what a magnet link is about.
    pub(super) fn seeking(&mut self, magnet: &Magnet) {
        if self.screen.is_json() {
            return event(&json!({"event": "seeking", "info_hash": magnet.info_hash.to_string()}));
        }
        let name = magnet.name.as_deref().unwrap_or("a torrent without a name");
        self.screen.line(&format!("asking peers what {} is, info-hash {}", printable(name), magnet.info_hash));
        if let Screen::Live(bars) = &self.screen {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            self.bar = Some(bars.add(bar));
        }
    }

    /// Asking has come this far.
    pub(super) fn sought(&mut self, counts: MetadataCounts) {
        let MetadataCounts { tried, connected, received, size } = counts;
        if self.screen.is_json() {
            let counts = json!({"event": "metadata", "tried": tried, "connected": connected, "received": received, "size": size});
            return event(&counts);
        }
        let text = format!("{tried} peers tried, {connected} connected, {} of {}", Bytes(received), Bytes(size));
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            bar.tick();
        }
    }

    /// A bar for looking at what is here; hidden unless there is a terminal.
    pub(super) fn checking(&self, name: &str, total: u64) -> ProgressBar {
        let Screen::Live(bars) = &self.screen else { return ProgressBar::hidden() };
        let template = "checking {msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bars.add(ProgressBar::new(total).with_style(style).with_message(printable(name)))
    }

    /// Looking has come this far.
    pub(super) fn checked(&self, name: &str, done: u64, total: u64) {
        if self.screen.is_json() {
            event(&json!({"event": "checking", "name": name, "done": done, "total": total}));
        }
    }

    /// Something worth knowing that stops nothing.
    pub(super) fn warn(&self, warning: &str) {
        self.screen.warn(warning);
    }

    /// The download begins, with so many bytes that are here and good.
    pub(super) fn downloading(&mut self, torrent: &Metainfo, output: &Path, good: u64) {
        let (name, size) = (torrent.name(), torrent.geometry().total());
        self.began = Instant::now();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.screen.is_json() {
            return event(&json!({
                "event": "downloading", "info_hash": torrent.info_hash().to_string(), "name": name, "size": size,
                "good": good, "path": output.join(torrent.file_name()),
            }));
        }
        let hash = torrent.info_hash();
        self.screen.line(&format!("downloading {}, {}, info-hash {hash}", printable(&name), Bytes(size)));
        if good > 0 {
            self.screen.line(&format!("{} of it are here already", Bytes(good)));
        }
        if let Screen::Live(bars) = &self.screen {
            let style = ProgressStyle::with_template("[{bar:30}] {percent:>3} % {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            self.bar = Some(bars.add(ProgressBar::new(size.max(1)).with_style(style)));
        }
    }

    /// Once a second.
    pub(super) fn turn(&mut self, status: &Status) {
        self.turns += 1;
        let Some(torrent) = status.torrents.first() else { return };
        self.report_trackers(torrent);
        let Some(download) = torrent.download else { return };
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let rate = download.rate as f64;
        self.rate += (rate - self.rate) / SMOOTH_SECONDS.min(self.turns.max(1) as f64);
        let text = line_of(torrent, &download, self.time_left(torrent, &download));
        match &self.screen {
            Screen::Json => event(&stats(status, torrent, &download)),
            Screen::Lines if self.turns.is_multiple_of(LINE_SECONDS) && text != self.last_line => {
                self.screen.line(&text);
                self.last_line = text;
            }
            Screen::Lines => {}
            Screen::Live(_) => {
                if let Some(bar) = &self.bar {
                    bar.set_position(download.good);
                    bar.set_message(text);
                }
            }
        }
    }

    /// Each trouble of a tracker is told once.
    fn report_trackers(&mut self, torrent: &TorrentView) {
        for tracker in &torrent.trackers {
            let Some(error) = &tracker.error else { continue };
            let trouble = format!("tracker {}: {error}", tracker.url);
            if !self.troubles.contains(&trouble) {
                self.warn(&trouble);
                self.troubles.push(trouble);
            }
        }
    }

    fn time_left(&self, torrent: &TorrentView, download: &DownloadView) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let left = torrent.size.saturating_sub(download.good) as f64;
        Duration::try_from_secs_f64(left / self.rate).ok().filter(|_| self.rate > 0.0)
    }

    /// Everything that is wanted is here.
    pub(super) fn complete(&mut self, status: &Status) {
        let Some(torrent) = status.torrents.first() else { return };
        let seconds = self.began.elapsed().as_secs_f64();
        let received = torrent.download.map_or(0, |download| download.received);
        if self.screen.is_json() {
            return event(&json!({
                "event": "complete", "info_hash": torrent.info_hash.to_string(), "path": torrent.path,
                "received": received, "seconds": seconds,
            }));
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let took = Span(self.began.elapsed());
        match received {
            0 => self.screen.line("complete: all of it was here, and is right"),
            _ => self.screen.line(&format!("complete: {} received in {took}, all checked", Bytes(received))),
        }
        self.turns = 0;
        if let Screen::Live(bars) = &self.screen {
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = Some(bars.add(ProgressBar::new(1).with_style(style)));
        }
    }

    pub(super) fn stopping(&self) {
        if !self.screen.is_json() {
            self.screen.line("stopping: what is here is synced, trackers are told; Ctrl-C again ends at once");
        }
    }

    pub(super) fn stopped(&self, farewell: &Farewell, unfinished: bool) {
        farewell.warnings.iter().for_each(|warning| self.warn(warning));
        if self.screen.is_json() {
            return event(&json!({"event": "stopped", "uploaded": farewell.uploaded, "complete": !unfinished}));
        }
        self.screen.line(&format!("{} sent", Bytes(farewell.uploaded)));
        if unfinished {
            self.screen.line("not complete: the same command goes on with what is here");
        }
    }
}

/// How a torrent gets on, in a line.
fn line_of(torrent: &TorrentView, download: &DownloadView, left: Option<Duration>) -> String {
    let peers = format!("{} peer{}", torrent.peers, if torrent.peers == 1 { "" } else { "s" });
    let up = format!("up {}, {} sent", Rate(torrent.upload_rate), Bytes(torrent.uploaded));
    if download.missing == 0 {
        return format!("seeding, {peers}, {up}");
    }
    let left = left.map_or("never".to_owned(), |left| Span(left).to_string());
    let (had, all) = (download.had, download.pieces);
    let copies = format!("{} cop{}", torrent.availability, if torrent.availability == 1 { "y" } else { "ies" });
    format!("{had}/{all} pieces, {}, ETA {left}, {peers}, {copies}; {up}", Rate(download.rate))
}

fn stats(status: &Status, torrent: &TorrentView, download: &DownloadView) -> Value {
    json!({
        "event": "stats", "good": download.good, "size": torrent.size, "had": download.had, "pieces": download.pieces,
        "missing": download.missing, "download_rate": download.rate, "received": download.received,
        "wasted": download.wasted, "upload_rate": torrent.upload_rate, "uploaded": torrent.uploaded,
        "peers": torrent.peers, "known": download.known, "availability": torrent.availability,
        "unchoked": torrent.unchoked, "busy_per_mille": status.busy_per_mille,
        "closed": status.closed.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
    })
}
