//! What is known of the trackers of all torrents, where whoever wants to look at it finds it: the driver writes, handles read.
//!
//! A seedbox has ten thousand torrents and looks at them every second, so what has not changed costs nothing: torrents of which
//! something was heard are listed until somebody takes the list. What is kept of one is small, and made readable only for who asks.
//! A tracker that many torrents have in common is kept once.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::error::AnnounceError;
use super::outcomes::Outcomes;
use super::queues::Load;
use super::reply::Reply;
use super::request::Family;
use super::status::{Change, EndpointStatus, Summary, TrackerStatus, Trouble};
use super::trackers::TrackerUrl;
use crate::clock::Time;
use crate::ids::InfoHash;

/// A torrent of the announcer. Never used again for another one.
pub(super) type Id = u64;

/// See the module.
pub(super) struct Board {
    origin: Instant,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: Id,
    torrents: HashMap<Id, Shown>,
    outcomes: Outcomes,
    changed: BTreeSet<Id>,
    urls: HashMap<Box<str>, Weak<TrackerUrl>>,
    /// Trackers beyond which those are looked for that nobody has any more.
    urls_max: usize,
}

struct Shown {
    info_hash: InfoHash,
    trackers: Box<[Tracker]>,
}

struct Tracker {
    url: Arc<TrackerUrl>,
    tier: u16,
    endpoints: [Endpoint; 2],
}

/// What is known of one tracker over one family.
#[derive(Default)]
pub(super) struct Endpoint {
    pub(super) announcing: bool,
    pub(super) next: Option<Time>,
    answered: Option<Time>,
    failures: u32,
    seeders: Option<u32>,
    leechers: Option<u32>,
    peers: u32,
    error: Option<Box<AnnounceError>>,
    rare: Option<Box<Rare>>,
}

/// What most trackers do not say.
#[derive(Default)]
struct Rare {
    warning: Option<String>,
    external_ip: Option<IpAddr>,
}

/// Trackers of a torrent, each kept once for all torrents that have it.
pub(super) type Tiers = Vec<Vec<Arc<TrackerUrl>>>;

const URLS_MIN: usize = 1_024;

impl Board {
    pub(super) fn new(origin: Instant) -> Board {
        Board { origin, waiting: AtomicUsize::new(0), in_flight: AtomicUsize::new(0), inner: Mutex::default() }
    }

    /// A new torrent, and its trackers.
    pub(super) fn insert(&self, info_hash: InfoHash, tiers: Tiers) -> (Id, Tiers) {
        let mut inner = self.lock();
        let tiers = inner.shared(tiers);
        let id = inner.next;
        inner.next += 1;
        inner.torrents.insert(id, Shown { info_hash, trackers: trackers(&tiers, Vec::new()) });
        (id, tiers)
    }

    /// Other trackers for a torrent; what is known of those that stay is kept. `None` if it is gone.
    pub(super) fn replace(&self, id: Id, tiers: Tiers) -> Option<Tiers> {
        let mut inner = self.lock();
        let tiers = inner.shared(tiers);
        let shown = inner.torrents.get_mut(&id)?;
        let old = std::mem::take(&mut shown.trackers).into_vec();
        shown.trackers = trackers(&tiers, old);
        inner.changed.insert(id);
        Some(tiers)
    }

    pub(super) fn remove(&self, id: Id) {
        let mut inner = self.lock();
        inner.torrents.remove(&id);
        inner.changed.remove(&id);
    }

    /// Nothing goes on any more.
    pub(super) fn clear(&self) {
        let mut inner = self.lock();
        inner
            .torrents
            .values_mut()
            .flat_map(|shown| &mut shown.trackers)
            .flat_map(|tracker| &mut tracker.endpoints)
            .for_each(|endpoint| (endpoint.announcing, endpoint.next) = (false, None));
    }

    /// When a tracker is asked next; `None` while it is being asked. Who looks hears of it once the time is known.
    pub(super) fn set_next(&self, id: Id, url: &Arc<TrackerUrl>, family: Family, next: Option<Time>, announcing: bool) {
        let mut inner = self.lock();
        let Some(endpoint) = inner.endpoint(id, url, family) else { return };
        let is_news = next.is_some() && endpoint.next != next;
        (endpoint.next, endpoint.announcing) = (next, announcing);
        if is_news {
            inner.changed.insert(id);
        }
    }

