//! From a folder to the torrent that it becomes: which files in which order, and how long the pieces.

use serde::{Deserialize, Serialize};

use crate::metainfo::{Builder, Geometry, TorrentError, auto_piece_length};

use super::{Content, Walk};

/// The choices that the info-hash depends on, beside the files themselves.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Recipe {
    /// Bytes of a piece; `None`: by the size of the content.
    pub piece_length: Option<u32>,
    /// Peers come from the torrent's own trackers only (BEP 27).
    pub private: bool,
    /// A word that makes the info-hash differ from that of the same content elsewhere.
    pub source: Option<String>,
    /// Every file begins with a piece (BEP 47).
    pub pad: bool,
}

/// A torrent but for its hashes.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Takes the hashes, the trackers and whatever else is not content.
    pub builder: Builder,
    /// The pieces to hash.
    pub geometry: Geometry,
    /// The files to read.
    pub content: Content,
}

impl Layout {
    /// Lays out what `walk` found. The same files and the same recipe always make the same info-hash.
    pub fn new(walk: &Walk, recipe: &Recipe) -> Result<Layout, TorrentError> {
        let total = walk.files.iter().map(|(_, length)| length).sum();
        let piece_length = recipe.piece_length.unwrap_or_else(|| auto_piece_length(total));
        let mut content = Content::empty(&walk.root);
        let mut builder = if walk.single_file {
            Builder::single(&walk.name, total, piece_length)
        } else {
            Builder::folder(&walk.name, piece_length)
        };
        let mut end = 0u64;
        for (path, length) in &walk.files {
            let gap = end.next_multiple_of(u64::from(piece_length).max(1)) - end;
            if recipe.pad && gap > 0 && *length > 0 {
                builder = builder.padding(gap);
                content.push_padding(gap);
                end += gap;
            }
            if !walk.single_file {
                builder = builder.file(path, *length);
            }
            content.push(path, *length);
            end += length;
        }
        let builder = builder.private(recipe.private).source(recipe.source.clone());
        Ok(Layout { geometry: builder.geometry()?, builder, content })
    }
}
