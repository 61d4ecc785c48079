//! Trackers of a torrent, as JSON. A tracker's id is its place in the list.

use std::fmt::Write as _;
use std::time::Instant;

use url::Url;

use crate::discovery::{AnnounceError, EndpointStatus, TrackerStatus};
use crate::metainfo::Magnet;
use crate::session::seedbox::Row;

use super::details::Details;
use super::measure::Moment;
use crate::api::json::Json;

/// Nothing is due.
const INACTIVE: u8 = 0;
/// An announce is due at a time.
const WAITING: u8 = 1;
/// An announce is under way.
const ACTIVE: u8 = 3;

/// `trackers`.
pub(super) fn write_trackers(json: &mut Json, row: &Row) {
    json.list(|json| {
        for (id, (tier, announce)) in urls(row).enumerate() {
            json.object(|json| write_names(json, id, tier, announce));
        }
    });
}

/// `trackerStats`.
pub(super) fn write_stats(json: &mut Json, row: &Row, details: &Details, moment: &Moment<'_>) {
    json.list(|json| {
        for (place, tracker) in details.trackers.iter().enumerate() {
            let announce = tracker.url.as_str();
            // those that cannot be used are not announced to, so places differ
            let id = urls(row).position(|(_, url)| url == announce).unwrap_or(place);
            let is_first = place == 0 || details.trackers[place - 1].tier != tracker.tier;
            json.object(|json| {
                write_names(json, id, tracker.tier, announce);
                write_state(json, &State::of(tracker, is_first, moment));
            });
        }
    });
}

/// `trackerList`: a URL a line, an empty line between tiers.
pub(super) fn list(row: &Row) -> String {
    let tiers: Vec<String> = row.trackers().iter().map(|tier| tier.join("\n")).collect();
    tiers.join("\n\n")
}

/// `magnetLink`.
pub(super) fn magnet(row: &Row) -> String {
    let trackers = row.trackers().concat();
    let name = Some(row.name().to_owned()).filter(|name| !name.is_empty());
    Magnet { info_hash: row.info_hash(), name, trackers, web_seeds: Vec::new(), peers: Vec::new() }.to_string()
}

/// Announce URLs with their tiers, in the order of their ids.
pub(super) fn urls(row: &Row) -> impl Iterator<Item = (usize, &str)> {
    row.trackers().iter().enumerate().flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url.as_str())))
}

fn write_names(json: &mut Json, id: usize, tier: usize, announce: &str) {
    let url = Url::parse(announce).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("");
    json.pair("id", id);
    json.pair("tier", tier);
    json.pair("announce", announce);
    json.pair("scrape", scrape(announce).unwrap_or_default());
    json.pair("sitename", site(host));
    json.pair("host", with_port(url.as_ref(), host));
}

/// Where a tracker is scraped, if its announce URL follows the custom: `/announce` becomes `/scrape`. UDP trackers are scraped where
/// they are announced to.
fn scrape(announce: &str) -> Option<String> {
    if announce.starts_with("udp:") {
        return Some(announce.to_owned());
    }
    let (before, rest) = announce.rsplit_once('/')?;
    Some(format!("{before}/scrape{}", rest.strip_prefix("announce")?))
}

/// The name that people know a site by: of `tracker.example.org` it is `example`.
fn site(host: &str) -> &str {
    let is_address = host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_address { host } else { host.rsplit('.').nth(1).unwrap_or(host) }
}

fn with_port(url: Option<&Url>, host: &str) -> String {
    let mut text = host.to_owned();
    let udp = url.filter(|url| url.scheme() == "udp").map(|_| 80);
    if let Some(port) = url.and_then(Url::port_or_known_default).or(udp) {
        // writing to memory does not fail
        let _ = write!(text, ":{port}");
    }
    text
}

/// What both families of a tracker come to.
struct State<'a> {
    announcing: bool,
    next: i64,
    answered: i64,
    has_announced: bool,
    error: Option<&'a AnnounceError>,
    warning: Option<&'a str>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    peers: usize,
    is_backup: bool,
    now: i64,
}

