//! Torrents of which only a link is known: magnets, and addresses of torrent files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::discovery::{self, Trackers, client, parse_tiers};
use crate::ids::TorrentId;
use crate::limits;
use crate::metainfo::{Magnet, Metainfo};
use crate::session::state::Store;

use super::adding::about;
use super::keeper::{Content, Keeper, News};
use super::order::{Added, Addition, Refusal, RefusalKind, Reply, Source};
use super::place::wanted_bytes;
use super::row::About;
use crate::session::USER_AGENT;
use crate::session::metadata::{self, addresses_of};

/// For fetching a torrent file.
const FETCH: Duration = Duration::from_secs(60);
/// Longest torrent file that is fetched.
const FETCH_BYTES: usize = 32 << 20;

impl Keeper {
    /// Adds what a magnet link names; the rest is asked of peers.
    pub(super) async fn add_magnet(&mut self, addition: Addition, link: &str) -> Result<Added, Refusal> {
        let invalid = |text: String| Refusal::new(RefusalKind::Invalid, text);
        let magnet = Magnet::parse(link).map_err(|error| invalid(error.to_string()))?;
        let info_hash = magnet.info_hash;
        if let Some(row) = self.view.find(info_hash) {
            return Ok(Added { id: row.id, info_hash, duplicate: true });
        }
        let about = About {
            info_hash: Some(info_hash),
            name: magnet.name.clone().unwrap_or_else(|| info_hash.to_string()),
            trackers: magnet.trackers.iter().map(|url| vec![url.clone()]).collect(),
            ..About::default()
        };
        let numbers = self.fresh_numbers(&addition);
        let id = self.insert(about, addition, numbers, Content::New);
        if let Some(kept) = self.torrents.get_mut(&id) {
            kept.magnet = Some(Box::new(magnet));
        }
        self.settle(id).await;
        self.save(id);
        Ok(Added { id, info_hash, duplicate: false })
    }

    /// Asks peers for the metadata of `id`, unless that goes on already.
    pub(super) async fn seek(&mut self, id: TorrentId) {
        let Some(row) = self.row(id).cloned() else { return };
        let Some(kept) = self.torrents.get_mut(&id).filter(|kept| kept.seeking.is_none()) else { return };
        let Some(magnet) = kept.magnet.as_deref().cloned() else { return };
        let peers = kept.peers.clone();
        let (named, found) = mpsc::channel(limits::KNOWN_PEERS);
        let (tiers, _) = parse_tiers(row.trackers());
        let trackers = Trackers::Public { tiers, added: self.session.added_trackers.clone() };
        // how much is missing is not known; a peer with nothing left would be told of leechers alone
        let shared = crate::session::entry::Shared { left: Arc::new(AtomicU64::new(1)), ..Default::default() };
        let announced = discovery::Announced { info_hash: row.info_hash(), trackers, stats: shared.stats() };
        let handle = self.session.announcer.add(announced).await;
        self.session.asking.insert(row.info_hash(), named.clone());
        let (asker, news) = (self.session.asker(), self.news.0.clone());
        let store = self.store.clone();
        let task = tokio::spawn(async move {
            for peer in peers.into_iter().chain(addresses_of(&magnet.peers).await) {
                // those beyond the channel's length are named again by trackers
                let _ = named.try_send(peer);
            }
            let result = metadata::fetch(&magnet, asker, found, Arc::default()).await;
            let result = match result {
                Ok(metainfo) => keep(metainfo, store).await,
                Err(error) => Err(error.to_string()),
            };
            let _ = news.send(News::Sought(id, result)).await;
        });
        if let Some(kept) = self.torrents.get_mut(&id) {
            kept.seeking = Some(Seeking { handle, task: task.abort_handle() });
        }
    }

    /// Asks no more.
    pub(super) async fn stop_seeking(&mut self, id: TorrentId) {
        let seeking = self.torrents.get_mut(&id).and_then(|kept| kept.seeking.take());
        if let Some(seeking) = seeking {
            if let Some(row) = self.view.row(id) {
                self.session.asking.remove(&row.info_hash());
            }
            seeking.task.abort();
            seeking.handle.remove().await;
        }
    }

    /// Metadata has come, or never will.
    pub(super) async fn sought(&mut self, id: TorrentId, result: Result<Box<Metainfo>, String>) {
        self.stop_seeking(id).await;
        let Some(row) = self.row(id).cloned().filter(|row| !row.about.has_metadata) else { return };
        let metainfo = match result {
            Ok(metainfo) => metainfo,
            Err(error) => {
                self.fail(id, error);
                return self.show(id);
            }
        };
        let wanted = wanted_bytes(&metainfo, &row.choice);
        self.edit(id, |row| {
            row.about = Arc::new(about(&metainfo));
            (row.numbers.wanted, row.numbers.left) = (wanted, wanted);
        });
        if let Some(kept) = self.torrents.get_mut(&id) {
            // peers that the link names are asked for the content, too
            let named = kept.magnet.take().map(|magnet| magnet.peers).unwrap_or_default();
            kept.peers.extend(named.iter().filter_map(|peer| peer.parse::<SocketAddr>().ok()));
        }
        self.settle(id).await;
        self.save(id);
    }

    /// Fetches a torrent file and adds it.
    pub(super) fn add_from(&mut self, mut addition: Addition, url: String, reply: Reply<Added>) {
        let (news, device) = (self.news.0.clone(), self.session.device.clone());
        tokio::spawn(async move {
            match fetch(&url, device.as_deref()).await {
                Ok(bytes) => {
                    addition.source = Source::File(bytes);
                    let _ = news.send(News::Fetched(Box::new(addition), reply)).await;
                }
                Err(text) => drop(reply.send(Err(Refusal::new(RefusalKind::Environment, text)))),
            }
        });
    }
}

/// Metadata that is being asked for.
pub(super) struct Seeking {
    handle: discovery::Handle,
    task: tokio::task::AbortHandle,
}

/// Puts what was asked for beside the other torrent files.
async fn keep(metainfo: Metainfo, store: Store) -> Result<Box<Metainfo>, String> {
    let write = move || store.keep_torrent(metainfo.info_hash(), &metainfo.to_bytes()).map(|()| metainfo);
    let kept = tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())?;
    kept.map(Box::new).map_err(|error| format!("cannot keep its metadata: {error}"))
}

/// The bytes at `url`. Secrets in it are not repeated in errors.
async fn fetch(url: &str, device: Option<&str>) -> Result<Vec<u8>, String> {
    let url = reqwest::Url::parse(url).map_err(|error| format!("not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{}: torrent files are fetched by http and https alone", url.scheme()));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let device = device.map(str::to_owned);
    let build = move || client::build(|| client::builder(USER_AGENT, device.as_deref()).timeout(FETCH));
    let client = tokio::task::spawn_blocking(build).await.map_err(|error| error.to_string())?;
    let (client, _) = client.map_err(client::describe)?;
    let failed = |error| format!("cannot fetch the torrent file from {host}: {}", client::describe(error));
    let mut response = client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > FETCH_BYTES {
            return Err(format!("{host} sends more than {FETCH_BYTES} bytes: no torrent file"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
