//! What a tracker answers over HTTP: BEP 3, 7, 23, 24, 31, 48. Pure; every list and text is bounded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::error::{AnnounceError, Retry, readable};
use super::request::Family;
use crate::bencode::{self, Bounds, Dict, Order, Value};
use crate::ids::InfoHash;
use crate::limits;

/// A tracker's answer to an announce.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// Wished time between announces, as the tracker said it.
    pub interval: Duration,
    /// Least time between announces, if it said so.
    pub min_interval: Option<Duration>,
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// Message to the operator, cleaned.
    pub warning: Option<String>,
    /// To be sent back with the next announces.
    pub tracker_id: Option<Arc<[u8]>>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Addresses of other peers, at most `limits::TRACKER_PEERS`.
    pub peers: Vec<SocketAddr>,
}

/// A tracker's count of one swarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scrape {
    /// Peers that have everything.
    pub seeders: u32,
    /// Downloads that became complete, ever.
    pub completed: u32,
    /// Peers that have not everything.
    pub leechers: u32,
}

const BOUNDS: Bounds = Bounds { depth: 8, values: 16 * 1024, order: Order::Any };
/// For trackers that name no interval: what most of them say.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(30 * 60);

/// Reads the body of an answer to an announce.
pub(super) fn parse_announce(body: &[u8]) -> Result<Reply, AnnounceError> {
    let value = bencode::decode(body, BOUNDS).map_err(|cause| malformed(body, &cause))?;
    let dict = value.as_dict().ok_or_else(|| AnnounceError::Malformed("not a dictionary".into()))?;
    if let Some(failure) = failure(dict) {
        return Err(failure);
    }
    let mut peers = Vec::new();
    read_peers(dict.get(b"peers"), Family::V4, &mut peers);
    read_peers(dict.get(b"peers6"), Family::V6, &mut peers);
    Ok(Reply {
        interval: seconds(dict, b"interval").unwrap_or(INTERVAL_DEFAULT),
        min_interval: seconds(dict, b"min interval"),
        seeders: count(dict, b"complete"),
        leechers: count(dict, b"incomplete"),
        warning: text(dict, b"warning message"),
        tracker_id: bytes(dict, b"tracker id").filter(|id| id.len() <= limits::TRACKER_ID).map(Arc::from),
        external_ip: bytes(dict, b"external ip").and_then(read_ip),
        peers,
    })
}

/// Reads the body of an answer to a scrape; one entry for each of `hashes`, `None` for those that the tracker left out.
pub(super) fn parse_scrape(body: &[u8], hashes: &[InfoHash]) -> Result<Vec<Option<Scrape>>, AnnounceError> {
    let value = bencode::decode(body, BOUNDS).map_err(|cause| malformed(body, &cause))?;
    let dict = value.as_dict().ok_or_else(|| AnnounceError::Malformed("not a dictionary".into()))?;
    if let Some(failure) = failure(dict) {
        return Err(failure);
    }
    let files = dict
        .get(b"files")
        .and_then(Value::as_dict)
        .ok_or_else(|| AnnounceError::Malformed("no files in the answer to a scrape".into()))?;
    let entry = |hash: &InfoHash| {
        let file = files.get(&hash.0)?.as_dict()?;
        Some(Scrape {
            seeders: count(file, b"complete").unwrap_or(0),
            completed: count(file, b"downloaded").unwrap_or(0),
            leechers: count(file, b"incomplete").unwrap_or(0),
        })
    };
    Ok(hashes.iter().map(entry).collect())
}

fn malformed(body: &[u8], cause: &bencode::Error) -> AnnounceError {
    // a web page is the most common wrong answer; its first words say which
    AnnounceError::Malformed(format!("{cause}; it begins with \"{}\"", readable(&body[..body.len().min(40)])))
}

