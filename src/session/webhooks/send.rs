//! One receiver: its events one after the other, each tried a few times.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use ring::hmac;
use serde_json::json;
use tokio::sync::mpsc;

use crate::discovery::client;

use super::super::identity::USER_AGENT;
use super::WebhookConfig;
use super::outside::{Outside, REFUSED, is_public};
use super::watcher::Event;

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waits between tries, in seconds: over a restart of the receiver, and over half an hour of its network.
const WAITS: [u64; 5] = [1, 5, 30, 300, 1_500];

/// See the module.
pub(super) struct Sender {
    url: Url,
    client: Client,
    key: Option<hmac::Key>,
    private_targets: bool,
}

/// Why a try failed.
enum Failure {
    /// It may work another time.
    Now(String),
    /// It will not.
    ForGood(String),
}

impl Sender {
    pub(super) fn new(url: Url, config: &WebhookConfig) -> io::Result<Sender> {
        let builder = || {
            let builder = client::builder(USER_AGENT, config.device.as_deref()).redirect(redirect::Policy::none());
            let builder = builder.timeout(PATIENCE);
            if config.private_targets { builder } else { builder.dns_resolver(Arc::new(Outside)) }
        };
        let (client, _) = client::build(builder).map_err(|error| io::Error::other(client::describe(error)))?;
        let key = config.secret.as_ref().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret));
        Ok(Sender { url, client, key, private_targets: config.private_targets })
    }

    /// How it is called in the log: without what may be secret.
    pub(super) fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Sends what comes until nothing will come any more.
    pub(super) async fn run(self, mut events: mpsc::Receiver<Arc<Event>>) {
        while let Some(event) = events.recv().await {
            self.deliver(&event).await;
        }
    }

    async fn deliver(&self, event: &Event) {
        let body = body(event, now());
        for wait in WAITS.map(Some).into_iter().chain([None]) {
            match (self.send(event, body.clone()).await, wait) {
                (Ok(()), _) => return,
                (Err(Failure::Now(why)), Some(wait)) => {
                    tracing::debug!("webhook {}: {why}; again in {wait} s", self.name());
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                }
                (Err(Failure::Now(why) | Failure::ForGood(why)), _) => {
                    let (receiver, kind, torrent) = (self.name(), event.kind.name(), event.row.info_hash());
                    return tracing::warn!("webhook {receiver}: it does not hear that {torrent} was {kind}: {why}");
                }
            }
        }
    }

    async fn send(&self, event: &Event, body: Vec<u8>) -> Result<(), Failure> {
        // an address is not looked up, so no resolver could refuse it
        let literal = match self.url.host() {
            Some(url::Host::Ipv4(address)) => Some(address.into()),
            Some(url::Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        if !self.private_targets && literal.is_some_and(|address| !is_public(address)) {
            return Err(Failure::ForGood(REFUSED.into()));
        }
        let mut request = self.client.post(self.url.clone()).header("X-Sower-Event", event.kind.name());
        if let Some(key) = &self.key {
            request = request.header("X-Sower-Signature", signature(key, &body));
        }
        let sent = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body).send().await;
        match sent.map_err(|error| Failure::Now(client::describe(error)))?.status() {
            status if status.is_success() => Ok(()),
            status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                Err(Failure::Now(status.to_string()))
            }
            status if status.is_server_error() => Err(Failure::Now(status.to_string())),
            status => Err(Failure::ForGood(format!("it answers {status}"))),
        }
    }
}

fn signature(key: &hmac::Key, body: &[u8]) -> String {
    let digits: String = hmac::sign(key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

fn body(event: &Event, at: u64) -> Vec<u8> {
    let row = &event.row;
    let document = json!({
        "event": event.kind.name(),
        "at": at,
        "hash": row.info_hash().to_string(),
        "name": row.name(),
        "size": row.about.size,
        "path": row.content_path().to_string_lossy(),
        "category": row.choice.category,
        "tags": row.choice.tags,
        "uploaded": row.numbers.uploaded,
        "downloaded": row.numbers.downloaded,
        "ratio": row.ratio(),
        "message": row.message.as_deref(),
    });
    document.to_string().into_bytes()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // RFC 4231, test case 2
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let signed = signature(&key, b"what do ya want for nothing?");
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
