//! The daemon, as this command knows it: a few requests of its own API.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::Args;
use super::app::{Event, Order, Tab};
use super::list::Row;
use crate::api::guard::Token;
use crate::discovery::client;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that an answer may have: 100,000 torrents with these fields.
const ANSWER: usize = 64 * 1024 * 1024;
/// What rows show.
const FIELDS: &str = "hash,name,size,activity,activity_per_mille,message,progress,ratio,uploaded,downloaded,upload_rate,download_rate,peers,seeds,left,category,folder,tracker_trouble";

/// How to reach it. Cloning shares its connections.
#[derive(Clone)]
pub(super) struct Daemon {
    client: Client,
    base: String,
    token: Option<String>,
    /// Where that is, for messages.
    place: String,
}

/// What is asked beside the list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wish {
    pub(super) details: Option<(String, Tab)>,
}

/// What has changed.
#[derive(Deserialize, Debug)]
pub(super) struct Changes {
    pub(super) revision: u64,
    #[serde(default)]
    pub(super) full: bool,
    pub(super) changed: Vec<Row>,
    #[serde(default)]
    pub(super) removed: Vec<String>,
    pub(super) totals: Totals,
}

/// Sums.
#[derive(Deserialize, Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) upload_rate: u64,
    pub(super) download_rate: u64,
    pub(super) uploaded: u64,
    pub(super) connections: u32,
    pub(super) free: Option<u64>,
    /// What its owner has to mend.
    pub(super) trouble: Option<String>,
}

impl Daemon {
    pub(super) fn new(args: &Args) -> anyhow::Result<Daemon> {
        let (client, _) = client::build(|| {
            let builder =
                client::builder(concat!("sower/", env!("CARGO_PKG_VERSION")), None).timeout(PATIENCE).no_proxy();
            match &args.state {
                Some(state) => builder.unix_socket(state.join("api.sock")),
                None => builder,
            }
        })?;
        let base = args.url.clone().unwrap_or_else(|| "http://localhost".into());
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("{base}: begin the address with http:// or https://, such as http://127.0.0.1:9091");
        }
        if base.contains('@') {
            bail!(
                "leave user and password out of the address, which everybody on this host can see: name --token-file"
            );
        }
        let token = match &args.token_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                let token = Token::new(text.trim());
                let lost =
                    || format!("{} holds no token: copy the file `token` of the daemon's state folder", file.display());
                Some(token.with_context(lost)?.reveal().to_owned())
            }
            None => None,
        };
        let place = match &args.state {
            Some(state) => state.join("api.sock").display().to_string(),
            None => base.clone(),
        };
        Ok(Daemon { client, base: base.trim_end_matches('/').into(), token, place })
    }

    /// What has changed since that revision; everything without one.
    pub(super) async fn changes(&self, since: Option<u64>) -> anyhow::Result<Changes> {
        // a revision that cannot be is answered with everything
        let since = since.unwrap_or(0);
        self.get(&format!("torrents?since={since}&fields={FIELDS}")).await
    }

    /// Tells events: what has changed, and what is wished for, each second and whenever the wish is another.
    pub(super) async fn follow(self, mut wishes: watch::Receiver<Wish>, events: mpsc::Sender<Event>) {
        let mut since = None;
        loop {
            let wish = wishes.borrow_and_update().clone();
            let changes = self.changes(since).await.map_err(|error| format!("{error:#}"));
            since = changes.as_ref().map_or(None, |changes| Some(changes.revision));
            if events.send(Event::Changes(changes)).await.is_err() {
                return;
            }
            if let Some((hash, tab)) = wish.details {
                let answer = self.get::<Value>(&tab.path(&hash)).await.map_err(|error| format!("{error:#}"));
                if events.send(Event::Details(hash, tab, answer)).await.is_err() {
                    return;
                }
            }
            // an error means that the command ends
            let _ = tokio::time::timeout(PAUSE, wishes.changed()).await;
        }
    }

    /// Has it change a torrent.
    pub(super) async fn change(&self, order: &Order) -> anyhow::Result<()> {
        let body = json!({"hashes": [order.hash], "change": order.change.as_json()});
        self.ask(Method::POST, "change", Some(body)).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let body = self.ask(Method::GET, path, None).await?;
        serde_json::from_slice(&body).context("the daemon's answer is not what this version of sower knows")
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Vec<u8>> {
        let mut request = self.client.request(method, format!("{}/api/v1/{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let sent = request.send().await.map_err(client::describe);
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => bail!("no daemon answers at {}: {error}; is it running, and as this user?", self.place),
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.context("the daemon's answer broke off")? {
            if bytes.len() + chunk.len() > ANSWER {
                bail!("the daemon's answer is too long");
            }
            bytes.extend_from_slice(&chunk);
        }
        if response.status().is_success() {
            return Ok(bytes);
        }
        let said = serde_json::from_slice::<Value>(&bytes).ok();
        match said.as_ref().and_then(|said| said["error"]["message"].as_str()) {
            Some(message) => bail!("{message}"),
            None => bail!("the daemon answered {}", response.status()),
        }
    }
}
