//! One torrent: itself, its files, peers, trackers and pieces.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use super::command::Priority;
use super::fields::{Selection, Torrent};
use super::list::{in_turn, json};
use super::{Answer, ErrorDocument, find, now};
use crate::api::Context;
use crate::discovery::{EndpointStatus, TrackerStatus};
use crate::ids::{FileIndex, PieceIndex};
use crate::metainfo::Metainfo;
use crate::session::seedbox::{FilePriority, Row};
use crate::shard::PeerStatus;

type Shared = State<Arc<Context>>;

/// Shows a torrent with all its members.
#[utoipa::path(get, path = "/api/v1/torrents/{hash}", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    responses((status = 200, body = Torrent), (status = 404, body = ErrorDocument)))]
pub(super) async fn torrent(State(context): Shared, Path(hash): Path<String>) -> Answer<Response> {
    let row = find(&context.seedbox.view(), &hash)?;
    let mut out = Vec::with_capacity(2_048);
    Selection::all().write_row(&row, now(), &mut out);
    Ok(json(out))
}

/// A file of a torrent.
#[derive(Serialize, ToSchema)]
pub(super) struct FileDocument {
    /// Place in the torrent, counted from 0; files that only pad are counted and not listed.
    index: usize,
    /// Path below the torrent's folder.
    path: String,
    /// Bytes.
    size: u64,
    /// Bytes of it that are here.
    have: u64,
    priority: Priority,
}

/// Lists the files of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{hash}/files", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    responses((status = 200, body = [FileDocument]), (status = 404, body = ErrorDocument),
        (status = 409, description = "its metadata is not here yet", body = ErrorDocument)))]
pub(super) async fn files(State(context): Shared, Path(hash): Path<String>) -> Answer<Json<Vec<FileDocument>>> {
    let row = find(&context.seedbox.view(), &hash)?;
    let row_files = row.about.files as usize;
    let metainfo = context.seedbox.metainfo(row.id).await?;
    let pieces = context.seedbox.pieces(row.id).await?;
    let list = move || {
        let bytes = here_before(&metainfo, &pieces);
        let files = metainfo.files().iter().enumerate().filter(|(_, file)| !file.is_padding());
        files.map(|(index, _)| file_document(&row, &metainfo, &bytes, index)).collect()
    };
    Ok(Json(in_turn(row_files, list).await?))
}

fn file_document(row: &Row, metainfo: &Metainfo, bytes: &[u64], index: usize) -> FileDocument {
    let geometry = metainfo.geometry();
    let number = u32::try_from(index).unwrap_or(u32::MAX);
    let (start, size) = (geometry.file_start(FileIndex(number)).unwrap_or(0), geometry.file_length(FileIndex(number)));
    let before = |at: u64| bytes_before(metainfo, bytes, at);
    FileDocument {
        index,
        path: file_path(row, metainfo, index),
        size,
        have: before(start + size) - before(start),
        priority: row.choice.files.get(index).copied().unwrap_or(FilePriority::Normal).into(),
    }
}

fn file_path(row: &Row, metainfo: &Metainfo, index: usize) -> String {
    let renamed = row.choice.renamed_files.iter().find(|(renamed, _)| usize::try_from(*renamed) == Ok(index));
    if let Some((_, path)) = renamed {
        return path.to_string_lossy().into_owned();
    }
    let file = &metainfo.files()[index];
    let path = match &row.choice.renamed_root {
        Some(root) if metainfo.is_single_file() => root.into(),
        Some(root) => std::path::Path::new(root).join(file.path()),
        None => metainfo.download_path(file),
    };
    path.to_string_lossy().into_owned()
}

/// Bytes of pieces that are here, before each piece and after the last.
fn here_before(metainfo: &Metainfo, pieces: &[u8]) -> Vec<u64> {
    let geometry = metainfo.geometry();
    let mut sums = vec![0];
    let mut sum = 0;
    for piece in 0..geometry.pieces() {
        if has(pieces, piece) {
            sum += u64::from(geometry.piece_length(PieceIndex(piece)));
        }
        sums.push(sum);
    }
    sums
}

