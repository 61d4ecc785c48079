//! What a picture shows, as values.

use plotters::prelude::RGBColor;

use super::legend::Legend;
use super::{Area, Drawn, FAINT, Format, INK, PictureError, curves, matrix, text};

/// A picture: a title, panels beside each other, notes below.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was done.
    pub title: String,
    /// Under which conditions.
    pub subtitle: String,
    /// From left to right.
    pub panels: Vec<Panel>,
    /// Lines of small print.
    pub notes: Vec<String>,
}

/// One diagram.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// The data.
    pub content: Content,
}

/// The data of a panel.
#[derive(Clone, Debug)]
pub enum Content {
    /// Lines and points over two axes.
    Curves {
        /// From left to right.
        x: Axis,
        /// From below to above.
        y: Axis,
        /// Drawn in order, later ones on top.
        series: Vec<Series>,
    },
    /// Values by row and column, as shades.
    Matrix(Matrix),
}

/// An axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// What it counts, with its unit.
    pub title: String,
    /// It goes up to here, even where the data ends before.
    pub at_least: f64,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Series {
    /// For the legend; a series without a name is not in it.
    pub name: String,
    /// Its colour.
    pub color: RGBColor,
    /// How it looks.
    pub form: Form,
    /// In order of x.
    pub points: Vec<(f64, f64)>,
}

/// How a series looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A thin line.
    Line,
    /// A broken line.
    Broken,
    /// A line with points.
    Joined,
    /// Points alone.
    Points,
    /// Points that are not filled.
    Hollow,
}

/// Values by row and column.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Names of rows, from above.
    pub rows: Vec<String>,
    /// Names of columns, from the left.
    pub columns: Vec<String>,
    /// What rows are.
    pub rows_title: String,
    /// What columns are.
    pub columns_title: String,
    /// What the shades mean.
    pub values_title: String,
    /// A value for each row and column; 0 is white, the largest is darkest.
    pub values: Vec<Vec<f64>>,
}

const PANEL_WIDTH: u32 = 620;
const LONE_PANEL_WIDTH: u32 = 860;
const PANEL_HEIGHT: u32 = 390;
const MARGIN: u32 = 28;
/// Titles and legends of the panels.
const HEADS_TOP: i32 = 88;
const LEGEND_LINES: i32 = 3;
const PANELS_TOP: i32 = HEADS_TOP + 24 + 19 * LEGEND_LINES;
const NOTE_LINE: i32 = 18;

impl Figure {
    /// As the bytes of a file.
    pub fn encoded(&self, format: Format) -> Result<Vec<u8>, PictureError> {
        super::encoded(format, self.size(), |root| self.draw(root))
    }

    fn panel_width(&self) -> u32 {
        if self.panels.len() > 1 { PANEL_WIDTH } else { LONE_PANEL_WIDTH }
    }

    fn size(&self) -> (u32, u32) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX / 10_000).max(1);
        let width = MARGIN + count(self.panels.len()) * (self.panel_width() + MARGIN);
        let notes = count(self.notes.len()) * NOTE_LINE.unsigned_abs();
        (width, PANELS_TOP.unsigned_abs() + PANEL_HEIGHT + notes + MARGIN)
    }

    fn draw(&self, root: &Area<'_>) -> Drawn {
        let left = MARGIN.cast_signed();
        text(root, &self.title, (left, 24), 22, INK)?;
        text(root, &self.subtitle, (left, 54), 14, FAINT)?;
        let width = self.panel_width();
        for (panel, number) in self.panels.iter().zip(0u32..) {
            let x = MARGIN + number * (width + MARGIN);
            let area = root.clone().shrink((x, PANELS_TOP.unsigned_abs()), (width, PANEL_HEIGHT));
            let mut legend = Legend::at(root, (x.cast_signed(), HEADS_TOP), width);
            legend.title(&panel.title)?;
            match &panel.content {
                Content::Curves { x, y, series } => curves::draw(&area, &mut legend, x, y, series)?,
                Content::Matrix(content) => matrix::draw(&area, &legend, content)?,
            }
        }
        let top = PANELS_TOP + PANEL_HEIGHT.cast_signed() + 10;
        for (note, line) in self.notes.iter().zip(0..) {
            text(root, note, (left, top + NOTE_LINE * line), 12, FAINT)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::COLORS;

    fn figure() -> Figure {
        let series = |name: &str, form, points| Series { name: name.into(), color: COLORS[0], form, points };
        let forms = [Form::Line, Form::Broken, Form::Joined, Form::Points, Form::Hollow];
        let points = |height: f64| (0..9).map(|x| (f64::from(x), height * f64::from(x))).collect::<Vec<_>>();
        let named = forms.iter().zip(1..).map(|(&form, n)| series(&format!("{form:?}"), form, points(f64::from(n))));
        let mut all: Vec<Series> = named.collect();
        all.push(series("odd", Form::Line, vec![(f64::NAN, 1.0), (1.0, f64::INFINITY), (2.0, 2.0)]));
        let axis = |title: &str| Axis { title: title.into(), at_least: 0.0 };
        let names = |letter: char| (0..4).map(|n| format!("{letter}{n}")).collect::<Vec<_>>();
        let matrix = Matrix {
            rows: names('r'),
            columns: names('c'),
            rows_title: "rows".into(),
            columns_title: "columns".into(),
            values_title: "shades".into(),
            values: vec![vec![0.0, 1.0, 2.0, f64::NAN]; 4],
        };
        let curves = Content::Curves { x: axis("x"), y: axis("y"), series: all };
        let empty = Content::Curves { x: axis("x"), y: axis("y"), series: Vec::new() };
        let contents = [("curves", curves), ("matrix", Content::Matrix(matrix)), ("empty", empty)];
        Figure {
            title: "a figure".into(),
            subtitle: "of everything that there is".into(),
            panels: contents.map(|(title, content)| Panel { title: title.into(), content }).into(),
            notes: vec!["a <note> & another".into()],
        }
    }

    #[test]
    fn everything_that_can_be_described_is_drawn_as_svg() {
        let svg = String::from_utf8(figure().encoded(Format::Svg).expect("drawn")).expect("text");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "a number that is none");
        for words in ["a figure", "of everything", "Hollow", "nothing to show", "a &lt;note&gt; &amp; another"] {
            assert!(svg.contains(words), "{words}");
        }
    }

    #[test]
    fn a_png_shows_shapes_and_words_in_their_colours() {
        let png = figure().encoded(Format::Png).expect("drawn");
        if let Some(folder) = std::env::var_os("SOWER_TEST_PICTURES") {
            std::fs::write(std::path::Path::new(&folder).join("figure.png"), &png).expect("the folder can be written");
        }
        let picture = tiny_skia::Pixmap::decode_png(&png).expect("a PNG");
        let (width, height) = figure().size();
        assert_eq!((picture.width(), picture.height()), (2 * width, 2 * height));
        let inked = |left: u32, top: u32, right: u32, bottom: u32| {
            let places = (2 * top..2 * bottom).flat_map(|y| (2 * left..2 * right).map(move |x| (x, y)));
            places.filter(|&(x, y)| picture.pixel(x, y).is_some_and(|pixel| pixel.red() < 0x80)).count()
        };
        assert!(inked(28, 20, 160, 46) > 200, "the title is written");
        assert_eq!(inked(0, 0, 27, 80), 0, "nothing is left of it");
        let blue = picture.pixels().iter().filter(|p| (p.red(), p.green(), p.blue()) == (0x1f, 0x6f, 0xb4)).count();
        assert!(blue > 1_000, "the curves have their colour: {blue}");
    }
}
