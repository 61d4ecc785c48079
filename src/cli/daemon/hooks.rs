//! Webhooks as the configuration has them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;

use crate::session::seedbox::Seedbox;
use crate::session::webhooks::{WebhookConfig, Webhooks};

use super::config::Config;

/// Longest secret.
const SECRET: u64 = 4 * 1024;

/// Starts them. Events that a receiver expects to be signed are never sent without a signature: a secret that cannot be read is an error.
pub(super) fn start(config: &Config, folder: &Path, seedbox: &Seedbox) -> anyhow::Result<Webhooks> {
    let hooks = &config.webhooks;
    let secret = hooks.secret_file.as_ref().map(|place| place.below(folder));
    let read =
        |path: &Path| secret_of(path).with_context(|| format!("webhooks.secret-file: cannot use {}", path.display()));
    let made = WebhookConfig {
        urls: hooks.urls.iter().map(|url| url.0.clone()).collect(),
        kinds: hooks.events.iter().copied().collect(),
        secret: secret.as_deref().map(read).transpose()?,
        private_targets: hooks.private_targets,
        device: config.network.bind_device.as_ref().map(|device| device.0.clone()),
    };
    Webhooks::start(&made, seedbox.watch()).context("webhooks cannot be sent")
}

/// The content of a file, without the line end that editors add.
fn secret_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut secret = Vec::new();
    File::open(path)?.take(SECRET + 1).read_to_end(&mut secret)?;
    while secret.last().is_some_and(u8::is_ascii_whitespace) {
        secret.pop();
    }
    match u64::try_from(secret.len()) {
        Ok(1..=SECRET) => Ok(secret),
        _ => Err(io::Error::other("a secret has 1 to 4096 bytes")),
    }
}
