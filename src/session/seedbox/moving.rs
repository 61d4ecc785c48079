//! Moving, renaming and removing content.

use std::path::{Path, PathBuf};

use crate::ids::TorrentId;

use super::keeper::{Keeper, no_such};
use super::order::{Refusal, RefusalKind};
use super::place::confine;

/// What became of a move.
pub(super) struct Moved {
    /// Where it is now.
    pub(super) folder: PathBuf,
    pub(super) result: Result<(), String>,
}

impl Keeper {
    pub(super) async fn move_to(&mut self, id: TorrentId, folder: &Path, files: bool) -> Result<(), Refusal> {
        let folder = confine(folder, &self.view.settings)?;
        if files {
            return Err(Refusal::new(RefusalKind::Invalid, "files cannot be moved yet"));
        }
        self.halt(id).await;
        self.choose(id, |choice| choice.folder = folder);
        self.settle(id).await;
        Ok(())
    }

    pub(super) async fn moved(&mut self, id: TorrentId, moved: Moved) {
        if let Err(error) = moved.result {
            self.say(id, Some(error));
        }
        self.settle(id).await;
    }

    pub(super) async fn rename_path(&mut self, id: TorrentId, from: &str, to: &str) -> Result<(), Refusal> {
        let _ = (id, from, to);
        Err(Refusal::new(RefusalKind::Invalid, "paths cannot be renamed yet"))
    }

    /// Takes a torrent out, with its content if `data`.
    pub(super) async fn remove(&mut self, id: TorrentId, data: bool) -> Result<(), Refusal> {
        let row = self.row(id).cloned().ok_or_else(no_such)?;
        let metainfo = if data { Some(self.read_metainfo(id)?) } else { None };
        self.halt(id).await;
        self.torrents.remove(&id);
        self.drop_row(id);
        let file = self.torrent_path(row.info_hash());
        tokio::task::spawn_blocking(move || {
            if let Some(metainfo) = metainfo {
                let content = super::place::content_of(&metainfo, &row.choice);
                for fault in content.remove() {
                    tracing::warn!(%fault, "could not be removed");
                }
            }
            let _ = std::fs::remove_file(file);
        });
        Ok(())
    }
}
