//! Connections: accepted, bounded in number, in size and in time.

use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::crowd::Crowd;
use super::listener::{Accepted, Listener};
use super::routes::{Ends, router};
use super::stream::Stream;
use crate::limits;
use crate::tracker::counters::count;
use crate::tracker::desk::Desk;

/// For a request head to be complete, or the next one to begin: clients write theirs in one packet.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// For a whole connection; then it may finish its request. Also ends one whose other end never reads its answers.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(120);
/// After accepting failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One HTTP thread.
pub(in crate::tracker) struct HttpServer {
    pub(in crate::tracker) desk: Arc<Desk>,
    pub(in crate::tracker) listeners: Vec<TcpListener>,
    /// Places for connections, shared by all HTTP threads.
    pub(in crate::tracker) places: Arc<Semaphore>,
    pub(in crate::tracker) stop: watch::Receiver<bool>,
    /// Whether this thread also forgets the silent; one of them does.
    pub(in crate::tracker) expires: bool,
}

impl HttpServer {
    /// Serves until told to stop; then every connection is dropped.
    pub(in crate::tracker) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(async {
            let mut stop = self.stop.clone();
            let desk = self.desk.clone();
            if self.expires {
                tokio::spawn(async move { desk.expire_silent().await });
            }
            for listener in self.listeners {
                let acceptor = Acceptor {
                    listener: Listener::new(listener)?,
                    desk: self.desk.clone(),
                    router: router(self.desk.clone()),
                    places: self.places.clone(),
                    crowd: Crowd::new(limits::TRACKER_CONNECTIONS_PER_ADDRESS),
                };
                tokio::spawn(acceptor.run());
            }
            // an error means that the handle is gone, which is a stop as well
            let _ = stop.wait_for(|stop| *stop).await;
            Ok(())
        })
    }
}

struct Acceptor {
    listener: Listener,
    desk: Arc<Desk>,
    router: Router,
    places: Arc<Semaphore>,
    crowd: Crowd,
}

impl Acceptor {
    async fn run(self) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
        http.max_buf_size(limits::TRACKER_REQUEST_HEAD).auto_date_header(false).writev(false);
        loop {
            // who finds no place waits in the listen queue; places come free at the latest by the patience above
            let Ok(place) = self.places.clone().acquire_owned().await else { return };
            let Accepted { stream, source, reached_at } = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // a connection that was reset while it waited says nothing about the next one
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            };
            // too many from there: dropping the stream closes it
            let Some(seat) = self.crowd.enter(source.ip()) else { continue };
            count(&self.desk.counters.http_connections);
            let router = TowerToHyperService::new(self.router.clone());
            let requests = Requests { router, ends: Ends { source, reached_at } };
            let connection = http.serve_connection(Stream::Bare(stream), requests);
            tokio::spawn(async move {
                serve(connection).await;
                drop((place, seat));
            });
        }
    }
}

/// Errors are resets, timeouts and nonsense: the connection is closed, and that is all.
async fn serve(connection: http1::Connection<Stream, Requests>) {
    let mut connection = pin!(connection);
    if timeout(CONNECTION_PATIENCE, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(HEAD_PATIENCE, connection).await;
    }
}

/// The requests of one connection.
struct Requests {
    router: TowerToHyperService<Router>,
    ends: Ends,
}

impl Service<Request<Incoming>> for Requests {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.ends);
        self.router.call(request)
    }
}

/// The connection that a request came by.
pub(super) struct Connection(pub(super) Ends);

impl<S: Sync> FromRequestParts<S> for Connection {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Connection, StatusCode> {
        parts.extensions.get().copied().map(Connection).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
