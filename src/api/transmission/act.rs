//! What is done with torrents that a request names.

use std::path::PathBuf;

use crate::ids::TorrentId;
use crate::session::seedbox::Change;

use super::arguments::Arguments;
use super::envelope::{Fault, begin};
use super::ids::Selection;
use super::server::Server;
use crate::api::json::Json;

/// Changes the torrents that `ids` names. None of them is no fault, as in Transmission: they may have been removed a moment ago.
pub(super) async fn change(server: &Server, arguments: &Arguments, change: Change) -> Result<Json, Fault> {
    let torrents = selected(server, arguments)?;
    if !torrents.is_empty() {
        server.context.seedbox.change(torrents, change).await?;
    }
    Ok(begin(|_| {}))
}

/// `torrent-remove`.
pub(super) async fn remove(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let data = arguments.flag("delete-local-data")?.unwrap_or(false);
    change(server, arguments, Change::Remove { data }).await
}

/// `torrent-set-location`.
pub(super) async fn set_location(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let folder = location(arguments)?.ok_or_else(|| Fault::new("no location"))?;
    let files = arguments.flag("move")?.unwrap_or(false);
    change(server, arguments, Change::Move { folder, files }).await
}

/// `location`, which is absolute.
pub(super) fn location(arguments: &Arguments) -> Result<Option<PathBuf>, Fault> {
    match arguments.text("location")?.map(PathBuf::from) {
        Some(folder) if !folder.is_absolute() => Err(Fault::new("new location path is not absolute")),
        folder => Ok(folder),
    }
}

/// `torrent-rename-path`.
pub(super) async fn rename_path(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let [torrent] = selected(server, arguments)?[..] else {
        return Err(Fault::new("torrent-rename-path requires 1 torrent"));
    };
    let path = arguments.text("path")?.unwrap_or("");
    let name = arguments.text("name")?.unwrap_or("");
    if path.is_empty() || name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
        return Err(Fault::new("give the path of a file or folder of the torrent, and a new name without slashes"));
    }
    let change = Change::RenamePath { from: path.to_owned(), to: name.to_owned() };
    server.context.seedbox.change(vec![torrent], change).await?;
    Ok(begin(|json| {
        json.pair("id", torrent.0);
        json.pair("path", path);
        json.pair("name", name);
    }))
}

fn selected(server: &Server, arguments: &Arguments) -> Result<Vec<TorrentId>, Fault> {
    let view = server.context.seedbox.view();
    let rows = Selection::parse(arguments)?.rows(&view, server.recent());
    Ok(rows.iter().map(|row| row.id).collect())
}
