//! The peer port as a web server (`sower seed --web-seed`): curl, aria2, libtorrent and `sower get` download from it, byte for byte
//! right, and hostile requests do no harm.
//!
//! What is missing on this machine is named by a line that starts with SKIPPED.

mod clients;
mod hostile;
mod requests;
mod server;
#[path = "../clients/shared.rs"]
mod shared;

use shared::{content, process, program, seeder};

/// Every driver with every way of sending.
const WAYS: [[&str; 2]; 4] = [["io_uring", "splice"], ["io_uring", "copy"], ["epoll", "splice"], ["epoll", "copy"]];
