//! One torrent: its peers of both address families, its counts, our own seeder in front.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use siphasher::sip::SipHasher13;

use super::announce::{Announce, Answer, Event, Sample};
use super::peers::{Peers, Record};
use crate::ids::{InfoHash, PeerId};

/// The seeder of this very program, listed first for everybody who asks for its torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnSeeder {
    /// Where it listens.
    pub port: u16,
    /// Name that it goes by.
    pub peer_id: PeerId,
    /// Address that the outside world reaches it at (`--external-ip`). Without one, a peer is given the address that
    /// it reached the tracker at.
    pub external_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub external_v6: Option<Ipv6Addr>,
}

pub(super) struct Torrent {
    pub(super) info_hash: InfoHash,
    /// Told to serve it: kept when nobody takes part.
    pub(super) told: bool,
    pub(super) own: Option<Box<OwnSeeder>>,
    downloaded: u32,
    v4: Peers<6>,
    // boxed: most swarms have no IPv6 peer at all
    v6: Option<Box<Peers<18>>>,
}

impl Torrent {
    pub(super) fn new(info_hash: InfoHash) -> Torrent {
        Torrent { info_hash, told: false, own: None, downloaded: 0, v4: Peers::new(), v6: None }
    }

    pub(super) fn len(&self) -> usize {
        self.peers_v4() + self.peers_v6()
    }

    pub(super) fn peers_v4(&self) -> usize {
        self.v4.len()
    }

    pub(super) fn peers_v6(&self) -> usize {
        self.v6.as_ref().map_or(0, |peers| peers.len())
    }

    /// Bytes kept beside the struct itself.
    pub(super) fn bytes(&self) -> usize {
        let own = self.own.as_ref().map_or(0, |_| size_of::<OwnSeeder>());
        self.v4.bytes() + self.v6.as_ref().map_or(0, |peers| peers.bytes() + size_of::<Peers<18>>()) + own
    }

    pub(super) fn counts(&self) -> Answer {
        let v6 = self.v6.as_deref();
        let seeders = self.v4.seeders() + v6.map_or(0, Peers::seeders) + usize::from(self.own.is_some());
        let leechers = self.v4.leechers() + v6.map_or(0, Peers::leechers);
        let count = |peers: usize| u32::try_from(peers).unwrap_or(u32::MAX);
        Answer { seeders: count(seeders), leechers: count(leechers), downloaded: self.downloaded, unlisted: false }
    }

    /// Takes out who was last heard before `cutoff_s`; returns how many those were.
    pub(super) fn expire(&mut self, hasher: &SipHasher13, cutoff_s: u32) -> usize {
        let mut expired = self.v4.expire(hasher, cutoff_s);
        if let Some(peers) = &mut self.v6 {
            expired += peers.expire(hasher, cutoff_s);
            if peers.len() == 0 {
                self.v6 = None;
            }
        }
        expired
    }

    /// Lists, refreshes or removes the peer. Returns where in the list of its family it stands then, if it does.
    pub(super) fn note(&mut self, hasher: &SipHasher13, now_s: u32, announce: &Announce, room: bool) -> Option<usize> {
        let news = News { now_s, announce, room };
        let (at, finished) = match Compact::of(announce.peer) {
            Compact::V4(address) => news.enter(&mut self.v4, hasher, address),
            // neither a farewell nor a peer that there is no room for begins a list
            Compact::V6(_) if self.v6.is_none() && (announce.event == Event::Stopped || !room) => (None, false),
            Compact::V6(address) => {
                let peers = self.v6.get_or_insert_with(|| Box::new(Peers::new()));
                news.enter(peers, hasher, address)
            }
        };
        self.downloaded = self.downloaded.saturating_add(u32::from(finished));
        at
    }

    /// Picks peers for the one that stands at `listed_at` in the list of its family.
    pub(super) fn pick(
        &self,
        announce: &Announce,
        listed_at: Option<usize>,
        rng: &mut fastrand::Rng,
        sample: &mut Sample,
    ) {
        let seeder = announce.seeder;
        let (at_v4, at_v6) =
            if announce.peer.ip().to_canonical().is_ipv4() { (listed_at, None) } else { (None, listed_at) };
        let left = announce.want.v4 - self.pick_own(announce, true, announce.want.v4, sample);
        self.v4.sample(at_v4, seeder, left, rng, |at| sample.push(&self.v4.record(at).address, *self.v4.id(at)));
        let left = announce.want.v6 - self.pick_own(announce, false, announce.want.v6, sample);
        let Some(v6) = &self.v6 else { return };
        v6.sample(at_v6, seeder, left, rng, |at| sample.push(&v6.record(at).address, *v6.id(at)));
    }

