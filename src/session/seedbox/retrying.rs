//! What failed, or is not there, is tried again by itself: whoever frees space or plugs a disk in does not have to say so.

use crate::ids::TorrentId;

use super::keeper::{Content, Job, Keeper};

/// Seconds between a failure and the next try; doubles with each.
const FIRST: u64 = 10;
const MOST: u64 = 60;
/// A try may read all of the content: it takes one part in so many of the time, not more.
const SHARE: u64 = 10;
/// Seconds after which a look that compares files is taken for stuck.
const STUCK: u64 = 10;
/// Threads that may be stuck.
const STUCK_MOST: usize = 64;

/// When a torrent is tried again. Times are turns of the keeper, which are seconds.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Retry {
    /// The last look began and ended.
    began: u64,
    ended: u64,
    wait: u64,
    next: u64,
}

impl Retry {
    /// A look begins.
    pub(super) fn begin(&mut self, turn: u64) {
        self.began = turn;
    }

    /// It is over.
    pub(super) fn end(&mut self, turn: u64) {
        self.ended = turn;
    }

    /// What it is to do has failed.
    pub(super) fn failed(&mut self, turn: u64) {
        // what had gone on for a while fails anew
        let again = self.wait > 0 && turn.saturating_sub(self.ended) <= MOST;
        self.wait = if again { (self.wait * 2).min(MOST) } else { FIRST };
        // what a look has found; a download that fails later goes on from its notes
        let took = if self.ended == turn { self.ended.saturating_sub(self.began) } else { 0 };
        self.next = turn + self.wait.max(took * SHARE);
    }

    fn is_due(&self, turn: u64) -> bool {
        turn >= self.next
    }
}

impl Content {
    /// What is known of it, whatever is in the way at present.
    pub(super) fn known(&self) -> &Content {
        match self {
            Content::Absent(before) | Content::Failed(before) => before,
            content => content,
        }
    }

    /// The same, owned.
    pub(super) fn into_known(self) -> Content {
        match self {
            Content::Absent(before) | Content::Failed(before) => *before,
            content => content,
        }
    }
}

impl Keeper {
    /// Every few seconds: tries those that are not there, and those of the failed that are due.
    pub(super) async fn try_again(&mut self) {
        let content = |id: &TorrentId| self.torrents.get(id).map(|kept| (&kept.content, &kept.retry));
        self.in_trouble.retain(|id| matches!(content(id), Some((Content::Absent(_) | Content::Failed(_), _))));
        let is_due = |id: &&TorrentId| match content(id) {
            Some((Content::Failed(_), retry)) => retry.is_due(self.turns),
            _ => true,
        };
        let due: Vec<TorrentId> = self.in_trouble.iter().filter(is_due).copied().collect();
        for id in due {
            let Some(row) = self.row(id) else { continue };
            let (paused, has_metadata) = (row.choice.paused, row.about.has_metadata);
            let moving = row.choice.moving.is_some();
            let Some(kept) = self.torrents.get_mut(&id).filter(|kept| kept.job.is_none()) else { continue };
            match &kept.content {
                // it is to be moved first, or its metadata is to be found
                Content::Failed(_) if moving || (!paused && !has_metadata) => {
                    kept.content = std::mem::take(&mut kept.content).into_known();
                    self.settle(id).await;
                }
                Content::Failed(_) if paused => {}
                _ => self.look_again(id),
            }
        }
    }

    /// Looks that have gone on for so long that their disk must be hanging: those at other disks do not wait for them.
    pub(super) fn stuck(&self) -> usize {
        let is_stuck = |id: &&TorrentId| {
            self.torrents.get(id).is_some_and(|kept| {
                matches!(kept.job, Some(Job::Looking(_))) && self.turns.saturating_sub(kept.retry.began) > STUCK
            })
        };
        self.busy.iter().filter(is_stuck).count().min(STUCK_MOST)
    }

    /// Looks again at content that was not there, or failed.
    pub(super) fn look_again(&mut self, id: TorrentId) {
        if self.row(id).is_none_or(|row| !row.about.has_metadata || row.choice.moving.is_some()) {
            return;
        }
        let Some(kept) = self.torrents.get_mut(&id).filter(|kept| kept.job.is_none()) else { return };
        match &kept.content {
            // only hashing can tell
            Content::Failed(before) if matches!(**before, Content::Doubtful) => {
                kept.job = Some(Job::QueuedCheck);
                self.checks.push_back(id);
            }
            Content::Absent(_) | Content::Failed(_) => {
                kept.job = Some(Job::QueuedLook);
                self.looks.push_back(id);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_ever_later_and_never_reads_all_the_time() {
        let mut retry = Retry::default();
        retry.begin(100);
        retry.end(100);
        retry.failed(100);
        assert!(!retry.is_due(109) && retry.is_due(110));
        for (turn, next) in [(110, 130), (130, 170), (170, 230), (230, 290)] {
            retry.begin(turn);
            retry.end(turn);
            retry.failed(turn);
            assert!(!retry.is_due(next - 1) && retry.is_due(next), "after the failure at {turn}");
        }
        retry.begin(290);
        retry.end(390);
        retry.failed(390);
        assert!(!retry.is_due(1_389) && retry.is_due(1_390), "a check that took 100 seconds");
        retry.begin(1_390);
        retry.end(1_390);
        retry.failed(5_000);
        assert!(retry.is_due(5_010), "it had gone on for an hour");
    }
}
