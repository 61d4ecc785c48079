//! One torrent at length.

use serde_json::json;

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk};
use super::super::fields::Field;
use super::super::limit;
use super::super::value::Value;
use crate::api::json::Json;
use crate::session::seedbox::Row;

/// Fields that have the same name and value in lists.
#[rustfmt::skip]
const AS_LISTED: &[&str] = &["infohash_v1", "infohash_v2", "name", "hash", "seeding_time", "eta", "total_wasted", "popularity",
    "total_size", "pieces_num", "piece_size", "created_by", "private", "creation_date", "save_path", "download_path", "comment",
    "has_metadata", "progress", "reannounce"];
/// Fields that lists have by another name.
const RENAMED: &[(&str, &str)] = &[
    ("time_elapsed", "time_active"),
    ("nb_connections", "connections_count"),
    ("nb_connections_limit", "connections_limit"),
    ("total_downloaded", "downloaded"),
    ("total_downloaded_session", "downloaded_session"),
    ("total_uploaded", "uploaded"),
    ("total_uploaded_session", "uploaded_session"),
    ("dl_speed", "dlspeed"),
    ("up_speed", "upspeed"),
    ("seeds", "num_seeds"),
    ("seeds_total", "num_complete"),
    ("peers", "num_leechs"),
    ("peers_total", "num_incomplete"),
    ("share_ratio", "ratio"),
    ("addition_date", "added_on"),
    ("completion_date", "completion_on"),
    ("last_seen", "seen_complete"),
];

/// `torrents/properties`
pub(super) async fn properties(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    let pieces = match row.is_complete() {
        true => i64::from(row.about.pieces),
        false => desk.seedbox().pieces(row.id).await.map_or(0, |bits| count(&bits)),
    };
    let mut json = Json::default();
    json.object(|json| {
        let listed = AS_LISTED.iter().map(|name| (*name, *name)).chain(RENAMED.iter().copied());
        for (name, of) in listed {
            listed_value(call, row, of).write(json.key(name));
        }
        json.key("dl_speed_avg").value(average(row.numbers.downloaded, downloading_seconds(call, row)));
        json.key("up_speed_avg").value(average(row.numbers.uploaded, row.running_seconds(call.now)));
        json.key("dl_limit").value(limit_or_none(row.choice.download_limit));
        json.key("up_limit").value(limit_or_none(row.choice.upload_limit));
        json.key("is_private").value(row.about.private);
        json.key("pieces_have").value(pieces);
    });
    Ok(Answer::Json(json.into_bytes()))
}

fn listed_value<'row>(call: &'row Call, row: &'row Row, name: &str) -> Value<'row> {
    Field::named(name).map_or(Value::Unknown, |field| field.of(row, call.moment()))
}

/// Here no limit is -1, in lists it is 0.
fn limit_or_none(limit: Option<u64>) -> i64 {
    match limit::rate(limit) {
        0 => -1,
        rate => rate,
    }
}

fn downloading_seconds(call: &Call, row: &Row) -> u64 {
    row.running_seconds(call.now).saturating_sub(row.seeding_seconds(call.now))
}

fn average(bytes: u64, seconds: u64) -> i64 {
    bytes.checked_div(seconds).map_or(-1, |rate| i64::try_from(rate).unwrap_or(i64::MAX))
}

fn count(bits: &[u8]) -> i64 {
    bits.iter().map(|byte| i64::from(byte.count_ones())).sum()
}

/// `torrents/webseeds`
pub(super) async fn web_seeds(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    if !row.about.has_metadata {
        return Answer::json(&json!([]));
    }
    let metainfo = desk.seedbox().metainfo(row.id).await?;
    Answer::json(&metainfo.web_seeds().iter().map(|url| json!({ "url": url })).collect())
}

/// `torrents/pieceStates`: 2 is here, 0 is not.
pub(super) async fn piece_states(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    let bits = desk.seedbox().pieces(row.id).await?;
    let mut json = Json::with_capacity(2 * bits.len() * 8 + 2);
    json.list(|json| {
        let states = bits.iter().flat_map(|byte| (0..8).rev().map(move |bit| i64::from(byte >> bit & 1) * 2));
        states.take(row.about.pieces as usize).for_each(|state| json.value(state));
    });
    Ok(Answer::Json(json.into_bytes()))
}

/// `torrents/pieceHashes`
pub(super) async fn piece_hashes(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    if !row.about.has_metadata {
        return Answer::json(&json!([]));
    }
    let metainfo = desk.seedbox().metainfo(row.id).await?;
    let mut json = Json::with_capacity(43 * row.about.pieces as usize + 2);
    json.list(|json| {
        for piece in 0..metainfo.geometry().pieces() {
            let hash = metainfo.piece_hash(crate::ids::PieceIndex(piece)).unwrap_or_default();
            json.text(&crate::ids::InfoHash(hash).to_string());
        }
    });
    Ok(Answer::Json(json.into_bytes()))
}

/// `torrents/export`
pub(super) async fn export(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    if !row.about.has_metadata {
        return Err(Fault::conflict("Unable to export torrent file. Error: Missing metadata"));
    }
    let metainfo = desk.seedbox().metainfo(row.id).await?;
    Ok(Answer::Torrent { name: format!("{}.torrent", row.info_hash()), bytes: metainfo.to_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_fields_of_lists() {
        let names = AS_LISTED.iter().copied().chain(RENAMED.iter().map(|(_, of)| *of));
        assert_eq!(names.filter(|name| Field::named(name).is_none()).collect::<Vec<_>>(), [""; 0]);
        assert!(super::super::super::fields::FIELDS.iter().all(|field| Field::named(field.name).is_some()));
    }

    #[test]
    fn averages_of_no_time_are_unknown() {
        assert_eq!((average(10, 0), average(10, 3)), (-1, 3));
        assert_eq!((limit_or_none(None), limit_or_none(Some(7))), (-1, 7));
        assert_eq!(count(&[0b1010_0000, 1]), 3);
    }
}
