//! The seedbox through its handle: what is added is seeded and downloaded, what is chosen holds, what is not there is waited for.

mod box_of;
mod content;
mod lives;
mod rules;
