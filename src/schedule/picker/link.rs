//! What one peer owes, how fast it sends, and how much it may therefore owe.
//!
//! The pipeline holds what the peer sends in a second and two round trips at the rate measured. Twice the round trip, not
//! once, so that a pipeline which was the limit grows; the second, because that is how often it is measured. At first it grows
//! by a block for each block that came, so it doubles each round trip until the rate stops to rise (as TCP's slow start).

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Time;
use crate::ids::BlockRef;
use crate::limits::{BLOCK, REQUESTS_IN_FLIGHT};

use super::{LinkStatus, Manner};

/// Pipeline of a peer of which nothing is known: a chunk's half, a second at 1 Mbit/s.
const START: usize = 8;
/// Smallest pipeline: one block under way and one asked for.
const FEWEST: usize = 2;
/// How long a peer may owe blocks and send none (BEP 3: a minute).
const SNUBBED_AFTER: Duration = Duration::from_secs(60);
const SECOND: u64 = 1_000_000;

#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) manner: Manner,
    pub(super) choked: bool,
    pub(super) banned: bool,
    snubbed: bool,
    /// In the order of asking, with the time.
    in_flight: VecDeque<(BlockRef, Time)>,
    /// When the last block came, or when the first of those in flight was asked for.
    owed_since: Time,
    pipeline: usize,
    /// The rate still rises with the pipeline.
    starting: bool,
    /// Bytes since the last tick.
    bytes: u64,
    rate: u64,
    /// From asking an idle peer to its block, in microseconds: with others under way it would measure our own queue.
    round_trip: u64,
    /// The block that was asked for when nothing else was under way.
    probe: Option<BlockRef>,
    ticked_at: Time,
}

impl Link {
    pub(super) fn new(now: Time, manner: Manner) -> Link {
        let requests_max = manner.requests_max.clamp(1, REQUESTS_IN_FLIGHT);
        Link {
            manner: Manner { requests_max, ..manner },
            choked: true,
            banned: false,
            snubbed: false,
            in_flight: VecDeque::new(),
            owed_since: now,
            pipeline: START.min(requests_max),
            starting: true,
            bytes: 0,
            rate: 0,
            round_trip: SECOND,
            probe: None,
            ticked_at: now,
        }
    }

    pub(super) fn set_requests_max(&mut self, requests: usize) {
        self.manner.requests_max = requests.clamp(1, REQUESTS_IN_FLIGHT);
        self.pipeline = self.pipeline.min(self.manner.requests_max);
    }

    pub(super) fn owes(&self, block: BlockRef) -> bool {
        self.in_flight.iter().any(|(owed, _)| *owed == block)
    }

    /// It would send, and is asked for nothing.
    pub(super) fn is_idle(&self) -> bool {
        !self.choked && !self.banned && self.in_flight.is_empty()
    }

    /// Blocks that may be asked for now.
    pub(super) fn room(&self) -> usize {
        if self.choked || self.banned { 0 } else { self.pipeline.saturating_sub(self.in_flight.len()) }
    }

    pub(super) fn ask(&mut self, now: Time, block: BlockRef) {
        if self.in_flight.is_empty() {
            self.owed_since = now;
            self.probe = Some(block);
        }
        self.in_flight.push_back((block, now));
    }

    /// A block came; whether it was owed.
    pub(super) fn received(&mut self, now: Time, block: BlockRef) -> bool {
        // even one that is not owed any more tells that the peer is alive
        self.snubbed = false;
        self.owed_since = now;
        let Some(place) = self.in_flight.iter().position(|(owed, _)| *owed == block) else { return false };
        if let Some((_, asked_at)) = self.in_flight.remove(place) {
            let micros = u64::try_from((now - asked_at).as_micros()).unwrap_or(u64::MAX);
            if self.probe.take_if(|probe| *probe == block).is_some() {
                self.round_trip = micros.min(SECOND);
            }
        }
        self.bytes += u64::from(block.length);
        if self.starting {
            self.pipeline = (self.pipeline + 1).min(self.manner.requests_max);
        }
        true
    }

    /// For how long it has sent nothing although it owes something.
    pub(super) fn silence(&self, now: Time) -> Duration {
        if self.in_flight.is_empty() { Duration::ZERO } else { now - self.owed_since }
    }

    /// Takes back what was asked; whether it was owed.
    pub(super) fn forget(&mut self, block: BlockRef) -> bool {
        let place = self.in_flight.iter().position(|(owed, _)| *owed == block);
        place.is_some_and(|place| self.in_flight.remove(place).is_some())
    }

    pub(super) fn forget_all(&mut self) -> Vec<BlockRef> {
        self.in_flight.drain(..).map(|(block, _)| block).collect()
    }

    pub(super) fn owed(&self) -> impl Iterator<Item = BlockRef> {
        self.in_flight.iter().map(|(block, _)| *block)
    }

    /// Measures; whether what it owes is to be freed, because it is snubbed from now on.
    pub(super) fn tick(&mut self, now: Time) -> bool {
        let micros = u64::try_from((now - self.ticked_at).as_micros()).unwrap_or(u64::MAX);
        if micros > 0 {
            self.measure(micros);
            self.ticked_at = now;
        }
        let silent = !self.in_flight.is_empty() && now - self.owed_since >= SNUBBED_AFTER;
        if silent {
            self.snubbed = true;
            self.starting = false;
        }
        if self.snubbed {
            self.pipeline = 1;
        }
        silent
    }

    fn measure(&mut self, micros: u64) {
        let scaled = u128::from(std::mem::take(&mut self.bytes)) * u128::from(SECOND) / u128::from(micros);
        let measured = u64::try_from(scaled).unwrap_or(u64::MAX);
        let before = self.rate;
        // up at once, down slowly: a pipeline too short costs throughput, one too long a little memory
        self.rate = measured.max(before / 4 * 3 + measured / 4);
        let span = u128::from(SECOND + 2 * self.round_trip);
        let bytes = u128::from(self.rate) * span / u128::from(SECOND);
        let blocks = usize::try_from(bytes / u128::from(BLOCK)).unwrap_or(usize::MAX);
        let wanted = blocks.clamp(FEWEST.min(self.manner.requests_max), self.manner.requests_max);
        self.starting &= measured == 0 && before == 0 || measured > before + before / 4;
        self.pipeline = if self.starting { self.pipeline.max(wanted) } else { wanted };
    }

    pub(super) fn status(&self) -> LinkStatus {
        LinkStatus { rate: self.rate, snubbed: self.snubbed, in_flight: self.in_flight.len(), pipeline: self.pipeline }
    }
}
