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
mod legend;
mod throughput;

use plotters::prelude::*;

use super::numbers::printable;
use super::{Report, table};
use curves::Picture;
use legend::Legend;

const WIDTH: u32 = 1_280;
const HEIGHT: u32 = 620;
const MARGIN: u32 = 28;
/// Upper end of the panels, their titles and legends, and their height.
const PANELS_TOP: u32 = 172;
const PANELS_HEIGHT: u32 = 370;
/// Titles and legends of the panels.
const HEADS_TOP: i32 = 88;
const FOOT_TOP: i32 = 558;

const INK: RGBColor = RGBColor(0x22, 0x2b, 0x36);
const FAINT: RGBColor = RGBColor(0x6b, 0x77, 0x85);
const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xec);
const FONT: &str = "DejaVu Sans, Helvetica, Arial, sans-serif";

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the picture: {0}")]
pub struct PlotError(String);

type Area<'svg> = DrawingArea<SVGBackend<'svg>, plotters::coord::Shift>;
type Drawn = Result<(), PlotError>;

/// Errors of the backend, whose types say nothing: it writes to memory.
fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError(error.to_string())
}

/// The picture as the text of an SVG file.
pub(super) fn draw(report: &Report) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        frame(&root, report)?;
        let picture = Picture::of(&report.summaries);
        if picture.is_empty() {
            text(&root, "nothing was measured", (MARGIN.cast_signed(), HEADS_TOP), 15, INK)?;
        } else {
            panels(&root, &picture)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
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

/// Text whose upper left corner is at `place`.
fn text(root: &Area<'_>, text: &str, place: (i32, i32), size: i32, color: RGBColor) -> Drawn {
    root.draw(&Text::new(text.to_owned(), place, (FONT, size).into_font().color(&color))).map_err(failed)
}

/// About how wide text is: the fonts are the reader's, and SVG text comes out at four fifths of the size given.
fn width_of(text: &str, size: i32) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 10_000).saturating_mul(size) * 48 / 100
}
