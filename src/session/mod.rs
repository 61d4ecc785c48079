//! Torrents and their lives: the facade that every front end uses.
//!
//! A [`Session`] owns the reactors, the embedded tracker and the announcer, and connects them: peers that trackers name
//! are dialled, numbers that reactors publish are what trackers are told, files that change stop their torrent. It runs
//! on the control thread; [`Session::turn`] is its second hand.

mod addresses;
mod announcing;
mod comparing;
mod config;
mod descriptors;
mod dialling;
mod dormant;
mod downloading;
mod entry;
mod farewell;
mod fleet;
mod handover;
mod identity;
mod known;
mod messages;
pub mod metadata;
mod overview;
mod process;
pub mod resume;
pub mod seedbox;
mod seeding;
mod seeking;
pub mod state;
mod status;
pub mod web_seed;
pub mod webhooks;

pub use config::{SessionConfig, SessionError, TrackerChoice};
pub use descriptors::{connections_within, raise_descriptor_limit};
pub use downloading::Download;
pub use fleet::{Fleet, FleetConfig, FleetError, listen};
pub use handover::Handover;
pub use identity::{CLIENT, USER_AGENT, fresh_key, fresh_peer_id};
pub use seeding::{Farewell, Session, Torrent};
pub use status::{Announces, DownloadView, Flow, ReactorView, Status, TorrentState, TorrentView, TrackerView, Ways};
