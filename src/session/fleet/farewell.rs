//! The end, in order.

use crate::reactor::{Command, Reactor};

use super::Fleet;

impl Fleet {
    /// Nothing new begins: peers are choked, what they have asked for goes out whole, and then their connections are closed. Who comes
    /// to a listener that was handed in waits there for whoever accepts next.
    pub fn wind_down(&mut self) {
        self.order_all(|| Command::WindDown);
    }

    /// That is over on all reactors. Takes in what they have published.
    pub fn is_over(&mut self) -> bool {
        (0..self.reactors.len()).for_each(|reactor| self.deliver(reactor));
        self.collect();
        let over = |(reactor, latest): (&Reactor, &Option<_>)| {
            reactor.is_finished() || latest.as_ref().is_some_and(|snapshot: &crate::reactor::Snapshot| snapshot.over)
        };
        self.reactors.iter().zip(&self.latest).all(over)
    }
}
