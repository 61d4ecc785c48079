//! Numbers as people write and read them: sizes, rates, durations, dates.

use std::fmt;
use std::time::Duration;

/// Bytes, shown in IEC units with one decimal: `1.5 GiB`. Whole numbers of a unit have none: `256 KiB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes(pub u64);

/// Bytes a second, shown as [`Bytes`] and `/s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate(pub u64);

/// A duration in its two largest units: `45s`, `3m 20s`, `2h 05m`, `3d 04h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span(pub Duration);

/// A time in seconds since 1970, shown in UTC: `2026-11-22 18:44:20 UTC`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date(pub i64);

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        let mut unit = 0;
        // in tenths, rounded: 1023.95 KiB must become 1.0 MiB, not 1024.0 KiB
        let tenths = |unit: usize| (u128::from(self.0) * 10 + (1 << (10 * unit + 9))) >> (10 * unit + 10);
        while tenths(unit) >= 10_240 && unit + 1 < UNITS.len() {
            unit += 1;
        }
        let (whole, tenth) = (tenths(unit) / 10, tenths(unit) % 10);
        if self.0.is_multiple_of(1 << (10 * unit + 10)) {
            f.pad(&format!("{whole} {}", UNITS[unit]))
        } else {
            f.pad(&format!("{whole}.{tenth} {}", UNITS[unit]))
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", Bytes(self.0)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        f.pad(&match seconds {
            0..60 => format!("{seconds}s"),
            60..3_600 => format!("{minutes}m {:02}s", seconds % 60),
            3_600..86_400 => format!("{hours}h {:02}m", minutes % 60),
            _ => format!("{days}d {:02}h", hours % 24),
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        // Days are counted from 1 March of year 0 in eras of 400 years, so that the leap day ends a year and every
        // month but the last has its place by one formula (H. Hinnant, "chrono-compatible low-level date algorithms").
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Reads a size: `262144`, `256KiB`, `256K` (1024 bytes, as coreutils have it), `10MB` (1000-based), `1.5G`. Case does
/// not matter. For clap's `value_parser`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim().to_ascii_lowercase());
    let scale = unit_scale(&unit)
        .ok_or_else(|| format!("unknown unit {unit:?}: use B, KiB, MiB, GiB, TiB or KB, MB, GB, TB"))?;
    scaled(number, scale).ok_or_else(|| format!("{text:?} is not a size such as 256KiB, 10MB or 1.5G"))
}

/// Reads bytes a second: a size as in [`parse_size`], with or without `/s`, or bits: `100Mbit`, `1Gbit/s`.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let amount = lower.strip_suffix("/s").unwrap_or(&lower);
    match amount.strip_suffix("bit") {
        Some(bits) => Ok(parse_size(&format!("{bits}b"))? / 8),
        None => parse_size(amount),
    }
}

fn unit_scale(unit: &str) -> Option<u64> {
    let (prefix, base) = match unit {
        "" | "b" => return Some(1),
        _ => match &unit[unit.chars().next()?.len_utf8()..] {
            "" | "i" | "ib" => (unit.chars().next()?, 1_024u64),
            "b" => (unit.chars().next()?, 1_000),
            _ => return None,
        },
    };
    base.checked_pow(u32::try_from("kmgtpe".find(prefix)?).ok()? + 1)
}

/// `number` times `scale`, exact: no size passes through a float.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let parts = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let number = whole.parse::<u64>().ok().map(u128::from)? * parts + fraction;
    u64::try_from(number.checked_mul(scale.into())? / parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_leaves_a_whole() {
        let shown = |bytes| Bytes(bytes).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1_023), "1023 B");
        assert_eq!(shown(262_144), "256 KiB");
        assert_eq!(shown(1_536), "1.5 KiB");
        assert_eq!(shown((1 << 20) - 1), "1.0 MiB");
        assert_eq!(shown(u64::MAX), "16.0 EiB");
        assert_eq!(Rate(3 << 29).to_string(), "1.5 GiB/s");
        assert_eq!(format!("{:>8}|", Bytes(5)), "     5 B|");
    }

    #[test]
    fn sizes_are_read_exactly_or_not_at_all() {
        assert_eq!(parse_size("256KiB"), Ok(262_144));
        assert_eq!(parse_size(" 256 k "), Ok(262_144));
        assert_eq!(parse_size("10MB"), Ok(10_000_000));
        assert_eq!(parse_size("1.5G"), Ok(3 << 29));
        assert_eq!(parse_size("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "K", "-1", "1.2.3", ".5", "1e3", "1 XB", "16EiB", "18446744073709551616", "1é", "é"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_are_read_in_bytes_and_in_bits() {
        assert_eq!(parse_rate("10MiB/s"), Ok(10 << 20));
        assert_eq!(parse_rate("10MB"), Ok(10_000_000));
        assert_eq!(parse_rate("100Mbit"), Ok(12_500_000));
        assert_eq!(parse_rate("1Gbit/s"), Ok(125_000_000));
        assert_eq!(parse_rate("8bit"), Ok(1));
        assert!(parse_rate("fast").is_err());
    }

    #[test]
    fn durations_and_dates_read_like_a_calendar() {
        let shown = |seconds| Span(Duration::from_secs(seconds)).to_string();
        assert_eq!(
            [shown(0), shown(59), shown(200), shown(7_500), shown(273_600)],
            ["0s", "59s", "3m 20s", "2h 05m", "3d 04h"]
        );
        // by `date -u -d @N`
        assert_eq!(Date(0).to_string(), "1970-01-01 00:00:00 UTC");
        assert_eq!(Date(951_827_696).to_string(), "2000-02-29 12:34:56 UTC");
        assert_eq!(Date(-1).to_string(), "1969-12-31 23:59:59 UTC");
        assert_eq!(Date(4_107_542_399).to_string(), "2100-02-28 23:59:59 UTC");
        assert!(!Date(i64::MAX).to_string().is_empty() && !Date(i64::MIN).to_string().is_empty());
    }
}
