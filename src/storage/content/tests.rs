use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use crate::metainfo::Builder;

use super::*;

fn torrent(single_file: bool) -> Metainfo {
    let builder = if single_file {
        Builder::single(OsStr::new("name"), 5, 16_384)
    } else {
        Builder::folder(OsStr::new("name"), 16_384).file("a", 5).padding(16_379).file("sub/b", 3)
    };
    let pieces = builder.geometry().expect("a geometry").pieces();
    let hashes = vec![[0; 20]; pieces.try_into().expect("few")];
    Metainfo::parse(&builder.hashes(hashes).write().expect("a torrent")).expect("a torrent")
}

fn fill(folder: &Path) {
    fs::create_dir_all(folder.join("sub")).expect("folders");
    fs::write(folder.join("a"), b"12345").expect("a file");
    fs::write(folder.join("sub/b"), b"123").expect("a file");
}

#[test]
fn a_folder_is_found_by_its_own_path_and_by_its_parents() {
    let parent = tempfile::tempdir().expect("a folder");
    let inner = parent.path().join("name");
    fill(&inner);
    let root = inner.canonicalize().expect("a path");
    for given in [parent.path(), &inner] {
        let content = Content::of(&torrent(false), given).expect("content");
        assert_eq!(content.root(), root);
        assert!(content.faults().is_empty(), "{:?}", content.faults());
    }
    let other = parent.path().join("renamed");
    fs::rename(&inner, &other).expect("renamed");
    assert_eq!(Content::of(&torrent(false), &other).expect("content").root(), other.canonicalize().expect("a path"));
    let error = Content::of(&torrent(false), &other.join("a")).expect_err("a file is no folder");
    assert!(error.to_string().contains("name that folder or its parent"), "{error}");
    assert!(Content::of(&torrent(false), &parent.path().join("none")).is_err());
}

#[test]
fn a_file_is_found_by_its_own_path_under_any_name_and_by_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("name"), b"12345").expect("a file");
    fs::write(folder.path().join("other name"), b"12345").expect("a file");
    for given in ["", "name", "other name"] {
        let content = Content::of(&torrent(true), &folder.path().join(given)).expect("content");
        assert!(content.faults().is_empty(), "{:?}", content.faults());
    }
}

#[test]
fn every_fault_has_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("name");
    let content = Content::of(&torrent(true), folder.path()).expect("content");
    let fault = || content.faults().pop().map(|fault| fault.cause);
    assert!(matches!(fault(), Some(Cause::Missing)));
    fs::write(&path, b"1234").expect("a file");
    assert!(matches!(fault(), Some(Cause::WrongSize { expected: 5, found: 4 })));
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a folder");
    assert!(matches!(fault(), Some(Cause::NotAFile("a folder"))));
    fs::remove_dir(&path).expect("removed");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
    assert!(matches!(fault(), Some(Cause::NotAFile("a FIFO"))));
    fs::remove_file(&path).expect("removed");
    let socket = UnixListener::bind(&path).expect("a socket");
    assert!(matches!(fault(), Some(Cause::NotAFile("a socket"))));
    drop(socket);
    fs::remove_file(&path).expect("removed");
    symlink("/etc/passwd", &path).expect("a link");
    assert!(matches!(fault(), Some(Cause::LeavesFolder)));
}

#[test]
fn a_write_a_replacement_and_a_removal_are_each_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path());
    let content = Content::of(&torrent(false), folder.path()).expect("content");
    let before = content.identities().expect("identities");
    assert_eq!(before.len(), 2, "padding is not stored");
    content.compare(&before).expect("nothing happened");
    let b = folder.path().join("sub/b");
    let set_back = fs::metadata(&b).expect("metadata").modified().expect("a time");
    // same size and same time, another inode
    fs::write(folder.path().join("new"), b"xyz").expect("a file");
    let new = fs::File::options().append(true).open(folder.path().join("new")).expect("a file");
    new.set_modified(set_back).expect("a time");
    fs::rename(folder.path().join("new"), &b).expect("replaced");
    let fault = content.compare(&before).expect_err("replaced");
    assert!(matches!(fault.cause, Cause::Changed) && fault.path.ends_with("sub/b"), "{fault}");
    fs::remove_file(&b).expect("removed");
    assert!(matches!(content.compare(&before).expect_err("removed").cause, Cause::Missing));
}

#[test]
fn a_walk_sees_all_in_order_and_says_what_it_leaves_out() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("folder");
    fill(&folder);
    fs::create_dir(folder.join("empty")).expect("a folder");
    fs::write(folder.join(".hidden"), b"").expect("a file");
    fs::write(folder.join("sub-b"), b"x").expect("a file");
    fs::write(folder.join("B"), b"x").expect("a file");
    symlink("a", folder.join("inside")).expect("a link");
    symlink("../..", folder.join("out")).expect("a link");
    symlink("sub", folder.join("loop")).expect("a link");
    symlink("none", folder.join("nothing")).expect("a link");
    let _socket = UnixListener::bind(folder.join("socket")).expect("a socket");
    let walk = Walk::new(&folder).expect("a walk");
    let names: Vec<&str> = walk.files.iter().map(|(path, _)| path.to_str().expect("text")).collect();
    assert_eq!(names, [".hidden", "B", "a", "inside", "sub/b", "sub-b"]);
    let left_out: Vec<_> = walk.left_out.iter().map(|out| (out.path.file_name(), out.reason)).collect();
    let name = |name| Some(OsStr::new(name));
    assert_eq!(
        left_out,
        [
            (name("loop"), Reason::LinkToFolder),
            (name("nothing"), Reason::LinkToNothing),
            (name("out"), Reason::LinkOut),
            (name("socket"), Reason::Special("a socket")),
        ]
    );
}

#[test]
fn a_file_that_may_not_be_read_ends_a_walk() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may read everything; tests/create_verify.rs does this as another user");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path());
    fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o000)).expect("permissions");
    let error = Walk::new(folder.path()).expect_err("unreadable");
    assert!(error.to_string().contains("permission denied"), "{error}");
}
