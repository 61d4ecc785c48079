//! Files that must be refused, each with the words that its owner reads.

use sower::bencode::ErrorKind;
use sower::metainfo::{Metainfo, TorrentError};

use super::draft::{Draft, HASH, file, file_with, string, strings};

#[track_caller]
fn assert_refused(cases: Vec<(Vec<u8>, &str)>) {
    for (bytes, error) in cases {
        let got = Metainfo::parse(&bytes).map_err(|error| error.to_string());
        let start = bytes[..bytes.len().min(200)].escape_ascii();
        assert_eq!(got.map(|torrent| torrent.name().into_owned()), Err(error.to_owned()), "{start}");
    }
}

#[test]
fn bytes_that_are_not_strict_bencode_are_refused_with_the_place() {
    let valid = Draft::new().bytes();
    let trailing = format!("not a torrent file: bytes after the end of the value at byte {}", valid.len());
    let cut = format!("not a torrent file: data ends inside a value at byte {}", valid.len() - 1);
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "data ends inside a value at byte 0"),
        (b"<html>404</html>", "no bencoded value starts like this at byte 0"),
        (b"\x89PNG\r\n", "no bencoded value starts like this at byte 0"),
        (b"\xef\xbb\xbfde", "no bencoded value starts like this at byte 0"),
        (b"e", "no bencoded value starts like this at byte 0"),
        (b"d", "data ends inside a value at byte 1"),
        (b"d4:info", "data ends inside a value at byte 7"),
        (b"d4:in", "string is longer than the data at byte 1"),
        (b"d4", "data ends inside a value at byte 2"),
        (b"d1:ae", "no bencoded value starts like this at byte 4"),
        (b"di1ei2ee", "dictionary key is not a string at byte 1"),
        (b"d1:bi1e1:ai1ee", "dictionary keys are not sorted at byte 7"),
        (b"d1:ai1e1:ai2ee", "dictionary key appears twice at byte 7"),
        (b"d1:ai1e1:bi1e1:ai2ee", "dictionary key appears twice at byte 13"),
        (b"d4:infod1:bi1e1:ai1eee", "dictionary keys are not sorted at byte 14"),
        (b"d2:aai1e1:ai1ee", "dictionary keys are not sorted at byte 8"),
        (b"d1:ai01ee", "malformed integer at byte 4"),
        (b"d1:ai-0ee", "malformed integer at byte 4"),
        (b"d1:ai-01ee", "malformed integer at byte 4"),
        (b"d1:ai00000000000000000000000000000000000ee", "malformed integer at byte 4"),
        (b"d1:aiee", "malformed integer at byte 4"),
        (b"d1:ai-ee", "malformed integer at byte 4"),
        (b"d1:ai 1ee", "malformed integer at byte 4"),
        (b"d1:ai+1ee", "malformed integer at byte 4"),
        (b"d1:ai1.5ee", "malformed integer at byte 4"),
        (b"d1:ai0x10ee", "malformed integer at byte 4"),
        (b"d1:ai12", "data ends inside a value at byte 7"),
        (b"d1:ai9223372036854775808ee", "integer does not fit 64 bits at byte 4"),
        (b"d1:ai-9223372036854775809ee", "integer does not fit 64 bits at byte 4"),
        (b"d1:ai99999999999999999999999999999999ee", "integer does not fit 64 bits at byte 4"),
        (b"d1:a01:xe", "malformed string length at byte 4"),
        (b"d1:a5xe", "malformed string length at byte 4"),
        (b"d1:a99:xe", "string is longer than the data at byte 4"),
        (b"d1:a18446744073709551615:xe", "string is longer than the data at byte 4"),
        (b"d1:a99999999999999999999999999999:xe", "string is longer than the data at byte 4"),
        (b"d1:a-1:xe", "no bencoded value starts like this at byte 4"),
    ];
    let cases: Vec<_> =
        cases.into_iter().map(|(bytes, error)| (bytes.to_vec(), format!("not a torrent file: {error}"))).collect();
    assert_refused(cases.iter().map(|(bytes, error)| (bytes.clone(), error.as_str())).collect());
    assert_refused(vec![
        ([valid.as_slice(), b"\n"].concat(), trailing.as_str()),
        (valid[..valid.len() - 1].to_vec(), cut.as_str()),
        (b"i5e".to_vec(), "not a torrent file: it is no dictionary"),
        (b"l4:infodee".to_vec(), "not a torrent file: it is no dictionary"),
        (b"4:info".to_vec(), "not a torrent file: it is no dictionary"),
    ]);
}

