//! What was measured, for people and programs: a table, notes in words, JSON, a picture.
//!
//! Every figure is a median over the rounds of the same run. No figure stands alone: each row says what held it back,
//! the notes say in words where the load's own side was full (then it is a lower bound of what the seeder can do), and
//! the last lines say on which machine and with which congestion control it was measured.

mod json;
mod notes;
mod numbers;
mod plot;
#[cfg(test)]
mod samples;
mod summary;
mod table;

pub use json::{Bytes, Document, Percentiles, Process, Run, Thread};
pub use summary::{Latency, Spread, Summary};

use crate::load::{Machine, Outcome};
use crate::picture::{Format, PictureError};

/// Outcomes of one invocation, and where they were measured.
#[derive(Clone, Debug)]
pub struct Report {
    machine: Machine,
    outcomes: Vec<Outcome>,
    summaries: Vec<Summary>,
}

impl Report {
    /// Of any number of outcomes; rounds of the same run are put together.
    pub fn new(machine: Machine, outcomes: Vec<Outcome>) -> Report {
        let summaries = summary::summaries(&outcomes);
        Report { machine, outcomes, summaries }
    }

    /// Whether the seeder sent anything wrong, as far as it was checked.
    pub fn has_bad_pieces(&self) -> bool {
        self.summaries.iter().any(|row| row.pieces_bad > 0)
    }

    /// The table with its notes, in lines of at most `columns` characters where that is possible.
    pub fn table(&self, columns: usize) -> String {
        let mut text = table::render(&self.summaries, &self.outcomes, columns);
        let notes = notes::find(&self.summaries, &self.outcomes, &self.machine);
        if !notes.is_empty() {
            text.push('\n');
        }
        for note in notes {
            text.push_str(&notes::wrapped(&note, columns));
        }
        text.push('\n');
        for phrase in self.machine.phrases() {
            text.push_str(&notes::wrapped(&numbers::printable(&phrase), columns));
        }
        text
    }

    /// The picture, as the bytes of its file.
    pub fn plot(&self, format: Format) -> Result<Vec<u8>, PictureError> {
        plot::draw(self, format)
    }

    /// Everything, for programs.
    pub fn document(&self) -> Document {
        Document::of(&self.machine, &self.outcomes, &self.summaries)
    }
}

#[cfg(test)]
mod tests;