impl<'a> State<'a> {
    fn of(tracker: &'a TrackerStatus, is_first: bool, moment: &Moment<'_>) -> State<'a> {
        let endpoints = &tracker.endpoints;
        let newest = endpoints.iter().filter_map(|endpoint| endpoint.answered).max();
        let next = endpoints.iter().filter_map(|endpoint| endpoint.next).min();
        let announcing = endpoints.iter().any(|endpoint| endpoint.announcing);
        let has_announced = endpoints.iter().any(|endpoint| endpoint.answered.is_some() || endpoint.failures > 0);
        State {
            announcing,
            next: next.map_or(0, |at| unix(at, moment)),
            answered: newest.map_or(0, |at| unix(at, moment)),
            has_announced,
            // a host without an address of one family is well with the other
            error: if tracker.works() { None } else { endpoints.iter().find_map(fault) },
            warning: endpoints.iter().find_map(|endpoint| endpoint.warning.as_deref()),
            seeders: endpoints.iter().filter_map(|endpoint| endpoint.seeders).max(),
            leechers: endpoints.iter().filter_map(|endpoint| endpoint.leechers).max(),
            peers: endpoints.iter().map(|endpoint| endpoint.peers).sum(),
            is_backup: !is_first && !announcing && next.is_none() && !has_announced,
            now: moment.now,
        }
    }

    fn announce_state(&self) -> u8 {
        match (self.announcing, self.next) {
            (true, _) => ACTIVE,
            (false, 0) => INACTIVE,
            (false, _) => WAITING,
        }
    }

    /// The time of the last announce. When one failed is not kept; the failure is the news, so it is told as new.
    fn last(&self) -> i64 {
        if self.error.is_some() { self.now } else { self.answered }
    }

    fn result(&self) -> String {
        match (self.error, self.warning) {
            (Some(error), _) => error.to_string(),
            (None, Some(warning)) => warning.to_owned(),
            (None, None) if self.has_announced => "Success".into(),
            (None, None) => String::new(),
        }
    }
}

fn write_state(json: &mut Json, state: &State<'_>) {
    let counted = state.seeders.is_some() || state.leechers.is_some();
    json.pair("announceState", state.announce_state());
    json.pair("hasAnnounced", state.has_announced);
    json.pair("isBackup", state.is_backup);
    json.pair("lastAnnouncePeerCount", state.peers);
    json.pair("lastAnnounceResult", state.result());
    json.pair("lastAnnounceStartTime", if state.announcing { state.now } else { state.last() });
    json.pair("lastAnnounceSucceeded", state.has_announced && state.error.is_none());
    json.pair("lastAnnounceTime", state.last());
    json.pair("lastAnnounceTimedOut", matches!(state.error, Some(AnnounceError::Timeout { .. })));
    json.pair("nextAnnounceTime", state.next);
    json.pair("seederCount", state.seeders.map_or(-1, i64::from));
    json.pair("leecherCount", state.leechers.map_or(-1, i64::from));
    json.pair("downloadCount", -1);
    // counts come with announces; nothing is scraped on its own
    json.pair("hasScraped", counted);
    json.pair("lastScrapeResult", "");
    json.pair("lastScrapeStartTime", 0);
    json.pair("lastScrapeSucceeded", counted);
    json.pair("lastScrapeTime", if counted { state.answered } else { 0 });
    json.pair("lastScrapeTimedOut", false);
    json.pair("nextScrapeTime", 0);
    json.pair("scrapeState", INACTIVE);
}

fn fault(endpoint: &EndpointStatus) -> Option<&AnnounceError> {
    endpoint.error.as_ref().filter(|error| !matches!(error, AnnounceError::NoAddress { .. }))
}

