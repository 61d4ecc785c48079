//! Which announce leaves next: one queue for each tracker host and family. Pure: time comes in, calls go out.
//!
//! A host has so many announces in flight at most, and so many begin in a second: thousands of torrents that are added at once, that
//! are due at once after an outage, or that somebody wants to be announced now, come to it one after the other. Hosts do not
//! wait for each other. Partings go first, so that trackers do not go on to name us.
//!
//! The pace is a burst, then [`GAP`]. Where so many torrents have a tracker in common that this would not bring all of them to it in
//! time, it is as much faster.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::clock::Time;

/// Between two announces to one host: 50 a second, which a tracker on the smallest machine answers.
const GAP: Duration = Duration::from_millis(20);
/// Announces that may begin at once after a rest.
const BURST: u32 = 50;
/// In this time every torrent of a host can be announced to it: a third of the usual interval.
const ROUND: Duration = Duration::from_secs(10 * 60);

/// The number of a host in its table.
pub(super) type HostId = u32;

/// Queues of calls `C` by host `K`.
#[derive(Debug)]
pub(super) struct Queues<K, C> {
    by_key: HashMap<K, HostId>,
    hosts: Vec<Option<Queue<K, C>>>,
    free: Vec<HostId>,
    /// Hosts whose pace holds the next call back, each once.
    paced: BTreeSet<(Time, HostId)>,
    /// On the way out there is no time for a pace.
    hurry: bool,
    /// All hosts together.
    total: Load,
}

#[derive(Debug)]
struct Queue<K, C> {
    key: K,
    /// Trackers of torrents that are this host.
    users: u32,
    in_flight: usize,
    most: usize,
    partings: VecDeque<C>,
    waiting: VecDeque<C>,
    /// When the next call would be due if all of them had come at their pace.
    free: Time,
    paced: Option<Time>,
}

/// How busy a host is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Load {
    pub(super) waiting: usize,
    pub(super) in_flight: usize,
}

impl<K: Clone + Eq + Hash, C> Queues<K, C> {
    pub(super) fn new() -> Queues<K, C> {
        Queues {
            by_key: HashMap::new(),
            hosts: Vec::new(),
            free: Vec::new(),
            paced: BTreeSet::new(),
            hurry: false,
            total: Load::default(),
        }
    }

    /// One more tracker of a torrent is at this host, which takes `most` calls at once.
    pub(super) fn join(&mut self, key: K, most: usize) -> HostId {
        if let Some(&host) = self.by_key.get(&key) {
            self.queue(host).users += 1;
            return host;
        }
        let queue = Queue {
            key: key.clone(),
            users: 1,
            in_flight: 0,
            most,
            partings: VecDeque::new(),
            waiting: VecDeque::new(),
            free: Time(0),
            paced: None,
        };
        let host = self.free.pop().unwrap_or_else(|| {
            self.hosts.push(None);
            HostId::try_from(self.hosts.len() - 1).unwrap_or(HostId::MAX)
        });
        self.hosts[host as usize] = Some(queue);
        self.by_key.insert(key, host);
        host
    }

    /// One less. A host that nobody needs any more is forgotten once nothing is to be said to it.
    pub(super) fn leave(&mut self, host: HostId) {
        self.queue(host).users -= 1;
        self.tidy(host);
    }

    /// A call to a host; ask [`Queues::start`] whether it may leave now.
    pub(super) fn push(&mut self, host: HostId, call: C) {
        self.total.waiting += 1;
        self.queue(host).waiting.push_back(call);
    }

    /// A last call to a host.
    pub(super) fn push_parting(&mut self, host: HostId, call: C) {
        self.total.waiting += 1;
        self.queue(host).partings.push_back(call);
    }

