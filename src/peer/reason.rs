//! Why connections end: a fixed list, so that each can be counted.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// Why a connection ended or never began.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Reason] = &[$(Reason::$name),+];

            /// A short name for logs and metrics.
            pub fn name(self) -> &'static str {
                match self { $(Reason::$name => $text),+ }
            }
        }
    };
}

reasons! {
    /// The peer ended the stream.
    Ended = "ended",
    /// The kernel reported an error: reset, timed out, unreachable.
    Failed = "connection failed",
    /// We are shutting down, or the torrent was removed.
    Stopped = "stopped",
    /// The torrent's data cannot be read any more.
    TorrentFailed = "torrent failed",
    /// Neither side wants anything.
    Redundant = "both complete",
    /// It is ourselves.
    Ourselves = "connected to itself",
    /// The same peer is connected to this torrent already.
    Duplicate = "connected twice",
    /// Too many connections in all.
    Full = "too many connections",
    /// Too many connections from its address.
    FullAddress = "too many connections from one address",
    /// Too many connections of its torrent.
    FullTorrent = "too many connections of one torrent",
    /// Its address is in a list of those that nobody is to be connected with.
    Filtered = "blocked by the address filter",
    /// Too many handshakes are under way.
    FullHandshakes = "too many handshakes",
    /// No handshake in time.
    HandshakeTimeout = "handshake timeout",
    /// Nothing received for long.
    Timeout = "timeout",
    /// It does not read what we send.
    Stalled = "does not read",
    /// First bytes of an encrypted contact or of nothing we know.
    NotPlaintext = "not a plaintext handshake",
    /// First bytes of an HTTP request.
    Http = "http request",
    /// An HTTP connection that was to end with its last answer.
    HttpClosed = "http answered",
    /// An HTTP request that was refused.
    BadHttp = "bad http request",
    /// HTTP requests without end, sent ahead of their answers.
    HttpFlood = "http requests not waited for",
    /// A torrent that we do not serve.
    UnknownTorrent = "unknown torrent",
    /// A torrent of ours whose data is not there now.
    Absent = "data absent",
    /// It answered our handshake with another torrent.
    WrongTorrent = "wrong torrent",
    /// A message of a length that its kind cannot have.
    BadLength = "bad message length",
    /// Data that nobody asked for.
    UnwantedBlock = "unwanted block",
    /// A piece index beyond the last piece.
    BadPiece = "piece out of range",
    /// A request that is empty, too long, or not within its piece.
    BadRequest = "request out of range",
    /// A bitfield with spare bits set.
    BadBitfield = "bad bitfield",
    /// A Fast message without having agreed on Fast.
    NotFast = "fast message without fast extension",
    /// An extension message without the protocol, or a malformed one.
    BadExtension = "bad extension message",
    /// More requests than may wait, sent on although we read no more.
    RequestFlood = "requests beyond any bound",
    /// More cancels than requests.
    CancelFlood = "more cancels than requests",
    /// It sent bad data (proved by the hash of a piece), now or before.
    Banned = "sent bad data",
    /// It makes us answer faster than it reads.
    ControlFlood = "answers not read",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
