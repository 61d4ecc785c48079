//! The keyboard: a thread of its own, as a terminal is read with patience.

use ratatui::crossterm::event::{self, Event as Input, KeyEventKind};
use tokio::sync::mpsc;

use super::app::Event;

/// Tells what is typed, until nobody listens. The thread ends with the process.
pub(super) fn read(events: mpsc::Sender<Event>) {
    std::thread::spawn(move || {
        loop {
            let event = match event::read() {
                Ok(Input::Key(key)) if key.kind != KeyEventKind::Release => Event::Key(key),
                Ok(Input::Resize(..)) => Event::Redraw,
                Ok(_) => continue,
                Err(_) => Event::Ended,
            };
            let last = matches!(event, Event::Ended);
            if events.blocking_send(event).is_err() || last {
                return;
            }
        }
    });
}
