//! Several peers are asked at once, until one gives metadata that fits.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::metainfo::{Magnet, Metainfo, TorrentError};

use super::super::dialling::is_dialable;
use super::exchange::{Asker, Fault, ask};

/// Peers that are asked at once: most addresses that trackers name do not answer.
const PEERS: usize = 16;
/// Peers that send at once. One would do if none were slow or lied; three of them rarely are.
const TRANSFERS: usize = 3;
/// Addresses remembered; further ones are passed over.
const KNOWN: usize = 4_096;
/// After a peer gave nothing it is asked again, at first soon: Transmission refuses whoever comes back before it has seen the end of
/// his last connection. The time doubles with each try.
const AGAIN_FIRST: Duration = Duration::from_secs(2);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// For the name of a peer that a magnet link has.
const RESOLVE: Duration = Duration::from_secs(10);

/// Why there is no metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Nobody is left to be asked.
    #[error("none of the {tried} peers that were asked gave the metadata of this torrent")]
    NoPeer {
        /// Attempts.
        tried: u64,
    },
    /// The metadata is what the link names, and no torrent that can be used.
    #[error("the metadata names a torrent that cannot be used: {0}")]
    Unusable(#[from] TorrentError),
}

/// How far a fetch has come, for display while it runs.
#[derive(Debug, Default)]
pub struct MetadataProgress {
    tried: AtomicU64,
    connected: AtomicU64,
    received: AtomicU64,
    size: AtomicU64,
}

/// Numbers of a [`MetadataProgress`] at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MetadataCounts {
    /// Connections tried.
    pub tried: u64,
    /// Connections open now.
    pub connected: u64,
    /// Bytes of metadata that came, from all peers.
    pub received: u64,
    /// Bytes that the metadata has, as the last peer says that sends some; 0 before.
    pub size: u64,
}

impl MetadataProgress {
    /// Now.
    pub fn counts(&self) -> MetadataCounts {
        let [tried, connected, received, size] =
            [&self.tried, &self.connected, &self.received, &self.size].map(|number| number.load(Ordering::Relaxed));
        MetadataCounts { tried, connected, received, size }
    }

    pub(super) fn tries(&self) {
        self.tried.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connects(&self) -> Connected<'_> {
        self.connected.fetch_add(1, Ordering::Relaxed);
        Connected(self)
    }

    pub(super) fn begins(&self, size: u64) {
        self.size.store(size, Ordering::Relaxed);
    }

