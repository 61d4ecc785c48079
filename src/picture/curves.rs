//! Lines and points over two axes.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::figure::{Axis, Form, Series};
use super::legend::{Legend, Look};
use super::{Area, Canvas, Drawn, FAINT, FONT, GRID, INK, PictureError, failed};

type Chart<'area, 'picture> = ChartContext<'area, Canvas<'picture>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Room for the labels of the y axis.
const LEFT: u32 = 58;

pub(super) fn draw(area: &Area<'_>, legend: &mut Legend<'_, '_>, x: &Axis, y: &Axis, series: &[Series]) -> Drawn {
    if series.iter().all(|series| series.points.is_empty()) {
        return legend.words("nothing to show");
    }
    for series in series.iter().filter(|series| !series.name.is_empty()) {
        legend.entry(look(series.form), series.color, &series.name)?;
    }
    let mut chart = axes(area, x, y, series)?;
    series.iter().try_for_each(|series| draw_series(&mut chart, series))
}

fn look(form: Form) -> Look {
    match form {
        Form::Line => Look::Line,
        Form::Broken => Look::Broken,
        Form::Joined => Look::Solid,
        Form::Points => Look::Point,
        Form::Hollow => Look::Hollow,
    }
}

fn highest(axis: &Axis, series: &[Series], of: fn(&(f64, f64)) -> f64) -> f64 {
    let points = series.iter().flat_map(|series| &series.points).map(of);
    points.filter(|value| value.is_finite()).fold(axis.at_least, f64::max).max(1e-9)
}

fn axes<'area, 'picture>(
    area: &'area Area<'picture>,
    x: &Axis,
    y: &Axis,
    series: &[Series],
) -> Result<Chart<'area, 'picture>, PictureError> {
    let (right, top) = (highest(x, series, |point| point.0), highest(y, series, |point| point.1));
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(46)
        .y_label_area_size(LEFT)
        .margin_top(8)
        .margin_right(12)
        .build_cartesian_2d(0.0..right * 1.02, 0.0..top * 1.06)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .label_style((FONT, 12).into_font().color(&INK))
        .axis_desc_style((FONT, 13).into_font().color(&INK))
        .x_desc(&x.title)
        .y_desc(&y.title)
        .x_labels(9)
        .y_labels(8)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .draw()
        .map_err(failed)?;
    Ok(chart)
}

/// A number of an axis in as few characters as say it.
fn tick(value: f64) -> String {
    let decimals = if value.abs() < 10.0 { 2 } else { 1 };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn draw_series(chart: &mut Chart<'_, '_>, series: &Series) -> Drawn {
    let is_finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let (points, color) = (series.points.iter().copied().filter(is_finite), series.color);
    match series.form {
        Form::Line | Form::Joined => {
            chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2))).map_err(failed)?;
        }
        Form::Broken => {
            let broken = DashedLineSeries::new(points.clone(), 7, 4, color.stroke_width(2));
            chart.draw_series(broken).map_err(failed)?;
        }
        Form::Points | Form::Hollow => {}
    }
    match series.form {
        Form::Joined | Form::Points => {
            chart.draw_series(points.map(|point| Circle::new(point, 4, color.filled()))).map_err(failed).map(drop)
        }
        Form::Hollow => {
            let rings = points.map(|point| Circle::new(point, 4, color.stroke_width(2)));
            chart.draw_series(rings).map_err(failed).map(drop)
        }
        Form::Line | Form::Broken => Ok(()),
    }
}
