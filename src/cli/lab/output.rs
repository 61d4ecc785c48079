//! What an experiment says: a table or JSON on standard output, and a picture.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use crate::cli::picture::Picture;
use crate::cli::text::json_for_terminal;
use crate::picture::Figure;

/// How to say it.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Flags {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw a picture
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    plot: Option<PathBuf>,
}

/// Where the picture goes, known to be writable before the experiment begins.
pub(super) struct Output {
    json: bool,
    picture: Option<Picture>,
}

impl Flags {
    pub(super) fn open(&self) -> anyhow::Result<Output> {
        Ok(Output { json: self.json, picture: self.plot.as_deref().map(Picture::open).transpose()? })
    }
}

impl Output {
    /// The picture comes first: a reader of our output who leaves early does not cost it.
    pub(super) fn write(
        self,
        document: &impl Serialize,
        table: impl FnOnce() -> String,
        figure: impl FnOnce() -> Figure,
    ) -> anyhow::Result<()> {
        if let Some(picture) = self.picture {
            let drawn = figure().encoded(picture.format())?;
            picture.write(&drawn)?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            let json = serde_json::to_string_pretty(document).context("cannot write JSON")?;
            writeln!(out, "{}", json_for_terminal(&json))?;
        } else {
            write!(out, "{}", table())?;
        }
        Ok(())
    }
}

/// Columns set right under their headings.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let set: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        format!("{}\n", set.join("  ").trim_end())
    };
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(headings.to_vec())).chain(body).collect()
}

/// A number in three digits that say something: `0.750`, `3.00`, `12.3`.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        ..0.9995 => 3,
        ..9.995 => 2,
        ..999.5 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["1".to_owned(), "0.1".to_owned()], vec!["1000".to_owned(), "3.00".to_owned()]];
        assert_eq!(table(&["N", "time"], &rows), "   N  time\n   1   0.1\n1000  3.00\n");
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!([0.0, 0.75, 3.0, 12.34, 1234.5].map(number), ["0.000", "0.750", "3.00", "12.3", "1234"]);
    }
}