    pub(super) fn receives(&self, bytes: usize) {
        self.received.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Counts one connection while it lives.
pub(super) struct Connected<'a>(&'a MetadataProgress);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Fetches the metadata of `magnet` from the peers whose addresses come out of `peers`. While that channel is open,
/// peers that gave nothing are asked again from time to time, and the future waits for further ones; drop it to give up.
///
/// The torrent that comes of it has the trackers of the link, each in a tier of its own, and its web seeds.
pub async fn fetch(
    magnet: &Magnet,
    asker: Asker,
    mut peers: mpsc::Receiver<SocketAddr>,
    progress: Arc<MetadataProgress>,
) -> Result<Metainfo, MetadataError> {
    let (asker, turns) = (Arc::new(asker), Arc::new(Semaphore::new(TRANSFERS)));
    let (mut book, mut open) = (Book::default(), true);
    let mut attempts = JoinSet::new();
    loop {
        let room = open && attempts.len() < PEERS;
        let next = tokio::select! {
            named = peers.recv(), if room => {
                open = named.is_some();
                named.filter(|address| book.admit(*address))
            }
            () = sleep_until(book.next_due()), if room && book.waits() => book.take_due(Instant::now()),
            Some(ended) = attempts.join_next() => {
                match ended {
                    Ok((_, Ok(bytes))) => return finish(magnet, bytes).await,
                    Ok((address, Err(fault))) => book.note(address, &fault, Instant::now()),
                    // nobody cancels it
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
                None
            }
            else => return Err(MetadataError::NoPeer { tried: progress.counts().tried }),
        };
        if let Some(address) = next {
            let (info_hash, asker) = (magnet.info_hash, asker.clone());
            let (turns, progress) = (turns.clone(), progress.clone());
            attempts.spawn(async move { (address, ask(address, info_hash, &asker, &turns, &progress).await) });
        }
    }
}

/// Parsing a million files takes a while.
async fn finish(magnet: &Magnet, bytes: Vec<u8>) -> Result<Metainfo, MetadataError> {
    let trackers = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
    let parse = move || Metainfo::from_info(&bytes, trackers);
    match tokio::task::spawn_blocking(parse).await {
        Ok(parsed) => Ok(parsed?.with_web_seeds(magnet.web_seeds.clone())),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// The addresses of the peers that a magnet link names (`x.pe`). Names are looked up; those that mean nothing are left out.
pub async fn addresses_of(peers: &[String]) -> Vec<SocketAddr> {
    let lookup = async |peer: String| -> Vec<SocketAddr> {
        let found = timeout(RESOLVE, tokio::net::lookup_host(peer)).await;
        found.ok().and_then(Result::ok).map(Iterator::collect).unwrap_or_default()
    };
    let lookups: JoinSet<Vec<SocketAddr>> = peers.iter().cloned().map(lookup).collect();
    lookups.join_all().await.concat()
}

/// What is known of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// It is being asked, or lied.
    NotAgain,
    /// It may be asked again from then on.
    Due(Instant),
}

/// Whom to ask when.
#[derive(Debug, Default)]
struct Book {
    known: HashMap<SocketAddr, Known>,
    /// How often each gave nothing.
    tries: HashMap<SocketAddr, u32>,
}

impl Book {
    /// Whether an address that was named is to be asked now.
    fn admit(&mut self, address: SocketAddr) -> bool {
        if !is_dialable(address) || self.known.contains_key(&address) || self.known.len() >= KNOWN {
            return false;
        }
        self.known.insert(address, Known::NotAgain);
        true
    }

    fn note(&mut self, address: SocketAddr, fault: &Fault, now: Instant) {
        if !fault.is_final() {
            let tries = self.tries.entry(address).or_default();
            let after = AGAIN_FIRST.saturating_mul(1 << (*tries).min(8)).min(AGAIN_MAX);
            *tries = tries.saturating_add(1);
            self.known.insert(address, Known::Due(now + after));
        }
    }

    fn due(&self) -> impl Iterator<Item = (Instant, SocketAddr)> {
        self.known.iter().filter_map(|(address, known)| match known {
            Known::Due(at) => Some((*at, *address)),
            Known::NotAgain => None,
        })
    }

    fn waits(&self) -> bool {
        self.due().next().is_some()
    }

    /// Some time far away if nobody waits.
    fn next_due(&self) -> Instant {
        self.due().map(|(at, _)| at).min().unwrap_or_else(|| Instant::now() + AGAIN_MAX)
    }

    fn take_due(&mut self, now: Instant) -> Option<SocketAddr> {
        let (_, address) = self.due().min().filter(|(at, _)| *at <= now)?;
        self.known.insert(address, Known::NotAgain);
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_once_at_a_time_ever_later_and_a_liar_never_again() {
        let mut book = Book::default();
        let now = Instant::now();
        let [one, two] = ["192.0.2.1:1", "[2001:db8::1]:2"].map(|text| text.parse().expect("address"));
        assert!(book.admit(one) && book.admit(two) && !book.admit(one));
        assert!(!book.admit("192.0.2.1:0".parse().expect("address")));
        assert!(!book.waits());
        book.note(one, &Fault::Late, now);
        book.note(two, &Fault::BadHash, now);
        let mut at = now;
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(book.take_due(at), None);
            at += Duration::from_secs(seconds);
            assert_eq!((book.next_due(), book.take_due(at), book.take_due(at)), (at, Some(one), None));
            book.note(one, &Fault::Late, at);
        }
    }
}
