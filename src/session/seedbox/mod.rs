//! The seedbox: every torrent of its owner, what each is to do, and one handle behind every front end.
//!
//! ```text
//!   front ends --orders (bounded)--> keeper task --> Session: reactors, announces, downloads
//!        ^                              |       \--> state on disk
//!        +------- views (latest) -------+
//! ```
//!
//! One task, the keeper, owns everything and decides. Front ends read [`View`]s, which are immutable and cost nobody anything
//! while they are read, and send orders, which are answered once a view shows their effect.

mod adding;
mod changing;
mod choice;
mod counting;
mod enough;
mod handing;
mod handle;
mod keeper;
mod look;
mod looking;
mod moving;
mod order;
mod pacing;
pub(crate) mod path;
mod patrol;
mod place;
mod queue;
mod retrying;
mod row;
mod rows;
mod saving;
mod seeking;
mod settings;
mod settle;
mod start;
mod steady;
mod telling;
mod view;
mod waking;
mod watching;

pub use crate::discovery::Trouble;
pub(super) use adding::about;
pub use choice::{Choice, FilePriority, LimitChoice, Place};
pub use handle::Seedbox;
pub use order::{
    Added, Addition, Carried, Change, LimitChange, Order, QueueMove, Refusal, RefusalKind, Source, TrackerChange,
};
pub use place::confine;
pub(super) use place::content_of;
pub use row::{About, Activity, Numbers, Row};
pub use rows::Rows;
pub use settings::{Category, LimitAction, RateSchedule, Settings, TrafficBudget};
pub use start::{SeedboxConfig, SeedboxError};
pub use view::{Removed, Totals, View};
