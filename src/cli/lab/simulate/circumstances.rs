//! The flags of a simulated swarm.

use std::time::Duration;

use crate::cli::units::parse_size;
use crate::lab::distribution::{Arrivals, Circumstances};
use crate::lab::swarm::Then;
use crate::schedule::Periods;
use crate::schedule::picker::Order;

/// How clients come, go and behave.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(in crate::cli::lab) struct Flags {
    /// Of all chance: the same seed gives the same numbers
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) seed: u64,
    /// Bytes of a piece
    #[arg(long, value_name = "SIZE", default_value = "256KiB", value_parser = parse_piece)]
    piece: u32,
    /// Peers that each serves at once: the best but one, and one drawn at random
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    slots: u32,
    /// Connections that each looks for
    #[arg(long, value_name = "N", default_value = "40", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    neighbours: u16,
    /// How clients come: once, or one after the other with so many seconds between two on average
    #[arg(long, value_name = "once|SECONDS", default_value = "once", value_parser = parse_arrivals)]
    arrivals: Arrivals,
    /// What they do when they have everything: stay, leave, or leave after so many seconds
    #[arg(long, value_name = "stay|leave|SECONDS", default_value = "stay", value_parser = parse_then)]
    then: Then,
    /// Which pieces come first
    #[arg(long, value_enum, default_value = "rarest")]
    order: OrderName,
    /// Milliseconds from a node to the core of the network
    #[arg(long, value_name = "MS", default_value = "20", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    delay: u32,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum OrderName {
    Rarest,
    Random,
    Sequential,
}

impl Flags {
    pub(super) fn circumstances(&self) -> Circumstances {
        Circumstances {
            piece_length: self.piece,
            delay: Duration::from_millis(self.delay.into()),
            arrivals: self.arrivals,
            then: self.then,
            slots: self.slots,
            neighbours: self.neighbours.into(),
            order: match self.order {
                OrderName::Rarest => Order::RarestFirst,
                OrderName::Random => Order::Random,
                OrderName::Sequential => Order::Sequential,
            },
            periods: Periods::default(),
            seed: self.seed,
        }
    }

    /// In words.
    pub(super) fn describe(&self) -> String {
        let arrivals = match self.arrivals {
            Arrivals::AtOnce => "all come at once".to_owned(),
            Arrivals::Poisson(mean) => format!("one comes every {mean} s"),
        };
        let then = match self.then {
            Then::Stay => "finished peers stay".to_owned(),
            Then::Leave => "finished peers leave".to_owned(),
            Then::Linger(time) => format!("finished peers leave after {} s", time.as_secs_f64()),
        };
        format!("{arrivals}, {then}, {} slots, up to {} neighbours, seed {}", self.slots, self.neighbours, self.seed)
    }
}

fn parse_piece(text: &str) -> Result<u32, String> {
    let bytes = parse_size(text)?;
    let length = u32::try_from(bytes).ok().filter(|length| (1..=crate::limits::PIECE_LENGTH_MAX).contains(length));
    length.ok_or_else(|| format!("{text:?}: a piece has 1 byte to 128 MiB"))
}

fn parse_arrivals(text: &str) -> Result<Arrivals, String> {
    if text == "once" { Ok(Arrivals::AtOnce) } else { seconds(text).map(Arrivals::Poisson) }
}

fn parse_then(text: &str) -> Result<Then, String> {
    match text {
        "stay" => Ok(Then::Stay),
        "leave" => Ok(Then::Leave),
        text => seconds(text).map(|seconds| Then::Linger(Duration::from_secs_f64(seconds))),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is neither a word that is known nor seconds"))?;
    if (0.0..=1e8).contains(&seconds) { Ok(seconds) } else { Err(format!("{text:?} is no sensible time")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_seconds_are_told_apart() {
        assert_eq!(parse_arrivals("once"), Ok(Arrivals::AtOnce));
        assert_eq!(parse_arrivals("2.5"), Ok(Arrivals::Poisson(2.5)));
        assert_eq!(parse_then("leave"), Ok(Then::Leave));
        assert_eq!(parse_then("60"), Ok(Then::Linger(Duration::from_secs(60))));
        for bad in ["", "often", "-1", "NaN", "inf", "1e300"] {
            assert!(parse_arrivals(bad).is_err() && parse_then(bad).is_err(), "{bad}");
        }
        assert!(parse_piece("0").is_err() && parse_piece("1GiB").is_err());
    }
}
