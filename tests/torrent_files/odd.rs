//! Files that look odd and are fine: programs in use write them.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha1::{Digest, Sha1};
use sower::ids::PieceIndex;
use sower::metainfo::{Metainfo, PieceHashes};

use super::draft::{Draft, file, file_with, string, strings};

#[track_caller]
fn parse(draft: Draft) -> Metainfo {
    Metainfo::parse(&draft.bytes()).expect("odd, but fine")
}

#[test]
fn a_minimal_file_says_what_it_says() {
    let torrent = parse(Draft::new());
    assert_eq!(torrent.name(), "a");
    assert!(torrent.is_single_file() && !torrent.private());
    assert_eq!(torrent.files().len(), 1);
    assert_eq!((torrent.files()[0].path(), torrent.files()[0].length()), (Path::new("a"), 5));
    assert_eq!(torrent.geometry().total(), 5);
    assert_eq!(torrent.piece_hash(PieceIndex(0)), Some(*b"aaaaabbbbbcccccddddd"));
    assert_eq!(torrent.piece_hash(PieceIndex(1)), None);
    assert!(torrent.trackers().is_empty() && torrent.web_seeds().is_empty());
    assert_eq!(
        (torrent.comment(), torrent.created_by(), torrent.creation_date(), torrent.source()),
        (None, None, None, None)
    );
}

#[test]
fn the_info_hash_is_over_the_raw_bytes_unknown_keys_included() {
    let draft = Draft::new().info("x-unknown", "ld1:ai1eee").info("ed2k", string([0xff; 16]));
    let raw = draft.info_bytes();
    let torrent = parse(draft);
    assert_eq!(torrent.info_bytes().as_ref(), raw);
    assert_eq!(torrent.info_hash().0, <[u8; 20]>::from(Sha1::digest(&raw)));
    let PieceHashes::V1(range) = torrent.piece_hashes() else { panic!("v1") };
    assert_eq!(&raw[range.clone()], b"aaaaabbbbbcccccddddd");
    let by_itself = Metainfo::from_info(&raw, vec![vec!["http://t".into()]]).expect("same dictionary");
    assert_eq!(by_itself.info_hash(), torrent.info_hash());
    assert_eq!(by_itself.trackers(), [["http://t"]]);
}

