//! The numbers of all reactors and torrents as one picture.

use std::collections::HashMap;

use crate::peer::Reason;

use super::process::bytes_read as process_read;
use super::seeding::Session;
use super::status::{Announces, ReactorView, Status, Ways};

impl Session {
    /// Everything that a front end shows.
    pub(super) fn make_status(&self) -> Status {
        let ways = Ways {
            driver: self.fleet.driver(),
            send: self.fleet.send().to_string(),
            congestion: self.fleet.congestion().to_string(),
        };
        let announces = Announces { outcomes: self.announcer.outcomes(), load: self.announcer.load() };
        let mut status = Status { ways, announces, process_read: process_read(), ..Status::default() };
        let mut closed: HashMap<&'static str, u64> = HashMap::new();
        for snapshot in self.fleet.snapshots() {
            status.connections += snapshot.connections;
            status.unchoked += snapshot.unchoked;
            status.waiting += snapshot.waiting;
            status.busy_per_mille = status.busy_per_mille.max(snapshot.busy_per_mille);
            status.reactors.push(ReactorView {
                connections: snapshot.connections,
                unchoked: snapshot.unchoked,
                busy_per_mille: snapshot.busy_per_mille,
                sent: snapshot.totals.sent,
            });
            status.flow.add(&snapshot.totals);
            status.transmit.add(&snapshot.transmit);
            status.census.add(&snapshot.census);
            status.dormant += snapshot.dormant;
            status.paging.add(snapshot.paging);
            status.turn_times.add(&snapshot.turn_times);
            status.spliced += snapshot.transmit.spliced_bytes;
            status.copied += snapshot.transmit.copied_bytes;
            status.peers.extend(snapshot.peers.iter().cloned());
            for (reason, count) in Reason::ALL.iter().zip(&snapshot.totals.closed) {
                *closed.entry(reason.name()).or_default() += count;
            }
        }
        status.closed = closed.into_iter().filter(|(_, count)| *count > 0).collect();
        status.closed.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        status.peers.sort_by_key(|peer| std::cmp::Reverse(peer.sent_rate));
        // a seedbox has rows of its own for its thousands
        if self.dormant.enabled {
            return status;
        }
        status.torrents = self.torrents.iter().map(|(id, entry)| entry.view(*id)).collect();
        status.uploaded = status.torrents.iter().map(|torrent| torrent.uploaded).sum();
        status.upload_rate = status.torrents.iter().map(|torrent| torrent.upload_rate).sum();
        status
    }
}