#[test]
fn input_that_would_cost_stack_or_memory_is_refused() {
    let bencode_kind = |bytes: &[u8]| match Metainfo::parse(bytes) {
        Err(TorrentError::Bencode(error)) => (error.kind, error.offset),
        other => panic!("{other:?}"),
    };
    assert_eq!(bencode_kind(&b"l".repeat(1_000_000)), (ErrorKind::TooDeep, 32));
    assert_eq!(bencode_kind(&b"d1:a".repeat(1_000_000)), (ErrorKind::TooDeep, 32 * 4));
    let many = b"le".repeat(8 * sower::limits::FILES);
    assert_eq!(bencode_kind(&[b"l".as_slice(), &many].concat()), (ErrorKind::TooManyValues, many.len() - 1));
    let zeros = vec![0; sower::limits::TORRENT_FILE + 1];
    assert_eq!(Metainfo::parse(&zeros).err(), Some(TorrentError::FileTooLarge));
}

#[test]
fn an_info_dictionary_that_makes_no_sense_is_refused() {
    let base = Draft::new;
    assert_refused(vec![
        (b"de".to_vec(), "key `info` is missing"),
        (base().top("info", "le").bytes(), "key `info` is not a dictionary"),
        (base().top("info", "de").bytes(), "key `info.name` is missing"),
        (base().without("name").bytes(), "key `info.name` is missing"),
        (base().info("name", "i1e").bytes(), "key `info.name` is not a string"),
        (base().without("piece length").bytes(), "key `info.piece length` is missing"),
        (base().info("piece length", "1:a").bytes(), "key `info.piece length` is not an integer"),
        (base().info("piece length", "i0e").bytes(), "`info.piece length` is 0; it must be 1 to 134217728"),
        (base().info("piece length", "i-1e").bytes(), "`info.piece length` is -1; it must be 1 to 134217728"),
        (
            base().info("piece length", "i134217729e").bytes(),
            "`info.piece length` is 134217729; it must be 1 to 134217728",
        ),
        (
            base().info("piece length", "i4294967296e").bytes(),
            "`info.piece length` is 4294967296; it must be 1 to 134217728",
        ),
        (base().without("pieces").bytes(), "key `info.pieces` is missing"),
        (base().info("pieces", "le").bytes(), "key `info.pieces` is not a string"),
        (base().info("pieces", "3:abc").bytes(), "`info.pieces` is 3 bytes long, which is not a multiple of 20"),
        (base().info("pieces", "0:").bytes(), "`info.pieces` has 0 hashes, but the content has 1 pieces"),
        (base().info("pieces", string([0; 40])).bytes(), "`info.pieces` has 2 hashes, but the content has 1 pieces"),
        (base().info("length", "i16385e").bytes(), "`info.pieces` has 1 hashes, but the content has 2 pieces"),
        (
            base().info("files", "le").bytes(),
            "`info.length` and `info.files` are both there; a torrent has one or the other",
        ),
        (base().without("length").bytes(), "`info.length` and `info.files` are both missing"),
        (base().info("length", "i-5e").bytes(), "key `info.length` is -5; a length is not negative"),
        (base().info("length", "1:5").bytes(), "key `info.length` is not an integer"),
        (
            base().info("length", "i0e").info("pieces", "0:").bytes(),
            "the torrent has no content: all its files are empty",
        ),
        (
            base().info("length", "i4194305e").info("piece length", "i1e").bytes(),
            "the content has more than 4194304 pieces; make the torrent with longer ones",
        ),
        (base().info("private", "1:1").bytes(), "key `info.private` is not an integer"),
        (base().info("source", "i1e").bytes(), "key `info.source` is not a string"),
        (
            base().info("attr", "1:l").bytes(),
            "key `info.attr` makes the file a symbolic link; torrents with links are not served",
        ),
        (base().info("meta version", "i3e").bytes(), "`info.meta version` is 3; 1 and 2 are known"),
        (base().info("meta version", "1:2").bytes(), "key `info.meta version` is not an integer"),
        (
            base().info("meta version", "i2e").info("file tree", "de").without("pieces").without("length").bytes(),
            "this is a v2-only torrent (`info.meta version` is 2 and there is no `info.pieces`); v1 and hybrid ones can be served",
        ),
    ]);
}

