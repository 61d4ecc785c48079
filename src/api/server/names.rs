//! By which names the daemon may be called, and from which pages.
//!
//! A page of another site can make a browser send requests here, but it can choose neither `Host` nor `Origin`. With DNS rebinding
//! its own name leads to us: then `Host` is that name, and nobody here has it. Without, `Origin` is that site's, or
//! `Sec-Fetch-Site` says so. Programs send none of these but `Host`.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN, REFERER};
use axum::http::{HeaderMap, HeaderName, Method, Uri};

use crate::api::guard::Denied;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Names beside the addresses it is reached by and `localhost`, in lower case.
#[derive(Clone, Debug)]
pub(super) struct Names(Vec<String>);

/// What of a request says where it comes from.
pub(super) struct Sent<'request> {
    pub(super) method: &'request Method,
    pub(super) uri: &'request Uri,
    pub(super) headers: &'request HeaderMap,
}

impl Names {
    pub(super) fn new(names: &[String]) -> Names {
        Names(names.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect())
    }

    /// Whether a request that came to our address `reached` was meant for us, and not made by another site.
    pub(super) fn admit(&self, sent: &Sent<'_>, reached: IpAddr) -> Result<(), Denied> {
        let mut hosts = sent.headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
        let host = host.ok_or(Denied::Misdirected)?;
        // a request to a proxy names its target in the first line, and that is what counts
        let target = sent.uri.authority().map(|authority| authority.as_str());
        if ![Some(host), target].into_iter().flatten().all(|authority| self.is_ours(authority, reached)) {
            return Err(Denied::Misdirected);
        }
        self.check_page(sent, host)
    }

    /// An address is ours if the connection came to it: that it is some address is not enough where this host has several.
    fn is_ours(&self, authority: &str, reached: IpAddr) -> bool {
        let Some(name) = name_of(authority) else { return false };
        match name.parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback() || address == reached.to_canonical() || self.has(&name)
            }
            Err(_) => name == "localhost" || self.has(&name),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|ours| ours == name)
    }

    fn check_page(&self, sent: &Sent<'_>, host: &str) -> Result<(), Denied> {
        let text = |name: HeaderName| sent.headers.get(name).map(|value| value.to_str().unwrap_or("null"));
        if let Some("cross-site" | "same-site") = text(SITE)
            && !(sent.method == Method::GET && sent.uri.path() == "/" && text(MODE) == Some("navigate"))
        {
            return Err(Denied::Foreign("another web site may not send requests here"));
        }
        let reads = sent.method == Method::GET || sent.method == Method::HEAD;
        let page = text(ORIGIN).or_else(|| text(REFERER).filter(|_| !reads));
        match page {
            Some(page) if !self.is_our_page(page, host) => Err(Denied::Foreign(
                "the page that sends this request is not one of this daemon; behind a proxy, add its name to `hosts` under [api] in config.toml and start it again",
            )),
            _ => Ok(()),
        }
    }

    /// Same host and port as the request, or a name that the owner listed: a proxy in front of us has another port.
    fn is_our_page(&self, page: &str, host: &str) -> bool {
        let rest = page.strip_prefix("http://").or_else(|| page.strip_prefix("https://"));
        let Some(authority) = rest.and_then(|rest| rest.split('/').next()) else { return false };
        authority.eq_ignore_ascii_case(host) || name_of(authority).is_some_and(|name| self.has(&name))
    }
}

