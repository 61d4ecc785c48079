//! What changed since a client last asked.

mod delta;
mod maindata;
mod peers;
mod told;
mod trackers;

pub(super) use told::Told;

use std::sync::{Arc, PoisonError};

use super::answer::{Answer, Fault, Outcome};
use super::call::{Call, Desk};
use super::fields::Moment;
use crate::session::seedbox::View;

pub(super) async fn answer(desk: &Desk, call: &Call, action: &str) -> Outcome {
    match action {
        "maindata" => main_data(desk, call).await,
        "torrentPeers" => peers::answer(desk, call).await,
        _ => Err(Fault::not_found()),
    }
}

/// Everything, or what differs from the answer that the client names. Writing takes milliseconds for thousands of torrents, and is
/// done where nobody waits for it.
async fn main_data(desk: &Desk, call: &Call) -> Outcome {
    let known = call.form.number("rid").unwrap_or(0);
    let (base, rid) = {
        let mut told = desk.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.tell(call.client, known, Arc::clone(&call.view), call.now)
    };
    let (view, now) = (Arc::clone(&call.view), call.now);
    let json = tokio::task::spawn_blocking(move || write(base.as_deref(), &view, rid, now)).await;
    json.map(Answer::Json).map_err(|_| Fault::internal())
}

fn write(base: Option<&View>, view: &View, rid: u32, now: i64) -> Vec<u8> {
    match base {
        Some(base) => delta::write(base, view, rid, now),
        None => maindata::write(view, rid, Moment { settings: &view.settings, now }),
    }
}

/// The body of an answer of `sync/maindata`: what of `view` differs from `base`, or all of it.
pub fn write_main_data(base: Option<&View>, view: &View, now: i64) -> Vec<u8> {
    write(base, view, 1, now)
}
