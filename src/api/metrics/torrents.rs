//! All torrents together, and each by itself.

use std::collections::BTreeMap;

use super::text::{Kind, Text, number};
use crate::api::own::{activity_name, trouble_name};
use crate::session::seedbox::{Row, View};

pub(super) fn write(view: &View, text: &mut Text) {
    let mut activities: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &view.rows {
        *activities.entry(activity_name(row.activity)).or_default() += 1;
    }
    let mut family = text.family("sower_torrents", Kind::Gauge, "Torrents, by what they are doing.");
    for (activity, count) in activities {
        family.sample(&[("activity", activity)], count);
    }
    let mut troubles = BTreeMap::from(["refused", "unreachable", "warned"].map(|name| (name, 0_u64)));
    for trouble in view.rows.iter().filter_map(|row| row.trouble.as_ref()) {
        *troubles.entry(trouble_name(trouble)).or_default() += 1;
    }
    let mut family =
        text.family("sower_torrents_tracker_trouble", Kind::Gauge, "Torrents whose trackers do not answer, or warn.");
    for (trouble, count) in troubles {
        family.sample(&[("trouble", trouble)], count);
    }
    let totals = &view.totals;
    text.counter(
        "sower_uploaded_bytes_total",
        "Payload bytes sent, all starts and removed torrents included.",
        totals.uploaded,
    );
    text.counter(
        "sower_downloaded_bytes_total",
        "Payload bytes received and kept, all starts and removed torrents included.",
        totals.downloaded,
    );
    text.counter("sower_session_uploaded_bytes_total", "Payload bytes sent since start.", totals.session_uploaded);
    text.counter(
        "sower_session_downloaded_bytes_total",
        "Payload bytes received and kept since start.",
        totals.session_downloaded,
    );
    text.gauge("sower_upload_bytes_per_second", "Payload sent, over the last second.", number(totals.upload_rate));
    text.gauge(
        "sower_download_bytes_per_second",
        "Payload received, over the last second.",
        number(totals.download_rate),
    );
    text.gauge("sower_uptime_seconds", "Time since the daemon started.", number(totals.session_seconds));
    text.counter("sower_starts_total", "Starts of the daemon, this one included.", totals.starts);
    let trouble = f64::from(u8::from(view.trouble.is_some()));
    text.gauge("sower_trouble", "There is something that its owner has to mend; `/api/v1/totals` says what.", trouble);
    text.gauge("sower_free_bytes", "Bytes free in the download folder.", totals.free.map(number));
}

type Series = (&'static str, Kind, &'static str, fn(&Row) -> f64);

const SERIES: [Series; 8] = [
    ("sower_torrent_uploaded_bytes_total", Kind::Counter, "Payload bytes of a torrent sent.", |row| {
        number(row.numbers.uploaded)
    }),
    ("sower_torrent_downloaded_bytes_total", Kind::Counter, "Payload bytes of a torrent received and kept.", |row| {
        number(row.numbers.downloaded)
    }),
    ("sower_torrent_upload_bytes_per_second", Kind::Gauge, "Payload of a torrent sent, over the last second.", |row| {
        number(row.numbers.upload_rate)
    }),
    (
        "sower_torrent_download_bytes_per_second",
        Kind::Gauge,
        "Payload of a torrent received, over the last second.",
        |row| number(row.numbers.download_rate),
    ),
    ("sower_torrent_peers", Kind::Gauge, "Peers that a torrent is connected to.", |row| f64::from(row.numbers.peers)),
    ("sower_torrent_unchoked", Kind::Gauge, "Those of them that have a slot.", |row| f64::from(row.numbers.unchoked)),
    ("sower_torrent_size_bytes", Kind::Gauge, "Bytes of a torrent's content.", |row| number(row.about.size)),
    ("sower_torrent_progress_ratio", Kind::Gauge, "Part of what is wanted of a torrent that is here.", Row::progress),
];

pub(super) fn write_each(view: &View, text: &mut Text) {
    let hashes: Vec<String> = view.rows.iter().map(|row| row.info_hash().to_string()).collect();
    for (name, kind, help, value) in SERIES {
        let mut family = text.family(name, kind, help);
        for (row, hash) in view.rows.iter().zip(&hashes) {
            family.sample(&[("hash", hash), ("name", row.name())], value(row));
        }
    }
}
