//! Values by row and column, as shades: who gave how much to whom.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figure::Matrix;
use super::legend::Legend;
use super::{Area, Drawn, FAINT, FONT, INK, failed};

const LEFT: i32 = 96;
const BELOW: i32 = 46;
const TOP: i32 = 8;
const LABEL: i32 = 12;
/// The darkest.
const FULL: RGBColor = RGBColor(0x12, 0x3f, 0x5c);

pub(super) fn draw(area: &Area<'_>, legend: &Legend<'_, '_>, matrix: &Matrix) -> Drawn {
    if matrix.rows.is_empty() || matrix.columns.is_empty() {
        return legend.words("nothing to show");
    }
    legend.words(&matrix.values_title)?;
    let (width, height) = area.dim_in_pixel();
    let inside = (width.cast_signed() - LEFT - 12, height.cast_signed() - BELOW - TOP);
    let place = |number: usize, of: usize, length: i32| {
        let (number, of) = (i64::try_from(number).unwrap_or(0), i64::try_from(of).unwrap_or(1));
        i32::try_from(i64::from(length) * number / of).unwrap_or(0)
    };
    let x = |column: usize| LEFT + place(column, matrix.columns.len(), inside.0);
    let y = |row: usize| TOP + place(row, matrix.rows.len(), inside.1);
    let most = matrix.values.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (row, values) in matrix.values.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            let corners = [(x(column), y(row)), (x(column + 1) - 1, y(row + 1) - 1)];
            area.draw(&Rectangle::new(corners, shade(value / most).filled())).map_err(failed)?;
        }
    }
    for (row, name) in matrix.rows.iter().enumerate() {
        label(area, name, (LEFT - 6, (y(row) + y(row + 1)) / 2), HPos::Right)?;
    }
    for (column, name) in matrix.columns.iter().enumerate() {
        label(area, name, ((x(column) + x(column + 1)) / 2, TOP + inside.1 + 10), HPos::Center)?;
    }
    titles(area, matrix, inside)
}

fn titles(area: &Area<'_>, matrix: &Matrix, inside: (i32, i32)) -> Drawn {
    let style = || (FONT, 13).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    let below = (LEFT + inside.0 / 2, TOP + inside.1 + 32);
    area.draw(&Text::new(matrix.columns_title.clone(), below, style())).map_err(failed)?;
    let beside = (10, TOP + inside.1 / 2);
    let turned = style().transform(FontTransform::Rotate270);
    area.draw(&Text::new(matrix.rows_title.clone(), beside, turned)).map_err(failed)
}

fn label(area: &Area<'_>, text: &str, place: (i32, i32), anchor: HPos) -> Drawn {
    let style = (FONT, LABEL).into_font().color(&FAINT).pos(Pos::new(anchor, VPos::Center));
    area.draw(&Text::new(text.to_owned(), place, style)).map_err(failed)
}

/// From white to the darkest.
#[expect(clippy::cast_possible_truncation, reason = "between 0 and 255 as both ends are")]
fn shade(part: f64) -> RGBColor {
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    let mix = |full: u8| (255.0 + (f64::from(full) - 255.0) * part).round() as u8;
    RGBColor(mix(FULL.0), mix(FULL.1), mix(FULL.2))
}
