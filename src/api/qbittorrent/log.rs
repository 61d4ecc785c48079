//! `log/*`: the latest lines of the log. Peers are not written there.

use serde_json::{Value, json};
use tracing::Level;

use super::answer::{Answer, Fault, Outcome};
use super::call::{Call, Desk};
use crate::api::journal::Line;

/// Numbers of kinds of lines, and the fields that leave them out.
const NORMAL: (i64, &str) = (1, "normal");
const INFO: (i64, &str) = (2, "info");
const WARNING: (i64, &str) = (4, "warning");
const CRITICAL: (i64, &str) = (8, "critical");

pub(super) fn answer(desk: &Desk, call: &Call, action: &str) -> Outcome {
    match action {
        "main" => main(desk, call),
        "peers" => Answer::json(&json!([])),
        _ => Err(Fault::not_found()),
    }
}

fn main(desk: &Desk, call: &Call) -> Outcome {
    // -1, or nothing, has none of them
    let known: Option<u64> = call.form.number("last_known_id");
    let lines = desk.context.journal.after(known).into_iter();
    let wanted = lines.filter(|line| call.form.truth(kind(line.level).1) != Some(false));
    Answer::json(&wanted.map(|line| entry(&line)).collect())
}

fn entry(line: &Line) -> Value {
    json!({ "id": line.number, "message": line.text, "timestamp": line.at, "type": kind(line.level).0 })
}

fn kind(level: Level) -> (i64, &'static str) {
    match level {
        Level::ERROR => CRITICAL,
        Level::WARN => WARNING,
        Level::INFO => NORMAL,
        Level::DEBUG | Level::TRACE => INFO,
    }
}
