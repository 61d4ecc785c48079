//! Lines about one torrent.

use std::time::Duration;

use serde_json::Value;

use super::app::Tab;
use crate::cli::screen::printable;
use crate::cli::units::{Bytes, Date, Rate, Span};
use crate::discovery::TrackerUrl;

/// What `answer` of the API says, at most `height` lines of it.
pub(super) fn lines(tab: Tab, answer: &Value, height: usize) -> Vec<String> {
    let all = answer.as_array().map_or(&[][..], Vec::as_slice);
    let mut lines: Vec<String> = match tab {
        Tab::Overview => return overview(answer),
        Tab::Peers => by_rate(all).into_iter().take(height).map(peer).collect(),
        Tab::Trackers => all.iter().take(height).flat_map(tracker).collect(),
        Tab::Files => all.iter().take(height).map(file).collect(),
    };
    if lines.is_empty() {
        lines.push(format!("no {} yet", tab.title().to_lowercase()));
    } else if all.len() > height {
        lines.truncate(height.saturating_sub(1));
        lines.push(format!("and more: {} in all", all.len()));
    }
    lines
}

/// Those that most flows to or from first.
fn by_rate(peers: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<&Value> = peers.iter().collect();
    sorted.sort_by_key(|peer| std::cmp::Reverse(number(peer, "sent_rate").max(number(peer, "received_rate"))));
    sorted
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

fn words(value: &Value, name: &str) -> String {
    printable(value[name].as_str().unwrap_or(""))
}

fn overview(torrent: &Value) -> Vec<String> {
    let date = |name: &str| torrent[name].as_i64().map_or_else(|| "never".to_owned(), |at| Date(at).to_string());
    let span = |name: &str| Span(Duration::from_secs(number(torrent, name)));
    let tags: Vec<String> =
        torrent["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(printable).collect();
    let swarm = |name: &str| torrent[name].as_u64().map_or_else(|| "?".to_owned(), |count| count.to_string());
    [
        words(torrent, "message"),
        match torrent["tracker_message"].as_str() {
            Some(message) => format!("tracker   {}", printable(message)),
            None => String::new(),
        },
        format!("hash      {}", words(torrent, "hash")),
        format!("folder    {}", words(torrent, "folder")),
        format!("category  {}   tags {}", words(torrent, "category"), tags.join(", ")),
        format!(
            "sent      {}, received {}, wasted {}",
            Bytes(number(torrent, "uploaded")),
            Bytes(number(torrent, "downloaded")),
            Bytes(number(torrent, "wasted"))
        ),
        format!(
            "swarm     {} seeds, {} others; connected to {}",
            swarm("swarm_seeds"),
            swarm("swarm_leechers"),
            number(torrent, "peers")
        ),
        format!("added     {}   completed {}", date("added_at"), date("completed_at")),
        format!("seeded    {}   tracker {}", span("seeding_seconds"), words(torrent, "tracker")),
    ]
    .into_iter()
    .filter(|line| !line.is_empty())
    .collect()
}

fn peer(peer: &Value) -> String {
    let done = number(peer, "progress_per_mille") / 10;
    let rate = |arrow: char, name: &str| match number(peer, name) {
        0 => String::new(),
        rate => format!("{arrow} {}", Rate(rate)),
    };
    format!(
        "{:<21} {done:>3} % {:>13} {:>13} {:<16} {}",
        words(peer, "address"),
        rate('↑', "sent_rate"),
        rate('↓', "received_rate"),
        why(peer),
        words(peer, "client"),
    )
}

/// Why a peer is not being sent to, in words that fit. Rates are those of a round of ten seconds: what flows may be held up just now.
fn why(peer: &Value) -> String {
    let held_by = peer["held_by"].as_str().unwrap_or("");
    let held = match held_by {
        "served" => "being sent to",
        "nothing asked" if number(peer, "sent_rate") > 0 => "being sent to",
        "not interested" if number(peer, "received_rate") > 0 => "sends to us",
        "not interested" if peer["complete"].as_bool() == Some(true) => "has everything",
        "not interested" => "wants nothing",
        "choked" => "waits for a slot",
        "nothing asked" => "asks for nothing",
        "rate limited" => "rate limit",
        "window full" => "connection full",
        "disk" => "waits for disk",
        "being checked" => "waits for check",
        other => return printable(other),
    };
    held.to_owned()
}

/// What went wrong has a line of its own.
fn tracker(tracker: &Value) -> Vec<String> {
    let endpoints = tracker["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    let first = |name: &str| endpoints.iter().map(|endpoint| &endpoint[name]).find(|value| !value.is_null());
    let works = tracker["works"].as_bool() == Some(true);
    let error = first("error").and_then(Value::as_str).filter(|_| !works);
    let state = if works { "works" } else { error.map_or("not asked yet", |_| "fails") };
    let next = first("next_seconds").and_then(Value::as_u64).map(|seconds| Span(Duration::from_secs(seconds)));
    let next = next.map(|span| format!(", next in {span}")).unwrap_or_default();
    let line = format!("{}  {}  {state}{next}", number(tracker, "tier") + 1, address(tracker));
    std::iter::once(line).chain(error.map(|error| format!("   {}", printable(error)))).collect()
}

/// Without its passkey: terminals are looked at by others, and their lines are pasted into questions.
fn address(tracker: &Value) -> String {
    let url = TrackerUrl::parse(tracker["url"].as_str().unwrap_or(""));
    url.map_or_else(|_| "an address that is none".into(), |url| printable(&url.to_string()))
}

fn file(file: &Value) -> String {
    let (size, have) = (number(file, "size"), number(file, "have"));
    // an empty file is here
    let done = have.saturating_mul(100).checked_div(size).unwrap_or(100);
    format!("{:>10} {done:>3} %  {:<6} {}", Bytes(size).to_string(), words(file, "priority"), words(file, "path"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_peer_says_why_nothing_is_sent_to_it_within_eighty_columns() {
        let peer = |held_by: &str, sent_rate: u64| {
            json!({"address": "255.255.255.255:65535", "progress_per_mille": 1000, "sent_rate": sent_rate,
                "received_rate": 123_456_789, "held_by": held_by, "client": "aria2/1.36.0"})
        };
        for waiting in crate::shard::Waiting::ALL {
            let line = super::peer(&peer(waiting.name(), 987_654_321));
            let client = line.find("aria2").expect("it is named");
            assert!(line[..client].chars().count() <= 74, "{line}");
        }
        assert_eq!(why(&peer("nothing asked", 1)), "being sent to");
        assert_eq!(why(&peer("nothing asked", 0)), "asks for nothing");
        assert_eq!(why(&peer("window full", 1)), "connection full");
        assert_eq!(why(&peer("of a later version", 0)), "of a later version");
        assert_eq!(why(&json!({})), "");
    }

    #[test]
    fn trackers_are_shown_without_passkeys() {
        let tracker = |error: Value| {
            json!([{"tier": 0, "works": false, "url": "https://tracker.example:2710/SECRET/announce?passkey=SECRET",
                "endpoints": [{"error": error, "next_seconds": 90}]}])
        };
        let lines = lines(Tab::Trackers, &tracker(json!("refused")), 5).join("\n");
        assert!(lines.contains("tracker.example") && lines.contains("refused") && !lines.contains("SECRET"), "{lines}");
    }

    #[test]
    fn more_than_fits_is_counted_and_what_flows_stands_first() {
        let peers =
            json!([{"address": "idle"}, {"address": "slow", "sent_rate": 1}, {"address": "fast", "received_rate": 9}]);
        let first = |height: usize| -> Vec<String> {
            let lines = lines(Tab::Peers, &peers, height);
            lines.iter().map(|line| line.split_whitespace().next().unwrap_or("").to_owned()).collect()
        };
        assert_eq!(first(3), ["fast", "slow", "idle"]);
        assert_eq!(first(2), ["fast", "and"]);
        assert_eq!(lines(Tab::Files, &json!([]), 3), ["no files yet"]);
    }
}
