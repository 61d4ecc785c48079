//! What is asked of reactors and not told every second.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::ids::TorrentId;
use crate::reactor::{Command, Reply};
use crate::shard::PeerStatus;

use super::Fleet;

/// A reactor answers within a turn of its loop. One that does not has ended, or is so late that what the others say is shown.
const PATIENCE: Duration = Duration::from_secs(2);

impl Fleet {
    /// The peers of a torrent, on all reactors. The future borrows nothing.
    pub fn peers(&mut self, id: TorrentId) -> impl Future<Output = Vec<PeerStatus>> + Send + use<> {
        let answers = self.ask(|reply| Command::Peers { id, reply });
        async { gather(answers).await.into_iter().flatten().collect() }
    }

    /// Which pieces of a torrent are here: a bit each, the first the highest of the first byte. `None` if no reactor serves it.
    pub fn pieces(&mut self, id: TorrentId) -> impl Future<Output = Option<Vec<u8>>> + Send + use<> {
        let answers = self.ask(|reply| Command::Pieces { id, reply });
        async { gather(answers).await.into_iter().flatten().next() }
    }

    fn ask<T: Send + 'static>(&mut self, command: impl Fn(Reply<T>) -> Command) -> Vec<oneshot::Receiver<T>> {
        let running: Vec<usize> =
            (0..self.reactors.len()).filter(|reactor| !self.reactors[*reactor].is_finished()).collect();
        let ask = |reactor: usize| {
            let (sender, answer) = oneshot::channel();
            // whoever asked may have gone
            self.order(reactor, command(Box::new(move |told| drop(sender.send(told)))));
            answer
        };
        running.into_iter().map(ask).collect()
    }
}

/// What those answer who do in time.
async fn gather<T>(answers: Vec<oneshot::Receiver<T>>) -> Vec<T> {
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut told = Vec::with_capacity(answers.len());
    for answer in answers {
        told.extend(tokio::time::timeout_at(end, answer).await.ok().and_then(Result::ok));
    }
    told
}
