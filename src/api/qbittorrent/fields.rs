//! A torrent as lists show it: each field by name, with the type and the unit that clients expect.
//!
//! These are the fields of version 2.11 and those that came later, which older clients pass over.

use std::fmt::Write as _;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::limit;
use super::state::state;
use super::value::Value;
use crate::api::json::Json;
use crate::session::seedbox::{Activity, Row, Settings, Trouble};

/// What stands in links as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// 100 days, which stand for ever.
pub(super) const NEVER: i64 = 8_640_000;
/// Stands for a time that has not come.
const NO_TIME: i64 = -1;
/// A twelfth of a Gregorian year.
const SECONDS_PER_MONTH: f64 = 2_629_746.0;

/// What a row is read by.
#[derive(Clone, Copy)]
pub(super) struct Moment<'view> {
    /// What holds for all.
    pub(super) settings: &'view Settings,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// One field.
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    key: &'static str,
    of: for<'row> fn(&'row Row, Moment<'row>) -> Value<'row>,
    /// When it may be another than before.
    pub(super) changes: Changes,
}

/// When a field may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Changes {
    /// When its owner chooses something, for it or for all, or when its metadata comes. Most long texts are so, and need not be made
    /// only to find that they are the same.
    WhenChosen,
    /// With its row.
    WithRow,
    /// At any time, while the row stays the same.
    Always,
}

impl Field {
    /// The field of that name.
    pub(super) fn named(name: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.name == name)
    }

    /// Its value.
    pub(super) fn of<'row>(&self, row: &'row Row, moment: Moment<'row>) -> Value<'row> {
        (self.of)(row, moment)
    }

    /// Writes key and value.
    pub(super) fn write(&self, value: &Value<'_>, json: &mut Json) {
        value.write(json.quoted_key(self.key));
    }
}

/// Writes all fields of `row` but the hash, which may stand elsewhere.
pub(super) fn write_all(row: &Row, moment: Moment<'_>, json: &mut Json) {
    for field in &FIELDS[1..] {
        field.write(&field.of(row, moment), json);
    }
}

/// Writes the hash of `row` as a field.
pub(super) fn write_hash(row: &Row, moment: Moment<'_>, json: &mut Json) {
    FIELDS[0].write(&FIELDS[0].of(row, moment), json);
}

macro_rules! field {
    ($name:literal, $of:expr) => {
        field!(WithRow $name, $of)
    };
    (chosen $name:literal, $of:expr) => {
        field!(WhenChosen $name, $of)
    };
    (moving $name:literal, $of:expr) => {
        field!(Always $name, $of)
    };
    ($changes:ident $name:literal, $of:expr) => {
        Field { name: $name, key: concat!("\"", $name, "\":"), of: $of, changes: Changes::$changes }
    };
}