#[test]
fn trackers_come_in_tiers_without_empty_and_repeated_ones() {
    let trackers = |announce: &[u8], list: &[u8]| {
        let draft = Draft::new().top("announce", announce);
        let torrent = parse(if list.is_empty() { draft } else { draft.top("announce-list", list) });
        torrent.trackers().iter().map(|tier| tier.join(" ")).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(trackers(b"1:u", b""), "u");
    assert_eq!(trackers(b"0:", b""), "");
    assert_eq!(trackers(b"5: u \r\n", b""), "u");
    assert_eq!(trackers(b"1:u", b"le"), "u");
    assert_eq!(trackers(b"1:u", b"ll0:ee"), "u");
    assert_eq!(trackers(b"1:u", b"ll1:v1:wel1:xee"), "v w | x", "announce-list replaces announce");
    assert_eq!(trackers(b"1:u", b"ll1:v1:vel1:vel1:wee"), "v | w");
    assert_eq!(trackers(b"1:u", b"l1:v1:we"), "v | w", "a URL in the place of a tier");
}

#[test]
fn web_seeds_are_one_string_or_a_list() {
    let seeds = |value: &str| parse(Draft::new().top("url-list", value)).web_seeds().join(" ");
    assert_eq!(seeds("0:"), "");
    assert_eq!(seeds("le"), "");
    assert_eq!(seeds("1:u"), "u");
    assert_eq!(seeds("l1:u1:v0:1:ue"), "u v");
}

#[test]
fn private_is_any_number_but_zero() {
    let private = |value: &str| parse(Draft::new().info("private", value)).private();
    assert_eq!([private("i1e"), private("i0e"), private("i2e"), private("i-1e")], [true, false, true, true]);
}

#[test]
fn names_are_bytes_and_unicode_ones_are_preferred() {
    let name = |draft: Draft| parse(draft).file_name().as_bytes().to_vec();
    assert_eq!(name(Draft::new().info("name", b"4:caf\xe9")), b"caf\xe9");
    assert_eq!(parse(Draft::new().info("name", b"4:caf\xe9")).name(), "caf\u{fffd}");
    assert_eq!(name(Draft::new().info("name", b"4:caf\xe9").info("name.utf-8", "5:café")), "café".as_bytes());
    assert_eq!(name(Draft::new().info("name.utf-8", b"1:\xff")), b"a");
    assert_eq!(name(Draft::new().without("name").info("name.utf-8", "1:b")), b"b");
    assert_eq!(name(Draft::new().info("name", r"3:x\y")), br"x\y", "a backslash is a letter here");
    assert_eq!(name(Draft::new().info("name", "3:...")), b"...");
    assert_eq!(name(Draft::new().info("name", string([b'n'; 255]))), [b'n'; 255]);

    let both = |unicode: &[u8]| [file(&[b"caf\xe9"]), b"10:path.utf-8".to_vec(), strings(&[unicode])].concat();
    let torrent = parse(Draft::folder(&[both("café".as_bytes())]));
    assert_eq!(torrent.files()[0].path(), Path::new("café"));
    let torrent = parse(Draft::folder(&[both(b"\xff")]));
    assert_eq!(torrent.files()[0].path().as_os_str().as_bytes(), b"caf\xe9");
}

#[test]
fn files_that_differ_in_bytes_alone_are_different_files() {
    let torrent = parse(
        Draft::folder(&[
            file(&["x"]),
            file(&["X"]),
            file(&["x "]),
            file(&[b"x\xff"]),
            file(&["x-"]),
            file(&["y", "x"]),
        ])
        .info("piece length", "i30e"),
    );
    assert_eq!(torrent.files().len(), 6);
    assert_eq!(torrent.download_path(&torrent.files()[5]), Path::new("a/y/x"));
    assert!(!torrent.is_single_file());
}

#[test]
fn padding_is_known_by_attribute_or_by_the_name_that_bitcomet_gave_it() {
    let torrent = parse(Draft::folder(&[
        file_with("p", &[".pad", "5"]),
        file(&["x"]),
        file_with("xp", &[".pad", "5"]),
        file_with("hx", &["y"]),
        file(&["_____padding_file_0_if you see this file, please update to BitComet 0.85 or above____"]),
        file(&["z", ".pad"]),
    ]));
    let padding: Vec<bool> = torrent.files().iter().map(|file| file.is_padding()).collect();
    assert_eq!(padding, [true, false, true, false, true, false]);
    let spans: Vec<bool> = torrent.geometry().spans_of(0, 30).map(|span| span.padding).collect();
    assert_eq!(spans, padding, "the geometry knows it as well");
}

#[test]
fn empty_files_are_files() {
    let torrent = parse(Draft::folder(&[b"6:lengthi0e4:pathl1:xe".to_vec(), file(&["y"])]));
    assert_eq!(torrent.files()[0].length(), 0);
    assert_eq!(torrent.geometry().spans_of(0, 5).count(), 1);
}

#[test]
fn a_hybrid_is_read_as_v1() {
    let draft = Draft::new().info("meta version", "i2e").info("file tree", "d1:ad0:d6:lengthi5eeee");
    assert_eq!(parse(draft.top("piece layers", "de")).geometry().pieces(), 1);
    assert_eq!(parse(Draft::new().info("meta version", "i1e")).geometry().pieces(), 1);
}

#[test]
fn texts_and_dates_are_kept_as_far_as_they_are_texts_and_dates() {
    let torrent = parse(
        Draft::new()
            .top("comment", b"2:\xff!")
            .top("comment.utf-8", "5:\u{1b}[2J\n")
            .top("created by", b"2:\xff!")
            .top("creation date", "i-1e")
            .top("encoding", "i1e")
            .info("source", "3:XYZ"),
    );
    assert_eq!(torrent.comment(), Some("\u{1b}[2J\n"));
    assert_eq!(torrent.created_by(), Some("\u{fffd}!"));
    assert_eq!(torrent.creation_date(), Some(-1));
    assert_eq!(torrent.source(), Some("XYZ"));
}

#[test]
fn the_largest_allowed_shapes_are_read() {
    let torrent = parse(Draft::new().info("piece length", "i134217728e").info("length", "i134217728e"));
    assert_eq!(torrent.geometry().piece_length(PieceIndex(0)), 134_217_728);
    let pieces = usize::try_from(sower::limits::PIECES).expect("64-bit");
    let draft = Draft::new().info("piece length", "i1e").info("length", format!("i{pieces}e"));
    let torrent = parse(draft.info("pieces", string(vec![7; 20 * pieces])));
    assert_eq!(torrent.piece_hash(PieceIndex(sower::limits::PIECES - 1)), Some([7; 20]));
}

#[test]
fn other_trackers_leave_the_info_hash_alone() {
    let torrent = parse(Draft::new().top("announce", "1:u").top("comment", "1:c"));
    let other = torrent.with_trackers(vec![vec!["v".into(), String::new()], vec!["v".into()]]);
    assert_eq!((other.info_hash(), other.comment()), (torrent.info_hash(), Some("c")));
    assert_eq!(other.trackers(), [["v"]]);
    let again = Metainfo::parse(&other.to_bytes()).expect("own output");
    assert_eq!((again.info_bytes(), again.trackers()), (torrent.info_bytes(), other.trackers()));
    assert_eq!(other.magnet().to_string(), format!("magnet:?xt=urn:btih:{}&dn=a&tr=v", torrent.info_hash()));
}
