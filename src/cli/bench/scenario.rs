//! The named things to measure.

use crate::load::{Behaviour, Order};

/// What leechers do.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scenario {
    /// One leecher
    One,
    /// 50 leechers
    Fifty,
    /// 1,000 leechers
    Thousand,
    /// 10,000 leechers
    TenThousand,
    /// 10,000 connected, 100 of them active
    Idle,
    /// 50 leechers, each of which leaves after 16 pieces for a new one
    Churn,
    /// 50 leechers that read slowly
    Slow,
    /// 50 leechers that take pieces in random order
    Random,
    /// One leecher in order, then 50 in random order, nothing of the payload in memory
    Cold,
    /// All of these
    All,
}

/// One measurement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) peers: usize,
    pub(super) active: usize,
    pub(super) depth: usize,
    pub(super) order: Order,
    pub(super) behaviour: Behaviour,
    /// The payload is dropped from memory before.
    pub(super) cold: bool,
}

/// Pieces that a leecher takes in `churn`.
const CHURN_PIECES: u32 = 16;

impl Case {
    /// Leechers that take what they can get.
    pub(super) fn steady(peers: usize, active: Option<usize>, order: Order) -> Case {
        let active = active.unwrap_or(peers).min(peers);
        let name = match (peers, active) {
            (1, 1) => "1 peer".into(),
            _ if active == peers => format!("{peers} peers"),
            _ => format!("{active} of {peers} peers"),
        };
        Case { name, peers, active, depth: 0, order, behaviour: Behaviour::Steady, cold: false }
    }
}

impl Scenario {
    /// Its measurements.
    pub(super) fn cases(self, order: Order, slow_rate: u64) -> Vec<Case> {
        let steady = |peers| Case::steady(peers, None, order);
        let fifty = |name: &str| Case { name: name.into(), ..steady(50) };
        vec![match self {
            Scenario::One => steady(1),
            Scenario::Fifty => steady(50),
            Scenario::Thousand => steady(1_000),
            Scenario::TenThousand => steady(10_000),
            Scenario::Idle => Case::steady(10_000, Some(100), order),
            Scenario::Churn => Case { behaviour: Behaviour::Churn { pieces: CHURN_PIECES }, ..fifty("churn") },
            Scenario::Slow => Case { behaviour: Behaviour::Slow { rate: slow_rate }, ..fifty("slow readers") },
            Scenario::Random => Case { order: Order::Random, ..fifty("random pieces") },
            Scenario::Cold => {
                let one = Case { name: "cold, in order".into(), order: Order::Sequential, cold: true, ..steady(1) };
                return vec![one, Case { order: Order::Random, cold: true, ..fifty("cold, random") }];
            }
            Scenario::All => return ALL.iter().flat_map(|scenario| scenario.cases(order, slow_rate)).collect(),
        }]
    }
}

const ALL: [Scenario; 9] = [
    Scenario::One,
    Scenario::Fifty,
    Scenario::Thousand,
    Scenario::TenThousand,
    Scenario::Idle,
    Scenario::Churn,
    Scenario::Slow,
    Scenario::Random,
    Scenario::Cold,
];
