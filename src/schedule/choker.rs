//! Who holds a slot: a pure function from what is known of each peer to who gets and who loses one.
//!
//! It is called with the candidates that share a number of slots: the peers of one torrent under `--slots N`, all
//! peers of a reactor under `--slots auto`; each [`ROUND`], and in between whenever a slot gets free or somebody
//! begins to wait. It only selects; the caller sends the messages and keeps `since` and `optimistic_since`.
//!
//! Who wants nothing (not interested, or upload-only, BEP 21) never holds a slot. The others are ranked:
//!
//! 1. peers that got their slot within this round: nobody is choked again before a download got going (fibrillation);
//! 2. while we download: peers that send to us, fastest first (tit for tat, BEP 3);
//! 3. while we seed: peers in their term of three rounds, fastest first;
//! 4. peers that wait, longest first, so that slots go around;
//! 5. peers whose term is over, fastest first: they stay where nobody waits;
//! 6. peers that make nothing of a slot: they ask for nothing, or (downloading) stopped sending to us;
//! 7. peers that took more than two copies of the torrent already: served when nobody else wants anything.
//!
//! One slot is optimistic: drawn every three rounds among those who wait, a peer that came since the last draw three
//! times as likely as another. So a peer with nothing to give, or one that would be fast, gets its chance.

use std::time::Duration;

use fastrand::Rng;

use crate::clock::Time;
use crate::ids::PeerKey;

/// Time between two re-rankings (BEP 3).
pub const ROUND: Duration = Duration::from_secs(10);
/// Three rounds: how long an optimistic slot lasts (BEP 3), and how long a seed serves a peer before others come first.
const TERM: Duration = Duration::from_secs(30);
/// How long rounds and terms are. Other values than the usual ones are for experiments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Periods {
    /// Time between two re-rankings, [`ROUND`] as a rule.
    pub round: Duration,
    /// How long an optimistic slot lasts, and how long a seed serves a peer before others come first: three rounds as a rule.
    pub term: Duration,
}

impl Default for Periods {
    fn default() -> Periods {
        Periods { round: ROUND, term: TERM }
    }
}

/// How many tickets a new peer has in the draw (BEP 3).
const NEW_PEER_TICKETS: u32 = 3;
/// Bytes beyond two copies that count as repeats of what got lost, so that small torrents may be fetched again.
const REPEATS: u64 = 16 << 20;

/// What the choker knows of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The peer.
    pub key: PeerKey,
    /// It said that it wants pieces of us.
    pub interested: bool,
    /// It said that it will not download (BEP 21).
    pub upload_only: bool,
    /// It holds a slot.
    pub unchoked: bool,
    /// When it last got or lost a slot; when it connected, if it never had one.
    pub since: Time,
    /// When it connected.
    pub connected_at: Time,
    /// Since when it holds the optimistic slot, if it does.
    pub optimistic_since: Option<Time>,
    /// We download this torrent, so peers earn their slots by sending.
    pub downloading: bool,
    /// It has owed us blocks for a minute and sent none.
    pub snubbed: bool,
    /// It has requests waiting for us, or had some since the last round.
    pub requesting: bool,
    /// Bytes a second that it sends to us.
    pub received_rate: u64,
    /// Bytes a second that we send to it.
    pub sent_rate: u64,
    /// Bytes of this torrent ever sent to its address.
    pub sent: u64,
    /// Bytes of the torrent.
    pub torrent_size: u64,
}

impl Candidate {
    fn wants(&self) -> bool {
        self.interested && !self.upload_only
    }

    fn took_enough(&self) -> bool {
        self.sent > self.torrent_size.saturating_mul(2).saturating_add(REPEATS)
    }

    fn is_new(&self, now: Time, periods: Periods) -> bool {
        now - self.connected_at < periods.term
    }
}

/// Why the choker is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// A round is over: everybody is ranked anew.
    Round,
    /// A slot may have got free, or somebody begins to wait: nobody who wants his slot loses it.
    Between,
}

