//! The peer port as a web server (`sower seed --web-seed`): curl, aria2, libtorrent and `sower get` download from it, byte for byte
//! right, and hostile requests do no harm.
//!
//! What is missing on this machine is named by a line that starts with SKIPPED.

mod clients;
#[path = "../clients/content.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod content;
mod hostile;
#[path = "../clients/process.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod process;
#[path = "../clients/program.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod program;
mod requests;
#[path = "../clients/seeder.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod seeder;
mod server;

/// Every driver with every way of sending.
const WAYS: [[&str; 2]; 4] = [["io_uring", "splice"], ["io_uring", "copy"], ["epoll", "splice"], ["epoll", "copy"]];
