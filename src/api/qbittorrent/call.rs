//! One request, ready to be followed, and what all requests share.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::answer::{Answer, Fault, Outcome};
use super::fields::Moment;
use super::form::Form;
use super::sync::Told;
use crate::api::Context;
use crate::api::guard::{Caller, SessionKey};
use crate::ids::{InfoHash, TorrentId};
use crate::session::seedbox::{Change, Row, Seedbox, View};

/// What all requests share.
pub(super) struct Desk {
    pub(super) context: Arc<Context>,
    /// What clients were told last.
    pub(super) told: Mutex<Told>,
}

/// One request.
pub(super) struct Call {
    pub(super) form: Form,
    /// Everything, when it came.
    pub(super) view: Arc<View>,
    pub(super) client: Client,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// Who asks, as far as one client can be told from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Client {
    /// One that logged in.
    Login(SessionKey),
    /// One that shows the token each time.
    Address(IpAddr),
    /// One on the Unix socket.
    Local,
}

impl Client {
    pub(super) fn new(session: Option<SessionKey>, caller: Caller) -> Client {
        match (session, caller) {
            (Some(session), _) => Client::Login(session),
            (None, Caller::Tcp(address)) => Client::Address(address.ip()),
            (None, Caller::Unix) => Client::Local,
        }
    }
}

impl Desk {
    pub(super) fn seedbox(&self) -> &Seedbox {
        &self.context.seedbox
    }

    /// Changes torrents. None is nothing to do, as clients expect.
    pub(super) async fn change(&self, torrents: Vec<TorrentId>, change: Change) -> Result<(), Fault> {
        if torrents.is_empty() {
            return Ok(());
        }
        Ok(self.seedbox().change(torrents, change).await?)
    }

    /// Changes the torrents that field `hashes` names.
    pub(super) async fn change_chosen(&self, call: &Call, change: Change) -> Outcome {
        self.change(call.chosen("hashes")?, change).await?;
        Ok(Answer::Done)
    }
}

impl Call {
    pub(super) fn moment(&self) -> Moment<'_> {
        Moment { settings: &self.view.settings, now: self.now }
    }

    /// The torrent that field `hash` names.
    pub(super) fn row(&self) -> Result<&Arc<Row>, Fault> {
        find(&self.view, self.form.need("hash")?).ok_or_else(Fault::not_found)
    }

    /// Torrents that a field names: hashes with bars between, or `all`. Those that are not there are passed over.
    pub(super) fn rows(&self, field: &str) -> Result<Vec<&Arc<Row>>, Fault> {
        Ok(select(&self.view, self.form.need(field)?))
    }

    /// The same, as ids.
    pub(super) fn chosen(&self, field: &str) -> Result<Vec<TorrentId>, Fault> {
        Ok(ids(self.rows(field)?))
    }
}

/// Ids of `rows`.
pub(super) fn ids<'view>(rows: impl IntoIterator<Item = &'view Arc<Row>>) -> Vec<TorrentId> {
    rows.into_iter().map(|row| row.id).collect()
}

/// Torrents that can be named: all but those whose hash is not known yet.
pub(super) fn named(view: &View) -> impl Iterator<Item = &Arc<Row>> {
    view.rows.iter().filter(|row| row.about.info_hash.is_some())
}

/// The torrent of a hash in hexadecimal digits.
pub(super) fn find<'view>(view: &'view View, hash: &str) -> Option<&'view Arc<Row>> {
    view.find(InfoHash::from_hex(hash.trim())?)
}

fn select<'view>(view: &'view View, list: &str) -> Vec<&'view Arc<Row>> {
    if list == "all" {
        return named(view).collect();
    }
    let mut seen = HashSet::new();
    list.split('|').filter_map(|hash| find(view, hash)).filter(|row| seen.insert(row.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::qbittorrent::sample;

    #[test]
    fn torrents_are_chosen_once_each_and_strangers_are_passed_over() {
        let view = sample::view(3);
        let hash = |index: usize| view.rows.iter().nth(index).expect("a torrent").info_hash().to_string();
        let chosen = |list: &str| ids(select(&view, list)).iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(chosen("all"), [0, 1, 2]);
        assert_eq!(chosen(&format!("{}|{}|x||{}", hash(2), hash(0).to_uppercase(), hash(2))), [2, 0]);
        assert_eq!(chosen("ALL"), [0_u32; 0]);
        assert_eq!(chosen(""), [0_u32; 0]);
    }
}
