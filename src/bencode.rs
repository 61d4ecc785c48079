//! Bencode (BEP 3): a bounded decoder that borrows from its input, and an encoder that cannot write an unsorted key.
//!
//! Recursion is bounded by [`Bounds::depth`], memory by [`Bounds::values`]; every error names the byte where it was
//! found. Torrent files are read with [`Order::Strict`]; messages of peers and trackers with [`Order::Any`], because
//! clients in use send unsorted keys there.

mod decode;
mod encode;

pub use decode::{Bounds, Dict, Error, ErrorKind, Order, Value, decode, decode_prefix};
pub use encode::{DictEncoder, Encoder};
