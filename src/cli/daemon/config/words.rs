//! Choices that are a word, and times of the week.

use crate::session::seedbox::{LimitAction, RateSchedule};
use crate::session::webhooks::EventKind;

use super::value::{Optional, Raw, Value};

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

/// What is written as a word.
pub(super) trait Word {
    /// It.
    fn word(&self) -> &'static str;
}

/// Types whose values are words.
macro_rules! words {
    ($($type:ty { $($word:literal = $value:path,)* })*) => {
        $(
            impl Value for $type {
                fn read(raw: Raw<'_>) -> Result<$type, String> {
                    match raw.text()?.as_ref() {
                        $($word => Ok($value),)*
                        other => Err(format!("{other:?} is none of {}", [$(concat!("\"", $word, "\"")),*].join(", "))),
                    }
                }
            }

            impl Word for $type {
                fn word(&self) -> &'static str {
                    match self {
                        $($value => $word,)*
                    }
                }
            }
        )*
    };
}

words! {
    LogFormat {
        "text" = LogFormat::Text,
        "json" = LogFormat::Json,
    }
    EventKind {
        "added" = EventKind::Added,
        "completed" = EventKind::Completed,
        "failed" = EventKind::Failed,
        "removed" = EventKind::Removed,
    }
    LimitAction {
        "pause" = LimitAction::Pause,
        "remove" = LimitAction::Remove,
        "remove-with-data" = LimitAction::RemoveWithData,
        "super-seed" = LimitAction::SuperSeed,
    }
}

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const EVERY_DAY: u8 = 0x7f;

impl Optional for RateSchedule {
    const NONE: &'static str = "never";
}

impl Value for RateSchedule {
    fn read(raw: Raw<'_>) -> Result<RateSchedule, String> {
        let text = raw.text()?.to_ascii_lowercase();
        schedule(&text).ok_or_else(|| {
            format!("{text:?} is no time of the week: write one such as \"mon-fri 08:00-17:30\", \"daily 22:00-06:00\"")
        })
    }
}

fn schedule(text: &str) -> Option<RateSchedule> {
    let (named, hours) = text.split_once(' ')?;
    let (begin, end) = hours.trim().split_once('-')?;
    let days = match named {
        "daily" => EVERY_DAY,
        _ => named.split(',').try_fold(0, |all, part| Some(all | span_of_days(part)?))?,
    };
    let (begin, end) = (minute_of_day(begin)?, minute_of_day(end)?);
    (begin != end).then_some(RateSchedule { begin, end, days })
}

/// `mon`, or `fri-mon` over the week's end.
fn span_of_days(text: &str) -> Option<u8> {
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    Some((0..=(last + 7 - first) % 7).fold(0, |all, day| all | 1 << ((first + day) % 7)))
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// As it would be written.
pub(super) fn schedule_text(schedule: &RateSchedule) -> String {
    let named: Vec<_> = (0..7).filter(|day| schedule.days & 1 << day != 0).map(|day| DAYS[day]).collect();
    let days = if schedule.days & EVERY_DAY == EVERY_DAY { "daily".into() } else { named.join(",") };
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("{days} {}-{}", time(schedule.begin), time(schedule.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_week_are_read_and_written() {
        let read = |text: &str| schedule(text).map(|read| (read.days, read.begin, read.end));
        assert_eq!(read("mon-fri 08:00-17:30"), Some((0b011_1110, 480, 1_050)));
        assert_eq!(read("fri-mon 22:00-06:00"), Some((0b110_0011, 1_320, 360)));
        assert_eq!(read("daily 0:00-23:59"), Some((0x7f, 0, 1_439)));
        for bad in
            ["", "daily", "mon", "someday 1:00-2:00", "mon 1:00", "mon 24:00-1:00", "mon 1:60-2:00", "mon 1:00-1:00"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        for days in 1..=EVERY_DAY {
            let one = RateSchedule { begin: 61, end: 1_439, days };
            assert_eq!(schedule(&schedule_text(&one)), Some(one));
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for action in [LimitAction::Pause, LimitAction::Remove, LimitAction::RemoveWithData, LimitAction::SuperSeed] {
            assert_eq!(LimitAction::read(Raw::Text(action.word())), Ok(action));
        }
        assert!(LogFormat::read(Raw::Text("xml")).is_err_and(|error| error.contains("\"json\"")));
    }
}
