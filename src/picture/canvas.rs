//! Where pictures are drawn: an SVG document or pixels, one type for both, so that drawing code needs no parameter.

use std::io;

use plotters::prelude::{DrawingBackend, SVGBackend};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};

use super::raster::Raster;

/// An SVG document or pixels.
pub struct Canvas<'picture>(Medium<'picture>);

enum Medium<'picture> {
    Svg(SVGBackend<'picture>),
    Raster(&'picture mut Raster),
}

impl<'picture> Canvas<'picture> {
    /// Draws into `text`.
    pub(super) fn svg(text: &'picture mut String, size: (u32, u32)) -> Canvas<'picture> {
        Canvas(Medium::Svg(SVGBackend::with_string(text, size)))
    }

    /// Draws into pixels.
    pub(super) fn raster(raster: &'picture mut Raster) -> Canvas<'picture> {
        Canvas(Medium::Raster(raster))
    }
}

type Drawn = Result<(), DrawingErrorKind<io::Error>>;

impl DrawingBackend for Canvas<'_> {
    type ErrorType = io::Error;

    fn get_size(&self) -> (u32, u32) {
        match &self.0 {
            Medium::Svg(svg) => svg.get_size(),
            Medium::Raster(raster) => raster.size(),
        }
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.present(),
            Medium::Raster(_) => Ok(()),
        }
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.draw_pixel(point, color),
            Medium::Raster(raster) => done(raster.rectangle(point, (point.0 + 1, point.1 + 1), color)),
        }
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.draw_line(from, to, style),
            Medium::Raster(raster) => done(raster.line([from, to], style)),
        }
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.draw_rect(upper_left, bottom_right, style, fill),
            Medium::Raster(raster) if fill => done(raster.rectangle(upper_left, bottom_right, style.color())),
            Medium::Raster(raster) => {
                let ((left, top), (right, bottom)) = (upper_left, bottom_right);
                done(raster.line([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], style))
            }
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.draw_path(path, style),
            Medium::Raster(raster) => done(raster.line(path, style)),
        }
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.draw_circle(center, radius, style, fill),
            Medium::Raster(raster) => done(raster.circle(center, radius, style, fill)),
        }
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.fill_polygon(corners, style),
            Medium::Raster(raster) => done(raster.polygon(corners, style.color())),
        }
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, place: BackendCoord) -> Drawn {
        match &mut self.0 {
            Medium::Svg(svg) => svg.draw_text(text, style, place),
            Medium::Raster(raster) => done(raster.text(text, style, place)),
        }
    }
}

/// A shape without extent draws nothing, and that is no error.
fn done(_drawn: Option<()>) -> Drawn {
    Ok(())
}
