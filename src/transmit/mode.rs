//! Which sending path to take.

use std::fmt;
use std::str::FromStr;

/// How payload leaves (`--send`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SendMode {
    /// `Splice` where the kernel lets us, else `Copy`.
    #[default]
    Auto,
    /// `vmsplice` into a pipe, `splice` to the socket; `Copy` for a chunk that finds no pipe.
    Splice,
    /// `sendmsg` from the map: one copy.
    Copy,
    /// `sendmsg` with MSG_ZEROCOPY from the map, for real network cards: on loopback it copies and costs more than `Copy`.
    /// The socket then signals EPOLLERR for completions too: call [`crate::transmit::Transmitter::reap`] before taking that for an error.
    ZeroCopy,
}

impl FromStr for SendMode {
    type Err = String;
    fn from_str(text: &str) -> Result<SendMode, String> {
        match text {
            "auto" => Ok(SendMode::Auto),
            "splice" => Ok(SendMode::Splice),
            "copy" => Ok(SendMode::Copy),
            "zerocopy" => Ok(SendMode::ZeroCopy),
            _ => Err(format!("{text:?} is none of auto, splice, copy, zerocopy")),
        }
    }
}

impl fmt::Display for SendMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SendMode::Auto => "auto",
            SendMode::Splice => "splice",
            SendMode::Copy => "copy",
            SendMode::ZeroCopy => "zerocopy",
        })
    }
}