/// Seconds since 1970.
fn unix(at: Instant, moment: &Moment<'_>) -> i64 {
    let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match at.checked_duration_since(moment.instant) {
        Some(ahead) => moment.now.saturating_add(seconds(ahead)),
        None => moment.now.saturating_sub(seconds(moment.instant.saturating_duration_since(at))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::transmission::sample;
    use crate::session::seedbox::{About, Settings};

    fn torrent(tiers: &[&[&str]]) -> (Row, Details) {
        let tiers: Vec<Vec<String>> = tiers.iter().map(|tier| tier.iter().map(ToString::to_string).collect()).collect();
        let mut row = sample::row(1);
        let trackers = TrackerStatus::idle(&tiers);
        row.about = std::sync::Arc::new(About { trackers: tiers, ..About::clone(&row.about) });
        (row, Details { trackers, ..Details::default() })
    }

    fn stats(row: &Row, details: &Details) -> Value {
        let settings = Settings::new("/data".into());
        let mut json = Json::default();
        write_stats(&mut json, row, details, &Moment::at(1_000, &settings));
        serde_json::from_slice(&json.into_bytes()).expect("JSON")
    }

    #[test]
    fn trackers_have_the_names_that_clients_show() {
        let (row, details) =
            torrent(&[&["http://tracker.example.org:8080/announce.php?key=1"], &["unusable", "udp://192.0.2.1:6969"]]);
        let stats = stats(&row, &details);
        assert_eq!(stats[0]["scrape"], "http://tracker.example.org:8080/scrape.php?key=1");
        assert_eq!(stats[0]["sitename"], "example");
        assert_eq!(stats[0]["host"], "tracker.example.org:8080");
        assert_eq!(stats[0]["announce"], "http://tracker.example.org:8080/announce.php?key=1");
        assert_eq!(stats[1]["host"], "192.0.2.1:6969");
        assert_eq!(stats[1]["sitename"], "192.0.2.1");
        assert_eq!((&stats[1]["id"], &stats[1]["tier"]), (&2.into(), &1.into()));
        assert_eq!(scrape("http://example.org/a"), None);
        assert_eq!(list(&row), "http://tracker.example.org:8080/announce.php?key=1\n\nunusable\nudp://192.0.2.1:6969");
    }

    #[test]
    fn what_both_families_came_to_is_told_as_one() {
        let (row, mut details) = torrent(&[&["http://a.example/announce", "http://b.example/announce"]]);
        let now = Instant::now();
        let [v4, v6] = &mut details.trackers[0].endpoints;
        v4.answered = now.checked_sub(std::time::Duration::from_secs(60));
        v4.next = Some(now + std::time::Duration::from_secs(600));
        (v4.seeders, v4.leechers, v4.peers) = (Some(3), Some(4), 5);
        v6.failures = 1;
        v6.error = Some(AnnounceError::NoAddress { host: "a.example".into(), family: v6.family });
        let good = stats(&row, &details);
        assert_eq!(good[0]["lastAnnounceResult"], "Success");
        assert_eq!(good[0]["lastAnnounceSucceeded"], true);
        assert_eq!(good[0]["announceState"], WAITING);
        assert_eq!((&good[0]["seederCount"], &good[0]["lastAnnouncePeerCount"]), (&3.into(), &5.into()));
        assert!((935..=945).contains(&good[0]["lastAnnounceTime"].as_i64().expect("a time")), "{}", good[0]);
        assert!((1_595..=1_605).contains(&good[0]["nextAnnounceTime"].as_i64().expect("a time")), "{}", good[0]);
        assert_eq!((&good[0]["isBackup"], &good[1]["isBackup"]), (&false.into(), &true.into()));
        assert_eq!(good[1]["seederCount"], -1);
        let [v4, _] = &mut details.trackers[0].endpoints;
        (v4.failures, v4.error) = (2, Some(AnnounceError::Status(404)));
        let bad = stats(&row, &details);
        assert_eq!(bad[0]["lastAnnounceSucceeded"], false);
        assert!(bad[0]["lastAnnounceResult"].as_str().expect("a text").contains("404"), "{}", bad[0]);
    }
}
