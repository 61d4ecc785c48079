//! The picture: throughput against the number of peers, latency against load.
//!
//! Left, what the seeder sent and what a second of its processor time was worth; points that the load itself held back
//! are hollow. Right, percentiles of the time of a request against the requests in flight of all peers together: that is
//! the load offered, and grows where throughput no longer does. Bars go from the lowest to the highest round. Runs that
//! are no plain crowd of leechers (churn, slow readers) lie on no line: they are diamonds with their names.
//!
//! Legends stand above the panels, where no data can be.

mod axis;
mod curves;
mod latency;
mod throughput;

use super::numbers::printable;
use super::{Report, table};
use crate::picture::{self, Area, Drawn, FAINT, Format, INK, Legend, PictureError, text};
use curves::Picture;

const WIDTH: u32 = 1_280;
const HEIGHT: u32 = 620;
const MARGIN: u32 = 28;
/// Upper end of the panels, their titles and legends, and their height.
const PANELS_TOP: u32 = 172;
const PANELS_HEIGHT: u32 = 370;
/// Titles and legends of the panels.
const HEADS_TOP: i32 = 88;
const FOOT_TOP: i32 = 558;

/// The picture as the bytes of its file.
pub(super) fn draw(report: &Report, format: Format) -> Result<Vec<u8>, PictureError> {
    picture::encoded(format, (WIDTH, HEIGHT), |root| {
        frame(root, report)?;
        let picture = Picture::of(&report.summaries);
        if picture.is_empty() {
            return text(root, "nothing was measured", (MARGIN.cast_signed(), HEADS_TOP), 15, INK);
        }
        panels(root, &picture)
    })
}

fn panels(root: &Area<'_>, picture: &Picture<'_>) -> Drawn {
    let width = (WIDTH - 3 * MARGIN) / 2;
    let right = MARGIN + width + MARGIN;
    let panel = |x: u32| root.clone().shrink((x, PANELS_TOP), (width, PANELS_HEIGHT));
    let head = |x: u32| Legend::at(root, (x.cast_signed(), HEADS_TOP), width);
    throughput::draw(root, &panel(MARGIN), head(MARGIN), picture)?;
    latency::draw(&panel(right), head(right), picture)
}

/// What stands around the panels: what was done above, where below.
fn frame(root: &Area<'_>, report: &Report) -> Drawn {
    let left = MARGIN.cast_signed();
    text(root, "sower bench", (left, 24), 22, INK)?;
    if !report.summaries.is_empty() {
        text(root, &table::heading(&report.summaries, &report.outcomes), (left, 54), 14, FAINT)?;
    }
    for (line, phrase) in (0..).zip(report.machine.phrases()) {
        text(root, &printable(&phrase), (left, FOOT_TOP + 18 * line), 12, FAINT)?;
    }
    Ok(())
}
