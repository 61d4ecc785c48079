//! What is simulated: a file, who takes part, and how.

use std::time::Duration;

use crate::lab::network::Access;
use crate::schedule::Periods;
use crate::schedule::picker::Order;

/// A swarm and its surroundings.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Who takes part, in order of arrival.
    pub members: Vec<Member>,
    /// Bytes of pieces that a member may have under way.
    pub memory: u64,
    /// Connections that a downloader looks for; it takes half as many again.
    pub neighbours: usize,
    /// How long rounds are.
    pub periods: Periods,
    /// Of all chance.
    pub seed: u64,
    /// When the simulation ends, whoever is not finished by then.
    pub until: Duration,
    /// Whether what arrives is cut at random places, as streams are.
    pub cuts: bool,
}

/// One who takes part.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its link.
    pub access: Access,
    /// When it comes.
    pub arrives: Duration,
    /// What it has when it comes.
    pub has: Has,
    /// Whether it looks for others, or waits to be found.
    pub seeks: bool,
    /// What it does when it has everything.
    pub then: Then,
    /// Peers that it serves at once.
    pub slots: u32,
    /// Which pieces it fetches first.
    pub order: Order,
    /// It shows its pieces one by one, if it has everything (BEP 16).
    pub super_seeds: bool,
    /// How it behaves.
    pub manner: Manner,
}

/// What a member has when it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Has {
    /// Nothing.
    Nothing,
    /// So many pieces in a hundred, drawn at random.
    Part(u8),
    /// Everything; it stays.
    Everything,
}

/// What a member does when it has everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// Selfish.
    Leave,
    /// Leaves after a while.
    Linger(Duration),
    /// Altruistic.
    Stay,
}

/// How a member behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// As the protocol has it.
    Honest,
    /// Uploads nothing.
    FreeRider,
    /// So many in a hundred of the blocks that it sends are bad.
    Liar(u8),
    /// Sends what nobody asked for, each second.
    Flooder,
    /// Breaks each connection after about so many bytes, wherever that is in a message.
    Breaker(u32),
    /// Leaves, finished or not, at this time.
    Deserter(Duration),
    /// Promises blocks and sends none.
    Staller,
}

impl Member {
    /// A downloader of the textbook: serves the four that send most and one drawn at random, fetches the rarest first, stays.
    pub fn leecher(access: Access) -> Member {
        Member {
            access,
            arrives: Duration::ZERO,
            has: Has::Nothing,
            seeks: true,
            then: Then::Stay,
            slots: 5,
            order: Order::RarestFirst,
            super_seeds: false,
            manner: Manner::Honest,
        }
    }

    /// One who has everything.
    pub fn seed(access: Access) -> Member {
        Member { has: Has::Everything, seeks: false, ..Member::leecher(access) }
    }

    /// It has everything from the start.
    pub fn is_seed(&self) -> bool {
        self.has == Has::Everything
    }

    /// Whether it has a right to the file: it does nothing for which others may leave it alone, and does not go away.
    pub fn should_finish(&self) -> bool {
        !self.is_seed() && matches!(self.manner, Manner::Honest | Manner::FreeRider)
    }
}
