//! Announces over HTTP and HTTPS. One client for each family, bound to it, so that a tracker with both kinds of
//! addresses hears of both of ours. Connections are kept alive and used again.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, Url, redirect};
use tokio::sync::OnceCell;

use super::client::{self, causes, chain, explain};
use super::error::AnnounceError;
use super::request::Family;
use super::resolve::{ForFamily, Resolver};
use super::trackers::{Scheme, TrackerUrl};
use crate::limits;

/// What the clients are made of.
#[derive(Clone, Debug)]
pub(super) struct HttpConfig {
    pub(super) user_agent: String,
    /// Address to speak from, IPv4 and IPv6.
    pub(super) local: [IpAddr; 2],
    /// Network interface to speak by.
    pub(super) device: Option<String>,
    /// For a whole exchange, redirects included.
    pub(super) patience: Duration,
}

pub(super) struct Http {
    config: HttpConfig,
    resolver: Arc<Resolver>,
    /// Made at the first use: reading the system's certificates takes a while, and UDP needs none.
    clients: OnceCell<Clients>,
}

struct Clients {
    /// With connections that are kept alive.
    kept: [Client; 2],
    /// With a new connection each time.
    fresh: [Client; 2],
    /// Whether the system has certificate authorities.
    trust: bool,
}

impl Http {
    pub(super) fn new(config: HttpConfig, resolver: Arc<Resolver>) -> Http {
        Http { config, resolver, clients: OnceCell::new() }
    }

    /// Asks `url` with `query` appended; returns the body, whose length is bounded.
    pub(super) async fn get(
        &self,
        tracker: &TrackerUrl,
        url: Url,
        query: &str,
        family: Family,
    ) -> Result<Vec<u8>, AnnounceError> {
        let clients = self.clients().await?;
        if tracker.scheme() == Scheme::Https && !clients.trust {
            return Err(AnnounceError::NoRoots);
        }
        let place = usize::from(family == Family::V6);
        let named = |error: reqwest::Error| self.name_error(error, tracker, family, clients.trust);
        let url = with_query(url, query);
        let sent = match clients.kept[place].get(url.clone()).send().await {
            // trackers close kept connections without a word, perhaps just as an announce leaves: a new one tells
            Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
                clients.fresh[place].get(url).send().await
            }
            sent => sent,
        };
        let mut response = sent.map_err(named)?;
        let body = read_body(&mut response).await?.map_err(named)?;
        // trackers explain refusals in the body of any status
        if response.status().is_success() || body.starts_with(b"d") {
            return Ok(body);
        }
        Err(AnnounceError::Status(response.status().as_u16()))
    }

    async fn clients(&self) -> Result<&Clients, AnnounceError> {
        self.clients
            .get_or_try_init(|| async {
                let (config, resolver) = (self.config.clone(), Arc::clone(&self.resolver));
                let made = tokio::task::spawn_blocking(move || Clients::new(&config, &resolver)).await;
                let made = made.map_err(|error| error.to_string())?;
                made.map_err(|error| chain(&error))
            })
            .await
            .map_err(|cause| AnnounceError::Io { peer: "HTTP client".into(), cause })
    }

    fn name_error(&self, error: reqwest::Error, tracker: &TrackerUrl, family: Family, trust: bool) -> AnnounceError {
        let peer = tracker.to_string();
        if error.is_redirect() {
            return AnnounceError::Redirects;
        }
        if error.is_timeout() {
            return AnnounceError::Timeout { peer, after: self.config.patience, note: String::new() };
        }
        // the URL holds passkeys
        let error = error.without_url();
        for cause in causes(&error) {
            if let Some(resolution) = cause.downcast_ref::<AnnounceError>() {
                return resolution.clone();
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return if trust { AnnounceError::Tls { peer, cause: explain(tls) } } else { AnnounceError::NoRoots };
            }
            if let Some(io) = cause.downcast_ref::<io::Error>().filter(|io| io.raw_os_error().is_some()) {
                return AnnounceError::from_io(io, &peer, family);
            }
        }
        AnnounceError::Io { peer, cause: chain(&error) }
    }
}

impl Clients {
    fn new(config: &HttpConfig, resolver: &Arc<Resolver>) -> Result<Clients, reqwest::Error> {
        let of = |family: Family, kept: usize| {
            client::build(|| config.builder(family, resolver).pool_max_idle_per_host(kept))
        };
        let keep = limits::ANNOUNCES_PER_HTTP_HOST;
        let (v4, trust) = of(Family::V4, keep)?;
        let kept = [v4, of(Family::V6, keep)?.0];
        let fresh = [of(Family::V4, 0)?.0, of(Family::V6, 0)?.0];
        Ok(Clients { kept, fresh, trust })
    }
}

impl HttpConfig {
    fn builder(&self, family: Family, resolver: &Arc<Resolver>) -> reqwest::ClientBuilder {
        let local = match family {
            Family::V4 => self.local[0],
            Family::V6 => self.local[1],
        };
        client::builder(&self.user_agent, self.device.as_deref())
            .redirect(redirect::Policy::limited(limits::TRACKER_REDIRECTS))
            .local_address(local)
            .dns_resolver(Arc::new(ForFamily { resolver: Arc::clone(resolver), family }))
            .connect_timeout(self.patience / 2)
            .timeout(self.patience)
    }
}

fn with_query(mut url: Url, query: &str) -> Url {
    // already escaped byte for byte; announce URLs may carry a query of their own
    let joined = match url.query() {
        Some(own) if !own.is_empty() => format!("{own}&{query}"),
        _ => query.to_owned(),
    };
    url.set_query(Some(&joined));
    url
}

/// Decompressed bytes count, so a small answer cannot swell without bound.
async fn read_body(response: &mut Response) -> Result<Result<Vec<u8>, reqwest::Error>, AnnounceError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if body.len() + part.len() > limits::TRACKER_BODY => return Err(AnnounceError::TooLarge),
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => return Ok(Ok(body)),
            Err(error) => return Ok(Err(error)),
        }
    }
}
