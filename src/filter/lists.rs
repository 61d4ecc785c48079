//! Reading lists, plain or packed with gzip, line by line.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::line::{BadLine, Said, parse};
use super::{IpFilter, Range};
use crate::limits::{FILTER_BAD_LINES, FILTER_BYTES, FILTER_LINE, FILTER_RANGES};

/// What became of one list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Ranges that it has.
    pub ranges: usize,
    /// Lines that were passed over.
    pub bad: usize,
    /// The first of them, by number counted from 1.
    pub first_bad: Vec<(usize, BadLine)>,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It cannot be read, or not be unpacked.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It goes on and on.
    #[error("it is longer than {} MiB unpacked, which no list of addresses is", FILTER_BYTES >> 20)]
    TooLong,
    /// All lists together have too many ranges.
    #[error("there are more than {FILTER_RANGES} ranges in all: leave out a list")]
    TooMany,
    /// PeerGuardian's own binary format.
    #[error("it is a binary list (p2b): give it in text form (p2p)")]
    Binary,
    /// Not one line of it says anything.
    #[error("none of its {bad} lines says anything (line {line}: {cause}): it is no list of addresses")]
    NoList {
        /// Lines that were passed over.
        bad: usize,
        /// The first.
        line: usize,
        /// What is wrong with it.
        cause: BadLine,
    },
}

/// Lists that are being read, to become one filter.
#[derive(Debug, Default)]
pub struct Lists {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Lists {
    /// None yet.
    pub fn new() -> Lists {
        Lists::default()
    }

    /// Adds what a list blocks. After an error, what was read of it before stays.
    pub fn read(&mut self, list: impl Read) -> Result<Report, ListError> {
        let mut list = BufReader::with_capacity(64 * 1024, list);
        let packed = list.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        if packed { self.lines(BufReader::new(MultiGzDecoder::new(list))) } else { self.lines(list) }
    }

    /// The filter of all that was read.
    pub fn into_filter(self) -> IpFilter {
        IpFilter::new(self.v4, self.v6)
    }

    fn lines(&mut self, list: impl BufRead) -> Result<Report, ListError> {
        let mut list = list.take(FILTER_BYTES);
        let (mut report, mut line, mut number) = (Report::default(), Vec::new(), 0);
        while let Some(whole) = next_line(&mut list, &mut line)? {
            number += 1;
            if number == 1 {
                check_start(&mut line)?;
            }
            match if whole { parse(&String::from_utf8_lossy(&line)) } else { Err(BadLine::Long) } {
                Ok(Said::Nothing) => {}
                Ok(Said::Blocked(range)) => {
                    report.ranges += 1;
                    self.add(range)?;
                }
                Err(cause) => {
                    report.bad += 1;
                    if report.first_bad.len() < FILTER_BAD_LINES {
                        report.first_bad.push((number, cause));
                    }
                }
            }
        }
        match (list.limit(), report.ranges, report.first_bad.first()) {
            (0, ..) => Err(ListError::TooLong),
            (_, 0, Some(&(line, cause))) => Err(ListError::NoList { bad: report.bad, line, cause }),
            _ => Ok(report),
        }
    }

    fn add(&mut self, range: Range) -> Result<(), ListError> {
        if self.v4.len() + self.v6.len() >= FILTER_RANGES {
            return Err(ListError::TooMany);
        }
        match range {
            Range::V4(first, last) => self.v4.push((first, last)),
            Range::V6(first, last) => self.v6.push((first, last)),
        }
        Ok(())
    }
}

/// Reads one line without its end; whether all of it is there, or `None` at the end. Of one that is too long the start is kept.
fn next_line(list: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let most = FILTER_LINE as u64;
    if list.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|byte| *byte == b'\n').is_some() || line.len() < FILTER_LINE {
        return Ok(Some(true));
    }
    list.skip_until(b'\n')?;
    Ok(Some(false))
}

/// Takes the mark of UTF-8 off the first line.
fn check_start(line: &mut Vec<u8>) -> Result<(), ListError> {
    if line.starts_with(b"\xff\xff\xff\xffP2B") {
        return Err(ListError::Binary);
    }
    if line.starts_with(b"\xef\xbb\xbf") {
        line.drain(..3);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use std::net::IpAddr;

    fn read(text: &[u8]) -> (Result<Report, ListError>, IpFilter) {
        let mut lists = Lists::new();
        let report = lists.read(text);
        (report, lists.into_filter())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const MIXED: &[u8] = b"\xef\xbb\xbf# a list\r\n192.0.2.0/28\r\nB\xe4nker:198.51.100.0-198.51.100.9\r\n\
        203.000.113.001 - 203.000.113.002 , 000 , dat\n203.0.113.9 - 203.0.113.9 , 200 , allowed\nnonsense\n2001:db8::/64\n\nmore nonsense";

    #[test]
    fn formats_may_be_mixed_and_bad_lines_are_counted_and_named() {
        let (report, filter) = read(MIXED);
        let report = report.expect("a list");
        assert_eq!((report.ranges, report.bad), (4, 2));
        assert_eq!(report.first_bad, [(6, BadLine::Unknown), (9, BadLine::Unknown)]);
        for blocked in ["192.0.2.15", "198.51.100.5", "203.0.113.2", "2001:db8::77"] {
            assert!(filter.blocks(ip(blocked)), "{blocked}");
        }
        for free in ["192.0.2.16", "203.0.113.9", "2001:db8:0:1::", "203.0.113.3"] {
            assert!(!filter.blocks(ip(free)), "{free}");
        }
    }

    #[test]
    fn a_packed_list_is_the_same_list() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(MIXED).expect("memory");
        let packed = packed.finish().expect("memory");
        assert_eq!(read(&packed).1, read(MIXED).1);
        assert!(matches!(read(&packed[..packed.len() / 2]).0, Err(ListError::Io(_))), "cut short");
    }

    #[test]
    fn what_is_no_list_is_said_to_be_none() {
        let text = read(b"<html>\n<body>\n").0.expect_err("a page").to_string();
        assert!(text.contains("line 1") && text.contains("2 lines"), "{text}");
        assert!(matches!(read(b"\xff\xff\xff\xffP2B\x02").0, Err(ListError::Binary)));
        assert_eq!(read(b"# nothing yet\n").0.expect("an empty list"), Report::default());
        assert_eq!(read(b"").0.expect("an empty list"), Report::default());
    }

    #[test]
    fn a_line_without_end_is_one_bad_line() {
        let long = [&b"192.0.2.1\n"[..], &vec![b'x'; 3 * FILTER_LINE], b"\n192.0.2.2"].concat();
        let (report, filter) = read(&long);
        let report = report.expect("a list");
        assert_eq!((report.ranges, report.first_bad), (2, vec![(2, BadLine::Long)]));
        assert!(filter.blocks(ip("192.0.2.2")));
    }

    #[test]
    fn a_million_ranges_are_read() {
        let mut text = String::new();
        for number in 0..1_000_000u32 {
            let first = std::net::Ipv4Addr::from_bits(number << 12);
            text.push_str(&format!("Organization {number}:{first}-{first}\n"));
        }
        let (report, filter) = read(text.as_bytes());
        assert_eq!((report.expect("a list").ranges, filter.ranges()), (1_000_000, 1_000_000));
        assert!(filter.blocks(ip("0.0.16.0")) && !filter.blocks(ip("0.0.16.1")));
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_brings_it_down(bytes in prop::collection::vec(any::<u8>(), 0..2_000), cut in 0usize..400) {
            let mut text = MIXED.to_vec();
            text.truncate(cut);
            text.extend(bytes);
            let _ = read(&text);
        }
    }
}
