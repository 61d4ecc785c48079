//! The end of serving a peer, in order: it gets what it waits for, nothing more, and is told.

use crate::wire::Message;

use super::connection::Peer;

impl Peer {
    /// Serves it what it waits for and nothing that it asks for from now on. With Fast it is choked at once: its requests stand until
    /// each is served or rejected (BEP 6). Without, a choke would take them back (BEP 3), so it comes after them, by [`Peer::part`].
    pub fn retire(&mut self, out: &mut Vec<u8>) {
        let was_choked = std::mem::replace(&mut self.choked, true);
        self.fast_allowance = 0;
        self.owes_choke = !was_choked;
        if self.reserved.fast() {
            self.part(out);
        }
    }

    /// It was served all that it waited for.
    pub fn part(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.owes_choke) {
            Message::Choke.encode(out);
        }
    }
}
