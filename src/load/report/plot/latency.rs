//! The right panel: percentiles of the time of a request, both axes logarithmic.

use plotters::coord::combinators::WithKeyPoints;
use plotters::prelude::*;

use super::super::numbers::microseconds;
use super::super::{Latency, Spread, Summary};
use super::axis;
use super::curves::Picture;
use super::throughput::COLORS;
use crate::picture::{Area, Canvas, Drawn, FAINT, FONT, GRID, INK, Legend, Look, PictureError, failed};

/// From light to dark, as they grow.
const SHADES: [RGBColor; 3] = [RGBColor(0x74, 0xb3, 0xa4), RGBColor(0x1f, 0x82, 0x8a), RGBColor(0x12, 0x3f, 0x5c)];

/// Room for the labels of the y axis.
const LEFT: u32 = 72;

type LogAxis = WithKeyPoints<LogCoord<f64>>;
type Chart<'area, 'svg> = ChartContext<'area, Canvas<'svg>, Cartesian2d<LogAxis, LogAxis>>;

/// A percentile: its name, and where a row has it.
type Percentile = (&'static str, fn(&Latency) -> Spread<u64>);

/// A percentile over the runs of one curve.
struct Line<'rows> {
    name: &'static str,
    color: RGBColor,
    look: Look,
    /// Whether its points lie on a line.
    joined: bool,
    points: Vec<(&'rows Summary, Spread<u64>)>,
}

pub(super) fn draw(panel: &Area<'_>, mut legend: Legend<'_, '_>, picture: &Picture<'_>) -> Drawn {
    legend.title("Latency of a request, against the load")?;
    let lines: Vec<Line<'_>> = lines(picture).into_iter().filter(|line| !line.points.is_empty()).collect();
    if lines.is_empty() {
        return legend.words("no block was received");
    }
    explain(&mut legend, picture, &lines)?;
    let mut chart = axes(panel, &lines)?;
    lines.iter().try_for_each(|line| draw_line(&mut chart, line))
}

fn explain(legend: &mut Legend<'_, '_>, picture: &Picture<'_>, lines: &[Line<'_>]) -> Drawn {
    if picture.curves.len() < 2 {
        return lines.iter().try_for_each(|line| legend.entry(line.look, line.color, line.name));
    }
    for (curve, &color) in picture.curves.iter().zip(COLORS.iter().cycle()) {
        legend.entry(Look::Solid, color, &curve.name)?;
    }
    legend.entry(Look::Solid, INK, "p50")?;
    legend.entry(Look::Broken, INK, "p99")
}

fn lines<'rows>(picture: &Picture<'rows>) -> Vec<Line<'rows>> {
    let percentiles: [Percentile; 3] =
        [("p50", |latency| latency.p50), ("p99", |latency| latency.p99), ("p99.9", |latency| latency.p99_9)];
    let points = |rows: &[&'rows Summary], pick: fn(&Latency) -> Spread<u64>| {
        rows.iter().filter_map(|row| Some((*row, pick(row.latency_us.as_ref()?)))).collect()
    };
    match &picture.curves[..] {
        // three lines for each of several curves would be a tangle: two, in the colour that the curve has on the left
        curves @ [_, _, ..] => {
            let colored = curves.iter().zip(COLORS.iter().cycle());
            let both = colored.flat_map(|(curve, &color)| {
                [(0, Look::Solid), (1, Look::Broken)].map(|(at, look)| {
                    let (name, pick) = percentiles[at];
                    Line { name, color, look, joined: true, points: points(&curve.rows, pick) }
                })
            });
            both.collect()
        }
        one_or_none => {
            let rows = one_or_none.first().map_or(&picture.others, |curve| &curve.rows);
            let line = |((name, pick), color): (Percentile, RGBColor)| Line {
                name,
                color,
                look: Look::Solid,
                joined: !one_or_none.is_empty(),
                points: points(rows, pick),
            };
            percentiles.into_iter().zip(SHADES).map(line).collect()
        }
    }
}

/// Requests in flight of all peers together.
fn in_flight(row: &Summary) -> f64 {
    (row.active_peers as f64 * row.depth as f64).max(1.0)
}

fn axes<'area, 'svg>(panel: &'area Area<'svg>, lines: &[Line<'_>]) -> Result<Chart<'area, 'svg>, PictureError> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let loads: Vec<f64> = points().map(|(row, _)| in_flight(row)).collect();
    let times: Vec<f64> = points().flat_map(|(_, spread)| [spread.min as f64, spread.max as f64]).collect();
    let (x, y) = (axis::log_range(&loads), axis::log_range(&times));
    let (x_ticks, y_ticks) = (axis::ticks_at(&loads, &x, panel.dim_in_pixel().0 - LEFT), axis::decades(&y));
    let mut chart = ChartBuilder::on(panel)
        .x_label_area_size(46)
        .y_label_area_size(LEFT)
        .margin_top(8)
        .build_cartesian_2d(x.log_scale().with_key_points(x_ticks), y.log_scale().with_key_points(y_ticks))
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style((FONT, axis::LABEL_SIZE).into_font().color(&INK))
        .axis_desc_style((FONT, 13).into_font().color(&INK))
        .x_desc("requests in flight, all peers together")
        .y_desc("from request to last byte")
        .x_label_formatter(&|value| axis::count(*value))
        .y_label_formatter(&|value| time(*value))
        .draw()
        .map_err(failed)?;
    Ok(chart)
}

/// `1 ms`, not `1.00 ms`: ticks are round.
fn time(value: f64) -> String {
    let shown = microseconds(format!("{value:.0}").parse().unwrap_or(u64::MAX));
    match shown.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => shown,
    }
}

fn draw_line(chart: &mut Chart<'_, '_>, line: &Line<'_>) -> Drawn {
    let style = line.color.stroke_width(2);
    let at = |row: &Summary, us: u64| (in_flight(row), (us as f64).max(1.0));
    let points: Vec<_> = line.points.iter().map(|(row, spread)| at(row, spread.median)).collect();
    if line.joined && line.look == Look::Broken && points.len() > 1 {
        chart.draw_series(DashedLineSeries::new(points.iter().copied(), 7, 4, style)).map_err(failed)?;
    } else if line.joined {
        chart.draw_series(LineSeries::new(points.iter().copied(), style)).map_err(failed)?;
    }
    let several = line.points.iter().filter(|(row, _)| row.rounds > 1);
    let bars = several.map(|(row, spread)| PathElement::new(vec![at(row, spread.min), at(row, spread.max)], style));
    chart.draw_series(bars).map_err(failed)?;
    let marks = points.into_iter().map(|point| Circle::new(point, 4, line.color.filled()));
    chart.draw_series(marks).map_err(failed).map(drop)
}
