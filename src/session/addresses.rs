//! Where others reach this host, as far as it can tell by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that peers can use: those the operator named, or those of this host's interfaces.
#[derive(Clone, Debug)]
pub(super) struct Reachable {
    named: bool,
    ipv4: Option<Ipv4Addr>,
    ipv6: Option<Ipv6Addr>,
}

impl Reachable {
    /// The first of each family in `external`; without any, the addresses of the interfaces or of the one named, global ones before the rest.
    pub(super) fn find(external: &[IpAddr], device: Option<&str>) -> Reachable {
        let named = !external.is_empty();
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
        let used = interfaces.filter(|interface| device.is_none_or(|device| interface.name == device));
        let own = || used.map(|interface| interface.ip());
        let all: Vec<IpAddr> = if named { external.to_vec() } else { own().collect() };
        let v4 = all.iter().filter_map(|ip| if let IpAddr::V4(v4) = ip { Some(*v4) } else { None });
        let v6 = all.iter().filter_map(|ip| if let IpAddr::V6(v6) = ip { Some(*v6) } else { None });
        let usable = |v6: &Ipv6Addr| named || !(v6.is_loopback() || v6.is_unicast_link_local());
        Reachable {
            named,
            ipv4: v4.filter(|v4| named || !v4.is_link_local()).min_by_key(|v4| v4.is_loopback()),
            ipv6: v6.filter(usable).min_by_key(Ipv6Addr::is_unique_local),
        }
    }

    /// What the embedded tracker lists us at; `None`: the address at which the asking peer reached the tracker, which
    /// is right for everybody but those behind a translation of addresses.
    pub(super) fn one_of_each(&self) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        if self.named { (self.ipv4, self.ipv6) } else { (None, None) }
    }

    /// URLs of a tracker at `port`, in the order of a torrent's tiers.
    pub(super) fn tracker_urls(&self, port: u16) -> Vec<String> {
        let hosts = self.hosts();
        let url = |scheme: &'static str| move |host: &String| format!("{scheme}://{host}:{port}/announce");
        hosts.iter().map(url("http")).chain(hosts.iter().map(url("udp"))).collect()
    }

    /// URLs of what is served by HTTP at `port`; each ends with a slash.
    pub(super) fn http_urls(&self, port: u16) -> Vec<String> {
        self.hosts().iter().map(|host| format!("http://{host}:{port}/")).collect()
    }

    /// As they stand in URLs; at least one.
    fn hosts(&self) -> Vec<String> {
        let v4 = self.ipv4.map(|v4| v4.to_string());
        let v6 = self.ipv6.map(|v6| format!("[{v6}]"));
        let hosts: Vec<String> = v4.into_iter().chain(v6).collect();
        if hosts.is_empty() { vec!["127.0.0.1".to_owned()] } else { hosts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_addresses_are_used_as_they_are() {
        let named: Vec<IpAddr> = ["198.51.100.7", "2001:db8::7"].map(|ip| ip.parse().expect("address")).to_vec();
        let reachable = Reachable::find(&named, None);
        assert_eq!(
            reachable.tracker_urls(6969),
            [
                "http://198.51.100.7:6969/announce",
                "http://[2001:db8::7]:6969/announce",
                "udp://198.51.100.7:6969/announce",
                "udp://[2001:db8::7]:6969/announce",
            ]
        );
        assert_eq!(reachable.http_urls(6881), ["http://198.51.100.7:6881/", "http://[2001:db8::7]:6881/"]);
        assert_eq!(
            reachable.one_of_each(),
            (Some(Ipv4Addr::new(198, 51, 100, 7)), Some("2001:db8::7".parse().expect("address")))
        );
    }

    #[test]
    fn a_host_has_at_least_one_address_to_name() {
        assert!(!Reachable::find(&[], None).tracker_urls(1).is_empty());
    }
}
