//! Which driver to use, and whether this machine lets us use io_uring. Found out by using it, never by its version.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::interface::{Driver, DriverConfig, Event, Token};
use super::ring::RingDriver;

/// What the operator asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DriverChoice {
    /// io_uring where [`probe`] finds it usable, else epoll.
    #[default]
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

impl FromStr for DriverChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<DriverChoice, String> {
        match word {
            "auto" => Ok(DriverChoice::Auto),
            "io_uring" => Ok(DriverChoice::IoUring),
            "epoll" => Ok(DriverChoice::Epoll),
            _ => Err(format!("{word:?} is no driver; choose auto, io_uring or epoll")),
        }
    }
}

impl fmt::Display for DriverChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DriverChoice::Auto => "auto",
            DriverChoice::IoUring => "io_uring",
            DriverChoice::Epoll => "epoll",
        })
    }
}

/// Why io_uring cannot be used here, and what would change that.
#[derive(Debug, thiserror::Error)]
pub enum RingRefused {
    /// The sysctl forbids it, to everybody (2) or to those outside a group (1).
    #[error("kernel.io_uring_disabled is {value}; as root, allow it with: sysctl -w kernel.io_uring_disabled=0")]
    Disabled {
        /// The value found.
        value: u8,
    },
    /// `EPERM` without that sysctl.
    #[error(
        "a security policy forbids io_uring; containers' default seccomp profiles do: allow io_uring_setup, io_uring_enter and io_uring_register there"
    )]
    Forbidden,
    /// `ENOSYS`.
    #[error("this kernel was built without io_uring")]
    Missing,
    /// It exists, without something that the driver needs.
    #[error("this kernel's io_uring is too old: it has no {what}")]
    Lacks {
        /// What the kernel did not do.
        what: &'static str,
    },
    /// `ENOMEM`.
    #[error("no memory for a ring; raise the limit on locked memory (ulimit -l)")]
    Memory,
    /// Anything else.
    #[error("io_uring does not work here: {0}")]
    Other(io::Error),
}

/// Makes a small driver and receives a byte by it.
pub fn probe() -> Result<(), RingRefused> {
    let config = DriverConfig { connections: 1, buffer_bytes: 64, buffers: 2, page_ins: 1 };
    let mut driver = RingDriver::new(&config).map_err(|error| refused(error, disabled()))?;
    receive_one(&mut driver)
}

/// Far longer than a byte to ourselves takes.
const PATIENCE: Duration = Duration::from_secs(5);

fn receive_one(driver: &mut RingDriver) -> Result<(), RingRefused> {
    let (ours, mut theirs) = UnixStream::pair().map_err(RingRefused::Other)?;
    let ours = OwnedFd::from(ours);
    let token = Token { slot: 0, generation: 0 };
    driver.adopt(std::os::fd::AsFd::as_fd(&ours), token).map_err(RingRefused::Other)?;
    theirs.write_all(b"1").map_err(RingRefused::Other)?;
    let limit = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    let mut answer = None;
    while answer.is_none() && Instant::now() < limit {
        driver.wait(Some(PATIENCE), &mut events).map_err(RingRefused::Other)?;
        for event in events.drain(..) {
            match event {
                Event::Received { buffer, .. } => {
                    driver.release(buffer);
                    answer = Some(Ok(()));
                }
                Event::Closed { .. } => answer = Some(Err(RingRefused::Lacks { what: "multishot receive" })),
                _ => {}
            }
        }
    }
    driver.forget(token, ours);
    answer.unwrap_or(Err(RingRefused::Lacks { what: "working multishot receive" }))
}

/// `kernel.io_uring_disabled`; 0 on kernels that do not have it.
fn disabled() -> u8 {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn refused(error: io::Error, disabled: u8) -> RingRefused {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) if disabled > 0 => RingRefused::Disabled { value: disabled },
        Some(libc::EPERM | libc::EACCES) => RingRefused::Forbidden,
        Some(libc::ENOSYS) => RingRefused::Missing,
        Some(libc::EINVAL) => RingRefused::Lacks { what: "registered buffer rings" },
        Some(libc::ENOMEM) => RingRefused::Memory,
        None if error.kind() == io::ErrorKind::Unsupported => RingRefused::Lacks { what: "multishot operations" },
        _ => RingRefused::Other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_shown() {
        for choice in [DriverChoice::Auto, DriverChoice::IoUring, DriverChoice::Epoll] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert!("uring".parse::<DriverChoice>().expect_err("no such driver").contains("io_uring"));
    }

    #[test]
    fn each_refusal_names_its_cause() {
        let said = |code, disabled| refused(io::Error::from_raw_os_error(code), disabled).to_string();
        assert!(said(libc::EPERM, 2).contains("io_uring_disabled is 2"));
        assert!(said(libc::EPERM, 0).contains("seccomp"));
        assert!(said(libc::ENOSYS, 0).contains("built without"));
        assert!(said(libc::ENOMEM, 0).contains("ulimit -l"));
        assert!(said(libc::EIO, 0).contains("does not work"));
    }

    /// The suite runs on both drivers; on a machine without io_uring it says so here first.
    #[test]
    fn the_probe_agrees_with_what_the_driver_can_do() {
        let made = RingDriver::new(&DriverConfig::default());
        assert_eq!(probe().is_ok(), made.is_ok(), "{:?}", probe());
    }
}
