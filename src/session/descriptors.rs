//! File descriptors: every connection takes one.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
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

/// Descriptors that should be left for files, trackers and the API.
const SPARE: usize = 8;

/// What to do if hardly any descriptor is left.
pub(super) fn descriptors_run_out() -> Option<String> {
    // only the kernel knows; asking it takes some microseconds
    let spare = (0..SPARE).map(|_| rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 0));
    let spare: rustix::io::Result<Vec<OwnedFd>> = spare.collect();
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    matches!(spare, Err(Errno::MFILE | Errno::NFILE)).then(|| {
        format!(
            "hardly any of the {limit} open files that this process may have is left: new connections and files have to wait. Raise the \
             limit (`LimitNOFILE=` of the service, `ulimit -n`) or allow fewer connections"
        )
    })
}

/// Connections for which so many descriptors are enough, beside what the rest of the program and so many reactors need.
pub fn connections_within(descriptors: u64, reactors: usize) -> usize {
    let reserved = limits::DESCRIPTORS_BESIDE + limits::DESCRIPTORS_PER_REACTOR * reactors;
    usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(reserved).max(64)
}
