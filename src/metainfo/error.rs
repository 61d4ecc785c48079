//! What may be wrong with a torrent file.

use crate::bencode;
use crate::limits;

/// Why bytes are not a torrent that can be served. Keys are written as paths: `info.files[3].length`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorrentError {
    /// The file exceeds [`limits::TORRENT_FILE`].
    #[error("the file is longer than {} bytes", limits::TORRENT_FILE)]
    FileTooLarge,
    /// Not bencode.
    #[error("not a torrent file: {0}")]
    Bencode(bencode::Error),
    /// Bencode, but not a dictionary.
    #[error("not a torrent file: it is no dictionary")]
    NotDictionary,
    /// A key that must be there.
    #[error("key `{key}` is missing")]
    Missing {
        /// Which.
        key: String,
    },
    /// A value of another type than BEP 3 and its extensions say.
    #[error("key `{key}` is not {expected}")]
    WrongType {
        /// Which.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A text or list beyond its bound.
    #[error("key `{key}` is too long: at most {limit} {unit} are read")]
    TooLong {
        /// Which.
        key: String,
        /// The bound.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A URL that is not text, or has control characters in it.
    #[error("key `{key}` is not a readable URL")]
    BadUrl {
        /// Which.
        key: String,
    },
    /// A v2 torrent (BEP 52) that has no v1 piece hashes.
    #[error(
        "this is a v2-only torrent (`info.meta version` is 2 and there is no `info.pieces`); v1 and hybrid ones can be served"
    )]
    V2Only,
    /// A version that is neither 1 nor 2.
    #[error("`info.meta version` is {0}; 1 and 2 are known")]
    UnknownVersion(i64),
    /// `info.piece length` is not positive, or beyond [`limits::PIECE_LENGTH_MAX`].
    #[error("`info.piece length` is {0}; it must be 1 to {max}", max = limits::PIECE_LENGTH_MAX)]
    PieceLength(i64),
    /// `info.pieces` is no row of 20-byte hashes.
    #[error("`info.pieces` is {bytes} bytes long, which is not a multiple of 20")]
    RaggedHashes {
        /// Its length.
        bytes: usize,
    },
    /// `info.pieces` has too few or too many hashes.
    #[error("`info.pieces` has {found} hashes, but the content has {needed} pieces")]
    HashCount {
        /// Hashes there.
        found: usize,
        /// Pieces of the content.
        needed: usize,
    },
    /// Both `info.length` and `info.files`.
    #[error("`info.length` and `info.files` are both there; a torrent has one or the other")]
    LengthAndFiles,
    /// Neither of them.
    #[error("`info.length` and `info.files` are both missing")]
    NoLength,
    /// `info.files` is empty.
    #[error("`info.files` is empty")]
    NoFiles,
    /// A length below zero.
    #[error("key `{key}` is {length}; a length is not negative")]
    NegativeLength {
        /// Which.
        key: String,
        /// Its value.
        length: i64,
    },
    /// Content beyond [`limits::PIECES`] pieces.
    #[error("the content has more than {} pieces; make the torrent with longer ones", limits::PIECES)]
    TooManyPieces,
    /// All files are empty or padding.
    #[error("the torrent has no content: all its files are empty")]
    Empty,
    /// A path or name that could leave its folder, or that no file system takes.
    #[error("key `{key}` is no usable path: {fault}")]
    Path {
        /// Which.
        key: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two files of one path.
    #[error("two files have the path {path:?}")]
    DuplicatePath {
        /// The path.
        path: String,
    },
    /// A path that goes through another file.
    #[error("{path:?} is a file, but {inside:?} lies in it as in a folder")]
    FileIsFolder {
        /// The file.
        path: String,
        /// The path through it.
        inside: String,
    },
    /// A symbolic link (BEP 47, attribute `l`).
    #[error("key `{key}` makes the file a symbolic link; torrents with links are not served")]
    Symlink {
        /// The `attr` key.
        key: String,
    },
}

impl From<bencode::Error> for TorrentError {
    // by hand: the message tells the cause whole, so that a chain of sources would tell it twice
    fn from(error: bencode::Error) -> TorrentError {
        TorrentError::Bencode(error)
    }
}

/// What is wrong with a path from a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// No components at all.
    #[error("it has no components")]
    NoComponents,
    /// A component without a byte.
    #[error("it has an empty component")]
    EmptyComponent,
    /// A component `.`.
    #[error("it has the component `.`")]
    CurrentFolder,
    /// A component `..`.
    #[error("it has the component `..`")]
    ParentFolder,
    /// `/` inside a component; absolute paths are of this kind.
    #[error("it has a `/` inside a component")]
    Separator,
    /// A zero byte.
    #[error("it has a zero byte")]
    Nul,
    /// A component beyond [`limits::NAME_LENGTH`].
    #[error("it has a component of more than {} bytes", limits::NAME_LENGTH)]
    LongComponent,
    /// A path beyond [`limits::PATH_LENGTH`].
    #[error("it is longer than {} bytes", limits::PATH_LENGTH)]
    LongPath,
}
