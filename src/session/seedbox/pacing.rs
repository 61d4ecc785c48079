//! Limits of everybody together: the usual ones, the alternative ones by their schedule, and a month's traffic.

use std::collections::BTreeMap;

use jiff::ZonedDateTime;
use jiff::civil::Date;

use super::keeper::Keeper;
use super::settings::{RateSchedule, Settings, TrafficBudget};
use crate::session::state::{Month, Traffic};

/// Bytes a second when a month's traffic is used up: a block now and then, so that nobody takes us for dead.
const USED_UP: u64 = 1;

/// Bytes a second in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Rates {
    upload: Option<u64>,
    download: Option<u64>,
}

/// Traffic by month; one begins on the day that the budget says. Others than the one that runs are kept, as a clock may be set back.
#[derive(Clone, Debug)]
pub(super) struct MonthTraffic {
    month: Month,
    months: BTreeMap<Month, Traffic>,
}

impl Default for MonthTraffic {
    fn default() -> MonthTraffic {
        MonthTraffic::of(BTreeMap::new(), None)
    }
}

impl MonthTraffic {
    /// What was kept.
    pub(super) fn of(months: BTreeMap<Month, Traffic>, budget: Option<&TrafficBudget>) -> MonthTraffic {
        let month = month_of(ZonedDateTime::now().date(), budget.map_or(1, |budget| budget.day));
        MonthTraffic { month, months }
    }

    pub(super) fn add(&mut self, sent: u64, received: u64) {
        let traffic = self.months.entry(self.month).or_default();
        traffic.sent = traffic.sent.saturating_add(sent);
        traffic.received = traffic.received.saturating_add(received);
    }

    pub(super) fn month(&self) -> Month {
        self.month
    }

    /// Of the month that runs.
    pub(super) fn traffic(&self) -> Traffic {
        self.months.get(&self.month).copied().unwrap_or_default()
    }
}

impl Keeper {
    /// Tells the engine which limits hold now.
    pub(super) fn pace(&mut self) {
        let now = ZonedDateTime::now();
        let settings = self.view.settings.clone();
        let month = month_of(now.date(), settings.budget.as_ref().map_or(1, |budget| budget.day));
        if month != self.month.month {
            self.save_month();
            self.month.month = month;
        }
        let mut rates = rates(&settings, &now);
        if let Some(most) = settings.budget.as_ref().and_then(|budget| budget_rate(budget, &self.month.traffic(), &now))
        {
            rates.upload = Some(rates.upload.map_or(most, |rate| rate.min(most)));
            if most == USED_UP {
                rates.download = Some(most);
            }
        }
        if rates.upload != self.told.upload {
            self.session.fleet.set_upload_limit(rates.upload);
        }
        if rates.download != self.told.download {
            self.session.fleet.set_download_limit(rates.download);
        }
        self.told = rates;
    }
}

fn rates(settings: &Settings, now: &ZonedDateTime) -> Rates {
    let scheduled = settings.schedule.as_ref().is_some_and(|schedule| holds(schedule, now));
    match settings.alternative || scheduled {
        true => Rates {
            upload: settings.alternative_upload_limit.or(settings.upload_limit),
            download: settings.alternative_download_limit.or(settings.download_limit),
        },
        false => Rates { upload: settings.upload_limit, download: settings.download_limit },
    }
}

/// Whether `now` lies in the schedule. A time that goes over midnight belongs to the day on which it begins.
fn holds(schedule: &RateSchedule, now: &ZonedDateTime) -> bool {
    let minute = u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
    let today = now.weekday().to_sunday_zero_offset().unsigned_abs();
    let on = |day: u8| schedule.days & (1 << (day % 7)) != 0;
    match schedule.begin <= schedule.end {
        true => on(today) && (schedule.begin..schedule.end).contains(&minute),
        false => (on(today) && minute >= schedule.begin) || (on(today + 6) && minute < schedule.end),
    }
}