#[test]
fn a_file_list_that_makes_no_sense_is_refused() {
    let one = |entry: &[u8]| Draft::folder(&[entry]).bytes();
    let huge = b"6:lengthi9223372036854775807e4:pathl1:xe".as_slice();
    let third = b"6:lengthi9223372036854775807e4:pathl1:ze".as_slice();
    let second = b"6:lengthi9223372036854775807e4:pathl1:ye".as_slice();
    let too_many = "the content has more than 4194304 pieces; make the torrent with longer ones";
    assert_refused(vec![
        (Draft::folder(&[""; 0]).bytes(), "`info.files` is empty"),
        (Draft::new().without("length").info("files", "de").bytes(), "key `info.files` is not a list"),
        (Draft::new().without("length").info("files", "li1ee").bytes(), "key `info.files[0]` is not a dictionary"),
        (one(b"4:pathl1:xe"), "key `info.files[0].length` is missing"),
        (one(b"6:length1:54:pathl1:xe"), "key `info.files[0].length` is not an integer"),
        (one(b"6:lengthi-1e4:pathl1:xe"), "key `info.files[0].length` is -1; a length is not negative"),
        (one(b"6:lengthi5e"), "key `info.files[0].path` is missing"),
        (one(b"6:lengthi5e4:path1:x"), "key `info.files[0].path` is not a list"),
        (one(b"6:lengthi5e4:pathl1:xi1ee"), "key `info.files[0].path` is not a list of strings"),
        (one(b"6:lengthi5e4:pathl1:xe10:path.utf-81:x"), "key `info.files[0].path.utf-8` is not a list"),
        (one(b"4:attri1e6:lengthi5e4:pathl1:xe"), "key `info.files[0].attr` is not a string"),
        (
            Draft::folder(&[file(&["x"]), file_with("xl", &["y"])]).bytes(),
            "key `info.files[1].attr` makes the file a symbolic link; torrents with links are not served",
        ),
        (one(b"6:lengthi0e4:pathl1:xe"), "the torrent has no content: all its files are empty"),
        (one(&file_with("p", &["x"])), "the torrent has no content: all its files are empty"),
        (one(huge), too_many),
        (Draft::folder(&[huge, second, third]).bytes(), too_many),
    ]);
}

#[test]
fn paths_that_could_leave_their_folder_or_fit_none_are_refused() {
    let path = |names: &[&[u8]]| Draft::folder(&[file(&["fine"]), file(names)]).bytes();
    let name = |name: &[u8]| Draft::new().info("name", string(name)).bytes();
    let long = b"n".repeat(256);
    let deep = vec![[b'n'; 250].as_slice(); 17];
    assert_refused(vec![
        (path(&[]), "key `info.files[1].path` is no usable path: it has no components"),
        (path(&[b""]), "key `info.files[1].path` is no usable path: it has an empty component"),
        (path(&[b"x", b""]), "key `info.files[1].path` is no usable path: it has an empty component"),
        (path(&[b"."]), "key `info.files[1].path` is no usable path: it has the component `.`"),
        (path(&[b"x", b"..", b"y"]), "key `info.files[1].path` is no usable path: it has the component `..`"),
        (path(&[b"..", b"..", b"etc"]), "key `info.files[1].path` is no usable path: it has the component `..`"),
        (path(&[b"/etc/passwd"]), "key `info.files[1].path` is no usable path: it has a `/` inside a component"),
        (path(&[b"x", b"/"]), "key `info.files[1].path` is no usable path: it has a `/` inside a component"),
        (path(&[b"x/../../y"]), "key `info.files[1].path` is no usable path: it has a `/` inside a component"),
        (path(&[b"x\0y"]), "key `info.files[1].path` is no usable path: it has a zero byte"),
        (path(&[&long]), "key `info.files[1].path` is no usable path: it has a component of more than 255 bytes"),
        (path(&deep), "key `info.files[1].path` is no usable path: it is longer than 4095 bytes"),
        (
            Draft::folder(&[[file(&["x"]), b"10:path.utf-8".to_vec(), strings(&[".."])].concat()]).bytes(),
            "key `info.files[0].path.utf-8` is no usable path: it has the component `..`",
        ),
        (name(b""), "key `info.name` is no usable path: it has an empty component"),
        (name(b"."), "key `info.name` is no usable path: it has the component `.`"),
        (name(b".."), "key `info.name` is no usable path: it has the component `..`"),
        (name(b"../x"), "key `info.name` is no usable path: it has a `/` inside a component"),
        (name(b"/"), "key `info.name` is no usable path: it has a `/` inside a component"),
        (name(b"x\0"), "key `info.name` is no usable path: it has a zero byte"),
        (name(&long), "key `info.name` is no usable path: it has a component of more than 255 bytes"),
    ]);
}

