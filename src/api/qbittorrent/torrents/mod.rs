//! `torrents/*`

mod add;
mod change;
mod details;
mod files;
mod layout;
mod list;
mod places;
mod trackers;

use super::answer::{Answer, Fault, Outcome};
use super::call::{Call, Desk, named};
use super::labels;
use crate::session::seedbox::Change;

/// Actions that change nothing.
#[rustfmt::skip]
const READING: &[&str] = &["info", "count", "properties", "trackers", "webseeds", "files", "pieceStates", "pieceHashes", "uploadLimit",
    "downloadLimit", "categories", "tags", "export"];

pub(super) fn is_reading(action: &str) -> bool {
    // what does not exist is said not to, whatever the method
    READING.contains(&action) || !CHANGING.contains(&action)
}

/// Actions that change something, old names included.
#[rustfmt::skip]
const CHANGING: &[&str] = &["add", "addPeers", "addTags", "addTrackers", "addWebSeeds", "bottomPrio", "createCategory", "createTags",
    "decreasePrio", "delete", "deleteTags", "editCategory", "editTracker", "editWebSeed", "filePrio", "increasePrio", "pause",
    "reannounce", "recheck", "removeCategories", "removeTags", "removeTrackers", "removeWebSeeds", "rename", "renameFile",
    "renameFolder", "resume", "setAutoManagement", "setCategory", "setDownloadLimit", "setDownloadPath", "setForceStart", "setLocation",
    "setSavePath", "setShareLimits", "setSuperSeeding", "setTags", "setUploadLimit", "start", "stop", "toggleFirstLastPiecePrio",
    "toggleSequentialDownload", "topPrio"];

pub(super) async fn answer(desk: &Desk, call: &Call, action: &str) -> Outcome {
    match action {
        "info" => list::info(desk, call).await,
        "count" => Answer::text(named(&call.view).count().to_string()),
        "properties" => details::properties(desk, call).await,
        "trackers" => trackers::list(desk, call).await,
        "webseeds" => details::web_seeds(desk, call).await,
        "files" => files::list(desk, call).await,
        "pieceStates" => details::piece_states(desk, call).await,
        "pieceHashes" => details::piece_hashes(desk, call).await,
        "export" => details::export(desk, call).await,
        "add" => add::add(desk, call).await,
        _ => match label(desk, call, action).await {
            Some(outcome) => outcome,
            None => change::answer(desk, call, action).await,
        },
    }
}

/// What has to do with categories and tags.
async fn label(desk: &Desk, call: &Call, action: &str) -> Option<Outcome> {
    Some(match action {
        "categories" => labels::categories(call),
        "createCategory" => labels::create_category(desk, call).await,
        "editCategory" => labels::edit_category(desk, call).await,
        "removeCategories" => labels::remove_categories(desk, call).await,
        "setCategory" => labels::set_category(desk, call).await,
        "tags" => labels::tags(call),
        "createTags" => labels::create_tags(desk, call).await,
        "deleteTags" => labels::delete_tags(desk, call).await,
        "addTags" => needing_tags(call, labels::change_tags(desk, call, Change::AddTags)).await,
        "setTags" => needing_tags(call, labels::change_tags(desk, call, Change::SetTags)).await,
        "removeTags" => labels::change_tags(desk, call, Change::RemoveTags).await,
        _ => return None,
    })
}

/// No tags at all mean all of them where tags are removed, and a mistake elsewhere.
async fn needing_tags(call: &Call, change: impl Future<Output = Outcome>) -> Outcome {
    call.form.need("tags")?;
    change.await
}

/// The metadata that is needed for `action` is not here yet.
fn no_metadata() -> Fault {
    Fault::conflict("Torrent's metadata has not yet downloaded")
}
