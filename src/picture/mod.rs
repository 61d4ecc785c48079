//! Pictures of results: described as values, drawn as SVG text or PNG bytes.
//!
//! A [`Figure`] says what is shown: panels, axes, series. One code draws it through plotters onto a [`Canvas`], which is
//! either an SVG file or pixels, so both show the same. Colours, fonts and legends of all of this program's pictures stand
//! here. Nothing is read or written: who asked for a picture puts it into a file.

mod canvas;
mod curves;
mod figure;
mod legend;
mod matrix;
mod raster;

use plotters::prelude::*;

pub use canvas::Canvas;
pub use figure::{Axis, Content, Figure, Form, Matrix, Panel, Series};
pub use legend::{Legend, Look, diamond};

/// Words.
pub const INK: RGBColor = RGBColor(0x22, 0x2b, 0x36);
/// Words that explain.
pub const FAINT: RGBColor = RGBColor(0x6b, 0x77, 0x85);
/// Lines behind the data.
pub const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xec);
/// The first that the reader's machine has; in a bitmap, the one we bring.
pub const FONT: &str = "DejaVu Sans, Helvetica, Arial, sans-serif";
/// One for each curve; further ones begin again.
pub const COLORS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x6f, 0xb4),
    RGBColor(0xd9, 0x73, 0x0d),
    RGBColor(0x2a, 0x8c, 0x5a),
    RGBColor(0x8a, 0x4f, 0xb0),
    RGBColor(0xb5, 0x3a, 0x45),
    RGBColor(0x5c, 0x67, 0x73),
];

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the picture: {0}")]
pub struct PictureError(String);

/// A part of a picture.
pub type Area<'picture> = DrawingArea<Canvas<'picture>, plotters::coord::Shift>;
/// Whether something was drawn.
pub type Drawn = Result<(), PictureError>;

/// Errors of drawing, whose types say nothing: it writes to memory.
pub fn failed(error: impl std::fmt::Display) -> PictureError {
    PictureError(error.to_string())
}

/// Text whose upper left corner is at `place`.
pub fn text(root: &Area<'_>, text: &str, place: (i32, i32), size: i32, color: RGBColor) -> Drawn {
    root.draw(&Text::new(text.to_owned(), place, (FONT, size).into_font().color(&color))).map_err(failed)
}

/// About how wide text is: the fonts are the reader's, and text comes out at four fifths of the size given.
pub fn width_of(text: &str, size: i32) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 10_000).saturating_mul(size) * 48 / 100
}

/// What a picture's file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Shapes and words, which any size suits.
    Svg,
    /// Pixels, two for each unit of the picture.
    Png,
}

/// A picture of `size`, as the bytes of its file.
pub fn encoded(
    format: Format,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<Vec<u8>, PictureError> {
    match format {
        Format::Svg => {
            let mut svg = String::new();
            drawn(Canvas::svg(&mut svg, size), draw)?;
            Ok(svg.into_bytes())
        }
        Format::Png => {
            let mut raster = raster::Raster::new(size).ok_or_else(|| failed("it has no size"))?;
            drawn(Canvas::raster(&mut raster), draw)?;
            raster.png().map_err(failed)
        }
    }
}

fn drawn(canvas: Canvas<'_>, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Drawn {
    let root = canvas.into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    draw(&root)?;
    root.present().map_err(failed)
}
