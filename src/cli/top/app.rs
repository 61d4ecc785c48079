//! What is known and chosen, and what becomes of it by events.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::crossterm;
use serde_json::{Value, json};

use super::daemon::{Changes, Totals, Wish};
use super::list::List;

/// Seconds of rates that are kept.
const HISTORY: usize = 300;
/// Letters of a search.
const SEARCH: usize = 100;

/// What happens.
pub(super) enum Event {
    Key(KeyEvent),
    /// The terminal has another size, or shows us anew.
    Redraw,
    /// The keyboard is gone.
    Ended,
    Changes(Result<Changes, String>),
    Details(String, Tab, Result<Value, String>),
    Ordered(Order, Result<(), String>),
}

/// What the details are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Tab {
    #[default]
    Overview,
    Peers,
    Trackers,
    Files,
}

impl Tab {
    pub(super) const ALL: [Tab; 4] = [Tab::Overview, Tab::Peers, Tab::Trackers, Tab::Files];

    pub(super) fn title(self) -> &'static str {
        match self {
            Tab::Overview => "Overview",
            Tab::Peers => "Peers",
            Tab::Trackers => "Trackers",
            Tab::Files => "Files",
        }
    }

    /// In the API.
    pub(super) fn path(self, hash: &str) -> String {
        match self {
            Tab::Overview => format!("torrents/{hash}"),
            Tab::Peers => format!("torrents/{hash}/peers"),
            Tab::Trackers => format!("torrents/{hash}/trackers"),
            Tab::Files => format!("torrents/{hash}/files"),
        }
    }

    fn next(self) -> Tab {
        let at = Tab::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Tab::ALL[(at + 1) % Tab::ALL.len()]
    }
}

/// A change of one torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Order {
    pub(super) hash: String,
    pub(super) name: String,
    pub(super) change: Change,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Start,
    Stop,
    Verify,
    Reannounce,
    Remove { data: bool },
}

impl Change {
    pub(super) fn as_json(self) -> Value {
        match self {
            Change::Start => json!({"kind": "start"}),
            Change::Stop => json!({"kind": "stop"}),
            Change::Verify => json!({"kind": "verify"}),
            Change::Reannounce => json!({"kind": "reannounce"}),
            Change::Remove { data } => json!({"kind": "remove", "data": data}),
        }
    }

    fn done(self) -> &'static str {
        match self {
            Change::Start => "started",
            Change::Stop => "stopped",
            Change::Verify => "is verified",
            Change::Reannounce => "announced",
            Change::Remove { data: false } => "removed, its data stays",
            Change::Remove { data: true } => "removed with its data",
        }
    }
}

/// What keys are for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Mode {
    #[default]
    List,
    Search,
    /// Waits for a yes to removing this torrent.
    Removing(Order),
    Help,
}

/// See the module.
#[derive(Default)]
pub(super) struct App {
    pub(super) list: List,
    pub(super) totals: Totals,
    /// Sent a second, the latest last.
    pub(super) rates: VecDeque<u64>,
    pub(super) mode: Mode,
    pub(super) details: Option<Tab>,
    /// What the details show: whose, about what, and what the daemon said.
    pub(super) answer: Option<(String, Tab, Result<Value, String>)>,
    /// What was done last, or was not; true of bad news.
    pub(super) said: Option<(String, bool)>,
    /// Why the daemon did not answer.
    pub(super) lost: Option<String>,
    pub(super) ends: bool,
    /// Rows on the screen, for pages.
    pub(super) page: usize,
}

impl App {
    /// Takes an event in; what comes back is for the daemon.
    pub(super) fn take(&mut self, event: Event) -> Option<Order> {
        match event {
            Event::Key(key) => return self.key(key),
            Event::Redraw | Event::Ended => {}
            Event::Changes(Ok(changes)) => self.changes(changes),
            Event::Changes(Err(error)) => self.lost = Some(error),
            Event::Details(hash, tab, answer) => self.answer = Some((hash, tab, answer)),
            Event::Ordered(order, Ok(())) => {
                self.said = Some((format!("{} {}", order.name, order.change.done()), false))
            }
            Event::Ordered(order, Err(error)) => self.said = Some((format!("{}: {error}", order.name), true)),
        }
        None
    }

