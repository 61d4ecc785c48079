//! The peer protocol as bytes: handshake, messages (BEP 3), Fast (BEP 6), extension protocol (BEP 10), metadata (BEP 9).
//!
//! Decoders borrow from the input and never keep anything. A message's length is checked against the bound of its kind
//! as soon as its first five bytes are known, so a peer cannot make us wait for, or hold, more than a valid message.
//! After a successful decode no accessor panics.
//!
//! [`http`] is what else is spoken on the same port, for web seeding (BEP 19).

pub mod extension;
mod fast;
mod handshake;
pub mod http;
mod message;

pub use fast::{ALLOWED_FAST, allowed_fast};
pub use handshake::{Handshake, HandshakeError, Reserved};
pub use message::{Bounds, Message, PIECE_HEADER, WireError, decode, decode_piece_header, piece_header};