/// All of them, the hash first.
pub(super) const FIELDS: &[Field] = &[
    field!(chosen "hash", |row, _| Value::text(row.info_hash().to_string())),
    field!(chosen "infohash_v1", |row, _| Value::text(row.info_hash().to_string())),
    field!(chosen "infohash_v2", |_, _| Value::text("")),
    field!(chosen "name", |row, _| Value::text(row.name())),
    field!(chosen "magnet_uri", |row, _| Value::text(magnet(row))),
    field!(chosen "has_metadata", |row, _| Value::Truth(row.about.has_metadata)),
    field!(chosen "created_by", |row, _| Value::text(&row.about.created_by)),
    field!(chosen "creation_date", |row, _| Value::Integer(row.about.created_at.unwrap_or(NO_TIME))),
    field!(chosen "private", |row, _| if row.about.has_metadata { Value::Truth(row.about.private) } else { Value::Unknown }),
    field!(chosen "total_size", |row, _| total_size(row)),
    field!(chosen "pieces_num", |row, _| Value::count(row.about.pieces)),
    field!(chosen "piece_size", |row, _| Value::count(row.about.piece_length)),
    field!("size", |row, _| Value::count(row.numbers.wanted)),
    field!("progress", |row, _| Value::Number(progress(row))),
    field!("total_wasted", |row, _| Value::count(row.numbers.wasted)),
    field!("pieces_have", |row, _| Value::count(pieces_have(row))),
    field!("dlspeed", |row, _| Value::count(row.numbers.download_rate)),
    field!("upspeed", |row, _| Value::count(row.numbers.upload_rate)),
    field!("priority", |row, at| Value::count(if queueing(at.settings) {
        row.numbers.queue.saturating_add(1)
    } else {
        0
    })),
    field!("num_seeds", |row, _| Value::count(row.numbers.seeds)),
    field!("num_complete", |row, _| Value::count(row.numbers.swarm_seeds.unwrap_or(row.numbers.seeds))),
    field!("num_leechs", |row, _| Value::count(leechers(row))),
    field!("num_incomplete", |row, _| Value::count(row.numbers.swarm_leechers.unwrap_or(leechers(row)))),
    field!("state", |row, _| Value::text(state(row))),
    field!(moving "eta", |row, at| Value::Integer(eta(row, at))),
    field!(chosen "seq_dl", |row, _| Value::Truth(row.choice.sequential)),
    field!(chosen "f_l_piece_prio", |row, _| Value::Truth(row.choice.first_last)),
    field!(chosen "category", |row, _| Value::text(&row.choice.category)),
    field!(chosen "tags", |row, _| Value::text(tags(row))),
    field!(chosen "super_seeding", |row, _| Value::Truth(row.choice.super_seed)),
    field!(chosen "force_start", |row, _| Value::Truth(row.choice.forced && !row.choice.paused)),
    field!(chosen "save_path", |row, _| path(row.choice.destination.as_ref().unwrap_or(&row.choice.folder))),
    field!(chosen "download_path", |_, at| at.settings.incomplete_folder.as_deref().map_or(Value::text(""), path)),
    field!(chosen "content_path", |row, _| content_path(row)),
    field!(chosen "root_path", |row, _| root_path(row)),
    field!("added_on", |row, _| Value::Integer(row.numbers.added_at)),
    field!("completion_on", |row, _| Value::Integer(row.numbers.completed_at.unwrap_or(NO_TIME))),
    field!("tracker", |row, _| Value::text(&*row.tracker)),
    field!(chosen "trackers_count", |row, _| Value::count(row.trackers().iter().map(Vec::len).sum::<usize>())),
    field!(chosen "dl_limit", |row, _| Value::Integer(limit::rate(row.choice.download_limit))),
    field!(chosen "up_limit", |row, _| Value::Integer(limit::rate(row.choice.upload_limit))),
    field!("downloaded", |row, _| Value::count(row.numbers.downloaded)),
    field!("uploaded", |row, _| Value::count(row.numbers.uploaded)),
    field!("downloaded_session", |row, _| Value::count(row.numbers.session_downloaded)),
    field!("uploaded_session", |row, _| Value::count(row.numbers.session_uploaded)),
    field!("amount_left", |row, _| Value::count(row.numbers.left)),
    field!("completed", |row, _| Value::count(row.numbers.wanted.saturating_sub(row.numbers.left))),
    field!("connections_count", |row, _| Value::count(row.numbers.peers)),
    field!(chosen "connections_limit", |row, at| {
        Value::Integer(row.choice.peer_limit.or(at.settings.connections_per_torrent).map_or(-1, i64::from))
    }),
    field!(chosen "max_ratio", |row, at| {
        Value::Number(limit::ratio_or_none(row.choice.ratio_limit.or(at.settings.ratio_limit)))
    }),
    field!(chosen "max_seeding_time", |row, at| {
        Value::Integer(limit::minutes_or_none(row.choice.seeding_limit.or(at.settings.seeding_limit)))
    }),
    field!(chosen "max_inactive_seeding_time", |row, at| {
        Value::Integer(limit::minutes_or_none(row.choice.idle_limit.or(at.settings.idle_limit)))
    }),
    field!("ratio", |row, _| Value::Number(ratio(row))),
    field!(chosen "ratio_limit", |row, _| Value::Number(limit::ratio(row.choice.ratio_limit))),
    field!(moving "popularity", |row, at| Value::Number(popularity(row, at))),
    field!(chosen "seeding_time_limit", |row, _| Value::Integer(limit::minutes(row.choice.seeding_limit))),
    field!(chosen "inactive_seeding_time_limit", |row, _| Value::Integer(limit::minutes(row.choice.idle_limit))),
    field!(chosen "share_limits_mode", |_, _| Value::text("Default")),
    field!(chosen "share_limit_action", |_, _| Value::text("Default")),
    field!("seen_complete", |row, _| Value::Integer(row.numbers.completed_at.unwrap_or(NO_TIME))),
    field!(chosen "auto_tmm", |row, _| Value::Truth(row.choice.auto_managed)),
    field!(moving "time_active", |row, at| Value::count(row.running_seconds(at.now))),
    field!(moving "seeding_time", |row, at| Value::count(row.seeding_seconds(at.now))),
    field!("last_activity", |row, _| Value::Integer(row.numbers.active_at.unwrap_or(row.numbers.added_at))),
    field!("availability", |row, _| Value::Number(f64::from(row.numbers.availability_per_mille) / 1000.0)),
    field!("has_tracker_warning", |row, _| Value::Truth(matches!(row.trouble, Some(Trouble::Warned(_))))),
    field!("has_tracker_error", |row, _| Value::Truth(matches!(row.trouble, Some(Trouble::Refused(_))))),
    field!("has_other_announce_error", |row, _| Value::Truth(matches!(row.trouble, Some(Trouble::Unreachable(_))))),
    field!(moving "reannounce", |row, at| Value::Integer(seconds_to_announce(row, at.now))),
    field!(chosen "comment", |row, _| Value::text(&row.about.comment)),
];

