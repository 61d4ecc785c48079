//! The left panel: bytes a second, and bytes for each second of the seeder's processor time.

use plotters::coord::combinators::WithKeyPoints;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::numbers::{Unit, printable, three_digits};
use super::super::{Spread, Summary};
use super::axis;
use super::curves::{Curve, Picture};
use crate::load::Limit;
use crate::picture::{
    Area, Canvas, Drawn, FAINT, FONT, GRID, INK, Legend, Look, PictureError, diamond, failed, width_of,
};

/// One for each curve; further ones begin again.
pub(super) const COLORS: [RGBColor; 5] = [
    RGBColor(0x1f, 0x6f, 0xb4),
    RGBColor(0x2a, 0x8c, 0x5a),
    RGBColor(0x8a, 0x4f, 0xb0),
    RGBColor(0xb5, 0x3a, 0x45),
    RGBColor(0x5c, 0x67, 0x73),
];
const CPU_COLOR: RGBColor = RGBColor(0xd9, 0x73, 0x0d);
const NAME_SIZE: i32 = 12;
/// Room for the labels of the y axis.
const LEFT: u32 = 58;

type LogX = WithKeyPoints<LogCoord<f64>>;
type Chart<'area, 'svg> = ChartContext<'area, Canvas<'svg>, Cartesian2d<LogX, RangedCoordf64>>;

pub(super) fn draw(root: &Area<'_>, panel: &Area<'_>, mut legend: Legend<'_, '_>, picture: &Picture<'_>) -> Drawn {
    let unit = Unit::for_largest(picture.rows().map(highest).max().unwrap_or(0));
    legend.title("Throughput")?;
    explain(&mut legend, picture, unit)?;
    let mut chart = axes(panel, picture, unit)?;
    for (curve, &color) in picture.curves.iter().zip(COLORS.iter().cycle()) {
        let cpu_color = if picture.curves.len() == 1 { CPU_COLOR } else { color };
        cpu_line(&mut chart, picture, curve, unit, cpu_color)?;
        rate_line(&mut chart, picture, curve, unit, color)?;
    }
    others(root, &chart, picture, unit)
}

fn highest(row: &Summary) -> u64 {
    row.bytes_per_second.max.max(row.bytes_per_cpu_second.map_or(0, |spread| spread.max))
}

fn explain(legend: &mut Legend<'_, '_>, picture: &Picture<'_>, unit: Unit) -> Drawn {
    let several = picture.curves.len() > 1;
    for (curve, &color) in picture.curves.iter().zip(COLORS.iter().cycle()) {
        let name = if several { curve.name.clone() } else { format!("{}/s", unit.name) };
        legend.entry(Look::Solid, color, &name)?;
    }
    if picture.curves.iter().flat_map(|curve| &curve.rows).any(|row| row.bytes_per_cpu_second.is_some()) {
        let color = if several { INK } else { CPU_COLOR };
        legend.entry(Look::Dashed, color, &format!("{} per CPU-second of the seeder", unit.name))?;
    }
    if picture.rows().any(|row| row.limit == Limit::Load) {
        legend.entry(Look::Hollow, INK, "the load was full: a lower bound")?;
    }
    if picture.rows().any(|row| row.rounds > 1) {
        legend.entry(Look::Bar, INK, "lowest to highest round")?;
    }
    if picture.others.is_empty() { Ok(()) } else { legend.entry(Look::Diamond, FAINT, "other scenarios") }
}

fn axes<'area, 'svg>(
    panel: &'area Area<'svg>,
    picture: &Picture<'_>,
    unit: Unit,
) -> Result<Chart<'area, 'svg>, PictureError> {
    let values: Vec<f64> = picture.rows().map(|row| picture.x.of(row)).collect();
    let range = axis::log_range(&values);
    let ticks = axis::ticks_at(&values, &range, panel.dim_in_pixel().0 - LEFT);
    let has_cpu = picture.rows().any(|row| row.bytes_per_cpu_second.is_some());
    let cpu = if has_cpu { format!(", {} per CPU-second", unit.name) } else { String::new() };
    let top = picture.rows().map(highest).max().unwrap_or(0) as f64 / unit.bytes;
    let mut chart = ChartBuilder::on(panel)
        .x_label_area_size(46)
        .y_label_area_size(LEFT)
        .margin_top(8)
        .build_cartesian_2d(range.log_scale().with_key_points(ticks), 0.0..top.max(0.001) * 1.12)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style((FONT, axis::LABEL_SIZE).into_font().color(&INK))
        .axis_desc_style((FONT, 13).into_font().color(&INK))
        .x_desc(picture.x.title())
        .y_desc(format!("{}/s{cpu}", unit.name))
        .y_labels(7)
        .x_label_formatter(&|value| axis::count(*value))
        .y_label_formatter(&|value| tick(*value))
        .draw()
        .map_err(failed)?;
    Ok(chart)
}

fn tick(value: f64) -> String {
    let short = three_digits(value);
    if short.contains('.') { short.trim_end_matches('0').trim_end_matches('.').to_owned() } else { short }
}

fn rate_line(
    chart: &mut Chart<'_, '_>,
    picture: &Picture<'_>,
    curve: &Curve<'_>,
    unit: Unit,
    color: RGBColor,
) -> Drawn {
    let at = |row: &Summary, bytes: u64| (picture.x.of(row), bytes as f64 / unit.bytes);
    let points = curve.rows.iter().map(|row| at(row, row.bytes_per_second.median));
    chart.draw_series(LineSeries::new(points, color.stroke_width(2))).map_err(failed)?;
    bars(chart, curve, color, at, |row| Some(row.bytes_per_second))?;
    for row in &curve.rows {
        let point = at(row, row.bytes_per_second.median);
        let inside = if row.limit == Limit::Load { WHITE } else { color };
        let marks = [Circle::new(point, 4, color.filled()), Circle::new(point, 2, inside.filled())];
        chart.draw_series(marks).map_err(failed)?;
    }
    Ok(())
}