/// Who gets and who loses a slot. Kept by the caller and filled again by each call.
#[derive(Debug, Default)]
pub struct Decisions {
    /// Peers that lose their slot.
    pub choke: Vec<PeerKey>,
    /// Peers that get one.
    pub unchoke: Vec<PeerKey>,
    /// Who holds the optimistic slot now: a new one if this is not who held it.
    pub optimistic: Option<PeerKey>,
    /// Peers that hold a slot after this.
    pub open: u32,
    /// Peers that want a slot and have none after this.
    pub waiting: u32,
}

/// Place in the ranking: class, then order within it, then a random tie, then which candidate.
type Rank = (u8, u64, u32, u32);

/// Chooses who holds a slot. Owns nothing but room to work in.
#[derive(Debug, Default)]
pub struct Choker {
    periods: Periods,
    ranking: Vec<Rank>,
    chosen: Vec<bool>,
}

impl Choker {
    /// A choker with no memory of any round.
    pub fn new() -> Choker {
        Choker::default()
    }

    /// Changes its periods; the round of its caller is to be this one too.
    pub fn set_periods(&mut self, periods: Periods) {
        self.periods = periods;
    }

    /// Time between two re-rankings.
    pub fn round(&self) -> Duration {
        self.periods.round
    }

    /// Fills `decisions` for `slots` slots (`u32::MAX`: for everybody). Takes time in proportion to the candidates.
    pub fn decide(
        &mut self,
        occasion: Occasion,
        now: Time,
        slots: u32,
        candidates: &[Candidate],
        random: &mut Rng,
        decisions: &mut Decisions,
    ) {
        self.chosen.clear();
        self.chosen.resize(candidates.len(), false);
        decisions.optimistic = None;
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let wanting = candidates.iter().filter(|candidate| candidate.wants()).count();
        if wanting <= slots {
            self.chosen.iter_mut().zip(candidates).for_each(|(chosen, candidate)| *chosen = candidate.wants());
        } else {
            self.rank(occasion, now, candidates, random);
            let holder =
                candidates.iter().position(|candidate| keeps_optimistic(candidate, occasion, now, self.periods));
            // one textbook slot is no slot to gamble with
            let draws = holder.is_none() && slots > 1;
            let ranked = self.choose(slots - usize::from(draws));
            let drawn = if draws && ranked < slots { self.draw(ranked, now, candidates, random) } else { None };
            decisions.optimistic = holder.or(drawn).map(|index| candidates[index].key);
        }
        self.report(wanting, candidates, decisions);
    }

    /// Lists everybody who wants a slot, with his place in the order that the module names.
    fn rank(&mut self, occasion: Occasion, now: Time, candidates: &[Candidate], random: &mut Rng) {
        self.ranking.clear();
        for (index, candidate) in (0u32..).zip(candidates) {
            if candidate.wants() {
                let (class, order) = rank(candidate, occasion, now, self.periods);
                self.ranking.push((class, order, random.u32(..), index));
            }
        }
    }

    /// Chooses the first `slots` of the ranking, more if more are not to be disturbed. Returns how many.
    fn choose(&mut self, slots: usize) -> usize {
        let undisturbed = self.ranking.iter().filter(|rank| rank.0 == UNDISTURBED).count();
        let count = slots.max(undisturbed).min(self.ranking.len());
        if count > 0 && count < self.ranking.len() {
            // the order among those chosen does not matter: linear, not n log n
            self.ranking.select_nth_unstable(count - 1);
        }
        for &(.., index) in &self.ranking[..count] {
            self.chosen[index as usize] = true;
        }
        count
    }