    /// Lists our own seeder by up to `wanted` addresses of one family; returns how many those were.
    fn pick_own(&self, announce: &Announce, v4: bool, wanted: usize, sample: &mut Sample) -> usize {
        let Some(own) = self.own.as_deref() else { return 0 };
        let fitting = |address: &SocketAddr| address.is_ipv4() == v4 && *address != announce.peer;
        let addresses = own.addresses(announce).into_iter().flatten().filter(fitting).take(wanted);
        addresses.map(|address| sample.push(Compact::of(address).bytes(), own.peer_id)).count()
    }
}

/// An announce about to be entered in a list.
struct News<'a> {
    now_s: u32,
    announce: &'a Announce,
    /// Whether the list may grow.
    room: bool,
}

impl News<'_> {
    /// Returns where the peer stands afterwards, and whether it has just finished its download.
    fn enter<const N: usize>(
        &self,
        peers: &mut Peers<N>,
        hasher: &SipHasher13,
        address: [u8; N],
    ) -> (Option<usize>, bool) {
        let Announce { event, seeder, key, peer_id, .. } = *self.announce;
        let at = peers.position(hasher, &address);
        // a repeated `completed` (datagrams repeat) comes from a seeder already and counts once
        let finished = event == Event::Completed && seeder && !at.is_some_and(|at| peers.is_seeder(at));
        match (at, event) {
            (Some(at), Event::Stopped) if peers.record(at).key == key => {
                peers.remove(hasher, at);
                (None, false)
            }
            (at, Event::Stopped) => (at, false),
            (Some(at), _) => {
                peers.refresh(at, key, self.now_s, peer_id);
                (Some(peers.set_seeder(hasher, at, seeder)), finished)
            }
            (None, _) if self.room => {
                let record = Record { address, key, heard_s: self.now_s };
                (Some(peers.insert(hasher, record, peer_id, seeder)), finished)
            }
            (None, _) => (None, false),
        }
    }
}

impl OwnSeeder {
    /// A seeder that listens on `port` and is listed where peers reach the tracker.
    pub fn new(port: u16, peer_id: PeerId) -> OwnSeeder {
        OwnSeeder { port, peer_id, external_v4: None, external_v6: None }
    }

    /// Where the announcing peer finds it. A peer of our own network may not be able to come in through the outside
    /// address, so it gets the address that it reached us at as well.
    fn addresses(&self, announce: &Announce) -> [Option<SocketAddr>; 3] {
        let external = [self.external_v4.map(IpAddr::V4), self.external_v6.map(IpAddr::V6)];
        let reached_at = announce.reached_at.to_canonical();
        let outside = external[usize::from(reached_at.is_ipv6())];
        let useful = outside.is_none() || is_local(announce.peer.ip().to_canonical());
        let inside = (useful && outside != Some(reached_at) && !reached_at.is_unspecified()).then_some(reached_at);
        [external[0], external[1], inside].map(|address| address.map(|address| SocketAddr::new(address, self.port)))
    }
}

/// Whether an address belongs to this host or the network around it.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// An address as it goes out.
enum Compact {
    V4([u8; 6]),
    V6([u8; 18]),
}

impl Compact {
    fn of(peer: SocketAddr) -> Compact {
        let port = peer.port().to_be_bytes();
        match peer.ip().to_canonical() {
            IpAddr::V4(address) => {
                let mut bytes = [0; 6];
                bytes[..4].copy_from_slice(&address.octets());
                bytes[4..].copy_from_slice(&port);
                Compact::V4(bytes)
            }
            IpAddr::V6(address) => {
                let mut bytes = [0; 18];
                bytes[..16].copy_from_slice(&address.octets());
                bytes[16..].copy_from_slice(&port);
                Compact::V6(bytes)
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Compact::V4(bytes) => bytes,
            Compact::V6(bytes) => bytes,
        }
    }
}