fn has(pieces: &[u8], piece: u32) -> bool {
    pieces.get((piece / 8) as usize).is_some_and(|byte| byte >> (7 - piece % 8) & 1 == 1)
}

/// Bytes of the torrent that are here, before byte `at`.
fn bytes_before(metainfo: &Metainfo, sums: &[u64], at: u64) -> u64 {
    let length = u64::from(metainfo.geometry().nominal_piece_length());
    let piece = usize::try_from(at / length).unwrap_or(usize::MAX);
    let whole = sums.get(piece).or(sums.last()).copied().unwrap_or(0);
    let next = sums.get(piece.saturating_add(1)).copied().unwrap_or(whole);
    whole + if next > whole { (at % length).min(next - whole) } else { 0 }
}

/// A peer that a torrent is connected to.
#[derive(Serialize, ToSchema)]
pub(super) struct PeerDocument {
    #[schema(example = "192.0.2.1:51413")]
    address: String,
    /// What it calls itself.
    client: Option<String>,
    /// Payload bytes sent to it.
    sent: u64,
    /// Bytes a second.
    sent_rate: u64,
    /// Payload bytes that it sent.
    received: u64,
    /// Bytes a second.
    received_rate: u64,
    /// Pieces it has, in thousandths.
    progress_per_mille: u32,
    /// It has everything.
    complete: bool,
    /// It wants something of us.
    interested: bool,
    /// We do not serve it now.
    choked: bool,
    /// Why it is not being sent to: `served`, `not interested`, `choked`, `nothing asked`, `rate limited`, `window full` or `disk`.
    held_by: &'static str,
    /// Requests of it that wait.
    requests: usize,
    /// We want something of it.
    wanted: bool,
    /// It does not serve us now.
    chokes_us: bool,
    /// We opened the connection.
    dialled: bool,
    /// It fetches a file by HTTP.
    http: bool,
    /// For how long it has been connected.
    connected_seconds: u64,
}

impl From<PeerStatus> for PeerDocument {
    fn from(peer: PeerStatus) -> PeerDocument {
        PeerDocument {
            address: peer.address.to_string(),
            client: peer.client,
            sent: peer.sent,
            sent_rate: peer.sent_rate,
            received: peer.received,
            received_rate: peer.received_rate,
            progress_per_mille: peer.progress_per_mille,
            complete: peer.complete,
            interested: peer.interested,
            choked: peer.choked,
            held_by: peer.waiting.name(),
            requests: peer.requests,
            wanted: peer.wanted,
            chokes_us: peer.chokes_us,
            dialled: peer.dialled,
            http: peer.http,
            connected_seconds: peer.connected_seconds,
        }
    }
}

/// Gives the torrent file, trackers as they are now.
#[utoipa::path(get, path = "/api/v1/torrents/{hash}/torrent", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    responses((status = 200, content_type = "application/x-bittorrent", body = Vec<u8>), (status = 404, body = ErrorDocument),
        (status = 409, description = "its metadata is not here yet", body = ErrorDocument)))]
pub(super) async fn torrent_file(State(context): Shared, Path(hash): Path<String>) -> Answer<impl IntoResponse> {
    let row = find(&context.seedbox.view(), &hash)?;
    let bytes = context.seedbox.metainfo(row.id).await?.to_bytes();
    // browsers name the file by the page's own word for it; names of strangers stay out of headers
    let name = format!("attachment; filename=\"{}.torrent\"", row.info_hash());
    Ok(([(CONTENT_TYPE, "application/x-bittorrent".to_owned()), (CONTENT_DISPOSITION, name)], bytes))
}

/// Lists the peers of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{hash}/peers", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    responses((status = 200, body = [PeerDocument]), (status = 404, body = ErrorDocument)))]
pub(super) async fn peers(State(context): Shared, Path(hash): Path<String>) -> Answer<Json<Vec<PeerDocument>>> {
    let row = find(&context.seedbox.view(), &hash)?;
    let peers = context.seedbox.peers(row.id).await?;
    Ok(Json(peers.into_iter().map(PeerDocument::from).collect()))
}

