//! Which files of a torrent, as a person writes it: `1,4-6`.

use std::str::FromStr;

use crate::metainfo::Metainfo;
use crate::schedule::picker::{Priority, Shape, piece_priorities};

/// Numbers from 1, as ranges with both ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FileNumbers(Vec<(usize, usize)>);

impl FromStr for FileNumbers {
    type Err = String;

    fn from_str(text: &str) -> Result<FileNumbers, String> {
        let wrong = |part: &str| format!("{part:?} is neither a file's number, from 1, nor a range such as 4-6");
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |digits: &str| digits.trim().parse::<usize>().ok().filter(|number| *number > 0);
            let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
            range.ok_or_else(|| wrong(part))
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(FileNumbers)
    }
}

impl FileNumbers {
    fn has(&self, number: usize) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    fn greatest(&self) -> usize {
        self.0.iter().map(|(_, last)| *last).max().unwrap_or(0)
    }
}

/// How much each file is wanted, and each piece.
pub(super) struct Choice {
    /// By file, padding included.
    pub(super) wanted: Vec<bool>,
    /// By piece; empty if all are wanted alike.
    pub(super) priorities: Vec<Priority>,
}

/// What `only` and `first` mean for a torrent.
pub(super) fn choose(
    torrent: &Metainfo,
    only: Option<&FileNumbers>,
    first: Option<&FileNumbers>,
) -> anyhow::Result<Choice> {
    let count = torrent.files().iter().filter(|file| !file.is_padding()).count();
    for (flag, numbers) in [("--only", only), ("--first", first)] {
        let greatest = numbers.map_or(0, FileNumbers::greatest);
        anyhow::ensure!(
            greatest <= count,
            "{flag} names file {greatest}, but there are {count}; `sower show` lists them"
        );
    }
    if only.is_none() && first.is_none() {
        return Ok(Choice { wanted: Vec::new(), priorities: Vec::new() });
    }
    let mut number = 0;
    let mut priority = |padding: bool| {
        number += usize::from(!padding);
        match padding || only.is_some_and(|only| !only.has(number)) {
            true => Priority::Skip,
            false if first.is_some_and(|first| first.has(number)) => Priority::High,
            false => Priority::Normal,
        }
    };
    let of_files: Vec<Priority> = torrent.files().iter().map(|file| priority(file.is_padding())).collect();
    let lengths = torrent.files().iter().map(|file| file.length());
    let shape = Shape::new(torrent.geometry().nominal_piece_length(), torrent.geometry().total());
    Ok(Choice {
        wanted: of_files.iter().map(|priority| *priority != Priority::Skip).collect(),
        priorities: piece_priorities(&shape, lengths.zip(of_files)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_and_anything_else_is_named() {
        assert_eq!("1,4-6".parse(), Ok(FileNumbers(vec![(1, 1), (4, 6)])));
        for (text, wrong) in [("0", "0"), ("2-1", "2-1"), ("", ""), ("1,x", "x"), ("-3", "-3"), ("1-2-3", "1-2-3")] {
            let error = text.parse::<FileNumbers>().expect_err(text);
            assert!(error.starts_with(&format!("{wrong:?} is neither")), "{error}");
        }
    }
}
