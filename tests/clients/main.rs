//! Real clients that nobody here wrote download from the real program, byte for byte right.
//!
//! Each test has a network namespace of its own (see `namespace`). What is missing on this machine, the right to make
//! namespaces or a client, is named by a line that starts with SKIPPED; `tests/run` installs all of it.

mod content;
#[allow(dead_code, reason = "the tests of downloading use the rest")]
mod getter;
mod leecher;
mod life;
mod matrix;
mod mixed;
mod namespace;
#[allow(dead_code, reason = "the hostile tests use the rest")]
mod process;
#[allow(dead_code, reason = "the tests of downloading use the rest")]
mod program;
mod recorder;
#[allow(dead_code, reason = "the hostile tests use the rest")]
mod seeder;
mod source;
mod swarm;
mod tracker;
