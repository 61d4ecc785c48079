//! The statistics page, and the same as JSON.
//!
//! Totals are for everybody. The table of torrents is for requests from this host only: whoever knows an info-hash can
//! join its swarm.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, FORWARDED};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::server;
use crate::tracker::desk::Desk;
use crate::tracker::stats::Stats;

/// Rows of the table.
const TORRENTS: usize = 100;

/// How many torrents a request may be shown. A proxy on this host speaks for strangers, and says so.
fn shown(connection: &server::Connection, headers: &HeaderMap) -> usize {
    let proxied = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    if connection.0.source.ip().to_canonical().is_loopback() && !proxied { TORRENTS } else { 0 }
}

pub(super) async fn json(
    State(desk): State<Arc<Desk>>,
    connection: server::Connection,
    headers: HeaderMap,
) -> Response {
    let stats = Stats::of(&desk, shown(&connection, &headers));
    typed("application/json", serde_json::to_vec(&stats).unwrap_or_default())
}

pub(super) async fn html(
    State(desk): State<Arc<Desk>>,
    connection: server::Connection,
    headers: HeaderMap,
) -> Response {
    let stats = Stats::of(&desk, shown(&connection, &headers));
    let mut response = typed("text/html; charset=utf-8", render(&stats).into_bytes());
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn typed(kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<meta http-equiv=refresh content=10><title>sower tracker</title><style>\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.25rem}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem 1.5rem .15rem 0;text-align:left}\
td:not(:first-child),th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums}\
td:first-child{font-family:ui-monospace,monospace}.t td:first-child{font-family:inherit}</style>";

/// Numbers and hexadecimal digits only: nothing in it comes from a stranger, so there is nothing to escape.
fn render(stats: &Stats) -> String {
    let mut page = String::from(HEAD);
    let kind = if stats.open { "open to every torrent" } else { "serves only torrents it was told to" };
    let _ = write!(page, "<h1>sower tracker</h1><p>{kind}, up for {} s</p><table class=t>", stats.uptime_s);
    let counts = &stats.counts;
    let rows: [(&str, u64); 12] = [
        ("torrents", stats.torrents as u64),
        ("IPv4 peers", stats.peers_v4 as u64),
        ("IPv6 peers", stats.peers_v6 as u64),
        ("memory of torrents and peers (bytes)", stats.bytes as u64),
        ("announces over UDP", counts.udp_announces),
        ("announces over HTTP", counts.http_announces),
        ("scrapes over UDP", counts.udp_scrapes),
        ("scrapes over HTTP", counts.http_scrapes),
        ("requests refused over UDP", counts.udp_errors),
        ("requests refused over HTTP", counts.http_failures),
        ("datagrams that were no request", counts.udp_dropped),
        ("answers that could not be sent", counts.udp_unsent),
    ];
    for (name, number) in rows {
        let _ = write!(page, "<tr><td>{name}<td>{number}");
    }
    page.push_str("</table>");
    if !stats.largest.is_empty() {
        page.push_str("<table><tr><th>torrent<th>seeders<th>leechers<th>downloaded");
        for torrent in &stats.largest {
            let (hash, seeders, leechers) = (&torrent.info_hash, torrent.seeders, torrent.leechers);
            let _ = write!(page, "<tr><td>{hash}<td>{seeders}<td>{leechers}<td>{}", torrent.downloaded);
        }
        page.push_str("</table>");
    }
    page
}
