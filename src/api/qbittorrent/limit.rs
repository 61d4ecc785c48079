//! Limits as this API spells them: -2 as everywhere, -1 none; rates of 0 or less are none.

use crate::session::seedbox::LimitChoice;

/// Where a limit of one torrent is written as a number.
pub(super) trait Spelled: Copy {
    const GLOBAL: Self;
    const NONE: Self;
}

impl Spelled for f64 {
    const GLOBAL: f64 = -2.0;
    const NONE: f64 = -1.0;
}

impl Spelled for i64 {
    const GLOBAL: i64 = -2;
    const NONE: i64 = -1;
}

/// A ratio limit as a number.
pub(super) fn ratio(limit: LimitChoice<f64>) -> f64 {
    spell(limit, |limit| limit)
}

/// A limit of minutes as a number.
pub(super) fn minutes(limit: LimitChoice<u32>) -> i64 {
    spell(limit, i64::from)
}

fn spell<T, N: Spelled>(limit: LimitChoice<T>, number: impl FnOnce(T) -> N) -> N {
    match limit {
        LimitChoice::Global => N::GLOBAL,
        LimitChoice::Unlimited => N::NONE,
        LimitChoice::At(limit) => number(limit),
    }
}

/// The ratio limit that `number` means. What is no number (`nan`) means nothing.
pub(super) fn read_ratio(number: f64) -> Option<LimitChoice<f64>> {
    match number {
        _ if !number.is_finite() => None,
        _ if number >= 0.0 => Some(LimitChoice::At(number)),
        _ if number > -1.5 => Some(LimitChoice::Unlimited),
        _ => Some(LimitChoice::Global),
    }
}

/// The limit of minutes that `number` means.
pub(super) fn read_minutes(number: i64) -> LimitChoice<u32> {
    match number {
        0.. => LimitChoice::At(u32::try_from(number).unwrap_or(u32::MAX)),
        -1 => LimitChoice::Unlimited,
        _ => LimitChoice::Global,
    }
}

/// A limit that holds, or -1.
pub(super) fn ratio_or_none(limit: Option<f64>) -> f64 {
    limit.unwrap_or(f64::NONE)
}

/// A limit that holds, or -1.
pub(super) fn minutes_or_none(limit: Option<u32>) -> i64 {
    limit.map_or(i64::NONE, i64::from)
}

/// Bytes a second, or 0.
pub(super) fn rate(limit: Option<u64>) -> i64 {
    limit.map_or(0, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// Bytes a second that `number` means.
pub(super) fn read_rate(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|rate| *rate > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_being_spelled() {
        for limit in [LimitChoice::Global, LimitChoice::Unlimited, LimitChoice::At(0.0), LimitChoice::At(2.5)] {
            assert_eq!(read_ratio(ratio(limit)), Some(limit));
        }
        for limit in [LimitChoice::Global, LimitChoice::Unlimited, LimitChoice::At(0), LimitChoice::At(90)] {
            assert_eq!(read_minutes(minutes(limit)), limit);
        }
        assert_eq!([None, Some(0), Some(5)].map(rate), [0, 0, 5]);
        assert_eq!([-1, 0, 5].map(read_rate), [None, None, Some(5)]);
        assert_eq!(read_ratio(f64::NAN), None);
    }
}
