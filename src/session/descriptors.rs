//! File descriptors: every connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits;

/// Raises the soft limit of open files to the hard one. Returns the limit.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // if the kernel refuses, what we have stays
    let _ = setrlimit(Resource::Nofile, wanted);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Connections for which so many descriptors are enough, beside what the rest of the program and so many reactors need.
pub fn connections_within(descriptors: u64, reactors: usize) -> usize {
    let reserved = limits::DESCRIPTORS_BESIDE + limits::DESCRIPTORS_PER_REACTOR * reactors;
    usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(reserved).max(64)
}