    /// The next call to this host, if one may leave. It counts as in flight until [`Queues::ended`].
    pub(super) fn start(&mut self, host: HostId, now: Time) -> Option<C> {
        let hurry = self.hurry;
        let queue = self.hosts[host as usize].as_mut()?;
        if queue.in_flight >= queue.most || queue.partings.is_empty() && queue.waiting.is_empty() {
            return None;
        }
        let gap = queue.gap();
        let due = Time((queue.free + gap).0.saturating_sub(micros(gap * BURST)));
        if due > now && !hurry {
            if let Some(old) = queue.paced.replace(due) {
                self.paced.remove(&(old, host));
            }
            self.paced.insert((due, host));
            return None;
        }
        queue.free = queue.free.max(now) + gap;
        queue.in_flight += 1;
        self.total.in_flight += 1;
        self.total.waiting -= 1;
        queue.partings.pop_front().or_else(|| queue.waiting.pop_front())
    }

    /// A call that [`Queues::start`] gave out was not made: its torrent is gone.
    pub(super) fn unused(&mut self, host: HostId) {
        let queue = self.queue(host);
        queue.free = Time(queue.free.0.saturating_sub(micros(queue.gap())));
        self.ended(host);
    }

    /// A call has ended.
    pub(super) fn ended(&mut self, host: HostId) {
        self.total.in_flight -= 1;
        self.queue(host).in_flight -= 1;
        self.tidy(host);
    }

    /// A host whose pace allows the next call by now.
    pub(super) fn wake(&mut self, now: Time) -> Option<HostId> {
        let &(_, host) = self.paced.first().filter(|(due, _)| *due <= now)?;
        self.paced.pop_first();
        self.queue(host).paced = None;
        Some(host)
    }

    /// When [`Queues::wake`] has somebody.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.paced.first().map(|(due, _)| *due)
    }

    /// From now on calls leave as fast as they are answered, `more` at once than before. What waits is dropped but for partings. All hosts.
    pub(super) fn hurry(&mut self, more: usize) -> Vec<HostId> {
        self.hurry = true;
        for queue in self.hosts.iter_mut().flatten() {
            queue.most += more;
            self.total.waiting -= queue.waiting.len();
            queue.waiting.clear();
        }
        self.by_key.values().copied().collect()
    }

    /// How busy all hosts are together.
    pub(super) fn total(&self) -> Load {
        self.total
    }

    /// How busy each host is.
    pub(super) fn loads(&self) -> impl Iterator<Item = (&K, Load)> {
        self.hosts.iter().flatten().map(|queue| {
            (&queue.key, Load { waiting: queue.waiting.len() + queue.partings.len(), in_flight: queue.in_flight })
        })
    }

    fn queue(&mut self, host: HostId) -> &mut Queue<K, C> {
        self.hosts[host as usize].as_mut().expect("whoever has its number has joined it or has a call in flight")
    }

    fn tidy(&mut self, host: HostId) {
        let queue = self.queue(host);
        if queue.users > 0 || queue.in_flight > 0 || !queue.partings.is_empty() {
            return;
        }
        if let Some(queue) = self.hosts[host as usize].take() {
            // what waits is of torrents that are gone
            self.total.waiting -= queue.waiting.len();
            self.by_key.remove(&queue.key);
            self.paced.extract_if(.., |(_, paced)| *paced == host).for_each(drop);
            self.free.push(host);
        }
    }
}