fn failure(dict: &Dict<'_>) -> Option<AnnounceError> {
    let reason = text(dict, b"failure reason")?;
    let retry = match dict.get(b"retry in") {
        Some(Value::Integer(minutes)) => u64::try_from(*minutes)
            .map_or(Retry::Unsaid, |minutes| Retry::After(Duration::from_secs(minutes.saturating_mul(60)))),
        Some(Value::Bytes(b"never")) => Retry::Never,
        // trackers in use send the number as text
        Some(Value::Bytes(digits)) => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<u32>().ok())
            .map_or(Retry::Unsaid, |minutes| Retry::After(Duration::from_secs(u64::from(minutes) * 60))),
        _ => Retry::Unsaid,
    };
    Some(AnnounceError::Failure { reason, retry })
}

fn bytes<'a>(dict: &Dict<'a>, key: &[u8]) -> Option<&'a [u8]> {
    dict.get(key)?.as_bytes()
}

fn text(dict: &Dict<'_>, key: &[u8]) -> Option<String> {
    bytes(dict, key).map(readable)
}

fn count(dict: &Dict<'_>, key: &[u8]) -> Option<u32> {
    u32::try_from(dict.get(key)?.as_integer()?).ok()
}

fn seconds(dict: &Dict<'_>, key: &[u8]) -> Option<Duration> {
    u64::try_from(dict.get(key)?.as_integer()?).ok().map(Duration::from_secs)
}

