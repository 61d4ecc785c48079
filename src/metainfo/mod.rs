//! Torrent files and magnet links: what they say, how content lies in pieces, how they are made.
//!
//! [`Metainfo::parse`] takes untrusted bytes; what it returns keeps these promises, so that nothing below checks again:
//!
//! - every path is relative, has only normal components (no `..`, `.`, empty part, NUL), and no two files that are
//!   not padding share one or need a file to be a folder;
//! - every piece of [`Geometry`] has exactly one hash;
//! - [`Metainfo::info_bytes`] are the bytes of the input, untouched, and [`Metainfo::info_hash`] is their SHA-1.
//!
//! Names are bytes, as Linux has them: a name that is not UTF-8 is the very name on disk.

mod error;
mod geometry;
mod keys;
mod magnet;
mod parse;
mod path;
mod path_index;
mod torrent;
mod write;

pub use error::{PathFault, TorrentError};
pub use geometry::{Geometry, Span};
pub use magnet::{Magnet, MagnetError};
pub use path_index::PathIndex;
pub use torrent::{File, Metainfo, PieceHashes};
pub use write::{Builder, auto_piece_length};
