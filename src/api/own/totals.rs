//! Sums, and the numbers of the engine.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, Cursor, ErrorDocument};
use crate::api::Context;
use crate::api::metrics::resident;
use crate::session::Status;
use crate::session::seedbox::{Totals, View};

/// Numbers of all torrents together. Bytes count payload, rates are bytes a second.
#[derive(Serialize, ToSchema)]
pub(super) struct TotalsDocument {
    /// Torrents there are.
    torrents: usize,
    upload_rate: u64,
    download_rate: u64,
    /// Sent since the daemon started.
    session_uploaded: u64,
    /// Received since the daemon started.
    session_downloaded: u64,
    /// Received and dropped, or found bad, since the daemon started.
    session_wasted: u64,
    /// Sent, all starts and removed torrents included.
    uploaded: u64,
    /// Received, all starts and removed torrents included.
    downloaded: u64,
    /// Seconds since the daemon started.
    session_seconds: u64,
    /// Seconds, all starts together.
    running_seconds: u64,
    /// Starts, this one included.
    starts: u64,
    /// Connected peers, handshakes included.
    connections: u32,
    /// Bytes free in the download folder; null if it cannot be told.
    free: Option<u64>,
    /// Port for peers.
    port: u16,
    /// Ranges of addresses that IP filter lists keep away.
    blocked_ranges: u64,
    /// The alternative limits hold.
    alternative: bool,
    /// What its owner has to mend, if there is anything, such as a full disk.
    trouble: Option<String>,
}

impl TotalsDocument {
    fn of(view: &View) -> TotalsDocument {
        let Totals { upload_rate, download_rate, session_uploaded, session_downloaded, uploaded, downloaded, .. } =
            view.totals;
        let Totals {
            session_wasted,
            session_seconds,
            running_seconds,
            starts,
            connections,
            free,
            port,
            blocked_ranges,
            ..
        } = view.totals;
        let (torrents, trouble) = (view.rows.len(), view.trouble.as_deref().map(str::to_owned));
        #[rustfmt::skip]
        let document = TotalsDocument {
            torrents, upload_rate, download_rate, session_uploaded, session_downloaded, session_wasted, uploaded,
            downloaded, session_seconds, running_seconds, starts, connections, free, port, blocked_ranges,
            alternative: view.settings.alternative, trouble,
        };
        document
    }
}

/// Writes `,"totals":{...}`.
pub(super) fn write_totals(view: &View, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"totals\":");
    // writing to memory does not fail
    let _ = serde_json::to_writer(out, &TotalsDocument::of(view));
}

/// Sums, with the revision that they belong to.
#[derive(Serialize, ToSchema)]
pub(super) struct TotalsAnswer {
    /// Can be said as `since` to `/api/v1/torrents`.
    revision: u64,
    #[serde(flatten)]
    totals: TotalsDocument,
}

/// Tells sums over all torrents.
#[utoipa::path(get, path = "/api/v1/totals", tag = "daemon", responses((status = 200, body = TotalsAnswer)))]
pub(super) async fn totals(State(context): State<Arc<Context>>) -> Json<TotalsAnswer> {
    let view = context.seedbox.view();
    Json(TotalsAnswer { revision: Cursor::of(&view).0, totals: TotalsDocument::of(&view) })
}

/// What the engine is doing.
#[derive(Serialize, ToSchema)]
pub(super) struct EngineDocument {
    /// Connected peers, handshakes included.
    connections: usize,
    /// Peers with a slot.
    unchoked: usize,
    /// Peers that wait for a slot.
    waiting: usize,
    /// Part of the last second for which the busiest reactor worked, in thousandths.
    busy_per_mille: u32,
    /// Payload bytes sent since start.
    uploaded: u64,
    /// Bytes sent without a copy.
    spliced: u64,
    /// Bytes sent with one copy.
    copied: u64,
    /// Bytes that were read from disk to be sent.
    cold_bytes: u64,
    /// Ranges that were read from disk to be sent.
    cold_ranges: u64,
    /// Bytes read from disk for each byte sent; null before the first.
    read_amplification: Option<f64>,
    /// Resident memory of the process alone, in bytes; null if it cannot be told.
    memory_private: Option<u64>,
    /// Resident memory of mapped files, in bytes: the page cache's, which gives it back whenever it is needed.
    memory_mapped: Option<u64>,
    /// Time that half of the turns of the reactors did not exceed, in microseconds.
    turn_median_us: u64,
    /// Time that 999 of a thousand turns did not exceed, in microseconds.
    turn_p999_us: u64,
    /// The longest turn, in microseconds.
    turn_longest_us: u64,
    /// Connections that ended, by reason, most frequent first.
    closed: Vec<ClosedDocument>,
    reactors: Vec<ReactorDocument>,
}

/// How often connections ended for one reason.
#[derive(Serialize, ToSchema)]
struct ClosedDocument {
    reason: &'static str,
    count: u64,
}

/// One thread that serves.
#[derive(Serialize, ToSchema)]
struct ReactorDocument {
    /// Connections, handshakes included.
    connections: usize,
    /// Peers with a slot.
    unchoked: usize,
    /// Part of the last second for which it worked, in thousandths.
    busy_per_mille: u32,
    /// Payload bytes sent since start.
    sent: u64,
}

impl EngineDocument {
    fn of(status: &Status) -> EngineDocument {
        let (memory_private, memory_mapped) = resident();
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        EngineDocument {
            connections: status.connections,
            unchoked: status.unchoked,
            waiting: status.waiting,
            busy_per_mille: status.busy_per_mille,
            uploaded: status.uploaded,
            spliced: status.spliced,
            copied: status.copied,
            cold_bytes: status.paging.bytes,
            cold_ranges: status.paging.ranges,
            read_amplification: status.read_amplification(),
            memory_private,
            memory_mapped,
            turn_median_us: micros(status.turn_times.quantile(500)),
            turn_p999_us: micros(status.turn_times.quantile(999)),
            turn_longest_us: micros(status.turn_times.longest_turn()),
            closed: status.closed.iter().map(|&(reason, count)| ClosedDocument { reason, count }).collect(),
            reactors: (status.reactors.iter())
                .map(|reactor| ReactorDocument {
                    connections: reactor.connections,
                    unchoked: reactor.unchoked,
                    busy_per_mille: reactor.busy_per_mille,
                    sent: reactor.sent,
                })
                .collect(),
        }
    }
}

/// Tells numbers of the engine: reactors, sending paths, disk.
#[utoipa::path(get, path = "/api/v1/engine", tag = "daemon", responses(
    (status = 200, body = EngineDocument),
    (status = 503, description = "the daemon is ending", body = ErrorDocument),
))]
pub(super) async fn engine(State(context): State<Arc<Context>>) -> Answer<Json<EngineDocument>> {
    Ok(Json(EngineDocument::of(&*context.seedbox.engine().await?)))
}
