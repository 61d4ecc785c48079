use std::os::unix::fs::PermissionsExt;

use super::*;

fn disks() -> [Disk; 2] {
    [DiskMode::Auto, DiskMode::Plain].map(|mode| Disk::start(mode).expect("a disk thread"))
}

fn part(file: &Arc<File>, offset: u64, length: usize) -> ReadPart {
    ReadPart { file: Some(Arc::clone(file)), offset, length }
}

#[test]
fn parts_of_files_and_zeros_come_back_in_one_buffer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    std::fs::write(&path, &bytes).expect("a file");
    let file = Arc::new(File::open(&path).expect("a file"));
    for disk in disks() {
        let (reply, answers) = channel::bounded(64);
        for tag in 0..64u64 {
            let zeros = ReadPart { file: None, offset: 0, length: 1000 };
            let parts = vec![part(&file, tag * 100, 200_000), zeros, part(&file, 0, 1)];
            disk.read(Read { parts, buffer: vec![7; 10], tag, reply: reply.clone() });
        }
        let mut seen: Vec<u64> = Vec::new();
        for answer in answers.iter().take(64) {
            answer.result.expect("read");
            let start = usize::try_from(answer.tag).expect("small") * 100;
            let want = [&bytes[start..start + 200_000], &[0; 1000], &bytes[..1]].concat();
            assert!(answer.buffer == want, "{} {}", disk.describe(), answer.tag);
            seen.push(answer.tag);
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..64));
    }
}

#[test]
fn the_end_of_a_file_is_an_error_that_names_the_part() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), b"12345").expect("a file");
    let file = Arc::new(File::open(folder.path().join("file")).expect("a file"));
    for disk in disks() {
        let (reply, answers) = channel::bounded(1);
        let parts = vec![part(&file, 0, 5), part(&file, 3, 5)];
        disk.read(Read { parts, buffer: Vec::new(), tag: 0, reply });
        let (index, error) = answers.recv().expect("an answer").result.expect_err("too short");
        assert_eq!((index, error.kind()), (1, io::ErrorKind::UnexpectedEof), "{}", disk.describe());
    }
}

#[test]
fn a_file_is_replaced_whole_with_the_mode_asked_for_and_nothing_is_left_beside_it() {
    for disk in disks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        for content in ["first", "second"] {
            disk.write_atomically(&path, content.into(), 0o600).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("a file"), content, "{}", disk.describe());
        }
        assert_eq!(path.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 1);
        let error = disk.write_atomically(&folder.path().join("none/state"), Vec::new(), 0o600).expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        // a rename that fails takes the temporary file with it
        std::fs::create_dir(folder.path().join("taken")).expect("a folder");
        disk.write_atomically(&folder.path().join("taken"), Vec::new(), 0o600).expect_err("a folder is in the way");
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 2);
    }
}

#[test]
fn the_operator_learns_which_way_was_chosen() {
    let [auto, plain] = disks();
    assert!(auto.describe().starts_with("io_uring") || auto.describe().contains("refused"), "{}", auto.describe());
    assert!(plain.describe().starts_with("plain reads on 4 threads"), "{}", plain.describe());
}

#[test]
fn parts_of_one_buffer_are_written_where_they_belong() {
    for disk in disks() {
        let files: Vec<Arc<File>> = (0..2).map(|_| Arc::new(tempfile::tempfile().expect("a file"))).collect();
        let buffer: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
        let parts = vec![
            WritePart { file: Arc::clone(&files[0]), offset: 5, range: 10..2_000_000 },
            WritePart { file: Arc::clone(&files[1]), offset: 0, range: 2_000_100..3_000_000 },
            WritePart { file: Arc::clone(&files[1]), offset: 7, range: 4..4 },
        ];
        disk.write(&buffer, &parts).expect("written");
        disk.sync(files.clone()).expect("synced");
        for (file, offset, range) in [(&files[0], 5, 10..2_000_000), (&files[1], 0, 2_000_100..3_000_000)] {
            let mut found = vec![0; range.len()];
            std::os::unix::fs::FileExt::read_exact_at(&**file, &mut found, offset).expect("read");
            assert!(found == buffer[range.clone()], "{}", disk.describe());
            assert_eq!(file.metadata().expect("metadata").len(), offset + range.len() as u64);
        }
    }
}

#[test]
fn a_full_disk_is_an_error_that_names_the_part() {
    for disk in disks() {
        let good = Arc::new(tempfile::tempfile().expect("a file"));
        let full = Arc::new(File::options().write(true).open("/dev/full").expect("the full device"));
        let part = |file: &Arc<File>| WritePart { file: Arc::clone(file), offset: 0, range: 0..5 };
        let parts = [part(&good), part(&full), part(&good)];
        let (index, error) = disk.write(b"12345", &parts).expect_err("it is full");
        assert_eq!((index, error.kind()), (1, io::ErrorKind::StorageFull), "{}", disk.describe());
    }
}
