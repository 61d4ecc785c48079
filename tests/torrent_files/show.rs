//! `sower show`, run as a user runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::draft::{Draft, file, file_with};

fn show(bytes: &[u8], flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("scratch folder");
    let path = folder.path().join("x.torrent");
    std::fs::write(&path, bytes).expect("written");
    Command::new(env!("CARGO_BIN_EXE_sower")).arg("show").args(flags).arg(path).output().expect("runs")
}

fn draft() -> Draft {
    let two_bytes = b"6:lengthi2e4:pathl3:d\x1be1:\xe9e".as_slice();
    Draft::folder(&[file(&["é"]), file_with("p", &["pad"]), two_bytes.to_vec()])
        .info("private", "i1e")
        .info("source", "3:SRC")
        .info("name", "6:a\u{9b}\u{202e}")
        .top("announce-list", "ll10:http://t/ael7:udp://uee")
        .top("url-list", "9:http://w/")
        .top("comment", "4:one\n")
        .top("created by", "6:mk\u{1b}]0;")
        .top("creation date", "i951827696e")
}

#[test]
fn text_has_everything_and_no_control_character() {
    let output = show(&draft().bytes(), &[]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let hash = sower::metainfo::Metainfo::parse(&draft().bytes()).expect("valid").info_hash();
    let want = [
        r"name          a\u{9b}\u{202e}",
        "size          7 B (7 bytes)",
        &format!("info-hash     {hash}"),
        "pieces        1 of 16 KiB",
        "private       yes",
        "source        SRC",
        r"comment       one\n",
        r"created by    mk\u{1b}]0;",
        "created on    2000-02-29 12:34:56 UTC",
        "tracker 1     http://t/a",
        "tracker 2     udp://u",
        "web seed      http://w/",
        &format!(
            "magnet        magnet:?xt=urn:btih:{hash}&dn=a%C2%9B%E2%80%AE&tr=http%3A%2F%2Ft%2Fa&tr=udp%3A%2F%2Fu&ws=http%3A%2F%2Fw%2F"
        ),
        "files         2, and 5 B of padding",
        r"         5 B  a\u{9b}\u{202e}/é",
        r"         2 B  a\u{9b}\u{202e}/d\u{1b}e/\xe9",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), want);
    assert!(output.status.success() && output.stderr.is_empty());
}

#[test]
fn json_has_everything_and_reads_back() {
    let output = show(&draft().bytes(), &["--json"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text}");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let torrent = sower::metainfo::Metainfo::parse(&draft().bytes()).expect("valid");
    let want = json!({
        "name": "a\u{9b}\u{202e}", "info_hash": torrent.info_hash().to_string(), "magnet": torrent.magnet().to_string(),
        "single_file": false, "size": 7, "padding": 5, "piece_length": 16384, "pieces": 1, "private": true,
        "source": "SRC", "comment": "one\n", "created_by": "mk\u{1b}]0;", "creation_date": 951_827_696,
        "trackers": [["http://t/a"], ["udp://u"]], "web_seeds": ["http://w/"],
        "files": [
            {"path": "a\u{9b}\u{202e}/é", "length": 5, "padding": false},
            {"path": "a\u{9b}\u{202e}/pad", "length": 5, "padding": true},
            {
                "path": "a\u{9b}\u{202e}/d\u{1b}e/\u{fffd}", "path_hex": "61c29be280ae2f641b652fe9",
                "length": 2, "padding": false
            },
        ],
    });
    assert_eq!(value, want);
}

#[test]
fn a_file_that_is_no_torrent_is_named_with_the_reason_and_exit_code_1() {
    let output = show(b"<html>", &[]);
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(error.starts_with("sower: ") && error.contains("x.torrent"), "{error}");
    let reason =
        "is not a torrent file that can be used: not a torrent file: no bencoded value starts like this at byte 0";
    assert!(error.trim_end().ends_with(reason), "{error}");
    let missing = Command::new(env!("CARGO_BIN_EXE_sower")).args(["show", "/nonexistent"]).output().expect("runs");
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(missing.stderr, b"sower: cannot read /nonexistent: No such file or directory (os error 2)\n");
    let usage = Command::new(env!("CARGO_BIN_EXE_sower")).arg("show").output().expect("runs");
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_dash_reads_standard_input() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    let mut child = command.args(["show", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    child.stdin.take().expect("piped").write_all(&draft().bytes()).expect("taken");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.stdout, show(&draft().bytes(), &[]).stdout);
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    // more output than a pipe holds, so that the program is still writing when its reader is gone
    let files: Vec<_> = (0..20_000).map(|number| file(&[number.to_string()])).collect();
    let folder = tempfile::tempdir().expect("scratch folder");
    let path = folder.path().join("x.torrent");
    std::fs::write(&path, Draft::folder(&files).info("piece length", "i100000e").bytes()).expect("written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sower"))
        .arg("show")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), b"".as_slice()));
}
