//! Web seeds (BEP 19): HTTP servers that have the content of a torrent, made to look like peers.
//!
//! [`WebSeeds::start`] makes a pair of sockets and gives away one end. On the other a task speaks the peer protocol as a
//! seed with Fast (BEP 6) does, and answers requests with what it fetches by HTTP. So a reactor needs to know nothing of
//! HTTP: what it asks for is chosen, timed, hashed and blamed like that of any peer, and when it does not read, the
//! task does not read from the server either.
//!
//! ```text
//!  reactor <── socket pair ──> seed ── Orders ── Run (up to 4 MiB) ──> range: GET with Range ──> server
//!                               └── what is not there or fails is refused, choked, tried again later
//! ```
//!
//! A file that the server does not have is taken back by a bitfield that replaces "have all". A server that fails is left
//! alone, ever longer, and given up after many failures in a row: then, and when the reactor closes, the socket ends.
//!
//! One task asks for one range at a time; two of them on one URL keep a distant server busy.

mod address;
mod orders;
mod range;
mod seed;
mod status;

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use crate::discovery::client;
use crate::ids::PeerId;
use crate::limits;
use crate::metainfo::Metainfo;

use self::address::Address;
use self::seed::Seed;
use self::status::Shared;

pub use address::usable;
pub use status::{WebSeedState, WebSeedStatus};

/// How servers are spoken to.
#[derive(Clone, Debug)]
pub struct WebSeedConfig {
    /// What they see.
    pub user_agent: String,
    /// Network interface to speak by.
    pub device: Option<String>,
    /// For a connection, and for the beginning of an answer.
    pub answer: Duration,
    /// For each block of an answer.
    pub block: Duration,
    /// How long a server is left alone after its first failure, and at most; doubled with each in a row.
    pub back_off: RangeInclusive<Duration>,
}

impl WebSeedConfig {
    /// The usual times.
    pub fn new(user_agent: String, device: Option<String>) -> WebSeedConfig {
        let back_off = Duration::from_secs(10)..=Duration::from_secs(600);
        WebSeedConfig { user_agent, device, answer: Duration::from_secs(30), block: Duration::from_secs(30), back_off }
    }
}

/// Why there is no web seed.
#[derive(Debug, thiserror::Error)]
pub enum WebSeedError {
    /// Another protocol, or no URL at all.
    #[error("{0} is no URL of HTTP")]
    NotHttp(String),
    /// No sockets.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the web seeds of a program have in common.
#[derive(Debug)]
pub struct WebSeeds {
    config: WebSeedConfig,
    /// Made at the first use: reading the system's certificates takes a while.
    client: OnceCell<Client>,
}

/// A web seed at work; it ends when this is dropped.
#[derive(Debug)]
pub struct WebSeed {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl WebSeeds {
    /// None yet.
    pub fn new(config: WebSeedConfig) -> Arc<WebSeeds> {
        Arc::new(WebSeeds { config, client: OnceCell::new() })
    }

    /// Makes a peer of the server at `url`. The descriptor is the reactor's: non-blocking, closed on exec, and the
    /// reactor says its handshake first. Call it on a tokio runtime.
    pub fn start(
        self: &Arc<Self>,
        metainfo: &Metainfo,
        url: &str,
        rng: &mut fastrand::Rng,
    ) -> Result<(WebSeed, OwnedFd), WebSeedError> {
        let address = Address::parse(url).ok_or_else(|| WebSeedError::NotHttp(url.to_owned()))?;
        let (theirs, ours) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        ours.set_nonblocking(true)?;
        let ours = tokio::net::UnixStream::from_std(ours)?;
        let shared = Arc::new(Shared::new(address.host()));
        let seed = Seed {
            seeds: self.clone(),
            metainfo: metainfo.clone(),
            address,
            peer_id: fresh_peer_id(rng),
            shared: shared.clone(),
        };
        let task = tokio::spawn(seed.run(ours)).abort_handle();
        Ok((WebSeed { shared, task }, theirs.into()))
    }

    async fn client(&self) -> Result<&Client, String> {
        self.client
            .get_or_try_init(|| async {
                let config = self.config.clone();
                let made = tokio::task::spawn_blocking(move || client::build(|| builder(&config))).await;
                made.map_err(|error| error.to_string())?.map(|(client, _)| client).map_err(client::describe)
            })
            .await
    }
}

fn builder(config: &WebSeedConfig) -> reqwest::ClientBuilder {
    let redirects = redirect::Policy::custom(|attempt| {
        let http = matches!(attempt.url().scheme(), "http" | "https");
        let allowed = http && attempt.previous().len() <= limits::WEB_SEED_REDIRECTS;
        if allowed { attempt.follow() } else { attempt.error("refused") }
    });
    client::builder(&config.user_agent, config.device.as_deref())
        .connect_timeout(config.answer)
        .redirect(redirects)
        .no_gzip()
}

/// `-WS0000-` (BEP 20) and twelve random characters.
fn fresh_peer_id(rng: &mut fastrand::Rng) -> PeerId {
    let mut id = *b"-WS0000-............";
    id[8..].fill_with(|| u8::try_from(rng.alphanumeric()).unwrap_or(b'x'));
    PeerId(id)
}

impl WebSeed {
    /// How it does.
    pub fn status(&self) -> WebSeedStatus {
        self.shared.status()
    }
}

impl Drop for WebSeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}
