//! Across connections: who is unchoked, whose turn it is, how fast, which piece first.
//!
//! Plain computation over small records: this folder never sees a peer or a message. Time comes in as
//! [`crate::clock::Time`], randomness as `&mut fastrand::Rng`; decisions go out as values and somebody else acts on
//! them. Nothing here allocates in steady state.
//!
//! | file | question it answers | called |
//! |---|---|---|
//! | `choker` | who holds a slot? | every 10 s, and when a slot gets free |
//! | `slots` | how many slots are there? | every second |
//! | `shares` | which shard gives the slots of a torrent? | every second |
//! | `turns` | whose chunk goes out next? | for every chunk |
//! | `pace` | how many bytes may go out now? | for every chunk |
//! | `askers` | which peer may we ask next? | where downloads are limited, for every few blocks |
//! | `rarity` | which piece is rarest? | for every have and every choice of a piece |
//! | `picker` | which blocks do we ask of whom? | for every block that came |

mod askers;
mod choker;
mod pace;
pub mod picker;
mod rarity;
mod shares;
mod slots;
mod turns;

pub use askers::{Askers, Grant};
pub use choker::{Candidate, Choker, Decisions, Occasion, Periods, ROUND};
pub use pace::{Bucket, Pacer};
pub use picker::Picker;
pub use rarity::Rarity;
pub use shares::{ShardSlots, SlotShares};
pub use slots::{AutoSlots, ParseSlotsError, Second, Slots, apportion};
pub use turns::{Turn, Turns};