    /// Draws the optimistic slot among the ranking's rest; if nobody there waits, the best of the rest has it.
    fn draw(&mut self, ranked: usize, now: Time, candidates: &[Candidate], random: &mut Rng) -> Option<usize> {
        let rest = &self.ranking[ranked..];
        let mut tickets = 0;
        let mut drawn = None;
        for index in rest.iter().map(|rank| rank.3 as usize) {
            let candidate = &candidates[index];
            if candidate.unchoked || candidate.took_enough() {
                continue;
            }
            let more = if candidate.is_new(now, self.periods) { NEW_PEER_TICKETS } else { 1 };
            tickets += more;
            if random.u32(..tickets) < more {
                drawn = Some(index);
            }
        }
        let best = || rest.iter().min().map(|rank| rank.3 as usize);
        if let Some(index) = drawn.or_else(best) {
            self.chosen[index] = true;
        }
        drawn
    }

    fn report(&self, wanting: usize, candidates: &[Candidate], decisions: &mut Decisions) {
        decisions.choke.clear();
        decisions.unchoke.clear();
        let mut open = 0;
        for (&chosen, candidate) in self.chosen.iter().zip(candidates) {
            open += u32::from(chosen);
            match (candidate.unchoked, chosen) {
                (true, false) => decisions.choke.push(candidate.key),
                (false, true) => decisions.unchoke.push(candidate.key),
                _ => {}
            }
        }
        decisions.open = open;
        decisions.waiting = u32::try_from(wanting).unwrap_or(u32::MAX) - open;
    }
}

/// Whether the peer holds the optimistic slot and its time is not over.
fn keeps_optimistic(candidate: &Candidate, occasion: Occasion, now: Time, periods: Periods) -> bool {
    let since = candidate.optimistic_since.filter(|_| candidate.unchoked && candidate.wants());
    since.is_some_and(|since| occasion == Occasion::Between || now - since < periods.term)
}

const UNDISTURBED: u8 = 0;