    /// The same for something that whoever looks should hear of.
    pub(super) fn note(
        &self,
        id: Id,
        url: &Arc<TrackerUrl>,
        family: Family,
        outcome: &Result<Reply, AnnounceError>,
        now: Time,
    ) {
        let mut inner = self.lock();
        inner.outcomes.count(outcome);
        if let Some(endpoint) = inner.endpoint(id, url, family) {
            endpoint.note(outcome, now);
            inner.changed.insert(id);
        }
    }

    /// All that is known of a torrent's trackers, in the order of the torrent file.
    pub(super) fn status(&self, id: Id) -> Vec<TrackerStatus> {
        let inner = self.lock();
        let trackers = inner.torrents.get(&id).into_iter().flat_map(|shown| &shown.trackers);
        let status = trackers.map(|tracker| {
            let [v4, v6] = &tracker.endpoints;
            let endpoints = [self.endpoint(v4, Family::V4), self.endpoint(v6, Family::V6)];
            TrackerStatus { url: tracker.url.clone(), tier: tracker.tier.into(), endpoints }
        });
        status.collect()
    }

    /// Torrents of which something was heard since the last call.
    pub(super) fn take_changes(&self) -> Vec<Change> {
        let mut inner = self.lock();
        let changed = std::mem::take(&mut inner.changed);
        let shown = changed.into_iter().filter_map(|id| inner.torrents.get(&id));
        shown.map(|shown| Change { info_hash: shown.info_hash, summary: self.summary(shown) }).collect()
    }

    /// How much there is to announce.
    pub(super) fn set_load(&self, load: Load) {
        self.waiting.store(load.waiting, Ordering::Relaxed);
        self.in_flight.store(load.in_flight, Ordering::Relaxed);
    }

    /// Announces that wait for their turn, and those that are under way.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::Relaxed), self.in_flight.load(Ordering::Relaxed))
    }

    /// What became of all announces.
    pub(super) fn outcomes(&self) -> Outcomes {
        self.lock().outcomes
    }

    /// What is known of a torrent's trackers, in short.
    pub(super) fn summary_of(&self, id: Id) -> Option<Summary> {
        let inner = self.lock();
        inner.torrents.get(&id).map(|shown| self.summary(shown))
    }

    fn summary(&self, shown: &Shown) -> Summary {
        let all = || shown.trackers.iter().flat_map(|tracker| tracker.endpoints.iter().map(move |end| (tracker, end)));
        let works = |(_, endpoint): &(&Tracker, &Endpoint)| endpoint.answered.is_some() && endpoint.failures == 0;
        let working = all().filter(works).max_by_key(|(_, endpoint)| endpoint.answered);
        let warnings = || all().filter(works).filter_map(|(_, endpoint)| endpoint.rare.as_ref()?.warning.as_deref());
        let trouble = match working {
            Some(_) => warnings().next().map(|warning| Trouble::Warned(warning.into())),
            None => why_none(all().filter_map(|(_, endpoint)| endpoint.error.as_deref())),
        };
        Summary {
            tracker: working.map(|(tracker, _)| tracker.url.shown().clone()),
            trouble,
            seeders: all().filter_map(|(_, endpoint)| endpoint.seeders).max(),
            leechers: all().filter_map(|(_, endpoint)| endpoint.leechers).max(),
            next: all().filter_map(|(_, endpoint)| endpoint.next).min().map(|time| self.instant(time)),
        }
    }

    fn endpoint(&self, endpoint: &Endpoint, family: Family) -> EndpointStatus {
        EndpointStatus {
            family,
            announcing: endpoint.announcing,
            next: endpoint.next.map(|time| self.instant(time)),
            answered: endpoint.answered.map(|time| self.instant(time)),
            failures: endpoint.failures,
            error: endpoint.error.as_deref().cloned(),
            warning: endpoint.rare.as_ref().and_then(|rare| rare.warning.clone()),
            seeders: endpoint.seeders,
            leechers: endpoint.leechers,
            peers: endpoint.peers as usize,
            external_ip: endpoint.rare.as_ref().and_then(|rare| rare.external_ip),
        }
    }

    fn instant(&self, time: Time) -> Instant {
        self.origin + Duration::from_micros(time.0)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The same trackers, each the one that other torrents have.
    fn shared(&mut self, tiers: Tiers) -> Tiers {
        if self.urls.len() > self.urls_max.max(URLS_MIN) {
            self.urls.retain(|_, url| url.strong_count() > 0);
            self.urls_max = 2 * self.urls.len();
        }
        let mut share = |url: Arc<TrackerUrl>| {
            if let Some(known) = self.urls.get(url.as_str()).and_then(Weak::upgrade) {
                return known;
            }
            self.urls.insert(url.as_str().into(), Arc::downgrade(&url));
            url
        };
        tiers.into_iter().map(|tier| tier.into_iter().map(&mut share).collect()).collect()
    }

    fn endpoint(&mut self, id: Id, url: &Arc<TrackerUrl>, family: Family) -> Option<&mut Endpoint> {
        let trackers = &mut self.torrents.get_mut(&id)?.trackers;
        let tracker = trackers.iter_mut().find(|tracker| Arc::ptr_eq(&tracker.url, url))?;
        Some(&mut tracker.endpoints[usize::from(family == Family::V6)])
    }
}