/// Torrents wait for others.
pub(super) fn queueing(settings: &Settings) -> bool {
    settings.downloads_max.is_some() || settings.seeds_max.is_some() || settings.active_max.is_some()
}

/// Of everything; of nothing while there is no metadata.
pub(super) fn total_size<'row>(row: &Row) -> Value<'row> {
    if row.about.has_metadata { Value::count(row.about.size) } else { Value::Integer(-1) }
}

/// Connected peers that have not everything.
pub(super) fn leechers(row: &Row) -> u32 {
    row.numbers.peers.saturating_sub(row.numbers.seeds)
}

/// Of the content, or of the check that runs.
pub(super) fn progress(row: &Row) -> f64 {
    match row.activity {
        Activity::Checking { per_mille } => f64::from(per_mille.min(1000)) / 1000.0,
        _ => row.progress(),
    }
}

/// 0 if it is not known, or now.
fn seconds_to_announce(row: &Row, now: i64) -> i64 {
    row.numbers.announce_at.map_or(0, |at| at.saturating_sub(now).max(0))
}

/// Pieces that are here, as far as bytes tell.
pub(super) fn pieces_have(row: &Row) -> u64 {
    match u64::from(row.about.piece_length) {
        _ if row.numbers.have >= row.about.size => row.about.pieces.into(),
        0 => 0,
        length => (row.numbers.have / length).min(row.about.pieces.into()),
    }
}

/// Sent for each byte; -1 where something was sent of nothing.
pub(super) fn ratio(row: &Row) -> f64 {
    row.ratio().unwrap_or(if row.numbers.uploaded > 0 { -1.0 } else { 0.0 })
}

/// Its ratio grows by so much in a month.
#[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
pub(super) fn popularity(row: &Row, at: Moment<'_>) -> f64 {
    match row.running_seconds(at.now) {
        0 => 0.0,
        seconds => row.ratio().unwrap_or(0.0) / (seconds as f64 / SECONDS_PER_MONTH),
    }
}

