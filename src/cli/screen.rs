//! Where a command that runs for long says how it gets on.

use std::io::{IsTerminal, Write};

use indicatif::MultiProgress;
use serde_json::{Value, json};

use super::text::Printable;

/// What reads it.
pub(crate) enum Screen {
    /// A program: one JSON object a line.
    Json,
    /// A file or a pipe.
    Lines,
    /// A person at a terminal: bars stay below the lines.
    Live(MultiProgress),
}

impl Screen {
    /// JSON if it was asked for, else by what standard output and standard error are.
    pub(crate) fn new(json: bool) -> Screen {
        match (json, std::io::stderr().is_terminal() && std::io::stdout().is_terminal()) {
            (true, _) => Screen::Json,
            (false, false) => Screen::Lines,
            (false, true) => Screen::Live(MultiProgress::new()),
        }
    }

    /// A program reads it.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Screen::Json)
    }

    /// A line for people.
    pub(crate) fn line(&self, text: &str) {
        match self {
            Screen::Json => {}
            Screen::Lines => {
                let _ = writeln!(std::io::stdout(), "{text}");
            }
            Screen::Live(bars) => {
                let _ = bars.println(text);
            }
        }
    }

    /// Something worth knowing that stops nothing.
    pub(crate) fn warn(&self, warning: &str) {
        match self {
            Screen::Json => event(&json!({"event": "warning", "message": warning})),
            _ => self.line(&format!("warning: {}", printable(warning))),
        }
    }
}

/// An event for programs.
pub(crate) fn event(event: &Value) {
    // whoever reads our events may leave; the work goes on
    let _ = writeln!(std::io::stdout(), "{event}");
}

/// Names come from strangers: no control characters on a terminal.
pub(crate) fn printable(text: &str) -> String {
    Printable(text.as_bytes()).to_string()
}
