//! What the HTTP clients of this program have in common: those that announce, and those that fetch content.
//!
//! No proxy is used, whatever the environment says: a tracker would take the proxy's address for ours.

use std::io;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};

/// A client that says `user_agent` and speaks by the network interface `device`, if one is named.
pub fn builder(user_agent: &str, device: Option<&str>) -> ClientBuilder {
    let builder = match device {
        Some(device) => Client::builder().interface(device),
        None => Client::builder(),
    };
    builder.user_agent(user_agent).no_proxy().referer(false).pool_idle_timeout(Duration::from_secs(30))
}

/// Builds a client, and tells whether the system has certificate authorities: with none at all, HTTP must go on working.
/// Reads files, so call it where blocking is allowed.
pub fn build(of: impl Fn() -> ClientBuilder) -> Result<(Client, bool), reqwest::Error> {
    // an error means that the process has a provider already, which is as good
    let _ = rustls::crypto::ring::default_provider().install_default();
    match of().build() {
        Ok(client) => Ok((client, true)),
        Err(_) => Ok((of().tls_certs_only([]).build()?, false)),
    }
}

/// What went wrong in TLS, in words that tell what to do about it.
pub(super) fn explain(error: &rustls::Error) -> String {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "its certificate is signed by nobody that this system trusts; a private authority can be named in \
             SSL_CERT_FILE"
                .into()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "its certificate has expired (or this machine's clock is wrong)".into()
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "its certificate is for another name".into()
        }
        other => other.to_string(),
    }
}

/// A failed exchange in one line, without the URL, which may hold secrets.
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let tls = causes(&error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    tls.map_or_else(|| chain(&error), explain)
}

/// The error and its causes in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    // what only wraps another error often says the same
    texts.dedup();
    texts.join(": ")
}

/// The error and what caused it. An `io::Error` hides what it wraps from `source`, so that is asked for.
pub(super) fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |&cause| match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped as &(dyn std::error::Error + 'static)),
        None => cause.source(),
    })
}