    fn changes(&mut self, changes: Changes) {
        self.lost = None;
        self.totals = changes.totals.clone();
        self.rates.push_back(self.totals.upload_rate);
        if self.rates.len() > HISTORY {
            self.rates.pop_front();
        }
        self.list.take(changes);
    }

    /// What the daemon is to be asked beside the list.
    pub(super) fn wish(&self) -> Wish {
        let marked = self.list.marked().map(|row| row.hash.clone());
        Wish { details: marked.zip(self.details) }
    }

    fn key(&mut self, key: KeyEvent) -> Option<Order> {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            self.ends = true;
            return None;
        }
        // what is typed with another key held is no letter of a search
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return None;
        }
        match std::mem::take(&mut self.mode) {
            Mode::List => self.list_key(key.code),
            Mode::Search => self.search_key(key.code),
            Mode::Removing(order) => removal(order, key.code),
            Mode::Help => None,
        }
    }

    fn list_key(&mut self, key: KeyCode) -> Option<Order> {
        self.said = None;
        let page = isize::try_from(self.page.max(1)).unwrap_or(1);
        match key {
            KeyCode::Char('q') => self.ends = true,
            KeyCode::Up | KeyCode::Char('k') => self.list.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.list.step(1),
            KeyCode::PageUp => self.list.step(-page),
            KeyCode::PageDown => self.list.step(page),
            KeyCode::Home | KeyCode::Char('g') => self.list.step(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.list.step(isize::MAX),
            KeyCode::Enter => self.details = if self.details.is_some() { None } else { Some(Tab::default()) },
            KeyCode::Tab => self.details = Some(self.details.map_or_else(Tab::default, Tab::next)),
            KeyCode::Esc => self.leave(),
            KeyCode::Char('/') => self.mode = Mode::Search,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('o') => self.list.sort_by_next(),
            KeyCode::Char('O') => self.list.reverse(),
            KeyCode::Char('f') => self.list.show_next(),
            KeyCode::Char('s') => return self.order(Change::Start),
            KeyCode::Char('p') => return self.order(Change::Stop),
            KeyCode::Char('v') => return self.order(Change::Verify),
            KeyCode::Char('a') => return self.order(Change::Reannounce),
            KeyCode::Char('d') | KeyCode::Delete => {
                self.mode = self.order(Change::Remove { data: false }).map_or(Mode::List, Mode::Removing);
            }
            _ => {}
        }
        None
    }

    /// Closes the details, else shows everything again.
    fn leave(&mut self) {
        if self.details.take().is_none() {
            self.list.search.clear();
            self.list.arrange();
        }
    }

    fn order(&self, change: Change) -> Option<Order> {
        let row = self.list.marked()?;
        Some(Order { hash: row.hash.clone(), name: row.name.clone(), change })
    }

    fn search_key(&mut self, key: KeyCode) -> Option<Order> {
        match key {
            KeyCode::Enter => return None,
            KeyCode::Esc => self.list.search.clear(),
            KeyCode::Backspace => drop(self.list.search.pop()),
            KeyCode::Char(letter) if self.list.search.chars().count() < SEARCH => self.list.search.push(letter),
            _ => {}
        }
        if key != KeyCode::Esc {
            self.mode = Mode::Search;
        }
        self.list.arrange();
        None
    }
}

/// Only a plain yes removes, and only a capital D the data too.
fn removal(order: Order, key: KeyCode) -> Option<Order> {
    match key {
        KeyCode::Char('y') => Some(order),
        KeyCode::Char('D') => Some(Order { change: Change::Remove { data: true }, ..order }),
        _ => None,
    }
}