/// BEP 24: four or sixteen bytes. Some trackers send the text form.
fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(octets).into());
    }
    if let Ok(octets) = <[u8; 16]>::try_from(bytes) {
        return Some(IpAddr::from(Ipv6Addr::from(octets)).to_canonical());
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn read_peers(value: Option<&Value<'_>>, family: Family, out: &mut Vec<SocketAddr>) {
    match value {
        Some(Value::Bytes(compact)) => read_compact(compact, family, out),
        Some(Value::List(list)) => {
            for peer in list.iter().filter_map(Value::as_dict).filter_map(read_dict_peer) {
                push_peer(peer, out);
            }
        }
        _ => {}
    }
}

/// A peer in the old form. Host names, which BEP 3 allows, are left out: they would let a tracker make us look up
/// whatever it wants.
fn read_dict_peer(peer: &Dict<'_>) -> Option<SocketAddr> {
    let address: IpAddr = std::str::from_utf8(bytes(peer, b"ip")?).ok()?.parse().ok()?;
    let port = u16::try_from(peer.get(b"port")?.as_integer()?).ok()?;
    Some(SocketAddr::new(address, port))
}

/// BEP 23 and 7: address and port, big-endian, one after another. A rest shorter than a peer is ignored.
pub(super) fn read_compact(bytes: &[u8], family: Family, out: &mut Vec<SocketAddr>) {
    match family {
        Family::V4 => {
            for &[a, b, c, d, high, low] in bytes.as_chunks::<6>().0 {
                push_peer(SocketAddr::new([a, b, c, d].into(), u16::from_be_bytes([high, low])), out);
            }
        }
        Family::V6 => {
            for &[ref address @ .., high, low] in bytes.as_chunks::<18>().0 {
                let address: [u8; 16] = *address;
                push_peer(SocketAddr::new(address.into(), u16::from_be_bytes([high, low])), out);
            }
        }
    }
}

fn push_peer(peer: SocketAddr, out: &mut Vec<SocketAddr>) {
    let address = peer.ip().to_canonical();
    let dialable = peer.port() != 0 && !address.is_unspecified() && !address.is_multicast();
    if dialable && address != IpAddr::V4(Ipv4Addr::BROADCAST) && out.len() < limits::TRACKER_PEERS {
        out.push(SocketAddr::new(address, peer.port()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_full_answer_is_read() {
        let mut body = b"d8:completei3e11:external ip4:\x0a\x01\x02\x0310:incompletei5e8:intervali1800e12:min intervali900e5:peers12:".to_vec();
        body.extend([10, 0, 0, 1, 0x1a, 0xe1, 10, 0, 0, 2, 0, 80]);
        body.extend(b"6:peers618:");
        body.extend("2001:db8::1".parse::<Ipv6Addr>().expect("address").octets());
        body.extend([0x1a, 0xe1]);
        body.extend(b"10:tracker id3:a\0b15:warning message5:h\x1b[0me");
        let reply = parse_announce(&body).expect("an answer");
        assert_eq!(reply.interval, Duration::from_secs(1800));
        assert_eq!(reply.min_interval, Some(Duration::from_secs(900)));
        assert_eq!((reply.seeders, reply.leechers), (Some(3), Some(5)));
        assert_eq!(reply.external_ip, Some("10.1.2.3".parse().expect("address")));
        assert_eq!(reply.peers, [peer("10.0.0.1:6881"), peer("10.0.0.2:80"), peer("[2001:db8::1]:6881")]);
        assert_eq!(reply.tracker_id.as_deref(), Some(&b"a\0b"[..]));
        assert_eq!(reply.warning.as_deref(), Some("h [0m"));
    }

    #[test]
    fn peers_in_the_old_form_are_read_but_names_are_not_looked_up() {
        let body =
            b"d8:intervali1e5:peersld2:ip8:10.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti1eed2:ip3:::14:porti2ee\
                     d2:ip9:localhost4:porti3eed2:ip8:10.0.0.14:porti65536eed2:ip8:10.0.0.14:porti0eei5eee";
        assert_eq!(parse_announce(body).expect("an answer").peers, [peer("10.0.0.1:1"), peer("[::1]:2")]);
    }

    #[test]
    fn addresses_that_nobody_can_dial_are_dropped() {
        let body = b"d8:intervali1e5:peers24:\0\0\0\0\0\x01\xff\xff\xff\xff\0\x01\xe0\0\0\x01\0\x01\x0a\0\0\x01\0\0e";
        assert_eq!(parse_announce(body).expect("an answer").peers, []);
        let mut out = Vec::new();
        read_compact(b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01\0\x50rest", Family::V6, &mut out);
        assert_eq!(out, [peer("10.0.0.1:80")]);
    }

    #[test]
    fn no_answer_holds_more_peers_than_the_bound() {
        let mut out = Vec::new();
        read_compact(&[1; 6 * 5_000], Family::V4, &mut out);
        assert_eq!(out.len(), limits::TRACKER_PEERS);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let failure = |body: &[u8]| match parse_announce(body) {
            Err(AnnounceError::Failure { reason, retry }) => (reason, retry),
            other => panic!("{other:?}"),
        };
        assert_eq!(failure(b"d14:failure reason2:noe"), ("no".into(), Retry::Unsaid));
        let five = Retry::After(Duration::from_secs(300));
        assert_eq!(failure(b"d14:failure reason2:no8:retry ini5ee").1, five);
        assert_eq!(failure(b"d14:failure reason2:no8:retry in1:5e").1, five);
        assert_eq!(failure(b"d14:failure reason2:no8:retry in5:nevere").1, Retry::Never);
        assert_eq!(failure(b"d14:failure reason2:no8:retry ini-5ee").1, Retry::Unsaid);
    }

    #[test]
    fn nonsense_is_an_error_that_shows_how_it_begins() {
        let error = parse_announce(b"<html><head>").expect_err("not bencode").to_string();
        assert!(error.contains("<html>"), "{error}");
        for body in [&b""[..], b"i5e", b"d", b"le", b"d8:interval", b"d5:peers999999999999:e"] {
            assert!(matches!(parse_announce(body), Err(AnnounceError::Malformed(_))), "{body:?}");
        }
        let odd = parse_announce(b"d8:completei-1e8:intervali-9e5:peersi7ee").expect("odd but bencode");
        assert_eq!((odd.interval, odd.seeders), (INTERVAL_DEFAULT, None));
    }

    #[test]
    fn a_scrape_is_matched_by_hash() {
        let (known, unknown) = (InfoHash([7; 20]), InfoHash([8; 20]));
        let mut body = b"d5:filesd20:".to_vec();
        body.extend([7; 20]);
        body.extend(b"d8:completei2e10:downloadedi9e10:incompletei1eeee");
        let scrape = parse_scrape(&body, &[unknown, known]).expect("an answer");
        assert_eq!(scrape, [None, Some(Scrape { seeders: 2, completed: 9, leechers: 1 })]);
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_the_parsers_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = parse_announce(&body);
            let _ = parse_scrape(&body, &[InfoHash([0; 20])]);
        }
    }
}