/// Class and order of one who wants a slot; lower comes first.
fn rank(candidate: &Candidate, occasion: Occasion, now: Time, periods: Periods) -> (u8, u64) {
    let held = now - candidate.since;
    let fastest = u64::MAX - candidate.sent_rate;
    match candidate {
        c if c.unchoked && (occasion == Occasion::Between || held < periods.round) => (UNDISTURBED, 0),
        c if keeps_optimistic(c, occasion, now, periods) => (UNDISTURBED, 0),
        c if c.took_enough() => (6, c.sent),
        c if c.downloading && c.snubbed => (5, u64::MAX),
        c if c.downloading && c.received_rate > 0 => (1, u64::MAX - c.received_rate),
        c if !c.unchoked => (3, c.since.0),
        c if !c.requesting => (5, c.since.0),
        _ if held < periods.term => (2, fastest),
        _ => (4, fastest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

    const SECOND: u64 = 1_000_000;
    const NOW: Time = Time(1_000 * SECOND);

    fn ago(seconds: u64) -> Time {
        Time(NOW.0 - seconds * SECOND)
    }

    /// A peer that has waited for its slot for ten minutes, at a seed.
    fn waiting(slot: u32) -> Candidate {
        Candidate {
            key: PeerKey { slot, generation: 0 },
            interested: true,
            upload_only: false,
            unchoked: false,
            since: ago(600),
            connected_at: ago(600),
            optimistic_since: None,
            downloading: false,
            snubbed: false,
            requesting: true,
            received_rate: 0,
            sent_rate: 0,
            sent: 0,
            torrent_size: 1 << 30,
        }
    }

    fn holding(slot: u32, seconds: u64) -> Candidate {
        Candidate { unchoked: true, since: ago(seconds), ..waiting(slot) }
    }

    fn sending(slot: u32, received_rate: u64) -> Candidate {
        Candidate { downloading: true, received_rate, ..waiting(slot) }
    }

    fn decide(occasion: Occasion, slots: u32, candidates: &[Candidate], seed: u64) -> Decisions {
        let mut decisions = Decisions::default();
        Choker::new().decide(occasion, NOW, slots, candidates, &mut Rng::with_seed(seed), &mut decisions);
        decisions
    }

    fn slots_of(keys: &[PeerKey]) -> Vec<u32> {
        let mut slots: Vec<u32> = keys.iter().map(|key| key.slot).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn a_free_slot_is_given_at_once() {
        let peers = [holding(0, 1), holding(1, 300), waiting(2)];
        let decisions = decide(Occasion::Between, 3, &peers, 1);
        assert_eq!((slots_of(&decisions.unchoke), slots_of(&decisions.choke)), (vec![2], vec![]));
        assert_eq!((decisions.open, decisions.waiting), (3, 0));
    }

    #[test]
    fn between_rounds_nobody_who_wants_his_slot_loses_it() {
        let mut peers: Vec<_> = (0..4).map(|slot| holding(slot, 500)).collect();
        peers.extend((4..40).map(waiting));
        let decisions = decide(Occasion::Between, 4, &peers, 1);
        assert!(decisions.choke.is_empty() && decisions.unchoke.is_empty());
        assert_eq!(decisions.waiting, 36);
    }

    #[test]
    fn who_wants_nothing_never_holds_a_slot() {
        let bored = Candidate { interested: false, ..holding(0, 1) };
        let seed = Candidate { upload_only: true, ..holding(1, 1) };
        let absent = Candidate { interested: false, ..waiting(2) };
        for occasion in [Occasion::Round, Occasion::Between] {
            let decisions = decide(occasion, u32::MAX, &[bored, seed, absent, waiting(3)], 1);
            assert_eq!(slots_of(&decisions.choke), [0, 1]);
            assert_eq!(slots_of(&decisions.unchoke), [3]);
        }
    }

    #[test]
    fn everybody_gets_a_slot_when_there_are_enough() {
        let peers: Vec<_> = (0..9).map(waiting).collect();
        assert_eq!(decide(Occasion::Round, 9, &peers, 1).unchoke.len(), 9);
        assert_eq!(decide(Occasion::Round, u32::MAX, &peers, 1).unchoke.len(), 9);
        assert_eq!(decide(Occasion::Round, 0, &peers, 1).unchoke.len(), 0);
        assert_eq!(decide(Occasion::Round, 1, &peers, 1).unchoke.len(), 1);
    }

    #[test]
    fn while_downloading_the_four_fastest_senders_have_slots_and_one_is_drawn() {
        let peers: Vec<_> = (0..20).map(|slot| sending(slot, u64::from(slot) * 1_000)).collect();
        for seed in 0..50 {
            let decisions = decide(Occasion::Round, 5, &peers, seed);
            let optimistic = decisions.optimistic.expect("fifteen wait").slot;
            assert!(optimistic < 16);
            assert_eq!(slots_of(&decisions.unchoke), [optimistic, 16, 17, 18, 19]);
        }
    }

    #[test]
    fn a_sender_overtaken_by_another_loses_its_slot_at_the_end_of_the_round() {
        let slow = Candidate { unchoked: true, since: ago(20), ..sending(0, 10) };
        let drawn = Candidate { unchoked: true, optimistic_since: Some(ago(5)), since: ago(5), ..sending(2, 0) };
        let decisions = decide(Occasion::Round, 2, &[slow, sending(1, 20), drawn], 1);
        assert_eq!((slots_of(&decisions.choke), slots_of(&decisions.unchoke)), (vec![0], vec![1]));
    }

    #[test]
    fn who_stopped_sending_keeps_no_slot_by_rank() {
        let snubbed = Candidate { unchoked: true, since: ago(90), snubbed: true, ..sending(0, 1 << 30) };
        let drawn = Candidate { unchoked: true, optimistic_since: Some(ago(5)), since: ago(5), ..sending(2, 0) };
        let decisions = decide(Occasion::Round, 2, &[snubbed, sending(1, 1), drawn], 1);
        assert_eq!((slots_of(&decisions.choke), slots_of(&decisions.unchoke)), (vec![0], vec![1]));
    }

    #[test]
    fn nobody_loses_his_slot_in_the_round_he_got_it() {
        let mut peers: Vec<_> = (0..5).map(|slot| holding(slot, 9)).collect();
        peers.extend((5..30).map(|slot| sending(slot, 1 << 20)));
        let decisions = decide(Occasion::Round, 4, &peers, 1);
        assert!(decisions.choke.is_empty() && decisions.unchoke.is_empty());
        assert_eq!(decisions.open, 5, "even when there are fewer slots than before");
    }

    #[test]
    fn at_a_seed_slots_go_to_those_who_waited_longest_when_a_term_is_over() {
        let peers = [
            holding(0, 31),
            holding(1, 12),
            Candidate { since: ago(100), ..waiting(2) },
            Candidate { since: ago(200), ..waiting(3) },
            Candidate { optimistic_since: Some(ago(12)), ..holding(4, 12) },
        ];
        let decisions = decide(Occasion::Round, 3, &peers, 1);
        assert_eq!((slots_of(&decisions.choke), slots_of(&decisions.unchoke)), (vec![0], vec![3]));
    }

    #[test]
    fn a_term_that_is_over_ends_only_when_somebody_waits() {
        let decisions = decide(Occasion::Round, 2, &[holding(0, 900), holding(1, 900)], 1);
        assert!(decisions.choke.is_empty());
    }

    #[test]
    fn at_a_seed_the_slowest_goes_first_when_slots_are_closed() {
        let with_rate = |slot, sent_rate| Candidate { sent_rate, ..holding(slot, 15) };
        let peers = [with_rate(0, 5), with_rate(1, 9), with_rate(2, 1), with_rate(3, 7)];
        assert_eq!(slots_of(&decide(Occasion::Round, 3, &peers, 1).choke), [2]);
    }

    #[test]
    fn who_asks_for_nothing_makes_room() {
        let idle = Candidate { requesting: false, ..holding(0, 11) };
        let decisions = decide(Occasion::Round, 2, &[idle, holding(1, 11), waiting(2)], 1);
        assert_eq!((slots_of(&decisions.choke), slots_of(&decisions.unchoke)), (vec![0], vec![2]));
    }

    #[test]
    fn who_took_more_than_two_copies_comes_after_everybody_else() {
        let greedy = Candidate { sent: (2 << 30) + REPEATS + 1, ..waiting(0) };
        let honest = Candidate { sent: 2 << 30, since: ago(1), ..waiting(1) };
        for seed in 0..50 {
            let peers = [greedy, honest, waiting(2)];
            assert_eq!(slots_of(&decide(Occasion::Round, 2, &peers, seed).unchoke), [1, 2]);
        }
        assert_eq!(slots_of(&decide(Occasion::Round, 2, &[greedy, honest], 1).unchoke), [0, 1], "room is room");
    }

    #[test]
    fn the_optimistic_slot_lasts_three_rounds() {
        let drawn = |seconds| Candidate { optimistic_since: Some(ago(seconds)), ..holding(0, seconds) };
        let mut peers = vec![drawn(29)];
        peers.extend((1..5).map(|slot| sending(slot, 1_000)));
        peers.push(waiting(5));
        assert_eq!(decide(Occasion::Round, 5, &peers, 1).optimistic, Some(peers[0].key));
        peers[0] = drawn(30);
        let decisions = decide(Occasion::Round, 5, &peers, 1);
        assert_eq!(decisions.optimistic, Some(peers[5].key));
        assert_eq!(slots_of(&decisions.choke), [0]);
    }

    #[test]
    fn a_new_peer_is_drawn_three_times_as_often() {
        let mut peers: Vec<_> = (0..4).map(|slot| sending(slot, 1_000)).collect();
        peers.extend((4..8).map(waiting));
        peers.extend((8..10).map(|slot| Candidate { connected_at: ago(5), since: ago(5), ..waiting(slot) }));
        let mut drawn = [0u32; 10];
        for seed in 0..10_000 {
            let optimistic = decide(Occasion::Round, 5, &peers, seed).optimistic.expect("six wait");
            drawn[optimistic.slot as usize] += 1;
        }
        // four tickets for the old, three for each of the two new
        assert!(drawn[..4].iter().all(|&count| count == 0));
        assert!(drawn[4..8].iter().all(|&count| (850..1_150).contains(&count)), "{drawn:?}");
        assert!(drawn[8..].iter().all(|&count| (2_750..3_250).contains(&count)), "{drawn:?}");
    }

    #[test]
    fn at_a_seed_with_four_slots_everybody_is_served_in_turn() {
        let mut peers: Vec<_> = (0..40).map(waiting).collect();
        let mut served = [0u32; 40];
        let (mut choker, mut decisions, mut random) = (Choker::new(), Decisions::default(), Rng::with_seed(3));
        for round in 0..120 {
            let now = NOW + ROUND * round;
            choker.decide(Occasion::Round, now, 4, &peers, &mut random, &mut decisions);
            assert_eq!(decisions.open, 4);
            for peer in &mut peers {
                let (got, lost) = (decisions.unchoke.contains(&peer.key), decisions.choke.contains(&peer.key));
                if got || lost {
                    (peer.unchoked, peer.since) = (got, now);
                }
                let optimistic = decisions.optimistic == Some(peer.key);
                peer.optimistic_since = optimistic.then(|| peer.optimistic_since.unwrap_or(now));
                served[peer.key.slot as usize] += u32::from(peer.unchoked);
            }
        }
        // 480 rounds of slots for 40 peers: twelve each, more or less a term and a draw or two
        assert!(served.iter().all(|rounds| (6..=21).contains(rounds)), "{served:?}");
    }

    fn any_candidate() -> impl Strategy<Value = Candidate> {
        let bools = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        (0u64..100, any::<[u8; 3]>(), bools, 0u64..40, prop::bool::weighted(0.1)).prop_map(
            |(seconds, rates, (unchoked, downloading, snubbed, requesting, interested), gib, upload_only)| Candidate {
                interested: interested || unchoked,
                upload_only,
                unchoked,
                since: ago(seconds),
                connected_at: ago(seconds + u64::from(rates[2])),
                downloading,
                snubbed,
                requesting,
                received_rate: rates[0].into(),
                sent_rate: rates[1].into(),
                sent: gib << 28,
                ..waiting(0)
            },
        )
    }

    proptest! {
        #[test]
        fn slots_are_filled_and_never_exceeded_but_for_those_who_just_got_one(
            mut peers in prop::collection::vec(any_candidate(), 0..60), slots in 0u32..40, seed: u64, round: bool
        ) {
            (0..).zip(&mut peers).for_each(|(slot, peer)| peer.key.slot = slot);
            if let Some(peer) = peers.iter_mut().find(|peer| peer.unchoked) {
                peer.optimistic_since = Some(peer.since);
            }
            let occasion = if round { Occasion::Round } else { Occasion::Between };
            let decisions = decide(occasion, slots, &peers, seed);
            let wanting = peers.iter().filter(|peer| peer.wants()).count();
            let undisturbed =
                peers.iter().filter(|peer| peer.wants() && peer.unchoked && (!round || NOW - peer.since < ROUND
                    || keeps_optimistic(peer, occasion, NOW, Periods::default())));
            let undisturbed: Vec<PeerKey> = undisturbed.map(|peer| peer.key).collect();
            let open = (slots as usize).max(undisturbed.len()).min(wanting);
            prop_assert_eq!((decisions.open as usize, decisions.waiting as usize), (open, wanting - open));
            for peer in &peers {
                let (lost, got) = (decisions.choke.contains(&peer.key), decisions.unchoke.contains(&peer.key));
                prop_assert!(!(lost && undisturbed.contains(&peer.key)));
                prop_assert!(!lost || peer.unchoked);
                prop_assert!(!got || !peer.unchoked && peer.wants());
                prop_assert!(lost || !peer.unchoked || peer.wants());
            }
        }
    }
}
