//! Connections: accepted, bounded in number, in size and in time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::gate::Reached;
use crate::api::guard::Caller;
use crate::limits::API_HEAD;
use crate::tracker::{Crowd, Seat};

/// For a request head to be complete, or the next one to begin. Clients that poll every few seconds keep their connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// At the end, for the first request of a connection to come.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// For the other end to take anything of what is sent to it.
const SEND_PATIENCE: Duration = Duration::from_secs(60);
/// After accepting failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Tells answers that have no end of their own when to end; on every request.
#[derive(Clone)]
pub(in crate::api) struct Ending(pub(super) watch::Receiver<bool>);

impl Ending {
    /// When the server ends.
    pub(in crate::api) async fn wait(mut self) {
        // an error means that nobody can say so any more
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// What all listeners share.
#[derive(Clone)]
pub(super) struct Entrance {
    pub(super) router: Router,
    pub(super) places: Arc<Semaphore>,
    pub(super) crowd: Crowd,
    pub(super) ending: Ending,
}

/// A connection's place among all, and among those of its address.
type Place = (OwnedSemaphorePermit, Option<Seat>);

/// Who is at the other end, and what our end is.
type Ends = (Caller, Option<Reached>);

impl Entrance {
    /// Who finds no place waits in the listen queue.
    pub(super) async fn accept_tcp(self, listener: TcpListener) {
        while let Ok(place) = self.places.clone().acquire_owned().await {
            let Some((stream, source)) = accepted(listener.accept().await).await else { continue };
            // too many from there: dropping the stream closes it
            let Some(seat) = self.crowd.enter(source.ip()) else { continue };
            let socket = SockRef::from(&stream);
            // both fail only on a socket that is dead already
            let _ = (socket.set_tcp_nodelay(true), socket.set_tcp_user_timeout(Some(SEND_PATIENCE)));
            let Ok(ours) = stream.local_addr() else { continue };
            let ends = (Caller::Tcp(source), Some(Reached(ours.ip())));
            self.begin(stream, ends, (place, Some(seat)));
        }
    }

    pub(super) async fn accept_unix(self, listener: UnixListener) {
        while let Ok(place) = self.places.clone().acquire_owned().await {
            let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
            self.begin(stream, (Caller::Unix, None), (place, None));
        }
    }

    fn begin<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, ends: Ends, place: Place) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(API_HEAD);
        let ending = self.ending.clone();
        let router = TowerToHyperService::new(self.router.clone());
        let asked = Arc::new(Notify::new());
        let requests = Requests { router, ends, ending: ending.clone(), asked: asked.clone() };
        let connection = http.serve_connection(TokioIo::new(stream), requests);
        tokio::spawn(async move {
            let _place = place;
            let mut connection = std::pin::pin!(connection);
            // errors are resets, timeouts and nonsense: the connection is closed, and that is all
            tokio::select! {
                _ = connection.as_mut() => {}
                () = ending.wait() => {
                    // hyper would close on who has just come and is about to ask
                    let came = tokio::time::timeout(FIRST_PATIENCE, asked.notified());
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        _ = came => {}
                    }
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
}

/// A connection that was reset while it waited says nothing about the next one; anything else needs a pause.
async fn accepted<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            if error.kind() != io::ErrorKind::ConnectionAborted {
                sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

/// The requests of one connection.
struct Requests {
    router: TowerToHyperService<Router>,
    ends: Ends,
    ending: Ending,
    /// There was one.
    asked: Arc<Notify>,
}

impl Service<Request<Incoming>> for Requests {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.asked.notify_one();
        let (caller, reached) = self.ends;
        let extensions = request.extensions_mut();
        extensions.insert(caller);
        extensions.insert(self.ending.clone());
        reached.map(|reached| extensions.insert(reached));
        self.router.call(request)
    }
}
