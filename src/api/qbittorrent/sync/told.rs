//! Which views clients were sent, so that each is told only what differs from what it has.
//!
//! An answer has a number, and the client says which one it has. Of each client the answer that it named and the latest one are kept:
//! the latest may have been lost on its way. A view shares its rows with the one before it, so that keeping it costs its changed rows.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::call::Client;
use crate::limits::{API_VIEW_SECONDS, API_VIEWS};
use crate::session::seedbox::View;

/// Numbers stay below this: some clients hold them in 32 bits.
const RIDS: u32 = 1_000_000_000;

struct Sent {
    client: Client,
    rid: u32,
    view: Arc<View>,
    at: i64,
}

/// See the module.
pub(in crate::api::qbittorrent) struct Told {
    last: u32,
    sent: VecDeque<Sent>,
}

impl Told {
    /// Numbers go on from the time, so that those of an earlier start mean nothing now.
    pub(in crate::api::qbittorrent) fn new(now: i64) -> Told {
        let start = now.unsigned_abs() % u64::from(RIDS / 1_000) * 1_000;
        Told { last: u32::try_from(start).unwrap_or(0), sent: VecDeque::new() }
    }

    /// Notes that `client` is sent `view` now. Returns what it has, if that is known, and the number of the answer.
    pub(super) fn tell(&mut self, client: Client, known: u32, view: Arc<View>, now: i64) -> (Option<Arc<View>>, u32) {
        let is_old = |sent: &Sent| now.saturating_sub(sent.at) > API_VIEW_SECONDS;
        self.sent.retain(|sent| !is_old(sent) && (sent.client != client || sent.rid == known));
        let base = self.sent.iter().find(|sent| sent.client == client).map(|sent| Arc::clone(&sent.view));
        while self.sent.len() >= API_VIEWS {
            self.sent.pop_front();
        }
        self.last = self.last % RIDS + 1;
        self.sent.push_back(Sent { client, rid: self.last, view, at: now });
        (base, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::guard::SessionKey;
    use crate::api::qbittorrent::sample;

    const ONE: Client = Client::Login(SessionKey(1));
    const TWO: Client = Client::Login(SessionKey(2));

    fn views() -> impl FnMut() -> Arc<View> {
        let mut revision = 0;
        move || {
            revision += 1;
            Arc::new(sample::view(0).with_rows(revision, Vec::new()))
        }
    }

    fn revision(answer: &(Option<Arc<View>>, u32)) -> Option<u64> {
        answer.0.as_ref().map(|view| view.revision)
    }

    #[test]
    fn a_client_is_told_what_differs_from_the_answer_that_it_names() {
        let (mut told, mut view) = (Told::new(5), views());
        let first = told.tell(ONE, 0, view(), 0);
        let second = told.tell(ONE, first.1, view(), 1);
        assert_eq!((revision(&first), revision(&second)), (None, Some(1)));
        // the second answer was lost: it asks again with the first
        let third = told.tell(ONE, first.1, view(), 2);
        assert_eq!(revision(&third), Some(1));
        let fourth = told.tell(ONE, third.1, view(), 3);
        assert_eq!(revision(&fourth), Some(3));
        assert_eq!(revision(&told.tell(ONE, first.1, view(), 4)), None, "named once more, but given up");
    }

    #[test]
    fn clients_do_not_disturb_each_other() {
        let (mut told, mut view) = (Told::new(5), views());
        let one = told.tell(ONE, 0, view(), 0);
        let two = told.tell(TWO, one.1, view(), 0);
        assert_eq!(revision(&two), None, "a number of somebody else");
        assert_eq!(revision(&told.tell(ONE, one.1, view(), 0)), Some(1));
        assert_eq!(revision(&told.tell(TWO, two.1, view(), 0)), Some(2));
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_time() {
        let (mut told, mut view) = (Told::new(5), views());
        let first = told.tell(ONE, 0, view(), 0);
        for key in 10..10 + API_VIEWS as u64 {
            told.tell(Client::Login(SessionKey(key)), 0, view(), 0);
        }
        assert!(told.sent.len() <= API_VIEWS);
        assert_eq!(revision(&told.tell(ONE, first.1, view(), 0)), None);
        let late = told.tell(TWO, 0, view(), 0);
        assert_eq!(revision(&told.tell(TWO, late.1, view(), API_VIEW_SECONDS + 1)), None);
        assert_eq!(told.sent.len(), 1);
    }

    #[test]
    fn numbers_of_an_earlier_start_are_not_given_again() {
        let (mut before, mut after, mut view) = (Told::new(1_700_000_000), Told::new(1_700_000_060), views());
        let old = before.tell(Client::Local, 0, view(), 0).1;
        assert!(after.tell(Client::Local, old, view(), 0).1 > old + 50_000);
        let mut last = Told { last: RIDS - 1, sent: VecDeque::new() };
        assert_eq!((last.tell(ONE, 0, view(), 0).1, last.tell(ONE, 0, view(), 0).1), (RIDS, 1));
    }
}