/// Bytes a second that a month's traffic leaves; `None`: no limit yet.
fn budget_rate(budget: &TrafficBudget, used: &Traffic, now: &ZonedDateTime) -> Option<u64> {
    let left = budget.bytes.saturating_sub(used.sent.saturating_add(used.received));
    if left == 0 {
        return Some(USED_UP);
    }
    if !budget.paced {
        return None;
    }
    let month = month_of(now.date(), budget.day);
    let begin = Date::new(i16::try_from(month.year).ok()?, i8::try_from(month.month).ok()?, day(budget.day)).ok()?;
    let next = begin.checked_add(jiff::Span::new().months(1)).ok()?.to_zoned_datetime(now.time_zone().clone()).ok()?;
    let seconds = u64::try_from(next.timestamp().as_second() - now.timestamp().as_second()).unwrap_or(1).max(1);
    Some((left / seconds).max(USED_UP + 1))
}

fn day(day: u8) -> i8 {
    i8::try_from(day.clamp(1, 28)).unwrap_or(1)
}

/// The month that `date` lies in, if months begin on `first`.
fn month_of(date: Date, first: u8) -> Month {
    let before = date.day() < day(first);
    let (year, month) = match (before, date.month()) {
        (true, 1) => (date.year() - 1, 12),
        (true, month) => (date.year(), month - 1),
        (false, month) => (date.year(), month),
    };
    Month { year: year.unsigned_abs(), month: month.unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ZonedDateTime {
        text.parse().expect("a time")
    }

    #[test]
    fn a_schedule_over_midnight_belongs_to_the_day_on_which_it_begins() {
        // Fridays from 22:00 to 6:00
        let schedule = RateSchedule { begin: 22 * 60, end: 6 * 60, days: 1 << 5 };
        let holds = |text: &str| holds(&schedule, &at(text));
        assert!(holds("2026-11-27T22:00[UTC]") && holds("2026-11-28T05:59[UTC]"));
        assert!(!holds("2026-11-27T21:59[UTC]") && !holds("2026-11-28T06:00[UTC]"));
        assert!(!holds("2026-11-27T05:00[UTC]") && !holds("2026-11-28T22:00[UTC]"));
    }

    #[test]
    fn a_month_begins_on_the_day_that_the_budget_says() {
        let month = |text: &str, day| month_of(text.parse().expect("a date"), day).to_string();
        assert_eq!(month("2026-11-26", 1), "2026-11");
        assert_eq!(month("2026-11-26", 27), "2026-10");
        assert_eq!(month("2026-01-02", 3), "2025-12");
        assert_eq!(month("2026-01-03", 3), "2026-01");
    }

    #[test]
    fn a_clock_that_is_set_back_finds_the_traffic_of_that_month() {
        let (now, later) = (Month { year: 2026, month: 11 }, Month { year: 2027, month: 12 });
        let mut traffic = MonthTraffic { month: now, months: BTreeMap::new() };
        traffic.add(5, 7);
        traffic.month = later;
        assert_eq!(traffic.traffic(), Traffic::default());
        traffic.add(1, 1);
        traffic.month = now;
        assert_eq!(traffic.traffic(), Traffic { sent: 5, received: 7 });
    }

    #[test]
    fn what_is_left_of_a_month_is_spread_over_what_is_left_of_it() {
        let budget = TrafficBudget { bytes: 40 * 86_400 * 100, day: 1, paced: true };
        let used = Traffic { sent: 10 * 86_400 * 100, received: 0 };
        assert_eq!(budget_rate(&budget, &used, &at("2026-11-01T00:00[UTC]")), Some(100));
        assert_eq!(budget_rate(&budget, &used, &at("2026-11-16T00:00[UTC]")), Some(200));
        let whole = Traffic { sent: budget.bytes, received: 1 };
        assert_eq!(budget_rate(&budget, &whole, &at("2026-11-16T00:00[UTC]")), Some(USED_UP));
        let unpaced = TrafficBudget { paced: false, ..budget };
        assert_eq!(budget_rate(&unpaced, &used, &at("2026-11-16T00:00[UTC]")), None);
        assert_eq!(budget_rate(&unpaced, &whole, &at("2026-11-16T00:00[UTC]")), Some(USED_UP));
    }
}
