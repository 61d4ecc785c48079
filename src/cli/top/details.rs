//! Lines about one torrent.

use std::time::Duration;

use serde_json::Value;

use super::app::Tab;
use crate::cli::screen::printable;
use crate::cli::units::{Bytes, Date, Rate, Span};

/// What `answer` of the API says, at most `height` lines of it.
pub(super) fn lines(tab: Tab, answer: &Value, height: usize) -> Vec<String> {
    let all = answer.as_array().map_or(&[][..], Vec::as_slice);
    let shown = all.iter().take(height.saturating_sub(1));
    let mut lines: Vec<String> = match tab {
        Tab::Overview => return overview(answer),
        Tab::Peers => shown.map(peer).collect(),
        Tab::Trackers => shown.flat_map(tracker).collect(),
        Tab::Files => shown.map(file).collect(),
    };
    if all.is_empty() {
        lines.push(format!("no {} yet", tab.title().to_lowercase()));
    } else if all.len() >= height {
        lines.truncate(height.saturating_sub(1));
        lines.push(format!("and more: {} in all", all.len()));
    }
    lines
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
    format!(
        "{:<24} {:>3} %  up {:>11}  down {:>11}  {:<16} {}",
        words(peer, "address"),
        done,
        Rate(number(peer, "sent_rate")).to_string(),
        Rate(number(peer, "received_rate")).to_string(),
        why(peer),
        words(peer, "client"),
    )
}

/// What a peer waits for, if it does.
fn why(peer: &Value) -> &'static str {
    let is = |name: &str| peer[name].as_bool().unwrap_or(false);
    match () {
        () if number(peer, "sent_rate") > 0 => "being sent to",
        () if number(peer, "received_rate") > 0 => "sends to us",
        () if !is("interested") => "wants nothing",
        () if is("choked") => "waits for a slot",
        () => "asks for nothing",
    }
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
    let line = format!("{}  {}  {state}{next}", number(tracker, "tier") + 1, words(tracker, "url"));
    std::iter::once(line).chain(error.map(|error| format!("   {}", printable(error)))).collect()
}

fn file(file: &Value) -> String {
    let (size, have) = (number(file, "size"), number(file, "have"));
    // an empty file is here
    let done = have.saturating_mul(100).checked_div(size).unwrap_or(100);
    format!("{:>10} {done:>3} %  {:<6} {}", Bytes(size).to_string(), words(file, "priority"), words(file, "path"))
}
