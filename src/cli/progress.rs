//! A bar for what takes long: only on a terminal, on standard error, so that output can be piped.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of `total` bytes with rate and time left; invisible unless standard error is a terminal.
pub(crate) fn bytes(what: &'static str, total: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {percent:>3}% {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).expect("a template of ours");
    plain(total).with_style(style).with_message(what)
}

/// A bar of `total` steps; invisible unless standard error is a terminal.
pub(crate) fn plain(total: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(Some(total), target)
}
