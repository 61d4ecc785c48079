//! Announces over UDP (BEP 15). One connected socket for each tracker address: the kernel then drops datagrams of
//! strangers and reports a closed port, and every torrent shares the connection id.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::datagram::{self, Answer};
use super::error::{AnnounceError, Retry};
use super::request::Family;
use crate::limits;

/// For this long a connection id is good (BEP 15).
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// A socket that nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(150);
/// Of the nine tries that BEP 15 allows (over an hour each), so many are made before the torrent's own back-off.
const TRIES: u32 = 3;

type Outcome = Result<Answer, AnnounceError>;

/// The sockets.
#[derive(Debug)]
pub(super) struct Sessions {
    open: Arc<Mutex<Open>>,
    /// Network interface to speak by.
    device: Option<String>,
}

type Open = HashMap<SocketAddr, (Arc<Session>, AbortHandle)>;

#[derive(Debug)]
struct Session {
    peer: SocketAddr,
    socket: UdpSocket,
    waiting: Mutex<HashMap<u32, oneshot::Sender<Outcome>>>,
    /// Held while a connection id is asked for, so that all torrents ask once.
    connection: AsyncMutex<Connection>,
    /// Datagrams that answered nothing.
    ignored: AtomicU32,
}

#[derive(Debug, Default)]
struct Connection {
    id: Option<(u64, Instant)>,
    failed: Option<(Instant, AnnounceError)>,
}

/// How long to wait for answers: `first`, twice that, and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) first: Duration,
}

impl Patience {
    fn of_try(self, number: u32) -> Duration {
        self.first * 2u32.pow(number)
    }

    fn in_all(self) -> Duration {
        self.first * (2u32.pow(TRIES) - 1)
    }
}

impl Sessions {
    pub(super) fn new(device: Option<String>) -> Sessions {
        Sessions { open: Arc::default(), device }
    }

    /// Sends what `request` makes of a connection id and a transaction id, from `local` to `peer`, until an answer
    /// comes or patience ends.
    pub(super) async fn exchange(
        &self,
        peer: SocketAddr,
        local: IpAddr,
        patience: Patience,
        request: impl Fn(u64, u32) -> Vec<u8>,
    ) -> Outcome {
        let session = self.session(peer, local).await.map_err(|error| AnnounceError::from_socket(&error, peer))?;
        let outcome = session.exchange(patience, request).await;
        if outcome.as_ref().is_err_and(|error| error.is_of_host() || matches!(error, AnnounceError::Io { .. })) {
            // the way there may have changed, and the socket is bound to an address that we no longer have
            self.close(&session);
        }
        outcome
    }

    async fn session(&self, peer: SocketAddr, local: IpAddr) -> io::Result<Arc<Session>> {
        if let Some((session, _)) = lock(&self.open).get(&peer) {
            return Ok(Arc::clone(session));
        }
        let socket = UdpSocket::bind(SocketAddr::new(local, 0)).await?;
        // nothing leaves before it is connected
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        socket.connect(peer).await?;
        let open = || {
            let session = Arc::new(Session {
                peer,
                socket,
                waiting: Mutex::default(),
                connection: AsyncMutex::default(),
                ignored: AtomicU32::new(0),
            });
            let receiver = tokio::spawn(receive(Arc::clone(&session), Arc::clone(&self.open)));
            (session, receiver.abort_handle())
        };
        // another torrent may have been faster meanwhile
        Ok(Arc::clone(&lock(&self.open).entry(peer).or_insert_with(open).0))
    }

    fn close(&self, session: &Arc<Session>) {
        let mut open = lock(&self.open);
        if open.get(&session.peer).is_some_and(|(current, _)| Arc::ptr_eq(current, session)) {
            open.remove(&session.peer);
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        lock(&self.open).drain().for_each(|(_, (_, receiver))| receiver.abort());
    }
}

impl Session {
    async fn exchange(&self, patience: Patience, request: impl Fn(u64, u32) -> Vec<u8>) -> Outcome {
        let mut tries = 0;
        let mut renewed = false;
        while tries < TRIES {
            let (connection, fresh) = self.connect(patience, &mut tries).await?;
            let wait = patience.of_try(tries);
            match self.ask(wait, |transaction| request(connection, transaction)).await? {
                // an id from the cache may be older than the tracker's last start
                Some(Answer::Refused { .. }) if !fresh && !renewed => {
                    renewed = true;
                    self.forget(connection).await;
                }
                Some(Answer::Refused { reason }) => {
                    self.forget(connection).await;
                    return Err(AnnounceError::Failure { reason, retry: Retry::Unsaid });
                }
                Some(answer) => return Ok(answer),
                None => tries += 1,
            }
        }
        Err(self.silent(patience))
    }

