//! Connections that speak HTTP: files of the torrents that were published, as a web seed serves them (BEP 19).
//!
//! An HTTP connection is no peer: it has no slot and needs none. While it is being sent a file it takes turns like an
//! unchoked peer, its bytes count against the same limits, and it ends like a peer if it does not read.
//!
//! Answers keep the order of their requests: the next request is looked at when the last byte of the answer before is in the
//! socket. So a head never lands inside a body, and a client that sends many requests and reads nothing costs
//! [`limits::HTTP_AHEAD`] bytes, after which it is gone.

use std::sync::Arc;

use crate::clock::Time;
use crate::ids::{FileIndex, InfoHash, PeerKey, TorrentId};
use crate::limits;
use crate::metainfo::PathIndex;
use crate::peer::{Body, HttpClient, Reason};
use crate::wire::http::{
    Answer, Beginning, EntityTag, Method, Refusal, Request, Selection, Status, decode_path, listing,
};

use super::connection::{Stage, Wait};
use super::world::Shard;

/// What a path names.
enum Place {
    /// A torrent as such: its files are listed, for people.
    Top,
    /// One of its files.
    File(FileIndex),
}

/// Of an info-hash.
const HEX_DIGITS: usize = 2 * size_of::<InfoHash>();

impl Shard {
    /// Serves the files of a torrent by HTTP as well, to everybody who asks: `/INFO-HASH/PATH`. The first such torrent
    /// makes the port answer HTTP at all. Until a torrent is whole it stays unknown here, as private ones do for ever.
    pub fn publish(&mut self, id: TorrentId, files: Arc<PathIndex>) {
        if let Some(swarm) = self.swarms.get_mut(&id).filter(|swarm| !swarm.torrent.private) {
            swarm.files = Some(files);
            self.http = true;
        }
    }

    /// Whether `bytes`, which opened the connection `key`, are HTTP and to be answered. As long as they may be, they wait.
    pub(super) fn opens_http(&self, key: PeerKey, bytes: &[u8]) -> bool {
        self.http
            && self.connections.get(key).is_some_and(|connection| match &connection.stage {
                Stage::Http(_) => true,
                Stage::Greeting(dialled) => dialled.is_none() && Beginning::of(bytes) != Beginning::Other,
                Stage::Peer(..) => false,
            })
    }

    /// Answers the requests in `bytes` as far as it may; how many bytes they were. A connection whose first head is not
    /// whole yet counts as one whose handshake is under way.
    pub(super) fn requests(&mut self, key: PeerKey, bytes: &[u8], now: Time) -> Result<usize, Reason> {
        let mut used = 0;
        while self.may_answer(key) && used < bytes.len() {
            match Request::decode(&bytes[used..]) {
                Ok(None) => break,
                Ok(Some((request, length))) => {
                    if let Some(id) = named(request.path).and_then(|info_hash| self.dormant(info_hash)) {
                        self.wait_for(key, id);
                        break;
                    }
                    used += length;
                    self.answer(key, &request, now);
                }
                Err(refusal) => self.refuse(key, refusal, now),
            }
        }
        let left = bytes.len() - used;
        let Some(client) = self.client(key) else { return Ok(used) };
        if client.ending().is_some() {
            // what comes after the last request is nobody's
            return Ok(bytes.len());
        }
        let waits = client.is_free() && left > 0;
        client.waits_for_rest(waits, now);
        if left > limits::HTTP_AHEAD { Err(Reason::HttpFlood) } else { Ok(used) }
    }

    /// Nothing is before the next request of `key`.
    fn may_answer(&self, key: PeerKey) -> bool {
        self.connections.get(key).is_some_and(|connection| {
            let free = match &connection.stage {
                Stage::Http(client) => client.is_free(),
                Stage::Greeting(_) => true,
                Stage::Peer(..) => false,
            };
            free && connection.wait == Wait::Nothing && connection.output.len() < limits::HTTP_ANSWERS
        })
    }

    fn answer(&mut self, key: PeerKey, request: &Request<'_>, now: Time) {
        let mut head = Vec::new();
        let bodiless = request.method == Method::Head;
        let body = match self.find(request.path) {
            Some((id, Place::File(file))) => self.answer_file(request, id, file, &mut head),
            Some((id, Place::Top)) => {
                Answer::Page(&self.listing(id)).encode(request.keep_alive, bodiless, &mut head);
                None
            }
            None => {
                Answer::Refused(Status::NotFound).encode(request.keep_alive, bodiless, &mut head);
                None
            }
        };
        let ending = (!request.keep_alive).then_some(Reason::HttpClosed);
        self.answered(key, &head, body, ending, now);
    }

