//! reactor

pub mod driver;
pub mod sockets;
