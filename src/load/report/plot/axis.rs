//! Ranges and ticks. Ticks lie where the data is: a curve of five points has five ticks to read it by.

use std::ops::Range;

use super::super::numbers::grouped;
use crate::picture::width_of;

/// Size of the labels of ticks.
pub(super) const LABEL_SIZE: i32 = 12;
/// Free pixels on either side of a label.
const LABEL_GAP: f64 = 7.0;

/// A logarithmic range around `values`, with room at both ends.
pub(super) fn log_range(values: &[f64]) -> Range<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min).max(1.0);
    let high = values.iter().copied().fold(1.0, f64::max);
    if !low.is_finite() {
        return 1.0..10.0;
    }
    // a twentieth of the axis, and at least a factor
    let room = (high / low).powf(0.06).max(1.6);
    low / room..high * room
}

/// Ticks at the values themselves, left out where their labels would touch on an axis of `length` pixels.
pub(super) fn ticks_at(values: &[f64], range: &Range<f64>, length: u32) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().map(|value| value.max(1.0)).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    let pixel = |value: f64| f64::from(length) * (value / range.start).ln() / (range.end / range.start).ln();
    let half = |value: f64| f64::from(width_of(&count(value), LABEL_SIZE)) / 2.0 + LABEL_GAP;
    let clear = |a: f64, b: f64| pixel(b) - pixel(a) >= half(a) + half(b);
    let Some(&last) = sorted.last() else { return Vec::new() };
    let mut ticks: Vec<f64> = Vec::new();
    for value in sorted {
        // the last one matters most: it is where the curve ends
        if value == last || (ticks.last().is_none_or(|&tick| clear(tick, value)) && clear(value, last)) {
            ticks.push(value);
        }
    }
    ticks
}

/// `10,000`.
pub(super) fn count(value: f64) -> String {
    // ticks lie at whole numbers, and a float holds them; the formatter rounds what arithmetic left of it
    format!("{value:.0}").parse().map_or_else(|_| format!("{value:.0}"), grouped)
}

/// Ticks at 1, 2 and 5 of every power of ten, at the powers alone where that is too many.
pub(super) fn decades(range: &Range<f64>) -> Vec<f64> {
    let at = |steps: &[f64]| {
        let powers = (0..20).map(|power| 10f64.powi(power));
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * power));
        all.filter(|tick| range.contains(tick)).collect::<Vec<_>>()
    };
    let fine = at(&[1.0, 2.0, 5.0]);
    if fine.len() > 9 { at(&[1.0]) } else { fine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_leaves_room_around_any_values() {
        for values in [&[][..], &[0.0], &[1.0], &[5.0, 5.0], &[1.0, 1e4], &[1.0, 1.8e19]] {
            let range = log_range(values);
            assert!(range.start > 0.0 && range.end / range.start >= 2.0 && range.end.is_finite(), "{values:?}");
            assert!(values.iter().all(|&value| range.contains(&value.max(1.0))), "{values:?} in {range:?}");
        }
    }

    #[test]
    fn ticks_that_would_touch_are_left_out_but_never_the_last() {
        let values = [1.0, 50.0, 1_000.0, 1_010.0, 50.0];
        assert_eq!(ticks_at(&values, &log_range(&values), 500), [1.0, 50.0, 1_010.0]);
        assert_eq!(ticks_at(&[7.0], &log_range(&[7.0]), 500), [7.0]);
        assert!(ticks_at(&[], &(1.0..10.0), 500).is_empty());
    }

    #[test]
    fn an_axis_of_any_length_has_ticks() {
        assert_eq!(decades(&(60.0..2_100.0)), [100.0, 200.0, 500.0, 1_000.0, 2_000.0]);
        assert_eq!(decades(&(5.0..6e7)).len(), 7);
        assert!(!decades(&(3.0..7.0)).is_empty());
    }
}