#[test]
fn files_that_exclude_each_other_are_refused() {
    let files = |paths: &[&[&str]]| Draft::folder(&paths.iter().map(|path| file(path)).collect::<Vec<_>>()).bytes();
    assert_refused(vec![
        (files(&[&["x"], &["y"], &["x"]]), r#"two files have the path "x""#),
        (files(&[&["x", "y"], &["x", "y"]]), r#"two files have the path "x/y""#),
        (files(&[&["x"], &["x", "y"]]), r#""x" is a file, but "x/y" lies in it as in a folder"#),
        (files(&[&["x", "y", "z"], &["x"]]), r#""x" is a file, but "x/y/z" lies in it as in a folder"#),
        // `-` sorts before `/`: as plain text, `x-` would stand between `x` and what lies in it
        (files(&[&["x", "y"], &["x-"], &["x"]]), r#""x" is a file, but "x/y" lies in it as in a folder"#),
    ]);
}

#[test]
fn keys_around_the_info_dictionary_are_checked_too() {
    let top = |key: &str, value: &[u8]| Draft::new().top(key, value).bytes();
    let long_url = string(b"u".repeat(8 * 1024 + 1));
    let many_urls = strings(&(0..1_025).map(|number| format!("u{number}")).collect::<Vec<_>>());
    let many_tiers = [b"l", many_urls.as_slice(), b"e"].concat();
    assert_refused(vec![
        (top("announce", b"i1e"), "key `announce` is not a string"),
        (top("announce", b"3:\xff\xfe\xfd"), "key `announce` is not a readable URL"),
        (top("announce", b"3:a\x1bb"), "key `announce` is not a readable URL"),
        (top("announce", &long_url), "key `announce` is too long: at most 8192 bytes are read"),
        (top("announce-list", b"3:url"), "key `announce-list` is not a list"),
        (top("announce-list", b"li1ee"), "key `announce-list` is not a list of lists of strings"),
        (top("announce-list", b"lli1eee"), "key `announce-list` is not a list of lists of strings"),
        (top("announce-list", &many_tiers), "key `announce-list` is too long: at most 1024 URLs are read"),
        (top("url-list", b"i1e"), "key `url-list` is not a string or a list of strings"),
        (top("url-list", b"li1ee"), "key `url-list` is not a string or a list of strings"),
        (top("url-list", &many_urls), "key `url-list` is too long: at most 1024 URLs are read"),
        (top("comment", b"i1e"), "key `comment` is not a string"),
        (
            top("comment", &string(vec![b'c'; (1 << 20) + 1])),
            "key `comment` is too long: at most 1048576 bytes are read",
        ),
        (top("created by", b"le"), "key `created by` is not a string"),
        (top("creation date", b"10:2026-11-22"), "key `creation date` is not an integer"),
    ]);
}

#[test]
fn an_info_dictionary_by_itself_is_checked_as_strictly() {
    let valid = Draft::new().info_bytes();
    let refused = |bytes: &[u8]| Metainfo::from_info(bytes, Vec::new()).expect_err("refused").to_string();
    assert_eq!(refused(b"le"), "not a torrent file: it is no dictionary");
    assert_eq!(refused(&valid[1..]), "not a torrent file: bytes after the end of the value at byte 8");
    let trailing = [valid.as_slice(), b"e"].concat();
    assert_eq!(
        refused(&trailing),
        format!("not a torrent file: bytes after the end of the value at byte {}", valid.len())
    );
    assert_eq!(
        refused(&[b"d6:lengthi5e4:name1:a12:piece lengthi1e6:pieces", HASH, b"e"].concat()),
        "`info.pieces` has 1 hashes, but the content has 5 pieces"
    );
}
