//! What each path answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, get};

use super::query::{self, AnnounceQuery, Malformed};
use super::reply::{self, AnnounceReply, Retry};
use super::{page, server};
use crate::tracker::counters::count;
use crate::tracker::desk::Desk;
use crate::tracker::swarm::{Refusal, Sample};

/// The two ends of the connection that a request came by; every request carries it as an extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) source: SocketAddr,
    pub(super) reached_at: IpAddr,
}

/// Requests by path.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/announce", any(announce))
        .route("/scrape", any(scrape))
        .route("/", get(page::html))
        .route("/stats", get(page::html))
        .route("/stats.json", get(page::json))
        .fallback(unknown_path)
        .with_state(desk)
}

/// Why a request is answered with a failure reason.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("only GET is understood here")]
    Method,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Refused(#[from] Refusal),
}

impl Failure {
    fn retry(&self) -> Retry {
        match self {
            Failure::Method | Failure::Malformed(_) => Retry::Never,
            // the torrent may be added, places may come free
            Failure::Refused(_) => Retry::Minutes(15),
        }
    }
}

async fn announce(
    State(desk): State<Arc<Desk>>,
    server::Connection(ends): server::Connection,
    method: Method,
    uri: Uri,
) -> Response {
    answer(&desk, announced(&desk, ends, &method, &uri))
}

fn announced(desk: &Desk, ends: Ends, method: &Method, uri: &Uri) -> Result<Vec<u8>, Failure> {
    let query = AnnounceQuery::parse(query_of(method, uri)?)?;
    let source = ends.source.ip().to_canonical();
    let with_ids = !query.compact && !query.no_peer_id;
    let mut sample = Sample { ids: with_ids.then(Vec::new), ..Sample::default() };
    let announce = query.announce_of(desk.peer_address(source, query.port), ends.reached_at);
    let answer = desk.registry.announce(desk.now(), &announce, &mut sample)?;
    count(&desk.counters.http_announces);
    let reply = AnnounceReply {
        answer,
        sample: &sample,
        interval_s: desk.interval_s(),
        min_interval_s: desk.min_interval_s(),
        source,
        compact: query.compact,
    };
    Ok(reply.encode())
}

async fn scrape(State(desk): State<Arc<Desk>>, method: Method, uri: Uri) -> Response {
    answer(&desk, scraped(&desk, &method, &uri))
}

fn scraped(desk: &Desk, method: &Method, uri: &Uri) -> Result<Vec<u8>, Failure> {
    let mut hashes = query::scrape(query_of(method, uri)?)?;
    // keys of a dictionary: sorted, each once
    hashes.sort_unstable();
    hashes.dedup();
    let known = hashes.into_iter().filter_map(|hash| desk.registry.scrape(hash).map(|counts| (hash, counts)));
    let known: Vec<_> = known.collect();
    count(&desk.counters.http_scrapes);
    Ok(reply::scrape(&known))
}

fn query_of<'a>(method: &Method, uri: &'a Uri) -> Result<&'a [u8], Failure> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Failure::Method);
    }
    Ok(uri.query().unwrap_or_default().as_bytes())
}

fn answer(desk: &Desk, result: Result<Vec<u8>, Failure>) -> Response {
    let body = result.unwrap_or_else(|failure| {
        count(&desk.counters.http_failures);
        reply::failure(&failure, failure.retry())
    });
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn unknown_path(State(desk): State<Arc<Desk>>) -> Response {
    let reason = "nothing here: the tracker is at /announce";
    count(&desk.counters.http_failures);
    let mut response = Response::new(Body::from(reply::failure(&reason, Retry::Never)));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
