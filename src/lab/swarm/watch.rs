//! What an experiment looks at while a swarm runs.

use crate::clock::Time;
use crate::ids::PieceIndex;
use crate::lab::network::NodeId;

/// Told of what happens. By default it looks away.
pub trait Watch {
    /// A block came.
    fn block(&mut self, now: Time, from: NodeId, to: NodeId, bytes: u32) {
        let _ = (now, from, to, bytes);
    }

    /// A member has one more piece.
    fn piece(&mut self, now: Time, node: NodeId, piece: PieceIndex) {
        let _ = (now, node, piece);
    }

    /// A member has everything.
    fn finished(&mut self, now: Time, node: NodeId) {
        let _ = (now, node);
    }

    /// A member serves another from now on, or no more.
    fn left(&mut self, now: Time, node: NodeId) {
        let _ = (now, node);
    }
}

impl Watch for () {}
