//! File descriptors: every connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below this a seeder cannot keep a small swarm, its files and its pipes open.
const ENOUGH: u64 = 1_024;

/// Raises the soft limit of open files to the hard one. Returns the limit, and advice if it is low.
pub fn raise_descriptor_limit() -> (u64, Option<String>) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // if the kernel refuses, what we have stays
    let _ = setrlimit(Resource::Nofile, wanted);
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let advice = (now < ENOUGH).then(|| {
        format!("only {now} open files are allowed, one for each connection: raise it with `ulimit -n 65536` or LimitNOFILE=")
    });
    (now, advice)
}
