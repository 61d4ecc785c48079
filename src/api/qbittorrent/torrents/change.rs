//! Orders to torrents that are here.

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk, ids};
use super::super::fields::queueing;
use super::super::limit;
use super::super::transfer::wanted_limit;
use super::{files, places, trackers};
use crate::session::seedbox::{Change, LimitChange, QueueMove, Row};

pub(super) async fn answer(desk: &Desk, call: &Call, action: &str) -> Outcome {
    match action {
        "start" | "resume" => desk.change_chosen(call, Change::Start { forced: false }).await,
        "stop" | "pause" => desk.change_chosen(call, Change::Stop).await,
        "recheck" => desk.change_chosen(call, Change::Verify).await,
        "reannounce" => desk.change_chosen(call, Change::Reannounce).await,
        "delete" => delete(desk, call).await,
        "setForceStart" => desk.change_chosen(call, Change::Start { forced: flag(call, "value")? }).await,
        "setSuperSeeding" => desk.change_chosen(call, Change::SuperSeed(flag(call, "value")?)).await,
        "setAutoManagement" => desk.change_chosen(call, Change::AutoManaged(flag(call, "enable")?)).await,
        "toggleSequentialDownload" => toggle(desk, call, |row| row.choice.sequential, Change::Sequential).await,
        "toggleFirstLastPiecePrio" => toggle(desk, call, |row| row.choice.first_last, Change::FirstLast).await,
        "topPrio" => queue(desk, call, QueueMove::Top).await,
        "increasePrio" => queue(desk, call, QueueMove::Up).await,
        "decreasePrio" => queue(desk, call, QueueMove::Down).await,
        "bottomPrio" => queue(desk, call, QueueMove::Bottom).await,
        "rename" => places::rename(desk, call).await,
        "renameFile" | "renameFolder" => places::rename_path(desk, call).await,
        "setLocation" => places::set_location(desk, call).await,
        "setSavePath" => places::set_save_path(desk, call).await,
        "setDownloadPath" => places::set_download_path(call),
        "filePrio" => files::set_priority(desk, call).await,
        "addTrackers" => trackers::add(desk, call).await,
        "editTracker" => trackers::edit(desk, call).await,
        "removeTrackers" => trackers::remove(desk, call).await,
        "addPeers" => trackers::add_peers(desk, call).await,
        "addWebSeeds" | "editWebSeed" | "removeWebSeeds" => Err(no_web_seeds()),
        _ => limits(desk, call, action).await,
    }
}

async fn limits(desk: &Desk, call: &Call, action: &str) -> Outcome {
    match action {
        "uploadLimit" => rates(call, |row| row.choice.upload_limit),
        "downloadLimit" => rates(call, |row| row.choice.download_limit),
        "setUploadLimit" => {
            let limits = LimitChange { upload: Some(wanted_limit(call)?), ..LimitChange::default() };
            desk.change_chosen(call, Change::Limits(limits)).await
        }
        "setDownloadLimit" => {
            let limits = LimitChange { download: Some(wanted_limit(call)?), ..LimitChange::default() };
            desk.change_chosen(call, Change::Limits(limits)).await
        }
        "setShareLimits" => desk.change_chosen(call, Change::Limits(share_limits(call)?)).await,
        _ => Err(Fault::not_found()),
    }
}

fn flag(call: &Call, name: &str) -> Result<bool, Fault> {
    call.form.need(name)?;
    Ok(call.form.truth(name).unwrap_or(false))
}

/// Whether data goes too must be said: a client that forgets it is told so.
async fn delete(desk: &Desk, call: &Call) -> Outcome {
    desk.change_chosen(call, Change::Remove { data: flag(call, "deleteFiles")? }).await
}

/// Torrents may differ, so each is turned to what it is not.
async fn toggle(desk: &Desk, call: &Call, is_on: impl Fn(&Row) -> bool, change: impl Fn(bool) -> Change) -> Outcome {
    let (on, off): (Vec<_>, Vec<_>) = call.rows("hashes")?.into_iter().partition(|row| is_on(row));
    desk.change(ids(on), change(false)).await?;
    desk.change(ids(off), change(true)).await?;
    Ok(Answer::Done)
}

async fn queue(desk: &Desk, call: &Call, to: QueueMove) -> Outcome {
    let torrents = call.chosen("hashes")?;
    if !queueing(&call.view.settings) {
        return Err(Fault::conflict("Torrent queueing must be enabled"));
    }
    desk.change(torrents, Change::Queue(to)).await?;
    Ok(Answer::Done)
}

/// By hash as it was asked for, -1 for strangers.
fn rates(call: &Call, of: impl Fn(&Row) -> Option<u64>) -> Outcome {
    let names = call.form.need("hashes")?.split('|');
    let limits = names.map(|name| {
        let row = super::super::call::find(&call.view, name);
        (name.to_owned(), row.map_or(-1, |row| limit::rate(of(row))).into())
    });
    Answer::json(&serde_json::Value::Object(limits.collect()))
}

/// A field that is not there or no number leaves its limit as it is; qBittorrent would take it for 0 and stop everything.
fn share_limits(call: &Call) -> Result<LimitChange, Fault> {
    for name in ["ratioLimit", "seedingTimeLimit"] {
        call.form.need(name)?;
    }
    Ok(LimitChange {
        ratio: call.form.number("ratioLimit").and_then(limit::read_ratio),
        seeding: call.form.number("seedingTimeLimit").map(limit::read_minutes),
        idle: call.form.number("inactiveSeedingTimeLimit").map(limit::read_minutes),
        ..LimitChange::default()
    })
}

fn no_web_seeds() -> Fault {
    Fault::unsupported("web seeds are those of the torrent file; add the torrent anew with others")
}
