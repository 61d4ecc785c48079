//! `transfer/*`: everything together, and the limits of everything together.

use std::net::SocketAddr;

use super::answer::{Answer, Fault, Outcome};
use super::call::{Call, Desk};
use super::fields::queueing;
use super::limit;
use super::value::Value;
use crate::api::json::Json;
use crate::session::seedbox::{Settings, View};

pub(super) async fn answer(desk: &Desk, call: &Call, action: &str) -> Outcome {
    let settings = &call.view.settings;
    match action {
        "info" => Ok(Answer::Json(info(&call.view))),
        "uploadLimit" => Answer::text(limit::rate(upload_limit(settings)).to_string()),
        "downloadLimit" => Answer::text(limit::rate(download_limit(settings)).to_string()),
        "speedLimitsMode" => Answer::text(if settings.alternative { "1" } else { "0" }),
        "setUploadLimit" => set_upload_limit(desk, call).await,
        "setDownloadLimit" => set_download_limit(desk, call).await,
        "toggleSpeedLimitsMode" => set(desk, |settings| settings.alternative = !settings.alternative).await,
        "setSpeedLimitsMode" => set_mode(desk, call).await,
        "banPeers" => ban(call),
        _ => Err(Fault::not_found()),
    }
}

async fn set(desk: &Desk, change: impl FnMut(&mut Settings)) -> Outcome {
    desk.seedbox().settings(change).await?;
    Ok(Answer::Done)
}

/// The limit that holds now; reading and setting both mean that one.
fn upload_limit(settings: &Settings) -> Option<u64> {
    if settings.alternative { settings.alternative_upload_limit } else { settings.upload_limit }
}

fn download_limit(settings: &Settings) -> Option<u64> {
    if settings.alternative { settings.alternative_download_limit } else { settings.download_limit }
}

async fn set_upload_limit(desk: &Desk, call: &Call) -> Outcome {
    let limit = wanted_limit(call)?;
    set(desk, |settings| match settings.alternative {
        true => settings.alternative_upload_limit = limit,
        false => settings.upload_limit = limit,
    })
    .await
}

async fn set_download_limit(desk: &Desk, call: &Call) -> Outcome {
    let limit = wanted_limit(call)?;
    set(desk, |settings| match settings.alternative {
        true => settings.alternative_download_limit = limit,
        false => settings.download_limit = limit,
    })
    .await
}

/// The rate in field `limit`. A text that is no number must not lift a limit.
pub(super) fn wanted_limit(call: &Call) -> Result<Option<u64>, Fault> {
    call.form.need("limit")?;
    let number: Option<i64> = call.form.number("limit");
    number.map(limit::read_rate).ok_or_else(|| Fault::invalid("'limit': invalid argument"))
}

async fn set_mode(desk: &Desk, call: &Call) -> Outcome {
    call.form.need("mode")?;
    let mode: i64 = call.form.number("mode").ok_or_else(|| Fault::invalid("'mode': invalid argument"))?;
    set(desk, |settings| settings.alternative = mode != 0).await
}

fn ban(call: &Call) -> Outcome {
    let peers = call.form.need("peers")?;
    if !peers.split('|').any(|peer| peer.trim().parse::<SocketAddr>().is_ok()) {
        return Ok(Answer::Done);
    }
    Err(Fault::unsupported(
        "sower bans no single peers; put their addresses into an IP filter list, see the configuration",
    ))
}

fn info(view: &View) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| {
        for (name, value) in rates(view) {
            value.write(json.key(name));
        }
    });
    json.into_bytes()
}

/// Names and values of what `transfer/info` tells.
fn rates(view: &View) -> [(&'static str, Value<'static>); 10] {
    let totals = &view.totals;
    [
        ("connection_status", Value::text(if totals.port == 0 { "disconnected" } else { "connected" })),
        ("dht_nodes", Value::Integer(0)),
        ("dl_info_data", Value::count(totals.session_downloaded)),
        ("dl_info_speed", Value::count(totals.download_rate)),
        ("dl_rate_limit", Value::Integer(limit::rate(download_limit(&view.settings)))),
        ("last_external_address_v4", Value::text("")),
        ("last_external_address_v6", Value::text("")),
        ("up_info_data", Value::count(totals.session_uploaded)),
        ("up_info_speed", Value::count(totals.upload_rate)),
        ("up_rate_limit", Value::Integer(limit::rate(upload_limit(&view.settings)))),
    ]
}

/// Names and values of what `sync/maindata` tells of the server, always in the same order. What libtorrent counts and sower has not
/// (a disk cache, a queue of disk jobs) is 0.
pub(super) fn server_state(view: &View) -> Vec<(&'static str, Value<'static>)> {
    let (totals, settings) = (&view.totals, &view.settings);
    let mut state = Vec::from(rates(view));
    state.extend([
        ("alltime_dl", Value::count(totals.downloaded)),
        ("alltime_ul", Value::count(totals.uploaded)),
        ("average_time_queue", Value::Integer(0)),
        ("free_space_on_disk", Value::count(totals.free.unwrap_or(0))),
        ("global_ratio", Value::text(global_ratio(totals.uploaded, totals.downloaded))),
        ("queued_io_jobs", Value::Integer(0)),
        ("queueing", Value::Truth(queueing(settings))),
        ("read_cache_hits", Value::text("0")),
        ("read_cache_overload", Value::text("0")),
        ("refresh_interval", Value::Integer(1_500)),
        ("total_buffers_size", Value::Integer(0)),
        ("total_peer_connections", Value::count(totals.connections)),
        ("total_queued_size", Value::Integer(0)),
        ("total_wasted_session", Value::count(totals.session_wasted)),
        ("use_alt_speed_limits", Value::Truth(settings.alternative)),
        ("use_subcategories", Value::Truth(false)),
        ("write_cache_overload", Value::text("0")),
    ]);
    state
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
fn global_ratio(sent: u64, received: u64) -> String {
    if sent == 0 || received == 0 { "-".to_owned() } else { format!("{:.2}", sent as f64 / received as f64) }
}
