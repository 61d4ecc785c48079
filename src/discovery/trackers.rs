//! Which trackers a torrent announces to: checked URLs, in tiers (BEP 12), and the rule for private torrents (BEP 27).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use super::request::Family;
use crate::limits;

/// A tracker's announce URL that was checked: `http`, `https` or `udp`, with a host, of bounded length.
///
/// `Display` and `Debug` leave path and query out, because they hold the passkeys of private trackers.
#[derive(Clone, PartialEq, Eq)]
pub struct TrackerUrl {
    text: String,
    /// With the scheme `http` in place of `udp`, so that host and port follow the same rules.
    parsed: Url,
    scheme: Scheme,
    /// Without its secrets.
    shown: Arc<str>,
}

/// How a tracker is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Scheme {
    /// BEP 3 in the clear.
    Http,
    /// BEP 3 over TLS.
    Https,
    /// BEP 15.
    Udp,
}

/// Why a tracker URL is not used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadTracker {
    /// Longer than `limits::TRACKER_URL`.
    #[error("tracker URL is longer than {} bytes", limits::TRACKER_URL)]
    TooLong,
    /// Not a URL with a host.
    #[error("not a tracker URL ({0}); it should look like http://host:port/announce or udp://host:port")]
    NotUrl(String),
    /// A scheme that is not spoken here (`wss` is for browsers).
    #[error("trackers of the kind {0}:// are not supported; http, https and udp are")]
    Scheme(String),
}

impl TrackerUrl {
    /// Checks `text`. A UDP tracker without a port is asked at port 80.
    pub fn parse(text: &str) -> Result<TrackerUrl, BadTracker> {
        let text = text.trim();
        if text.len() > limits::TRACKER_URL {
            return Err(BadTracker::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadTracker::NotUrl("it has control characters".into()));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| BadTracker::NotUrl("no ://".into()))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "udp" => Scheme::Udp,
            other => return Err(BadTracker::Scheme(other.escape_default().take(16).collect())),
        };
        let transport = if scheme == Scheme::Https { "https" } else { "http" };
        let parsed =
            Url::parse(&format!("{transport}://{rest}")).map_err(|cause| BadTracker::NotUrl(cause.to_string()))?;
        if parsed.port() == Some(0) {
            return Err(BadTracker::NotUrl("port 0".into()));
        }
        let port = parsed.port_or_known_default().unwrap_or(80);
        let shown = format!("{}://{}:{port}", scheme.name(), parsed.host_str().unwrap_or("")).into();
        Ok(TrackerUrl { text: text.to_owned(), parsed, scheme, shown })
    }

    /// As it was given, secrets included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, without its secrets.
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The URL to ask over HTTP, without its fragment.
    pub(super) fn http(&self) -> Url {
        let mut url = self.parsed.clone();
        url.set_fragment(None);
        url
    }

    /// Host name, or the address in the form that a resolver reads.
    pub(super) fn host(&self) -> String {
        match self.parsed.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.parsed.port_or_known_default().unwrap_or(80)
    }

    /// The address, if the host is one.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        match self.parsed.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// Whether an announce over `family` can be possible at all.
    pub(super) fn allows(&self, family: Family) -> bool {
        self.literal().is_none_or(|address| Family::of(address) == family)
    }

    /// Path and query, what BEP 41 sends to a UDP tracker; empty if the URL has neither.
    pub(super) fn path_and_query(&self) -> String {
        let path = if self.parsed.path() == "/" { "" } else { self.parsed.path() };
        match self.parsed.query() {
            Some(query) => format!("{}?{query}", if path.is_empty() { "/" } else { path }),
            None => path.to_owned(),
        }
    }

    /// The scrape URL (BEP 48): `announce` at the start of the last path segment becomes `scrape`.
    pub(super) fn scrape(&self) -> Option<Url> {
        let mut url = self.http();
        let (folder, last) = url.path().rsplit_once('/')?;
        let path = format!("{folder}/scrape{}", last.strip_prefix("announce")?);
        url.set_path(&path);
        Some(url)
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Udp => "udp",
        }
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The trackers of one torrent. A private torrent has no place for trackers (or anything else) that its file does not
/// name, so none can be passed by mistake (BEP 27).
#[derive(Clone, Debug)]
pub enum Trackers {
    /// `private=1`: only the tiers of the torrent file, one tracker at a time.
    Private {
        /// `announce-list`, or `announce` alone.
        tiers: Vec<Vec<TrackerUrl>>,
    },
    /// Anything else.
    Public {
        /// `announce-list`, or `announce` alone.
        tiers: Vec<Vec<TrackerUrl>>,
        /// Further tiers, from the operator.
        added: Vec<Vec<TrackerUrl>>,
    },
}

impl Trackers {
    /// Whether BEP 27 holds.
    pub fn is_private(&self) -> bool {
        matches!(self, Trackers::Private { .. })
    }

