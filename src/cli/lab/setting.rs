//! The flags that all experiments share: how large the file is, how fast everybody is, for how many clients.

use std::ops::RangeInclusive;

use anyhow::ensure;

use crate::cli::units::{Bytes, Rate, parse_rate, parse_size};
use crate::lab::theory::{Setting, whole};

/// The server is so many times as fast as a client, unless told otherwise: the textbook's figure.
const SERVER_FACTOR: u64 = 10;
/// Clients of one experiment.
const CLIENTS: usize = 100_000;

/// File and rates.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Flags {
    /// Size of the file; without it, times are in units of size / upload rate of a client
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "up")]
    size: Option<u64>,
    /// Upload rate of a client; of a list, clients take turns
    #[arg(long, value_name = "RATE", value_delimiter = ',', value_parser = parse_rate, requires = "size")]
    up: Vec<u64>,
    /// Download rate of a client, in the same way [default: that of the server's upload]
    #[arg(long, value_name = "RATE", value_delimiter = ',', value_parser = parse_rate, requires = "size")]
    down: Vec<u64>,
    /// Upload rate of the server [default: ten times the first client's]
    #[arg(long, value_name = "RATE", value_parser = parse_rate, requires = "size")]
    server_up: Option<u64>,
}

/// Units of times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// What a client takes to upload the file once.
    Upload,
    /// Real ones.
    Seconds,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Upload => "F/u",
            Unit::Seconds => "s",
        }
    }
}

impl Flags {
    /// What they say, and the unit of what comes out.
    pub(super) fn setting(&self) -> anyhow::Result<(Setting, Unit)> {
        let Some(size) = self.size else { return Ok((Setting::textbook(), Unit::Upload)) };
        ensure!(size > 0, "--size 0: there would be nothing to distribute");
        let server_up =
            self.server_up.unwrap_or_else(|| self.up.first().map_or(0, |up| up.saturating_mul(SERVER_FACTOR)));
        ensure!(server_up > 0, "--server-up 0: nobody would ever get anything; it is ten times --up unless given");
        ensure!(self.down.iter().all(|&down| down > 0), "--down 0: that client would never get anything");
        let rates = |rates: &[u64]| rates.iter().map(|&rate| rate as f64).collect::<Vec<_>>();
        let down = if self.down.is_empty() { vec![server_up as f64] } else { rates(&self.down) };
        let setting = Setting { file: size as f64, server_up: server_up as f64, up: rates(&self.up), down };
        Ok((setting, Unit::Seconds))
    }
}

/// Size of the textbook's file where bytes are sent, and how long a client takes to upload it.
const TEXTBOOK_SIZE: f64 = 256.0 * 1024.0 * 1024.0;
const TEXTBOOK_SECONDS: f64 = 3_600.0;

/// How measured seconds are shown.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    pub(super) unit: Unit,
    seconds: f64,
}

impl Scale {
    /// As they are.
    pub(super) const SECONDS: Scale = Scale { unit: Unit::Seconds, seconds: 1.0 };

    /// A time in its unit, to a millionth.
    pub(super) fn time(self, seconds: f64) -> f64 {
        (seconds / self.seconds * 1e6).round() / 1e6
    }
}

impl Flags {
    /// What they say if they say anything, and the length of the longest list.
    pub(super) fn given(&self) -> anyhow::Result<Option<(Setting, usize)>> {
        let (setting, unit) = self.setting()?;
        let longest = setting.up.len().max(setting.down.len());
        Ok((unit == Unit::Seconds).then_some((setting, longest)))
    }

    /// What they say in bytes and bytes a second, as an experiment needs it.
    pub(super) fn real(&self) -> anyhow::Result<(Setting, Scale)> {
        let (setting, unit) = self.setting()?;
        if unit == Unit::Seconds {
            return Ok((setting, Scale::SECONDS));
        }
        let rates =
            |rates: &[f64]| rates.iter().map(|rate| rate * TEXTBOOK_SIZE / TEXTBOOK_SECONDS).collect::<Vec<_>>();
        let real = Setting {
            file: TEXTBOOK_SIZE,
            server_up: rates(&[setting.server_up])[0],
            up: rates(&setting.up),
            down: rates(&setting.down),
        };
        Ok((real, Scale { unit, seconds: TEXTBOOK_SECONDS }))
    }
}

/// The setting in words.
pub(super) fn describe(setting: &Setting, unit: Unit) -> String {
    if unit == Unit::Upload {
        return "F/u = 1, u_s = 10 u, d_min >= u_s".to_owned();
    }
    let list = |rates: &[f64]| rates.iter().map(|rate| Rate(whole(*rate)).to_string()).collect::<Vec<_>>().join(", ");
    format!(
        "F = {}, u_s = {}, u = {}, d = {}",
        Bytes(whole(setting.file)),
        Rate(whole(setting.server_up)),
        list(&setting.up),
        list(&setting.down)
    )
}

/// Numbers of clients: `30`, `0..35`, `0..1000:50`, `1,2,5,10`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Clients(pub(super) Vec<usize>);

impl std::str::FromStr for Clients {
    type Err = String;

    fn from_str(text: &str) -> Result<Clients, String> {
        let mut all = Vec::new();
        for part in text.split(',') {
            let (range, step) = part.split_once(':').map_or((part, Ok(1)), |(range, step)| (range, count(step)));
            let (from, to) = range.split_once("..").unwrap_or((range, range));
            let numbers: RangeInclusive<usize> = count(from)?..=count(to.trim_start_matches('='))?;
            let step = step?;
            if step == 0 || numbers.is_empty() {
                return Err(format!("{part:?} names no number"));
            }
            all.extend(numbers.step_by(step));
        }
        all.sort_unstable();
        all.dedup();
        Ok(Clients(all))
    }
}

fn count(text: &str) -> Result<usize, String> {
    let number: usize =
        text.trim().parse().map_err(|_| format!("{text:?} is not a number, 0..35, 0..100:5 or 1,2,5"))?;
    if number > CLIENTS { Err(format!("{number}: at most {CLIENTS} clients")) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_clients_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Clients>().map(|clients| clients.0);
        assert_eq!(read("30"), Ok(vec![30]));
        assert_eq!(read("0..3"), Ok(vec![0, 1, 2, 3]));
        assert_eq!(read("10,0..=4:2,2"), Ok(vec![0, 2, 4, 10]));
        for bad in ["", "a", "3..1", "1..4:0", "-1", "100001", "0..99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