/// Seconds until a download is complete, or until a limit ends seeding.
pub(super) fn eta(row: &Row, at: Moment<'_>) -> i64 {
    match row.activity {
        Activity::Paused => NEVER,
        _ if row.is_complete() => seeding_eta(row, at),
        _ => seconds(row.numbers.left, row.numbers.download_rate),
    }
}

fn seconds(bytes: u64, rate: u64) -> i64 {
    bytes.checked_div(rate).and_then(|seconds| i64::try_from(seconds).ok()).map_or(NEVER, |seconds| seconds.min(NEVER))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a guess for display"
)]
fn seeding_eta(row: &Row, at: Moment<'_>) -> i64 {
    let (choice, numbers) = (&row.choice, &row.numbers);
    let by_ratio = choice.ratio_limit.or(at.settings.ratio_limit).map(|limit| {
        let of = if numbers.downloaded > 0 { numbers.downloaded } else { numbers.wanted };
        seconds((of as f64 * limit) as u64 - numbers.uploaded.min((of as f64 * limit) as u64), numbers.upload_rate)
    });
    let left = |limit: u32, spent: u64| {
        (i64::from(limit) * 60).saturating_sub(i64::try_from(spent).unwrap_or(i64::MAX)).max(0)
    };
    let by_time =
        choice.seeding_limit.or(at.settings.seeding_limit).map(|limit| left(limit, row.seeding_seconds(at.now)));
    let idle = at.now.saturating_sub(numbers.active_at.unwrap_or(numbers.added_at)).max(0).unsigned_abs();
    let by_idleness = choice.idle_limit.or(at.settings.idle_limit).map(|limit| left(limit, idle));
    [by_ratio, by_time, by_idleness].into_iter().flatten().fold(NEVER, i64::min)
}

fn tags(row: &Row) -> String {
    let mut text = String::new();
    for tag in &row.choice.tags {
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(tag);
    }
    text
}

/// Paths are bytes; what is not UTF-8 of them is replaced.
pub(super) fn path(path: &Path) -> Value<'_> {
    Value::Text(path.to_string_lossy())
}

/// The file, or the folder of the files.
fn content_path<'row>(row: &Row) -> Value<'row> {
    match renamed_single_file(row) {
        _ if !row.about.has_metadata => Value::text(""),
        Some(file) => Value::text(trimmed(&row.choice.folder.join(file))),
        None => Value::text(trimmed(&row.content_path())),
    }
}

/// The folder that holds all files of it, if there is one.
fn root_path<'row>(row: &Row) -> Value<'row> {
    let single =
        renamed_single_file(row).and_then(|file| file.components().next().filter(|_| file.components().count() > 1));
    let no_root = row.about.single_file || row.choice.renamed_root.as_deref() == Some("");
    match single {
        _ if !row.about.has_metadata => Value::text(""),
        Some(folder) => Value::text(trimmed(&row.choice.folder.join(folder))),
        None if no_root => Value::text(""),
        None => Value::text(trimmed(&row.content_path())),
    }
}

/// Where its one file is below its folder, if that is not where its name says.
fn renamed_single_file(row: &Row) -> Option<&Path> {
    let file = row.choice.renamed_files.first().filter(|(index, _)| row.about.single_file && *index == 0)?;
    Some(&file.1)
}

/// Without the slash that a root of no name leaves.
fn trimmed(path: &Path) -> String {
    let text = path.to_string_lossy();
    let shorter = text.trim_end_matches('/');
    if shorter.is_empty() { text.into_owned() } else { shorter.to_owned() }
}

fn magnet(row: &Row) -> String {
    let mut link = format!("magnet:?xt=urn:btih:{}", row.info_hash());
    let encode = |text| utf8_percent_encode(text, ENCODED);
    // writing to a string cannot fail
    let _ = write!(link, "&dn={}", encode(row.name()));
    if row.about.has_metadata {
        let _ = write!(link, "&xl={}", row.about.size);
    }
    for url in row.trackers().iter().flatten() {
        let _ = write!(link, "&tr={}", encode(url));
    }
    link
}