/// The error that tells most. A refusal is about this torrent; that a name has no address of one family explains nothing while there
/// is something else.
fn why_none<'error>(errors: impl Iterator<Item = &'error AnnounceError>) -> Option<Trouble> {
    let tells = |error: &&AnnounceError| match error {
        AnnounceError::NoAddress { .. } => 2,
        AnnounceError::Failure { .. } => 0,
        _ => 1,
    };
    let error = errors.min_by_key(tells)?;
    let text = error.to_string().into();
    Some(if tells(&error) == 0 { Trouble::Refused(text) } else { Trouble::Unreachable(text) })
}

fn trackers(tiers: &Tiers, mut old: Vec<Tracker>) -> Box<[Tracker]> {
    let entries = (0..).zip(tiers).flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url)));
    let tracker = |(tier, url): (u16, &Arc<TrackerUrl>)| {
        let known = old.iter().position(|tracker| Arc::ptr_eq(&tracker.url, url)).map(|at| old.swap_remove(at));
        known.map_or_else(
            || Tracker { url: url.clone(), tier, endpoints: Default::default() },
            |known| Tracker { tier, ..known },
        )
    };
    entries.map(tracker).collect()
}

impl Endpoint {
    fn note(&mut self, outcome: &Result<Reply, AnnounceError>, now: Time) {
        self.announcing = false;
        match outcome {
            Ok(reply) => {
                self.answered = Some(now);
                self.failures = 0;
                self.error = None;
                self.seeders = reply.seeders.or(self.seeders);
                self.leechers = reply.leechers.or(self.leechers);
                self.peers = u32::try_from(reply.peers.len()).unwrap_or(u32::MAX);
                let external_ip = reply.external_ip.or(self.rare.as_ref().and_then(|rare| rare.external_ip));
                let rare = Rare { warning: reply.warning.clone(), external_ip };
                self.rare = (rare.warning.is_some() || external_ip.is_some()).then(|| Box::new(rare));
            }
            Err(error) => {
                self.failures += u32::from(!matches!(error, AnnounceError::NoAddress { .. }));
                self.error = Some(Box::new(error.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(texts: &[&str]) -> Tiers {
        let url = |text: &&str| vec![Arc::new(TrackerUrl::parse(text).expect("a tracker URL"))];
        texts.iter().map(url).collect()
    }

    fn refused() -> Result<Reply, AnnounceError> {
        Err(AnnounceError::Refused { peer: "h".into() })
    }

    fn absent() -> Result<Reply, AnnounceError> {
        Err(AnnounceError::NoAddress { host: "h".into(), family: Family::V6 })
    }

    #[test]
    fn torrents_share_their_trackers_and_one_that_nobody_has_is_dropped() {
        let board = Board::new(Instant::now());
        let urls = ["http://a/announce", "udp://b:1"];
        let (_, one) = board.insert(InfoHash([1; 20]), tiers(&urls));
        let (other, two) = board.insert(InfoHash([2; 20]), tiers(&urls[..1]));
        assert!(Arc::ptr_eq(&one[0][0], &two[0][0]));
        board.remove(other);
        drop((one, two));
        for number in 0..5_000 {
            let (id, _) = board.insert(InfoHash([3; 20]), tiers(&[&format!("udp://h{number}:1")]));
            board.remove(id);
        }
        assert!(board.lock().urls.len() <= URLS_MIN + 1, "{}", board.lock().urls.len());
    }

    #[test]
    fn changes_are_told_once_and_in_short() {
        let board = Board::new(Instant::now());
        let (id, urls) =
            board.insert(InfoHash([1; 20]), tiers(&["http://a/announce?passkey=secret", "http://b/announce"]));
        board.insert(InfoHash([2; 20]), tiers(&["http://a/announce"]));
        assert_eq!(board.take_changes(), [], "nothing was heard yet");
        let (a, b) = (&urls[0][0], &urls[1][0]);
        board.note(id, a, Family::V6, &absent(), Time(1));
        board.note(id, a, Family::V4, &refused(), Time(1));
        let changes = board.take_changes();
        assert_eq!(changes.len(), 1);
        let summary = &changes[0].summary;
        assert_eq!((changes[0].info_hash, &summary.tracker), (InfoHash([1; 20]), &None));
        assert!(
            matches!(&summary.trouble, Some(Trouble::Unreachable(text)) if text.contains("refused")),
            "{summary:?}"
        );
        let reply = Reply { seeders: Some(7), leechers: Some(2), ..Reply::default() };
        board.note(id, b, Family::V4, &Ok(reply), Time(2));
        let summary = board.take_changes().remove(0).summary;
        assert_eq!((summary.tracker.as_deref(), summary.trouble), (Some("http://b:80"), None));
        assert_eq!((summary.seeders, summary.leechers), (Some(7), Some(2)));
        assert_eq!(board.take_changes(), []);
        board.note(id, b, Family::V4, &refused(), Time(3));
        board.remove(id);
        assert_eq!(board.take_changes(), [], "it is gone");
        let expected = Outcomes { answered: 1, unreachable: 2, ..Outcomes::default() };
        assert_eq!(board.outcomes(), expected, "an absent family is no failure");
    }

    #[test]
    fn a_refusal_is_told_before_what_passes_by_itself_and_goes_with_an_answer() {
        let board = Board::new(Instant::now());
        let (id, urls) = board.insert(InfoHash([1; 20]), tiers(&["http://a/announce", "http://b/announce"]));
        let trouble = || board.take_changes().remove(0).summary.trouble;
        let refusal = AnnounceError::Failure { reason: "unregistered".into(), retry: crate::discovery::Retry::Unsaid };
        board.note(id, &urls[0][0], Family::V4, &refused(), Time(1));
        board.note(id, &urls[1][0], Family::V4, &Err(refusal), Time(1));
        assert!(matches!(trouble(), Some(Trouble::Refused(text)) if text.contains("unregistered")));
        let reply = |warning: Option<&str>| Reply { warning: warning.map(str::to_owned), ..Reply::default() };
        board.note(id, &urls[0][0], Family::V4, &Ok(reply(Some("old client"))), Time(2));
        assert_eq!(trouble(), Some(Trouble::Warned("old client".into())));
        board.note(id, &urls[0][0], Family::V4, &Ok(reply(None)), Time(3));
        assert_eq!(trouble(), None);
    }

    #[test]
    fn the_next_announce_is_told_when_it_is_known() {
        let board = Board::new(Instant::now());
        let (id, urls) = board.insert(InfoHash([1; 20]), tiers(&["http://a/announce"]));
        let set = |next: Option<Time>| board.set_next(id, &urls[0][0], Family::V4, next, next.is_none());
        set(None);
        assert_eq!(board.take_changes(), [], "it is being asked");
        set(Some(Time(1_000_000)));
        assert!(board.take_changes().remove(0).summary.next.is_some());
        set(Some(Time(1_000_000)));
        set(None);
        assert_eq!(board.take_changes(), []);
    }

    #[test]
    fn what_is_known_of_a_tracker_that_stays_is_kept() {
        let board = Board::new(Instant::now());
        let (id, urls) = board.insert(InfoHash([1; 20]), tiers(&["http://a/announce", "http://b/announce"]));
        board.note(id, &urls[1][0], Family::V4, &refused(), Time(1));
        board.replace(id, tiers(&["http://c/announce", "http://b/announce"])).expect("it is there");
        let status = board.status(id);
        assert_eq!(status.iter().map(|tracker| tracker.endpoints[0].failures).collect::<Vec<_>>(), [0, 1]);
        board.note(id, &urls[0][0], Family::V4, &refused(), Time(1));
        assert_eq!(board.status(id)[0].endpoints[0].failures, 0, "of one that is gone nothing is noted");
    }

    #[test]
    fn a_tracker_of_a_torrent_takes_little() {
        assert!(std::mem::size_of::<Tracker>() <= 176, "{}", std::mem::size_of::<Tracker>());
    }
}