/// Name or address of `name:port` or `[address]:port`, in lower case and without brackets.
fn name_of(authority: &str) -> Option<String> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address, port.strip_prefix(':').or(port.is_empty().then_some("0")))
        }
        None => authority.split_once(':').map_or((authority, Some("0")), |(name, port)| (name, Some(port))),
    };
    port?.parse::<u16>().ok()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)))
        .then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const REACHED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 5));

    fn admit(method: Method, uri: &str, headers: &[(HeaderName, &'static str)]) -> Result<(), Denied> {
        let names = Names::new(&["Seedbox.Example".into()]);
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let uri = uri.parse().expect("a path");
        names.admit(&Sent { method: &method, uri: &uri, headers: &headers }, REACHED)
    }

    fn foreign(result: Result<(), Denied>) -> bool {
        matches!(result, Err(Denied::Foreign(_)))
    }

    #[test]
    fn it_answers_to_its_own_names_alone() {
        #[rustfmt::skip]
        let ours = ["localhost", "LOCALHOST:80", "localhost.:9091", "127.0.0.1:9091", "[::1]:9091", "192.168.1.5:9091", "192.168.1.5",
            "seedbox.example", "SEEDBOX.example.:443"];
        for host in ours {
            assert_eq!(admit(Method::GET, "/", &[(HOST, host)]), Ok(()), "{host}");
        }
        #[rustfmt::skip]
        let others = ["evil.example", "localhost.evil.example", "evil-localhost", "192.168.1.6", "192.168.1.5.evil.example", "", ":9091",
            "user@localhost", "localhost:x", "localhost:99999", "[::1", "127.0.0.1:80:80", "seedbox.example.evil.example",
            "local host", "0.0.0.0"];
        for host in others {
            assert_eq!(admit(Method::GET, "/", &[(HOST, host)]), Err(Denied::Misdirected), "{host}");
        }
        assert_eq!(admit(Method::GET, "/", &[]), Err(Denied::Misdirected), "no name");
        let twice = [(HOST, "localhost"), (HOST, "evil.example")];
        assert_eq!(admit(Method::GET, "/", &twice), Err(Denied::Misdirected), "two names");
        assert_eq!(admit(Method::GET, "http://evil.example/", &[(HOST, "localhost")]), Err(Denied::Misdirected));
    }

    #[test]
    fn pages_of_others_send_nothing() {
        let post = |headers: &[(HeaderName, &'static str)]| admit(Method::POST, "/api/v2/torrents/add", headers);
        assert_eq!(post(&[(HOST, "localhost:9091")]), Ok(()), "a program");
        assert_eq!(post(&[(HOST, "localhost:9091"), (ORIGIN, "http://localhost:9091")]), Ok(()));
        assert_eq!(post(&[(HOST, "127.0.0.1:9091"), (ORIGIN, "https://seedbox.example")]), Ok(()), "a proxy");
        assert_eq!(post(&[(HOST, "localhost:9091"), (REFERER, "http://localhost:9091/page?q")]), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:8080",
            "http://localhost:9091.evil.example",
            "",
            "file://",
        ] {
            assert!(foreign(post(&[(HOST, "localhost:9091"), (ORIGIN, origin)])), "{origin}");
        }
        assert!(foreign(post(&[(HOST, "localhost:9091"), (REFERER, "http://evil.example/http://localhost:9091")])));
        assert!(foreign(post(&[(HOST, "localhost:9091"), (SITE, "cross-site")])));
        assert!(foreign(post(&[(HOST, "localhost:9091"), (SITE, "same-site")])), "another port of this host");
    }

    #[test]
    fn a_link_from_another_site_leads_to_the_page_and_nowhere_else() {
        let link = [(HOST, "localhost"), (SITE, "cross-site"), (MODE, "navigate")];
        assert_eq!(admit(Method::GET, "/", &link), Ok(()));
        assert!(foreign(admit(Method::GET, "/api/v1/torrents", &link)));
        assert!(foreign(admit(Method::POST, "/", &link)));
        let image = [(HOST, "localhost"), (SITE, "cross-site"), (MODE, "no-cors")];
        assert!(foreign(admit(Method::GET, "/", &image)));
        let typed = [(HOST, "localhost"), (SITE, "none"), (MODE, "navigate")];
        assert_eq!(admit(Method::GET, "/api/v1/torrents", &typed), Ok(()));
    }
}