fn cpu_line(chart: &mut Chart<'_, '_>, picture: &Picture<'_>, curve: &Curve<'_>, unit: Unit, color: RGBColor) -> Drawn {
    let at = |row: &Summary, bytes: u64| (picture.x.of(row), bytes as f64 / unit.bytes);
    let known = curve.rows.iter().filter_map(|row| Some(at(row, row.bytes_per_cpu_second?.median)));
    let points: Vec<_> = known.collect();
    if points.len() > 1 {
        chart
            .draw_series(DashedLineSeries::new(points.iter().copied(), 7, 4, color.stroke_width(2)))
            .map_err(failed)?;
    }
    bars(chart, curve, color, at, |row| row.bytes_per_cpu_second)?;
    let squares =
        points.into_iter().map(|point| EmptyElement::at(point) + Rectangle::new([(-4, -4), (4, 4)], color.filled()));
    chart.draw_series(squares).map_err(failed).map(drop)
}

fn bars(
    chart: &mut Chart<'_, '_>,
    curve: &Curve<'_>,
    color: RGBColor,
    at: impl Fn(&Summary, u64) -> (f64, f64),
    figure: impl Fn(&Summary) -> Option<Spread<u64>>,
) -> Drawn {
    let ranges = curve.rows.iter().filter(|row| row.rounds > 1).filter_map(|row| Some((row, figure(row)?)));
    let bars = ranges
        .map(|(row, spread)| PathElement::new(vec![at(row, spread.min), at(row, spread.max)], color.stroke_width(2)));
    chart.draw_series(bars).map_err(failed).map(drop)
}

/// Diamonds with names, each moved up or down until it touches no line and no other name.
fn others(root: &Area<'_>, chart: &Chart<'_, '_>, picture: &Picture<'_>, unit: Unit) -> Drawn {
    let mut taken = line_boxes(chart, picture, unit);
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let place =
        |row: &Summary| chart.backend_coord(&(picture.x.of(row), row.bytes_per_second.median as f64 / unit.bytes));
    taken.extend(picture.others.iter().map(|row| place(row)).map(|(x, y)| Taken {
        left: x - 5,
        width: 10,
        top: y - 5,
        height: 10,
    }));
    for row in &picture.others {
        let (x, y) = place(row);
        root.draw(&diamond((x, y), FAINT)).map_err(failed)?;
        let bound = if row.limit == Limit::Load { "≥ " } else { "" };
        let name =
            format!("{}: {bound}{} {}/s", printable(&row.scenario), unit.show(row.bytes_per_second.median), unit.name);
        let width = width_of(&name, NAME_SIZE);
        let (left, anchor) = match x + 10 + width > columns.end {
            true => (x - 10 - width, (x - 10, HPos::Right)),
            false => (x + 10, (x + 10, HPos::Left)),
        };
        let at = |top: i32| Taken { left, width, top, height: NAME_SIZE + 2 };
        let wish = y - NAME_SIZE / 2;
        let inside = |top: &i32| (rows.start..rows.end - NAME_SIZE - 3).contains(top);
        let tries = (0..rows.end - rows.start).flat_map(|step| [wish - step, wish + step]).filter(inside);
        let top = tries.into_iter().find(|&top| !taken.iter().any(|other| other.touches(at(top)))).unwrap_or(wish);
        taken.push(at(top));
        let style = (FONT, NAME_SIZE).into_font().color(&FAINT).pos(Pos::new(anchor.1, VPos::Top));
        root.draw(&Text::new(name, (anchor.0, top), style)).map_err(failed)?;
    }
    Ok(())
}

/// Pixels that are taken.
#[derive(Clone, Copy)]
struct Taken {
    left: i32,
    width: i32,
    top: i32,
    height: i32,
}

impl Taken {
    fn touches(self, other: Taken) -> bool {
        let columns = self.left < other.left + other.width && other.left < self.left + self.width;
        columns && self.top < other.top + other.height && other.top < self.top + self.height
    }
}

/// What the lines cover, in small boxes along them.
fn line_boxes(chart: &Chart<'_, '_>, picture: &Picture<'_>, unit: Unit) -> Vec<Taken> {
    let figures: [fn(&Summary) -> Option<u64>; 2] =
        [|row| Some(row.bytes_per_second.median), |row| row.bytes_per_cpu_second.map(|spread| spread.median)];
    let mut boxes = Vec::new();
    for (curve, figure) in picture.curves.iter().flat_map(|curve| figures.map(|figure| (curve, figure))) {
        let known = curve.rows.iter().filter_map(|row| Some((picture.x.of(row), figure(row)? as f64 / unit.bytes)));
        let points: Vec<(i32, i32)> = known.map(|point| chart.backend_coord(&point)).collect();
        for pair in points.windows(2) {
            let steps = (pair[1].0 - pair[0].0).abs().max(8) / 8;
            let along = |from: i32, to: i32, step: i32| from + (to - from) * step / steps;
            boxes.extend((0..=steps).map(|step| Taken {
                left: along(pair[0].0, pair[1].0, step) - 5,
                width: 10,
                top: along(pair[0].1, pair[1].1, step) - 5,
                height: 10,
            }));
        }
    }
    boxes
}
