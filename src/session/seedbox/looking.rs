//! Which contents are looked at, and when: so many at once as disks bear.

use std::sync::Arc;

use crate::ids::TorrentId;

use super::keeper::{Job, Keeper, News};
use super::look::Look;
use super::patrol::Folder;

/// Contents that are looked at at once: it is mostly waiting for disks.
const LOOKS: usize = 8;

impl Keeper {
    /// Looks that may begin.
    pub(super) fn start_looks(&mut self) {
        while self.looking < LOOKS + self.stuck()
            && let Some(id) = self.looks.pop_front()
        {
            self.look(id, false);
        }
        let most = usize::try_from(self.view.settings.checks_max.max(1)).unwrap_or(1);
        while self.checking < most
            && let Some(id) = self.checks.pop_front()
        {
            self.look(id, true);
        }
    }

    fn look(&mut self, id: TorrentId, check: bool) {
        let Some(look) = self.make_look(id, check) else { return };
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        if !matches!(kept.job, Some(Job::QueuedLook | Job::QueuedCheck)) {
            return;
        }
        let watch = look.watch.clone();
        kept.retry.begin(self.turns);
        kept.job = Some(if check { Job::Checking(watch) } else { Job::Looking(watch) });
        *(if check { &mut self.checking } else { &mut self.looking }) += 1;
        self.busy.insert(id);
        let news = self.news.0.clone();
        tokio::task::spawn_blocking(move || {
            // first: whatever is found is in this one
            let folder = Folder::seen(&look.choice.folder);
            let found = look.run();
            let _ = news.blocking_send(News::Looked(id, folder, found));
        });
        self.show(id);
    }

    /// A look at `id` as it is known now.
    pub(super) fn make_look(&self, id: TorrentId, check: bool) -> Option<Look> {
        let (row, kept) = (self.view.row(id)?, self.torrents.get(&id)?);
        Some(Look {
            info_hash: row.info_hash(),
            file: self.torrent_path(row.info_hash()),
            choice: row.choice.clone(),
            manner: kept.content.manner(check, row.numbers.have > 0, row.is_complete()),
            resume: self.resume.clone(),
            disk: self.disk.clone(),
            store: self.store.clone(),
            watch: Arc::default(),
        })
    }
}
