//! Torrents that somebody asks for: compared with what they were, then served; those that were taken on trust piece by piece as they
//! are found right.

use std::sync::Arc;

use crate::hash::Engine;
use crate::ids::TorrentId;
use crate::metainfo::Metainfo;
use crate::session::Torrent;
use crate::session::entry::Body;
use crate::storage::{Content as Files, LazyCheck, LazyHashers, PieceCheck};

use super::keeper::{Content, Job, Keeper};

impl Content {
    /// Its pieces are to be looked at before they are served.
    pub(super) fn is_trusted(&self) -> bool {
        matches!(self.known(), Content::Trusted)
    }
}

impl Keeper {
    /// Those that somebody asks for are compared with what they were, and served.
    pub(super) fn wake_wished(&mut self) {
        for running in self.session.take_wishes() {
            let id = self.running.get(&running).copied();
            let kept = id.and_then(|id| self.torrents.get_mut(&id));
            match (id, kept) {
                // it is being looked at anyway
                (Some(id), Some(kept)) if matches!(kept.job, Some(Job::QueuedLook | Job::Looking(_))) => {
                    self.waking.insert(id);
                }
                (Some(id), Some(kept))
                    if kept.job.is_none() && matches!(kept.content, Content::Whole | Content::Trusted) =>
                {
                    kept.job = Some(Job::QueuedLook);
                    // somebody waits for it
                    self.waking.insert(id);
                    self.looks.push_front(id);
                }
                _ => self.session.refuse(running),
            }
        }
    }

    /// Serves it, from when its pieces can be looked at if they have to be.
    pub(super) fn wake(&mut self, id: TorrentId, running: TorrentId, torrent: Torrent) {
        let (metainfo, content) = (Arc::new(torrent.metainfo), Arc::new(torrent.content));
        let mut check: Option<Arc<dyn PieceCheck>> = None;
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        if kept.content.is_trusted() {
            match self.doubt(id, content.clone(), metainfo.clone()) {
                Ok(lazy) => check = Some(lazy),
                Err(error) => {
                    self.session.refuse(running);
                    return self.say(id, Some(error));
                }
            }
        }
        self.session.wake(running, Body { metainfo, content, identities: torrent.identities.into(), check });
    }

    /// What looks at pieces of content that was taken on trust.
    fn doubt(&mut self, id: TorrentId, content: Arc<Files>, torrent: Arc<Metainfo>) -> Result<Arc<LazyCheck>, String> {
        let hashers = match &mut self.hashers {
            Some(hashers) => hashers,
            none => none.insert(LazyHashers::start(Engine::detect(), 1).map_err(|error| error.to_string())?),
        };
        let right = self.store.verified(torrent.info_hash()).map_err(|error| error.to_string())?;
        let check = Arc::new(LazyCheck::new(hashers, content, torrent, &right.unwrap_or_default()));
        if let Some(kept) = self.torrents.get_mut(&id) {
            kept.check = Some(check.clone());
        }
        Ok(check)
    }

    /// Keeps which pieces were found right; where all were, nothing is taken on trust any more.
    pub(super) fn save_checks(&mut self) {
        if self.hashers.is_none() {
            return;
        }
        let checked = self.torrents.iter().filter_map(|(id, kept)| Some((*id, kept.check.as_ref()?.right())));
        for (id, right) in checked.collect::<Vec<_>>() {
            let Some(row) = self.view.row(id) else { continue };
            let (info_hash, pieces) = (row.info_hash(), row.about.pieces);
            let whole = right.iter().map(|byte| byte.count_ones()).sum::<u32>() >= pieces;
            let asleep = self
                .torrents
                .get(&id)
                .and_then(|kept| kept.running)
                .is_none_or(|running| self.session.torrents.get(&running).is_none_or(|entry| entry.body.is_none()));
            self.store.keep_verified(info_hash, if whole { Vec::new() } else { right });
            let Some(kept) = self.torrents.get_mut(&id) else { continue };
            if whole {
                kept.content = Content::Whole;
            }
            if whole || asleep {
                kept.check = None;
                self.save(id);
            }
        }
    }
}
