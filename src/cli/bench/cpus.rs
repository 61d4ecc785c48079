//! Which processor does what.

use std::str::FromStr;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processors as they are written: `0-3,8`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cpus(pub(super) Vec<usize>);

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Cpus, String> {
        let wrong = || format!("{text:?} is not a list of processors such as 0-3,8");
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) =
                (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
            if first > last || last >= CpuSet::MAX_CPU {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        let allowed = allowed();
        match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(cpu) => Err(format!("processor {cpu} is not one of those that this program may use: {allowed:?}")),
            None => Ok(Cpus(cpus)),
        }
    }
}

/// Processors that this process may use.
pub(super) fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

/// Those of the load: as named, else the last ones.
pub(super) fn of_load(named: Option<&Cpus>, threads: usize) -> Vec<usize> {
    match named {
        Some(named) => named.0.clone(),
        None => {
            let allowed = allowed();
            allowed[allowed.len() - threads.min(allowed.len())..].to_vec()
        }
    }
}

/// Those of a seeder with that many reactors: as named, else the first ones.
pub(super) fn of_seeder(named: Option<&Cpus>, reactors: usize) -> Vec<usize> {
    named.map_or_else(|| allowed().into_iter().take(reactors).collect(), |named| named.0.clone())
}

/// Runs `work` pinned to `cpus`: a process started by it is, too.
pub(super) fn pinned<T>(cpus: &[usize], work: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(None);
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    // the list was checked when it was read; should the kernel refuse it, the seeder runs wherever it likes
    let _ = sched_setaffinity(None, &set);
    let done = work();
    if let Ok(before) = before {
        let _ = sched_setaffinity(None, &before);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_read_or_refused() {
        let first = allowed()[0];
        assert_eq!(format!("{first}-{first},{first}").parse(), Ok(Cpus(vec![first, first])));
        for bad in ["", "a", "1-", "3-2", "-1", "99999"] {
            assert!(bad.parse::<Cpus>().is_err(), "{bad}");
        }
    }
}
