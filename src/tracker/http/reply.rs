//! Bencoded answers (BEP 3, 7, 23, 24, 31, 48).

use std::fmt::Display;
use std::net::IpAddr;

use crate::bencode::Encoder;
use crate::ids::{InfoHash, PeerId};
use crate::tracker::swarm::{Answer, Sample};

/// When a client that was refused may ask again (BEP 31).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Retry {
    /// The same request will fail again.
    Never,
    /// In so many minutes.
    Minutes(i64),
}

/// What an announce is answered.
#[derive(Debug)]
pub(super) struct AnnounceReply<'a> {
    pub(super) answer: Answer,
    pub(super) sample: &'a Sample,
    pub(super) interval_s: u32,
    pub(super) min_interval_s: u32,
    /// Where the announce came from (BEP 24).
    pub(super) source: IpAddr,
    /// Peers as strings of bytes.
    pub(super) compact: bool,
}

impl AnnounceReply<'_> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        let Answer { seeders, leechers, downloaded, unlisted } = self.answer;
        out.dict(|dict| {
            dict.key(b"complete").integer(seeders.into());
            dict.key(b"downloaded").integer(downloaded.into());
            match self.source {
                IpAddr::V4(address) => dict.key(b"external ip").bytes(&address.octets()),
                IpAddr::V6(address) => dict.key(b"external ip").bytes(&address.octets()),
            }
            dict.key(b"incomplete").integer(leechers.into());
            dict.key(b"interval").integer(self.interval_s.into());
            dict.key(b"min interval").integer(self.min_interval_s.into());
            if self.compact {
                dict.key(b"peers").bytes(&self.sample.v4);
                if !self.sample.v6.is_empty() {
                    dict.key(b"peers6").bytes(&self.sample.v6);
                }
            } else {
                dict.key(b"peers").list(|list| dictionaries(self.sample, list));
            }
            if unlisted {
                dict.key(b"warning message").bytes(b"this swarm is full: other peers are not told of you");
            }
        });
        out.finish()
    }
}

/// The first form of BEP 3: a dictionary a peer, of both families.
fn dictionaries(sample: &Sample, list: &mut Encoder) {
    let (v4, _) = sample.v4.as_chunks::<6>();
    let (v6, _) = sample.v6.as_chunks::<18>();
    let v4 = v4.iter().map(|[a, b, c, d, port @ ..]| (IpAddr::from([*a, *b, *c, *d]), u16::from_be_bytes(*port)));
    let v6 = v6.iter().map(|peer| {
        let (address, port) = peer.split_first_chunk::<16>().expect("18 bytes");
        (IpAddr::from(*address), u16::from_be_bytes([port[0], port[1]]))
    });
    let mut ids = sample.ids.iter().flatten();
    for (address, port) in v4.chain(v6) {
        list.dict(|dict| {
            dict.key(b"ip").bytes(address.to_string().as_bytes());
            if let Some(PeerId(id)) = ids.next() {
                dict.key(b"peer id").bytes(id);
            }
            dict.key(b"port").integer(port.into());
        });
    }
}

/// Answers a scrape. `known` are sorted by info-hash, each once: they are keys of a dictionary.
pub(super) fn scrape(known: &[(InfoHash, Answer)]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.dict(|dict| {
        dict.key(b"files").dict(|files| {
            for (info_hash, answer) in known {
                files.key(&info_hash.0).dict(|file| {
                    file.key(b"complete").integer(answer.seeders.into());
                    file.key(b"downloaded").integer(answer.downloaded.into());
                    file.key(b"incomplete").integer(answer.leechers.into());
                });
            }
        });
    });
    out.finish()
}

/// Refuses a request.
pub(super) fn failure(reason: &impl Display, retry: Retry) -> Vec<u8> {
    let mut out = Encoder::new();
    out.dict(|dict| {
        dict.key(b"failure reason").bytes(reason.to_string().as_bytes());
        match retry {
            Retry::Never => dict.key(b"retry in").bytes(b"never"),
            Retry::Minutes(minutes) => dict.key(b"retry in").integer(minutes),
        }
    });
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_bytes_or_dictionaries_as_asked() {
        let sample = Sample {
            v4: b"\x01\x02\x03\x04\x1a\xe1".to_vec(),
            v6: [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[9, 0x1a, 0xe2]].concat(),
            ids: Some(vec![PeerId([b'a'; 20]), PeerId([b'b'; 20])]),
        };
        let mut reply = AnnounceReply {
            answer: Answer { seeders: 1, leechers: 2, downloaded: 3, unlisted: false },
            sample: &sample,
            interval_s: 900,
            min_interval_s: 60,
            source: IpAddr::from([192, 0, 2, 7]),
            compact: false,
        };
        let start = "d8:completei1e10:downloadedi3e11:external ip4:\u{c0}\0\u{2}\u{7}10:incompletei2e8:intervali900e\
            12:min intervali60e5:peers";
        let start: Vec<u8> = start.chars().map(|c| u8::try_from(u32::from(c)).expect("latin")).collect();
        let dictionaries = b"ld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eed2:ip11:2001:db8::9\
            7:peer id20:bbbbbbbbbbbbbbbbbbbb4:porti6882eeee";
        assert_eq!(reply.encode(), [&start[..], dictionaries].concat());
        reply.compact = true;
        let compact = [&start[..], b"6:", &sample.v4, b"6:peers618:", &sample.v6, b"e"].concat();
        assert_eq!(reply.encode(), compact);
        reply.answer.unlisted = true;
        assert!(reply.encode().ends_with(b"15:warning message51:this swarm is full: other peers are not told of youe"));
    }

    #[test]
    fn a_refusal_says_why_and_when_to_come_back() {
        assert_eq!(failure(&"no", Retry::Never), b"d14:failure reason2:no8:retry in5:nevere");
        assert_eq!(failure(&"no", Retry::Minutes(30)), b"d14:failure reason2:no8:retry ini30ee");
    }

    #[test]
    fn a_scrape_is_keyed_by_raw_hashes() {
        let answer = Answer { seeders: 5, leechers: 6, downloaded: 7, unlisted: false };
        let expected = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi7e10:incompletei6eeee";
        assert_eq!(scrape(&[(InfoHash([b'a'; 20]), answer)]), expected);
        assert_eq!(scrape(&[]), b"d5:filesdee");
    }
}