    /// All tiers in order, each URL once, at most `limits::TRACKERS`, no empty tier.
    pub(super) fn into_tiers(self) -> Vec<Vec<Arc<TrackerUrl>>> {
        let (tiers, added) = match self {
            Trackers::Private { tiers } => (tiers, Vec::new()),
            Trackers::Public { tiers, added } => (tiers, added),
        };
        let mut seen: Vec<Arc<TrackerUrl>> = Vec::new();
        let mut out = Vec::new();
        for tier in tiers.into_iter().chain(added) {
            let first = seen.len();
            for url in tier {
                if seen.len() < limits::TRACKERS && !seen.iter().any(|known| known.parsed_equals(&url)) {
                    seen.push(Arc::new(url));
                }
            }
            if seen.len() > first {
                out.push(seen[first..].to_vec());
            }
        }
        out
    }
}

impl TrackerUrl {
    fn parsed_equals(&self, other: &TrackerUrl) -> bool {
        self.scheme == other.scheme && self.parsed == other.parsed
    }
}

/// Checks the URLs of an `announce-list`. Usable ones keep their tiers; the others are returned with the reason.
pub fn parse_tiers<T: AsRef<str>>(tiers: &[Vec<T>]) -> (Vec<Vec<TrackerUrl>>, Vec<(String, BadTracker)>) {
    let mut refused = Vec::new();
    let mut check = |text: &T| match TrackerUrl::parse(text.as_ref()) {
        Ok(url) => Some(url),
        Err(cause) => {
            refused.push((text.as_ref().chars().take(limits::TRACKER_TEXT).collect(), cause));
            None
        }
    };
    let usable = tiers.iter().map(|tier| tier.iter().filter_map(&mut check).collect()).collect();
    (usable, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> TrackerUrl {
        TrackerUrl::parse(text).expect("a tracker URL")
    }

    #[test]
    fn urls_that_cannot_be_asked_are_refused() {
        assert!(matches!(TrackerUrl::parse("wss://t.example"), Err(BadTracker::Scheme(_))));
        assert!(matches!(TrackerUrl::parse("announce"), Err(BadTracker::NotUrl(_))));
        assert!(matches!(TrackerUrl::parse("http://"), Err(BadTracker::NotUrl(_))));
        assert!(matches!(TrackerUrl::parse("udp://h:0"), Err(BadTracker::NotUrl(_))));
        assert!(matches!(TrackerUrl::parse("udp://h:65536"), Err(BadTracker::NotUrl(_))));
        assert!(matches!(TrackerUrl::parse("http://h/a\r\nb"), Err(BadTracker::NotUrl(_))));
        assert_eq!(TrackerUrl::parse(&format!("http://h/{}", "a".repeat(3000))), Err(BadTracker::TooLong));
    }

    #[test]
    fn a_secret_in_the_path_is_not_displayed() {
        let url = url("https://t.example/0123passkey/announce?auth=secret");
        assert_eq!(url.to_string(), "https://t.example:443");
        assert_eq!(format!("{url:?}"), "https://t.example:443");
    }

    #[test]
    fn udp_hosts_follow_the_same_rules_as_http_hosts() {
        assert_eq!(url("udp://127.0.0.1:6969").literal(), Some("127.0.0.1".parse().expect("address")));
        assert_eq!(url("UDP://[::1]:6969/announce").literal(), Some("::1".parse().expect("address")));
        assert_eq!(url("udp://t.example").port(), 80);
        assert!(!url("udp://[::1]:1").allows(Family::V4));
        assert!(url("udp://t.example:1").allows(Family::V6));
    }

    #[test]
    fn path_and_query_go_to_udp_trackers_only_if_there_are_any() {
        assert_eq!(url("udp://h:1").path_and_query(), "");
        assert_eq!(url("udp://h:1/").path_and_query(), "");
        assert_eq!(url("udp://h:1/announce").path_and_query(), "/announce");
        assert_eq!(url("udp://h:1/?a=b").path_and_query(), "/?a=b");
    }

    #[test]
    fn scrape_urls_exist_only_where_the_convention_holds() {
        let scrape = |text| url(text).scrape().map(String::from);
        assert_eq!(scrape("http://h/announce").as_deref(), Some("http://h/scrape"));
        assert_eq!(scrape("http://h/x/announce.php?a=b").as_deref(), Some("http://h/x/scrape.php?a=b"));
        assert_eq!(scrape("http://h/a"), None);
        assert_eq!(scrape("http://h/announce/x"), None);
    }

    #[test]
    fn a_url_is_announced_to_once_even_if_listed_twice() {
        let tiers = vec![vec![url("http://a/announce"), url("HTTP://A:80/announce")], vec![url("http://a/announce")]];
        let flat = Trackers::Public { tiers, added: vec![vec![url("udp://b:1")]] }.into_tiers();
        assert_eq!(flat.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn bad_urls_of_a_list_do_not_cost_the_good_ones() {
        let (tiers, refused) = parse_tiers(&[vec!["wss://x", "udp://h:1"], vec!["nonsense"]]);
        assert_eq!(tiers[0].len(), 1);
        assert_eq!(refused.len(), 2);
    }
}
