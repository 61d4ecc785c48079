//! Torrent files: what they say, how content lies in pieces, how they are made.

mod geometry;

pub use geometry::{Geometry, Span};
