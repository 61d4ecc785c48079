//! What the tests of other folders take from here: programs, watched and ended, in networks of their own.
//!
//! These files name each other from the top of their test, so whoever has this module imports them there.
#![allow(dead_code, reason = "each of those tests needs other parts")]

pub(crate) mod content;
pub(crate) mod namespace;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod seeder;
