//! Addresses that nobody is to be connected with: a list of ranges, read from the files that circulate for that.
//!
//! A filter never changes: another list is another filter, put in place of the old one at once. Looking an address up is a binary search
//! in ranges that are sorted and do not touch, so a million of them cost twenty comparisons, and eight bytes each (IPv6: 32).
//!
//! [`Lists`] reads one file after the other and then becomes the filter. What it reads is not to be trusted: lines are bounded, ranges
//! are counted, and a line that says nothing known is passed over, counted and told by its number.

mod line;
mod lists;

use std::net::{IpAddr, Ipv6Addr};

pub use line::BadLine;
pub use lists::{ListError, Lists, Report};

/// Ranges of addresses. See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IpFilter {
    /// First and last, sorted.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl IpFilter {
    /// Whether `address` is in one of the ranges. An IPv4 address that is written as IPv6 is the IPv4 address.
    pub fn blocks(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => holds(&self.v4, address.to_bits()),
            IpAddr::V6(address) => holds(&self.v6, address.to_bits()),
        }
    }

    /// Ranges, those that overlap or touch counted as one.
    pub fn ranges(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// It blocks nobody.
    pub fn is_empty(&self) -> bool {
        self.ranges() == 0
    }

    fn new(v4: Vec<(u32, u32)>, v6: Vec<(u128, u128)>) -> IpFilter {
        let next_v4 = |last: u32| last.checked_add(1);
        IpFilter { v4: merged(v4, next_v4), v6: merged(v6, |last| last.checked_add(1)) }
    }
}

fn holds<N: Ord + Copy>(ranges: &[(N, N)], address: N) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after > 0 && address <= ranges[after - 1].1
}

/// Sorted, with those made one that overlap or touch. `next`: the number after another, if there is one.
fn merged<N: Ord + Copy>(mut ranges: Vec<(N, N)>, next: impl Fn(N) -> Option<N>) -> Box<[(N, N)]> {
    ranges.sort_unstable();
    ranges.dedup_by(|later, earlier| {
        let joined = next(earlier.1).is_none_or(|next| later.0 <= next);
        if joined {
            earlier.1 = earlier.1.max(later.1);
        }
        joined
    });
    ranges.into()
}

/// One range of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Range {
    V4(u32, u32),
    V6(u128, u128),
}

impl Range {
    /// `None` if they are not of one family, or the wrong way round.
    fn new(first: IpAddr, last: IpAddr) -> Option<Range> {
        match (first.to_canonical(), last.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                (first <= last).then(|| Range::V4(first.to_bits(), last.to_bits()))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                (first <= last).then(|| Range::V6(first.to_bits(), last.to_bits()))
            }
            _ => None,
        }
    }

    /// All addresses that begin with the first `length` bits of `address`; `None` if it has fewer.
    fn prefix(address: IpAddr, length: u32) -> Option<Range> {
        match address {
            IpAddr::V4(address) => {
                let rest = u32::MAX.checked_shr(length).unwrap_or(0);
                let first = address.to_bits() & !rest;
                (length <= 32).then_some(Range::V4(first, first | rest))
            }
            IpAddr::V6(address) => {
                let rest = u128::MAX.checked_shr(length).unwrap_or(0);
                let first = address.to_bits() & !rest;
                let last = Ipv6Addr::from_bits(first | rest);
                // a part of ::ffff:0:0/96 means IPv4 addresses
                Range::new(Ipv6Addr::from_bits(first).into(), last.into()).filter(|_| length <= 128)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let filter =
            IpFilter::new(vec![(10, 20), (21, 30), (15, 18), (40, 41), (u32::MAX, u32::MAX), (50, u32::MAX)], vec![]);
        assert_eq!(&*filter.v4, [(10, 30), (40, 41), (50, u32::MAX)]);
    }

    #[test]
    fn an_ipv4_address_is_the_same_however_it_is_written() {
        let filter = IpFilter::new(vec![(0x0a00_0001, 0x0a00_0001)], vec![]);
        assert!(filter.blocks(ip("10.0.0.1")) && filter.blocks(ip("::ffff:10.0.0.1")));
        assert!(!filter.blocks(ip("10.0.0.2")) && !filter.blocks(ip("::ffff:10.0.0.0")));
    }

    #[test]
    fn an_empty_filter_blocks_nobody_and_a_full_one_all() {
        assert!(!IpFilter::default().blocks(ip("1.2.3.4")));
        let all = IpFilter::new(vec![(0, u32::MAX)], vec![(0, u128::MAX)]);
        assert!(all.blocks(ip("0.0.0.0")) && all.blocks(ip("255.255.255.255")) && all.blocks(ip("2001:db8::1")));
    }

    proptest! {
        #[test]
        fn an_address_is_blocked_exactly_if_one_of_the_ranges_has_it(
            ranges in prop::collection::vec((0u32..300, 0u32..20), 0..40), far in any::<bool>()
        ) {
            let base = if far { u32::MAX - 319 } else { 0 };
            let ranges: Vec<(u32, u32)> = ranges.into_iter().map(|(first, more)| (base + first, base + first + more)).collect();
            let wide = ranges.iter().map(|&(first, last)| (u128::from(first) << 80, u128::from(last) << 80));
            let filter = IpFilter::new(ranges.clone(), wide.collect());
            for address in (0..=319).map(|at| base + at) {
                let expected = ranges.iter().any(|(first, last)| (*first..=*last).contains(&address));
                prop_assert_eq!(filter.blocks(std::net::Ipv4Addr::from_bits(address).into()), expected);
                let wide = Ipv6Addr::from_bits(u128::from(address) << 80);
                prop_assert_eq!(filter.blocks(wide.into()), expected);
            }
            let apart = |pair: &[(u32, u32)]| pair[0].1 + 1 < pair[1].0;
            prop_assert!(filter.v4.windows(2).all(apart), "sorted, and not touching");
        }
    }
}
