//! Damage at random, and torrents at random.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, PathBuf};

use proptest::prelude::*;
use sower::ids::PieceIndex;
use sower::metainfo::{Builder, Metainfo, TorrentError};

use super::draft::{Draft, file, file_with};

/// A file that has every key the parser knows.
fn rich() -> Vec<u8> {
    Draft::folder(&[file(&["x", "y"]), file_with("p", &[".pad", "5"]), file(&["z"])])
        .info("private", "i1e")
        .info("source", "1:s")
        .info("name.utf-8", "1:a")
        .info("meta version", "i1e")
        .top("announce", "1:u")
        .top("announce-list", "ll1:uel1:vee")
        .top("url-list", "l1:we")
        .top("comment", "1:c")
        .top("comment.utf-8", "1:d")
        .top("created by", "1:e")
        .top("creation date", "i1e")
        .bytes()
}

/// What everything below relies on.
fn assert_promises(torrent: &Metainfo) {
    let geometry = torrent.geometry();
    assert!(geometry.pieces() > 0 && geometry.files() == torrent.files().len());
    assert!(torrent.piece_hash(PieceIndex(geometry.pieces() - 1)).is_some());
    assert!(torrent.piece_hash(PieceIndex(geometry.pieces())).is_none());
    for file in torrent.files() {
        let path = torrent.download_path(file);
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
    }
    let again = Metainfo::parse(&torrent.to_bytes()).expect("own output");
    assert_eq!((again.info_hash(), again.trackers()), (torrent.info_hash(), torrent.trackers()));
}

#[test]
fn every_truncation_is_an_error() {
    let whole = rich();
    assert_promises(&Metainfo::parse(&whole).expect("valid"));
    for end in 0..whole.len() {
        let error = Metainfo::parse(&whole[..end]).expect_err("truncated");
        assert!(matches!(error, TorrentError::Bencode(error) if error.offset <= end), "{error} when cut at {end}");
    }
}

#[test]
fn every_single_byte_change_is_an_error_or_a_sound_torrent() {
    let whole = rich();
    for at in 0..whole.len() {
        for byte in [0, b'-', b'.', b'/', b'0', b'1', b'9', b':', b'd', b'e', b'i', b'l', b'p', 0xff] {
            let mut changed = whole.clone();
            changed[at] = byte;
            if let Ok(torrent) = Metainfo::parse(&changed) {
                assert_promises(&torrent);
            }
        }
    }
}

/// Any file name that Linux allows, often an awkward one.
fn name() -> impl Strategy<Value = OsString> {
    let bytes = prop_oneof![
        "[a-c]{1,2}".prop_map(String::into_bytes),
        "\\PC{1,20}".prop_map(String::into_bytes),
        prop::collection::vec(1u8.., 1..=255),
    ];
    bytes
        .prop_filter("a name", |name| name.len() <= 255 && !name.contains(&b'/') && name != b"." && name != b"..")
        .prop_map(OsString::from_vec)
}

#[derive(Clone, Debug)]
enum Entry {
    File(Vec<OsString>, u64),
    Padding(u64),
}

fn entry() -> impl Strategy<Value = Entry> {
    let file =
        (prop::collection::vec(name(), 1..4), 0u64..200_000).prop_map(|(path, length)| Entry::File(path, length));
    prop_oneof![4 => file, 1 => (0u64..70_000).prop_map(Entry::Padding)]
}

proptest! {
    #[test]
    fn spliced_files_never_panic(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)) {
        let whole = rich();
        let mut bytes = whole.clone();
        for (from, to, at) in cuts {
            let (from, to, at) = (from.index(whole.len()), to.index(whole.len()), at.index(bytes.len() + 1));
            bytes.splice(at..at, whole[from.min(to)..from.max(to)].iter().copied());
        }
        if let Ok(torrent) = Metainfo::parse(&bytes) {
            assert_promises(&torrent);
        }
    }

    #[test]
    fn bytes_of_bencode_letters_never_panic(bytes in prop::collection::vec(prop::sample::select(b"dlie0123:-4infoa".as_slice()), 0..60)) {
        let _ = Metainfo::parse(&bytes);
        let _ = Metainfo::from_info(&bytes, Vec::new());
    }

    #[test]
    fn what_the_builder_writes_reads_back(
        root in name(), entries in prop::collection::vec(entry(), 1..8), piece_length in 16_384u32..300_000, private: bool,
        trackers in prop::collection::vec(prop::collection::vec("[a-z]{1,8}", 1..3), 0..3),
        texts in prop::option::of("\\PC{0,20}"), date in prop::option::of(any::<i64>()),
    ) {
        let mut builder = Builder::folder(&root, piece_length).private(private).trackers(trackers)
            .comment(texts.clone()).created_by(texts.clone()).source(texts.clone()).creation_date(date)
            .web_seeds(vec!["http://w/".into()]);
        for entry in &entries {
            builder = match entry {
                Entry::File(path, length) => builder.file(path.iter().collect::<PathBuf>(), *length),
                Entry::Padding(length) => builder.padding(*length),
            };
        }
        let Ok(geometry) = builder.geometry() else { return Ok(()) };
        let hashes: Vec<[u8; 20]> = (0..geometry.pieces()).map(|piece| [u8::try_from(piece % 256).expect("below 256"); 20]).collect();
        let builder = builder.hashes(hashes.clone());
        let bytes = match builder.write() {
            Ok(bytes) => bytes,
            // random names collide now and then, and may all be empty files
            Err(TorrentError::DuplicatePath { .. } | TorrentError::FileIsFolder { .. } | TorrentError::Empty) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        prop_assert_eq!(&builder.write().expect("as before"), &bytes, "the same input gives the same bytes");
        let torrent = Metainfo::parse(&bytes).expect("own output");
        prop_assert_eq!(torrent.file_name(), root);
        prop_assert_eq!(torrent.geometry(), &geometry);
        prop_assert_eq!(torrent.private(), private);
        prop_assert_eq!(torrent.creation_date(), date);
        prop_assert_eq!([torrent.comment(), torrent.created_by(), torrent.source()], [texts.as_deref(); 3]);
        prop_assert_eq!((0..geometry.pieces()).filter_map(|piece| torrent.piece_hash(PieceIndex(piece))).collect::<Vec<_>>(), hashes);
        prop_assert_eq!(torrent.files().len(), entries.len());
        for (file, entry) in torrent.files().iter().zip(&entries) {
            match entry {
                Entry::File(path, length) => {
                    prop_assert_eq!(file.path(), path.iter().collect::<PathBuf>());
                    prop_assert_eq!(file.length(), *length);
                }
                Entry::Padding(length) => prop_assert!(file.is_padding() && file.length() == *length),
            }
        }
        assert_promises(&torrent);
    }
}