    /// A connection id that holds, and whether it is new. `tries` goes on counting, as in BEP 15.
    async fn connect(&self, patience: Patience, tries: &mut u32) -> Result<(u64, bool), AnnounceError> {
        let since = Instant::now();
        let mut connection = self.connection.lock().await;
        if let Some((id, _)) = connection.id.filter(|(_, when)| when.elapsed() < CONNECTION_LIFE) {
            return Ok((id, false));
        }
        if let Some((_, error)) = connection.failed.as_ref().filter(|(when, _)| *when > since) {
            // whoever asked while we waited has found out for us
            return Err(error.clone());
        }
        let outcome = self.ask_for_connection(patience, tries).await;
        match &outcome {
            Ok(id) => connection.id = Some((*id, Instant::now())),
            Err(error) => connection.failed = Some((Instant::now(), error.clone())),
        }
        outcome.map(|id| (id, true))
    }

    async fn ask_for_connection(&self, patience: Patience, tries: &mut u32) -> Result<u64, AnnounceError> {
        while *tries < TRIES {
            match self.ask(patience.of_try(*tries), datagram::connect).await? {
                Some(Answer::Connected { connection }) => return Ok(connection),
                Some(Answer::Refused { reason }) => {
                    return Err(AnnounceError::Failure { reason, retry: Retry::Unsaid });
                }
                Some(_) => return Err(AnnounceError::Malformed("another answer than was asked for".into())),
                None => *tries += 1,
            }
        }
        Err(self.silent(patience))
    }

    async fn forget(&self, id: u64) {
        let mut connection = self.connection.lock().await;
        if connection.id.is_some_and(|(current, _)| current == id) {
            connection.id = None;
        }
    }

    /// One datagram and the wait for its answer; `None` if none came.
    async fn ask(&self, wait: Duration, request: impl FnOnce(u32) -> Vec<u8>) -> Result<Option<Answer>, AnnounceError> {
        let (waiting, answer) = Waiting::register(self);
        let datagram = request(waiting.transaction);
        self.socket.send(&datagram).await.map_err(|error| AnnounceError::from_socket(&error, self.peer))?;
        match timeout(wait, answer).await {
            Ok(Ok(outcome)) => outcome.map(Some),
            // the receiver ends only when nobody waits, or with everything else
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    fn silent(&self, patience: Patience) -> AnnounceError {
        let note = match self.ignored.load(Ordering::Relaxed) {
            0 => String::new(),
            1 => " (1 datagram that answered nothing was ignored)".into(),
            count => format!(" ({count} datagrams that answered nothing were ignored)"),
        };
        AnnounceError::Timeout { peer: self.peer.to_string(), after: patience.in_all(), note }
    }

    fn deliver(&self, datagram: &[u8]) {
        let answer = datagram::parse(datagram, Family::of(self.peer.ip()));
        let asker = answer.as_ref().and_then(|(transaction, _)| lock(&self.waiting).remove(transaction));
        match (asker, answer) {
            // an asker that gave up meanwhile is no loss
            (Some(asker), Some((_, answer))) => drop(asker.send(Ok(answer))),
            _ => drop(self.ignored.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// A place in the table of those who wait; given back even if the wait is cut short.
struct Waiting<'a> {
    session: &'a Session,
    transaction: u32,
}

impl Waiting<'_> {
    fn register(session: &Session) -> (Waiting<'_>, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = lock(&session.waiting);
        let transaction = loop {
            let transaction = fastrand::u32(..);
            if !waiting.contains_key(&transaction) {
                break transaction;
            }
        };
        waiting.insert(transaction, sender);
        (Waiting { session, transaction }, receiver)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.session.waiting).remove(&self.transaction);
    }
}

/// Takes answers to those who wait for them, until the socket was idle for long.
async fn receive(session: Arc<Session>, open: Arc<Mutex<Open>>) {
    let mut buffer = vec![0; limits::TRACKER_DATAGRAM];
    loop {
        match timeout(IDLE, session.socket.recv(&mut buffer)).await {
            Ok(Ok(length)) => session.deliver(&buffer[..length]),
            Ok(Err(error)) => {
                // the kernel's word (a closed port) is meant for all of them
                let error = AnnounceError::from_socket(&error, session.peer);
                lock(&session.waiting).drain().for_each(|(_, asker)| drop(asker.send(Err(error.clone()))));
            }
            Err(_) => {
                // sessions are handed out under this lock, so nobody can get one that ends
                let mut open = lock(&open);
                let listed = open.get(&session.peer).is_some_and(|(current, _)| Arc::ptr_eq(current, &session));
                if Arc::strong_count(&session) <= 1 + usize::from(listed) {
                    if listed {
                        open.remove(&session.peer);
                    }
                    return;
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
