//! Title and legend of a panel, in lines above it, where no data can be.

use plotters::prelude::*;

use super::{Area, Drawn, FAINT, INK, failed, text, width_of};

const SIZE: i32 = 13;
const LINE: i32 = 19;
/// From one entry to the next, and from a sample to its words.
const GAP: i32 = 20;
const SAMPLE: i32 = 26;

/// How a line or a point looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// A line.
    Line,
    /// A line with points.
    Solid,
    /// A broken line with squares.
    Dashed,
    /// A broken line.
    Broken,
    /// A point.
    Point,
    /// A point that is not filled.
    Hollow,
    /// A bar from lowest to highest.
    Bar,
    /// A point on no line.
    Diamond,
}

/// Writes from left to right, and goes on below where the panel ends.
pub struct Legend<'root, 'picture> {
    root: &'root Area<'picture>,
    left: i32,
    right: i32,
    place: (i32, i32),
}

impl<'root, 'picture> Legend<'root, 'picture> {
    /// Above a panel of this width: from `place` on.
    pub fn at(root: &'root Area<'picture>, place: (i32, i32), width: u32) -> Legend<'root, 'picture> {
        let right = place.0 + i32::try_from(width).unwrap_or(i32::MAX / 2);
        Legend { root, left: place.0, right, place }
    }

    /// The title; entries begin below it.
    pub fn title(&mut self, title: &str) -> Drawn {
        text(self.root, title, self.place, 16, INK)?;
        self.place = (self.left, self.place.1 + LINE + 5);
        Ok(())
    }

    /// Words in place of entries.
    pub fn words(&self, words: &str) -> Drawn {
        text(self.root, words, self.place, SIZE, FAINT)
    }

    /// How something looks, and what it is.
    pub fn entry(&mut self, look: Look, color: RGBColor, words: &str) -> Drawn {
        let width = SAMPLE + width_of(words, SIZE);
        if self.place.0 + width > self.right && self.place.0 > self.left {
            self.place = (self.left, self.place.1 + LINE);
        }
        let (x, y) = (self.place.0, self.place.1 + SIZE / 2 - 1);
        self.sample(look, color, (x, y))?;
        text(self.root, words, (x + SAMPLE, self.place.1), SIZE, FAINT)?;
        self.place.0 += width + GAP;
        Ok(())
    }

    fn sample(&self, look: Look, color: RGBColor, (x, y): (i32, i32)) -> Drawn {
        let middle = (x + 9, y);
        let line = |from: i32, to: i32| PathElement::new(vec![(x + from, y), (x + to, y)], color.stroke_width(2));
        let drawn = match look {
            Look::Line => self.root.draw(&line(0, 18)),
            Look::Point => self.root.draw(&Circle::new(middle, 4, color.filled())),
            Look::Solid => {
                self.root.draw(&line(0, 18)).and_then(|()| self.root.draw(&Circle::new(middle, 4, color.filled())))
            }
            Look::Dashed => self
                .root
                .draw(&line(0, 4))
                .and_then(|()| self.root.draw(&line(14, 18)))
                .and_then(|()| self.root.draw(&Rectangle::new([(x + 6, y - 4), (x + 13, y + 3)], color.filled()))),
            Look::Broken => self.root.draw(&line(0, 7)).and_then(|()| self.root.draw(&line(11, 18))),
            Look::Hollow => self.root.draw(&Circle::new(middle, 4, color.stroke_width(2))),
            Look::Bar => self.root.draw(&PathElement::new(vec![(x + 9, y - 7), (x + 9, y + 7)], color.stroke_width(2))),
            Look::Diamond => self.root.draw(&diamond(middle, color)),
        };
        drawn.map_err(failed)
    }
}

/// A point of a run that lies on no line.
pub fn diamond((x, y): (i32, i32), color: RGBColor) -> Polygon<(i32, i32)> {
    Polygon::new(vec![(x - 5, y), (x, y - 5), (x + 5, y), (x, y + 5)], color.filled())
}