    /// Writes the head of the answer; what comes after it.
    fn answer_file(&self, request: &Request<'_>, id: TorrentId, file: FileIndex, head: &mut Vec<u8>) -> Option<Body> {
        let torrent = &self.swarms.get(&id)?.torrent;
        let (tag, length) = (EntityTag::new(torrent.info_hash, file), torrent.geometry.file_length(file));
        let (answer, part) = match Selection::new(request, length, &tag) {
            Selection::Whole => (Answer::File { length, part: None, tag: &tag }, 0..length),
            Selection::Part(part) => (Answer::File { length, part: Some(part.clone()), tag: &tag }, part),
            Selection::NotModified => (Answer::NotModified { tag: &tag }, 0..0),
            Selection::PreconditionFailed => (Answer::Refused(Status::PreconditionFailed), 0..0),
            Selection::Unsatisfiable => (Answer::Unsatisfiable { length }, 0..0),
        };
        let bodiless = request.method == Method::Head;
        answer.encode(request.keep_alive, bodiless, head);
        let start = torrent.geometry.file_start(file)?;
        let body = Body::new(id, &torrent.geometry, start + part.start..start + part.end);
        Some(body).filter(|body| !bodiless && !body.is_empty())
    }

    fn listing(&self, id: TorrentId) -> String {
        let Some(swarm) = self.swarms.get(&id) else { return String::new() };
        let base = format!("/{}/", swarm.torrent.info_hash);
        listing(&base, swarm.files.iter().flat_map(|files| files.paths()))
    }

    fn refuse(&mut self, key: PeerKey, refusal: Refusal, now: Time) {
        let mut head = Vec::new();
        Answer::Refused(refusal.status()).encode(false, false, &mut head);
        self.answered(key, &head, None, Some(Reason::BadHttp), now);
    }

    /// Queues the head of an answer and its body after it.
    fn answered(&mut self, key: PeerKey, head: &[u8], body: Option<Body>, ending: Option<Reason>, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Stage::Greeting(_) = connection.stage {
            connection.stage = Stage::Http(Box::new(HttpClient::new(now)));
            self.greeting -= 1;
        }
        let Stage::Http(client) = &mut connection.stage else { return };
        connection.output.extend_from_slice(head);
        let torrent = body.as_ref().map(Body::torrent);
        self.http_bodies += usize::from(body.is_some());
        client.answered(body, ending, now);
        self.totals.requests += 1;
        torrent.into_iter().for_each(|id| self.link(id));
    }

    /// What `/INFO-HASH/PATH` names. Whatever is not published is not there, and nobody can tell why.
    fn find(&self, path: &[u8]) -> Option<(TorrentId, Place)> {
        let path = decode_path(path)?;
        let (id, path) = path.strip_prefix(b"/")?.split_at_checked(HEX_DIGITS)?;
        let info_hash = InfoHash::from_hex(std::str::from_utf8(id).ok()?)?;
        let (torrent, swarm) = self.torrent_of(info_hash)?;
        let files = swarm.files.as_ref().filter(|_| swarm.is_whole())?;
        match path {
            b"" | b"/" => Some((torrent, Place::Top)),
            path => Some((torrent, Place::File(files.find(path.strip_prefix(b"/")?)?))),
        }
    }

    fn client(&mut self, key: PeerKey) -> Option<&mut HttpClient> {
        match &mut self.connections.get_mut(key)?.stage {
            Stage::Http(client) => Some(client),
            Stage::Greeting(_) | Stage::Peer(..) => None,
        }
    }

    /// The socket of `key` has taken everything; if that was the end of an answer, [`Shard::settle_http`] goes on.
    pub(super) fn http_moved(&mut self, key: PeerKey) {
        let Some(connection) = self.connections.get(key) else { return };
        let Stage::Http(client) = &connection.stage else { return };
        let body_ended = client.body().is_some_and(Body::is_empty);
        let goes_on = client.body().is_none() && (client.ending().is_some() || !connection.input.is_empty());
        if connection.wait == Wait::Nothing && (body_ended || goes_on) {
            self.http_due.push_back(key);
        }
    }

    /// Goes on with connections whose last answer is in the socket: looks at the next request, or ends them.
    pub fn settle_http(&mut self, now: Time) {
        while let Some(key) = self.http_due.pop_front() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let Stage::Http(client) = &mut connection.stage else { continue };
            let busy = connection.wait != Wait::Nothing || !connection.output.is_empty();
            if busy || connection.closing.is_some() || client.body().is_some_and(|body| !body.is_empty()) {
                continue;
            }
            let (torrent, ending) = (client.body().map(Body::torrent), client.ending());
            self.http_bodies -= usize::from(client.body_sent(now));
            torrent.into_iter().for_each(|id| self.unlink(id));
            match ending {
                Some(reason) => self.close(key, reason),
                None => self.received(key, &[], now),
            }
        }
    }

    /// Takes an HTTP connection out of the books.
    pub(super) fn leave_http(&mut self, client: &HttpClient) {
        self.http_bodies -= usize::from(client.body().is_some());
    }
}

/// The torrent that `/INFO-HASH/PATH` is in.
fn named(path: &[u8]) -> Option<InfoHash> {
    let path = decode_path(path)?;
    let (id, _) = path.strip_prefix(b"/")?.split_at_checked(HEX_DIGITS)?;
    InfoHash::from_hex(std::str::from_utf8(id).ok()?)
}
