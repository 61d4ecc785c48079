//! Calls that the kernel interrupts are made again.

use std::io;

/// `None` if the call would have to wait. Only EAGAIN says so, and only after it will the kernel announce room: a short or an
/// interrupted call is made again. (io_uring interrupts system calls of its thread when it wants another worker.)
pub(super) fn unless_blocked(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel interrupts a reactor's system calls whenever io_uring wants another worker for page-ins. A splice that
    /// was interrupted used to count as "socket full", and its peer waited for room that was there already: for ever.
    #[test]
    fn an_interrupted_call_is_made_again_and_only_a_full_socket_blocks() {
        let answers = |mut list: Vec<io::Result<usize>>| unless_blocked(move || list.remove(0));
        let error = |kind: io::ErrorKind| Err(kind.into());
        let interrupted = || error(io::ErrorKind::Interrupted);
        assert!(matches!(answers(vec![interrupted(), interrupted(), Ok(7)]), Ok(Some(7))));
        assert!(matches!(answers(vec![interrupted(), error(io::ErrorKind::WouldBlock)]), Ok(None)));
        let broken = answers(vec![interrupted(), error(io::ErrorKind::BrokenPipe)]).expect_err("it is broken");
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
        assert!(answers(vec![Ok(0)]).is_err(), "a call that moves nothing would be made for ever");
    }
}
