//! sower: a high-throughput, zero-copy BitTorrent seeder for Linux.
//!
//! The folder list is the architecture; imports point down this table only, and `tests/architecture.rs` holds that.
//!
//! | level | modules |
//! |---|---|
//! | 0 | `ids` `limits` `clock` `bencode` |
//! | 1 | `wire` `metainfo` `hash` `filter` |
//! | 2 | `peer` `schedule` |
//! | 3 | `shard` |
//! | 4 | `storage` |
//! | 5 | `transmit` |
//! | 6 | `reactor` `tracker` `discovery` |
//! | 7 | `session` |
//! | 8 | `api` |
//! | 9 | `cli` |
//! | side | `picture` `load` `lab` |

pub mod api;
pub mod bencode;
pub mod cli;
pub mod clock;
pub mod discovery;
pub mod filter;
pub mod hash;
pub mod ids;
pub mod lab;
pub mod limits;
pub mod load;
pub mod metainfo;
pub mod peer;
pub mod picture;
pub mod reactor;
pub mod schedule;
pub mod session;
pub mod shard;
pub mod storage;
pub mod tracker;
pub mod transmit;
pub mod wire;
