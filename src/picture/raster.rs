//! Pixels: anti-aliased shapes and letters, placed as the SVG backend of plotters places them.
//!
//! Every function answers `None` for a shape without extent (a line of one point, text of spaces), which leaves nothing to
//! draw.

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, FontTransform};
use tiny_skia::{FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};
use ttf_parser::{Face, OutlineBuilder};

/// Pixels for each unit of a picture: sharp on dense screens and in print.
const SCALE: u16 = 2;
/// plotters gives sizes that its SVG backend divides by this.
const EM: f64 = 1.24;
/// Where a baseline lies under the top of its text, as the SVG backend writes it.
const TOP_TO_BASELINE_EM: f32 = 0.76;

/// A picture in pixels.
pub(super) struct Raster {
    pixels: Pixmap,
    size: (u32, u32),
}

impl Raster {
    pub(super) fn new(size: (u32, u32)) -> Option<Raster> {
        let scale = u32::from(SCALE);
        let pixels = Pixmap::new(size.0.checked_mul(scale)?, size.1.checked_mul(scale)?)?;
        Some(Raster { pixels, size })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(super) fn png(&self) -> Result<Vec<u8>, impl std::fmt::Display + use<>> {
        self.pixels.encode_png()
    }

    fn fill(&mut self, path: &Path, color: BackendColor, place: Transform) {
        let paint = paint(color);
        self.pixels.fill_path(path, &paint, FillRule::Winding, place.post_scale(SCALE.into(), SCALE.into()), None);
    }

    fn stroke(&mut self, path: &Path, color: BackendColor, width: u32) {
        let stroke =
            Stroke { width: width as f32, line_cap: LineCap::Butt, line_join: LineJoin::Round, ..Stroke::default() };
        self.pixels.stroke_path(path, &paint(color), &stroke, Transform::from_scale(SCALE.into(), SCALE.into()), None);
    }

    pub(super) fn rectangle(&mut self, from: BackendCoord, to: BackendCoord, color: BackendColor) -> Option<()> {
        let rect = Rect::from_ltrb(from.0 as f32, from.1 as f32, to.0 as f32, to.1 as f32)?;
        self.fill(&PathBuilder::from_rect(rect), color, Transform::identity());
        Some(())
    }

    pub(super) fn line<S: BackendStyle>(
        &mut self,
        points: impl IntoIterator<Item = BackendCoord>,
        style: &S,
    ) -> Option<()> {
        let path = joined(points)?.finish()?;
        self.stroke(&path, style.color(), style.stroke_width());
        Some(())
    }

    pub(super) fn polygon(
        &mut self,
        corners: impl IntoIterator<Item = BackendCoord>,
        color: BackendColor,
    ) -> Option<()> {
        let mut path = joined(corners)?;
        path.close();
        self.fill(&path.finish()?, color, Transform::identity());
        Some(())
    }

    pub(super) fn circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Option<()> {
        let path = PathBuilder::from_circle(center.0 as f32, center.1 as f32, radius as f32)?;
        if fill {
            self.fill(&path, style.color(), Transform::identity());
        } else {
            self.stroke(&path, style.color(), style.stroke_width());
        }
        Some(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "a size of letters needs no more than an f32")]
    pub(super) fn text<S: BackendTextStyle>(&mut self, text: &str, style: &S, place: BackendCoord) -> Option<()> {
        let face = Face::parse(epaint_default_fonts::UBUNTU_LIGHT, 0).ok()?;
        let em = (style.size() / EM) as f32;
        let scale = em / f32::from(face.units_per_em());
        let (path, width) = outline(&face, text, scale);
        let left = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let half_x_height = f32::from(face.x_height().unwrap_or_default()) * scale / 2.0;
        let baseline = match style.anchor().v_pos {
            VPos::Top => TOP_TO_BASELINE_EM * em,
            VPos::Center => half_x_height,
            VPos::Bottom => -half_x_height,
        };
        let turn = match style.transform() {
            FontTransform::None => 0.0,
            FontTransform::Rotate90 => 90.0,
            FontTransform::Rotate180 => 180.0,
            FontTransform::Rotate270 => 270.0,
        };
        let turned = Transform::from_translate(left, baseline).post_rotate(turn);
        self.fill(&path?, style.color(), turned.post_translate(place.0 as f32, place.1 as f32));
        Some(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1 of 255")]
fn paint(color: BackendColor) -> Paint<'static> {
    let (red, green, blue) = color.rgb;
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint
}

fn joined(points: impl IntoIterator<Item = BackendCoord>) -> Option<PathBuilder> {
    let mut points = points.into_iter().map(|(x, y)| (x as f32, y as f32));
    let mut path = PathBuilder::new();
    let (x, y) = points.next()?;
    path.move_to(x, y);
    points.for_each(|(x, y)| path.line_to(x, y));
    Some(path)
}

/// The letters of a text that begins at 0,0, and how wide it is. Letters that the font lacks are left out.
fn outline(face: &Face<'_>, text: &str, scale: f32) -> (Option<Path>, f32) {
    let mut pen = Pen { path: PathBuilder::new(), scale, x: 0.0 };
    for glyph in text.chars().filter_map(|letter| face.glyph_index(letter)) {
        face.outline_glyph(glyph, &mut pen);
        pen.x += f32::from(face.glyph_hor_advance(glyph).unwrap_or_default()) * scale;
    }
    (pen.path.finish(), pen.x)
}

/// Draws letters beside each other; fonts count upwards, pictures downwards.
struct Pen {
    path: PathBuilder,
    scale: f32,
    x: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