impl<K, C> Queue<K, C> {
    fn gap(&self) -> Duration {
        GAP.min(ROUND / self.users.max(1))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Few = Queues<&'static str, usize>;

    /// Starts what may, all of which is answered at once, until nothing waits; the times.
    fn drain(queues: &mut Few, host: HostId, mut now: Time) -> Vec<Time> {
        let mut times = Vec::new();
        loop {
            while queues.start(host, now).is_some() {
                times.push(now);
                queues.ended(host);
            }
            let Some(next) = queues.next_timeout() else { return times };
            assert!(next > now, "a wake-up without work would spin");
            now = next;
            while queues.wake(now).is_some() {}
        }
    }

    #[test]
    fn a_start_with_thousands_of_torrents_is_spread() {
        let mut queues = Few::new();
        let host = queues.join("h", 4);
        (0..5_000).for_each(|call| queues.push(host, call));
        let start = Time(1_000_000_000);
        let times = drain(&mut queues, host, start);
        assert_eq!(times.len(), 5_000);
        assert!(times[..50].iter().all(|time| *time == start), "a few start at once");
        let last = times[4_999] - start;
        assert!((Duration::from_secs(95)..Duration::from_secs(105)).contains(&last), "{last:?}");
        let within = |second: u64| times.iter().filter(|time| (**time - start).as_secs() == second).count();
        assert!((1..90).all(|second| within(second) <= 51));
        queues.push(host, 1);
        assert_eq!(drain(&mut queues, host, start + Duration::from_secs(200)).len(), 1, "it recovers");
    }

    #[test]
    fn hosts_do_not_wait_for_each_other() {
        let mut queues = Few::new();
        let (one, other) = (queues.join("one", 4), queues.join("other", 4));
        (0..60).for_each(|call| queues.push(one, call));
        queues.push(other, 99);
        while queues.start(one, Time(0)).is_some() {
            queues.ended(one);
        }
        assert_eq!(queues.start(other, Time(0)), Some(99));
    }

    #[test]
    fn so_many_are_in_flight_and_no_more() {
        let mut queues = Few::new();
        let host = queues.join("h", 2);
        (0..3).for_each(|call| queues.push(host, call));
        assert_eq!((queues.start(host, Time(0)), queues.start(host, Time(0))), (Some(0), Some(1)));
        assert_eq!((queues.start(host, Time(0)), queues.next_timeout()), (None, None));
        assert_eq!(queues.loads().next(), Some((&"h", Load { waiting: 1, in_flight: 2 })));
        queues.ended(host);
        queues.push_parting(host, 9);
        assert_eq!(queues.start(host, Time(0)), Some(9), "who leaves goes first");
    }

    #[test]
    fn a_host_of_very_many_torrents_gets_to_each_within_a_round() {
        let mut queues = Few::new();
        let host = queues.join("h", 4);
        for _ in 1..100_000 {
            queues.join("h", 4);
        }
        (0..100_000).for_each(|call| queues.push(host, call));
        let last = *drain(&mut queues, host, Time(0)).last().expect("many");
        assert!(last - Time(0) <= ROUND, "{last:?}");
    }

    #[test]
    fn a_host_is_forgotten_with_its_last_torrent_once_that_has_left() {
        let mut queues = Few::new();
        let (host, again) = (queues.join("h", 2), queues.join("h", 2));
        assert_eq!(host, again);
        queues.push_parting(host, 7);
        queues.leave(host);
        queues.leave(host);
        assert_eq!(queues.start(host, Time(0)), Some(7));
        queues.ended(host);
        assert_eq!((queues.loads().count(), queues.total()), (0, Load::default()));
        assert_eq!(queues.join("other", 2), host, "its place is used again");
    }

    #[test]
    fn what_was_not_used_takes_no_part_of_the_pace() {
        let mut queues = Few::new();
        let host = queues.join("h", 100);
        (0..200).for_each(|call| queues.push(host, call));
        for _ in 0..100 {
            assert!(queues.start(host, Time(10_000_000)).is_some());
            queues.unused(host);
        }
        let left = std::iter::from_fn(|| queues.start(host, Time(10_000_000))).count();
        assert_eq!(left, 50);
    }

    #[test]
    fn on_the_way_out_only_partings_are_left_and_nothing_holds_them_back() {
        let mut queues = Few::new();
        let host = queues.join("h", 2);
        (0..500).for_each(|call| queues.push(host, call));
        (0..500).for_each(|call| queues.push_parting(host, 1_000 + call));
        assert_eq!(queues.hurry(6), [host]);
        let all: Vec<usize> = std::iter::from_fn(|| queues.start(host, Time(0))).collect();
        assert_eq!(all, (1_000..1_008).collect::<Vec<_>>());
        queues.ended(host);
        assert_eq!(queues.start(host, Time(0)), Some(1_008));
        let summed = queues.loads().fold((0, 0), |sum, (_, load)| (sum.0 + load.waiting, sum.1 + load.in_flight));
        assert_eq!((queues.total().waiting, queues.total().in_flight), summed);
    }
}
