//! The one door of all front ends: listeners, connections within bounds, and what is asked of every request before a front end
//! sees it.

mod connection;
mod doors;
mod gate;
mod health;
mod names;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Context, metrics, own, page, qbittorrent, transmission};
use crate::limits::{API_CONNECTIONS, API_CONNECTIONS_PER_ADDRESS};
use crate::tracker::Crowd;
use connection::Entrance;
use names::Names;

pub(super) use connection::Ending;
pub use doors::{DoorError, Doors};

/// For answers under way when the server ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves until `stop` says so; answers under way are finished first, for at most a few seconds.
pub async fn serve(context: Arc<Context>, mut doors: Doors, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let entrance = Entrance {
        router: router(&context, &doors.names),
        places: Arc::new(Semaphore::new(API_CONNECTIONS)),
        crowd: Crowd::new(API_CONNECTIONS_PER_ADDRESS),
        ending: Ending(stop.clone()),
    };
    let mut acceptors = JoinSet::new();
    for listener in std::mem::take(&mut doors.tcp) {
        listener.set_nonblocking(true)?;
        acceptors.spawn(entrance.clone().accept_tcp(tokio::net::TcpListener::from_std(listener)?));
    }
    for listener in std::mem::take(&mut doors.unix) {
        listener.set_nonblocking(true)?;
        acceptors.spawn(entrance.clone().accept_unix(tokio::net::UnixListener::from_std(listener)?));
    }
    // an error means that nobody can say so any more
    let _ = stop.wait_for(|stop| *stop).await;
    acceptors.shutdown().await;
    let all = u32::try_from(API_CONNECTIONS).unwrap_or(u32::MAX);
    // what has not ended by then is dropped with its runtime
    let _ = tokio::time::timeout(FAREWELL, entrance.places.acquire_many(all)).await;
    Ok(())
}

/// Every path there is, behind the gate.
fn router(context: &Arc<Context>, names: &[String]) -> Router {
    let gate = from_fn_with_state(Arc::new(Names::new(names)), gate::gate);
    Router::new()
        .merge(health::router(context.clone()))
        .merge(transmission::router(context.clone()))
        .merge(qbittorrent::router(context.clone()))
        .merge(own::router(context.clone()))
        .merge(metrics::router(context.clone()))
        .merge(page::router(context.clone()))
        .layer(gate)
}
