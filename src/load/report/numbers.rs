//! Numbers in a few characters: three digits that say something, and a unit.

/// Unit of a whole column of rates: one for all rows, so that they compare at a glance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) bytes: f64,
}

impl Unit {
    /// The one that suits the largest value: gigabytes unless that is under a tenth of one.
    pub(super) fn for_largest(bytes: u64) -> Unit {
        match bytes {
            100_000_000.. => Unit { name: "GB", bytes: 1e9 },
            100_000.. => Unit { name: "MB", bytes: 1e6 },
            _ => Unit { name: "kB", bytes: 1e3 },
        }
    }

    pub(super) fn show(self, bytes: u64) -> String {
        three_digits(bytes as f64 / self.bytes)
    }
}

/// `0.123`, `1.23`, `12.3`, `123`, `1234`.
pub(super) fn three_digits(value: f64) -> String {
    let decimals = match value {
        ..0.9995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// `5 us`, `1.23 ms`, `12.3 s`.
pub(super) fn microseconds(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..999_500 => format!("{} ms", three_digits(us as f64 / 1e3)),
        _ => format!("{} s", three_digits(us as f64 / 1e6)),
    }
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = match digits.len() % 3 {
        0 => 3,
        rest => rest,
    };
    let mut out = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        out.push(',');
        out.extend(group.iter().map(|&digit| char::from(digit)));
    }
    out
}

/// Text from elsewhere (names of threads, error messages), so that a terminal does nothing but print it.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown_and_units_change_where_they_round_up() {
        let shown: Vec<String> = [0.0, 0.0004, 0.12345, 0.9996, 9.994, 9.996, 99.96, 123.4, 98_765.0]
            .into_iter()
            .map(three_digits)
            .collect();
        assert_eq!(shown, ["0.000", "0.000", "0.123", "1.00", "9.99", "10.0", "100", "123", "98765"]);
        let shown: Vec<String> =
            [0, 999, 1_000, 12_340, 999_499, 999_500, 60_000_000].into_iter().map(microseconds).collect();
        assert_eq!(shown, ["0 us", "999 us", "1.00 ms", "12.3 ms", "999 ms", "1.00 s", "60.0 s"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert!(grouped(u64::MAX).starts_with("18,446,744,"));
    }

    #[test]
    fn a_column_has_the_unit_of_its_largest_value() {
        let names = [0, 99_999, 100_000, 99_999_999, 100_000_000, u64::MAX].map(|bytes| Unit::for_largest(bytes).name);
        assert_eq!(names, ["kB", "kB", "MB", "MB", "GB", "GB"]);
        assert_eq!(Unit::for_largest(15_234_000_000).show(15_234_000_000), "15.2");
    }
}