/// A tracker of a torrent.
#[derive(Serialize, ToSchema)]
pub(super) struct TrackerDocument {
    /// With its passkey, if it has one: to name it when it is changed.
    url: String,
    /// Counted from 0.
    tier: usize,
    /// The last announce was answered.
    works: bool,
    /// By IPv4 and by IPv6.
    endpoints: Vec<EndpointDocument>,
}

/// A tracker over one family of addresses.
#[derive(Serialize, ToSchema)]
struct EndpointDocument {
    #[schema(example = "IPv4")]
    family: String,
    /// An announce is waiting or in flight.
    announcing: bool,
    /// Seconds until the next announce; null while announcing and of those not in use.
    next_seconds: Option<u64>,
    /// Seconds since the last answer.
    answered_seconds: Option<u64>,
    /// Failures since the last answer.
    failures: u32,
    /// Why the last announce failed.
    error: Option<String>,
    /// The tracker's last message.
    warning: Option<String>,
    /// Peers that have everything.
    seeders: Option<u32>,
    /// Peers that have not.
    leechers: Option<u32>,
    /// Peers in the last answer.
    peers: usize,
}

impl From<&TrackerStatus> for TrackerDocument {
    fn from(tracker: &TrackerStatus) -> TrackerDocument {
        TrackerDocument {
            url: tracker.url.as_str().into(),
            tier: tracker.tier,
            works: tracker.works(),
            endpoints: tracker.endpoints.iter().map(EndpointDocument::from).collect(),
        }
    }
}

impl From<&EndpointStatus> for EndpointDocument {
    fn from(endpoint: &EndpointStatus) -> EndpointDocument {
        let now = Instant::now();
        EndpointDocument {
            family: endpoint.family.to_string(),
            announcing: endpoint.announcing,
            next_seconds: endpoint.next.map(|next| next.saturating_duration_since(now).as_secs()),
            answered_seconds: endpoint.answered.map(|answered| now.saturating_duration_since(answered).as_secs()),
            failures: endpoint.failures,
            error: endpoint.error.as_ref().map(ToString::to_string),
            warning: endpoint.warning.clone(),
            seeders: endpoint.seeders,
            leechers: endpoint.leechers,
            peers: endpoint.peers,
        }
    }
}

/// Lists the trackers of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{hash}/trackers", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    responses((status = 200, body = [TrackerDocument]), (status = 404, body = ErrorDocument)))]
pub(super) async fn trackers(State(context): Shared, Path(hash): Path<String>) -> Answer<Json<Vec<TrackerDocument>>> {
    let row = find(&context.seedbox.view(), &hash)?;
    let trackers = context.seedbox.trackers(row.id).await?;
    Ok(Json(trackers.iter().map(TrackerDocument::from).collect()))
}

/// Which pieces are here.
#[derive(Serialize, ToSchema)]
pub(super) struct PiecesDocument {
    /// How many there are.
    pieces: u32,
    /// Bytes of each but the last.
    piece_length: u32,
    /// How many are here.
    have: u32,
    /// A bit for each, the first the highest of the first byte; base64.
    bitfield: String,
}

/// Tells which pieces of a torrent are here.
#[utoipa::path(get, path = "/api/v1/torrents/{hash}/pieces", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    responses((status = 200, body = PiecesDocument), (status = 404, body = ErrorDocument)))]
pub(super) async fn pieces(State(context): Shared, Path(hash): Path<String>) -> Answer<Json<PiecesDocument>> {
    let row = find(&context.seedbox.view(), &hash)?;
    let bits = context.seedbox.pieces(row.id).await?;
    Ok(Json(PiecesDocument {
        pieces: row.about.pieces,
        piece_length: row.about.piece_length,
        have: bits.iter().map(|byte| byte.count_ones()).sum(),
        bitfield: STANDARD.encode(bits),
    }))
}
