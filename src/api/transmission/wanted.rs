//! Which files of a torrent are wanted, and how much.

use crate::limits::FILES;
use crate::session::seedbox::FilePriority;

use super::arguments::Arguments;
use super::envelope::Fault;

/// What a request says of files: places among those that are shown; an empty list means all.
#[derive(Default, Debug)]
pub(super) struct Wishes {
    unwanted: Option<Vec<i64>>,
    wanted: Option<Vec<i64>>,
    priorities: [(Option<Vec<i64>>, FilePriority); 3],
}

impl Wishes {
    /// Reads them.
    pub(super) fn parse(arguments: &Arguments) -> Result<Wishes, Fault> {
        Ok(Wishes {
            unwanted: arguments.places("files-unwanted")?,
            wanted: arguments.places("files-wanted")?,
            priorities: [
                (arguments.places("priority-high")?, FilePriority::High),
                (arguments.places("priority-low")?, FilePriority::Low),
                (arguments.places("priority-normal")?, FilePriority::Normal),
            ],
        })
    }

    /// Nothing is said of files.
    pub(super) fn is_empty(&self) -> bool {
        self.unwanted.is_none() && self.wanted.is_none() && self.priorities.iter().all(|(places, _)| places.is_none())
    }

    /// How much each file is wanted then, padding included. `now`: how much it is wanted now, empty if all are alike; `stored`: what
    /// the torrent counts the files that are shown by; `count`: how many files it has.
    pub(super) fn follow(
        &self,
        now: &[FilePriority],
        stored: &[u32],
        count: usize,
    ) -> Result<Vec<FilePriority>, Fault> {
        let mut files = now.to_vec();
        files.resize(count, FilePriority::Normal);
        each(&mut files, stored, self.unwanted.as_deref(), |file| *file = FilePriority::Skip)?;
        each(&mut files, stored, self.wanted.as_deref(), |file| {
            if *file == FilePriority::Skip {
                *file = FilePriority::Normal;
            }
        })?;
        for (places, priority) in &self.priorities {
            // a file that is not wanted stays so
            each(&mut files, stored, places.as_deref(), |file| {
                if *file != FilePriority::Skip {
                    *file = *priority;
                }
            })?;
        }
        Ok(files)
    }

    /// The same of a torrent whose files are not known yet: as many as are named.
    pub(super) fn follow_unknown(&self) -> Result<Vec<FilePriority>, Fault> {
        let places = [&self.unwanted, &self.wanted].into_iter().chain(self.priorities.iter().map(|(places, _)| places));
        let last = places.flatten().flatten().copied().max().unwrap_or(-1);
        let count = usize::try_from(last.saturating_add(1)).unwrap_or(0);
        if count > FILES {
            return Err(Fault::new(OUT_OF_RANGE));
        }
        let stored: Vec<u32> = (0..).take(count).collect();
        self.follow(&[], &stored, count)
    }
}

const OUT_OF_RANGE: &str = "file index out of range";

fn each(
    files: &mut [FilePriority],
    stored: &[u32],
    places: Option<&[i64]>,
    mut change: impl FnMut(&mut FilePriority),
) -> Result<(), Fault> {
    let Some(places) = places else { return Ok(()) };
    let mut at = |index: u32| {
        if let Some(file) = usize::try_from(index).ok().and_then(|index| files.get_mut(index)) {
            change(file);
        }
    };
    if places.is_empty() {
        stored.iter().for_each(|index| at(*index));
    }
    // negative ones: `transmission-remote` says -1 for none
    for place in places.iter().filter(|place| **place >= 0) {
        let index = usize::try_from(*place).ok().and_then(|place| stored.get(place));
        at(*index.ok_or_else(|| Fault::new(OUT_OF_RANGE))?);
    }
    Ok(())
}

/// What has to be said to the keeper: files by the priority that they get.
pub(super) fn difference(now: &[FilePriority], then: &[FilePriority]) -> Vec<(Vec<u32>, FilePriority)> {
    let priorities = [FilePriority::Skip, FilePriority::Low, FilePriority::Normal, FilePriority::High];
    let changed = |priority| {
        let files = (0..).zip(then).filter(move |(index, file)| {
            let before =
                usize::try_from(*index).ok().and_then(|index: usize| now.get(index)).copied().unwrap_or_default();
            **file == priority && before != priority
        });
        files.map(|(index, _): (u32, _)| index).collect::<Vec<u32>>()
    };
    priorities
        .into_iter()
        .map(|priority| (changed(priority), priority))
        .filter(|(files, _)| !files.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use FilePriority::{High, Low, Normal, Skip};

    fn wishes(arguments: Value) -> Wishes {
        Wishes::parse(&Arguments::new(arguments.as_object().expect("an object").clone())).expect("wishes")
    }

    #[test]
    fn files_are_counted_without_padding_and_an_empty_list_means_all() {
        // the torrent's file 1 is padding
        let follow = |arguments, now: &[FilePriority]| wishes(arguments).follow(now, &[0, 2, 3], 4);
        assert_eq!(follow(json!({"files-unwanted": [1]}), &[]), Ok(vec![Normal, Normal, Skip, Normal]));
        assert_eq!(follow(json!({"files-unwanted": []}), &[]), Ok(vec![Skip, Normal, Skip, Skip]));
        assert_eq!(
            follow(json!({"files-unwanted": [], "files-wanted": [2], "priority-high": [2, 1]}), &[]),
            Ok(vec![Skip, Normal, Skip, High])
        );
        assert_eq!(
            follow(json!({"files-wanted": []}), &[High, Normal, Skip, Low]),
            Ok(vec![High, Normal, Normal, Low])
        );
        assert_eq!(follow(json!({"files-wanted": [-1]}), &[Skip]), Ok(vec![Skip, Normal, Normal, Normal]));
        assert!(follow(json!({"files-unwanted": [3]}), &[]).is_err());
        assert!(follow(json!({"priority-low": [i64::MAX]}), &[]).is_err());
    }

    #[test]
    fn files_of_a_magnet_link_are_remembered_within_bounds() {
        assert_eq!(wishes(json!({"files-unwanted": [0, 2]})).follow_unknown(), Ok(vec![Skip, Normal, Skip]));
        assert_eq!(wishes(json!({})).follow_unknown(), Ok(vec![]));
        assert!(wishes(json!({"files-unwanted": [4_000_000_000_u32]})).follow_unknown().is_err());
        assert!(wishes(json!({"files-unwanted": [i64::MAX]})).follow_unknown().is_err());
    }

    #[test]
    fn only_what_changes_is_said() {
        assert_eq!(difference(&[], &[Normal, Skip, High, Skip]), vec![(vec![1, 3], Skip), (vec![2], High)]);
        assert_eq!(difference(&[Skip, Low], &[Normal, Low]), vec![(vec![0], Normal)]);
        assert_eq!(difference(&[], &[Normal, Normal]), vec![]);
    }
}
