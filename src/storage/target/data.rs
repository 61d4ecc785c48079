//! Which parts of a file were ever written.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// The parts of `file` below `end` that are not holes. Where the file system does not tell: all of it.
pub(super) fn segments(file: &File, end: u64) -> impl Iterator<Item = Range<u64>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => end,
            Err(_) => at,
        };
        // the end of the file counts as a hole
        let stop = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap_or(end).min(end);
        at = stop;
        (start < stop).then_some(start..stop)
    })
}

/// Whether a byte of `file` below `end` is not zero.
pub(super) fn has_content(file: &File, end: u64) -> io::Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    for segment in segments(file, end) {
        let mut at = segment.start;
        while at < segment.end {
            let length = buffer.len().min(usize::try_from(segment.end - at).unwrap_or(usize::MAX));
            match file.read_at(&mut buffer[..length], at) {
                Ok(0) => break,
                Ok(count) if buffer[..count].iter().any(|&byte| byte != 0) => return Ok(true),
                Ok(count) => at += count as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_no_data_and_zeros_no_content() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(10 << 20).expect("room");
        assert_eq!(segments(&file, 10 << 20).count(), 0);
        file.write_all_at(&[0; 4096], 1 << 20).expect("written");
        file.write_all_at(&[0; 4096], 5 << 20).expect("written");
        assert!(!has_content(&file, 10 << 20).expect("readable"));
        let found: Vec<_> = segments(&file, 10 << 20).collect();
        for byte in [1 << 20, 5 << 20] {
            assert!(found.iter().any(|segment| segment.contains(&byte)), "{found:?}");
        }
        assert!(!found.iter().any(|segment| segment.contains(&(3 << 20))), "{found:?}");
        assert!(segments(&file, 1 << 20).all(|segment| segment.end <= 1 << 20));
        file.write_all_at(b"x", (5 << 20) + 4000).expect("written");
        assert!(has_content(&file, 10 << 20).expect("readable"));
        assert!(!has_content(&file, 5 << 20).expect("readable"));
    }
}
