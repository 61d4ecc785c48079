//! Host names to addresses, by the system's resolver, remembered for a while.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::error::AnnounceError;
use super::request::Family;
use crate::limits;

/// The system's resolver does not say for how long an answer holds; trackers move rarely.
const REMEMBERED: Duration = Duration::from_secs(300);
/// The system's own default is two tries of 5 s for each server.
const PATIENCE: Duration = Duration::from_secs(15);

/// When it was looked up, and what it was.
type Known = (Instant, Arc<[IpAddr]>);

#[derive(Debug, Default)]
pub(super) struct Resolver {
    pinned: HashMap<String, Arc<[IpAddr]>>,
    known: Mutex<HashMap<String, Known>>,
}

impl Resolver {
    /// `pinned` names are not looked up.
    pub(super) fn new(pinned: &[(String, Vec<IpAddr>)]) -> Resolver {
        let pinned = pinned.iter().map(|(name, addresses)| (name.clone(), Arc::from(&addresses[..]))).collect();
        Resolver { pinned, known: Mutex::default() }
    }

    /// Addresses of `host` that are of `family`; never empty.
    pub(super) async fn addresses(&self, host: &str, family: Family) -> Result<Vec<IpAddr>, AnnounceError> {
        let all = self.lookup(host).await?;
        let fitting: Vec<IpAddr> = all.iter().copied().filter(|&address| Family::of(address) == family).collect();
        if fitting.is_empty() {
            return Err(AnnounceError::NoAddress { host: host.to_owned(), family });
        }
        Ok(fitting)
    }

    async fn lookup(&self, host: &str) -> Result<Arc<[IpAddr]>, AnnounceError> {
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(Arc::from([literal]));
        }
        if let Some(addresses) = self.remembered(host) {
            return Ok(addresses);
        }
        let failed = |cause: String| AnnounceError::Resolve { host: host.to_owned(), cause };
        let found = timeout(PATIENCE, tokio::net::lookup_host((host, 0)))
            .await
            .map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        let mut addresses: Vec<IpAddr> = found.map(|socket| socket.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let addresses: Arc<[IpAddr]> = addresses.into();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::TRACKER_HOSTS {
            known.clear();
        }
        known.insert(host.to_owned(), (Instant::now(), Arc::clone(&addresses)));
        Ok(addresses)
    }

    fn remembered(&self, host: &str) -> Option<Arc<[IpAddr]>> {
        if let Some(addresses) = self.pinned.get(host) {
            return Some(Arc::clone(addresses));
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(host).filter(|(when, _)| when.elapsed() < REMEMBERED).map(|(_, addresses)| Arc::clone(addresses))
    }
}

/// The same for the HTTP client of one family (it also meets the names that redirects lead to).
pub(super) struct ForFamily {
    pub(super) resolver: Arc<Resolver>,
    pub(super) family: Family,
}

impl reqwest::dns::Resolve for ForFamily {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (resolver, family) = (Arc::clone(&self.resolver), self.family);
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str(), family).await?;
            // port 0 means the one in the URL
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as reqwest::dns::Addrs)
        })
    }
}
