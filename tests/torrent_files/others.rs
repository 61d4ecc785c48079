//! The same torrents as others see them: libtorrent (`tests/.venv`, or the system's Python) and Transmission write
//! files that we read, and read files that we wrote.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sower::ids::{BlockRef, PieceIndex};
use sower::metainfo::{Builder, Metainfo, TorrentError};

/// Says `files hash private trackers web_seeds` of torrent files; with `make`, makes some of the folder first.
const LIBTORRENT: &str = r#"
import json, os, sys, warnings
warnings.simplefilter("ignore")
import libtorrent as lt

def make(folder, name, flags, path):
    files = lt.file_storage()
    lt.add_files(files, os.path.join(folder, path))
    torrent = lt.create_torrent(files, 16384, flags)
    torrent.add_tracker("http://one.example/announce", 0)
    torrent.add_tracker("udp://two.example:1", 1)
    torrent.add_url_seed("http://web.example/")
    torrent.set_comment("a comment")
    torrent.set_priv(name == "canonical")
    lt.set_piece_hashes(torrent, os.path.dirname(os.path.join(folder, path)))
    with open(os.path.join(folder, name + ".torrent"), "wb") as out:
        out.write(lt.bencode(torrent.generate()))

def say(path):
    torrent = lt.torrent_info(path)
    files = torrent.files()
    says = {
        "hash": str(torrent.info_hashes().v1),
        "private": torrent.priv(),
        "comment": torrent.comment(),
        "trackers": [[t.tier, t.url] for t in torrent.trackers()],
        "web_seeds": [seed["url"] for seed in torrent.web_seeds()],
        "piece_length": torrent.piece_length(),
        "pieces": [torrent.hash_for_piece(i).hex() for i in range(torrent.num_pieces())],
        "files": [],
    }
    for i in range(torrent.num_files()):
        padding = bool(files.file_flags(i) & lt.file_storage.flag_pad_file)
        says["files"].append([None if padding else files.file_path(i), files.file_size(i), padding])
    print(json.dumps(says))

if sys.argv[1] == "make":
    for name, flags, path in [
        ("single", lt.create_torrent.v1_only, "content/b"),
        ("folder", lt.create_torrent.v1_only, "content"),
        ("canonical", lt.create_torrent.v1_only | lt.create_torrent.canonical_files, "content"),
        ("hybrid", 0, "content"),
        ("v2", lt.create_torrent.v2_only, "content"),
    ]:
        make(sys.argv[2], name, flags, path)
else:
    for path in sys.argv[2:]:
        say(path)
"#;

/// A Python that has libtorrent; says so where there is none.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.venv/bin/python");
    let found = [own, PathBuf::from("python3")].into_iter().find(|python| {
        Command::new(python).args(["-c", "import libtorrent"]).output().is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        eprintln!("skipped: no Python with libtorrent in tests/.venv or on the PATH");
    }
    found
}

fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr]) -> String {
    let output = Command::new(program).args(arguments).output().expect("starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn libtorrent(python: &Path, verb: &str, paths: &[&Path]) -> Vec<Value> {
    let fixed = ["-c", LIBTORRENT, verb].map(OsStr::new);
    let arguments: Vec<&OsStr> = fixed.into_iter().chain(paths.iter().map(|path| path.as_os_str())).collect();
    run(python, &arguments).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What the script says, said by us.
fn say(torrent: &Metainfo) -> Value {
    let tiers = torrent.trackers().iter().enumerate();
    let trackers: Vec<Value> = tiers.flat_map(|(tier, urls)| urls.iter().map(move |url| json!([tier, url]))).collect();
    let files: Vec<Value> = torrent
        .files()
        .iter()
        .map(|file| {
            let path = (!file.is_padding()).then(|| torrent.download_path(file).to_str().expect("UTF-8").to_owned());
            json!([path, file.length(), file.is_padding()])
        })
        .collect();
    let hex = |hash: [u8; 20]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let pieces = 0..torrent.geometry().pieces();
    json!({
        "hash": torrent.info_hash().to_string(),
        "private": torrent.private(),
        "comment": torrent.comment().unwrap_or_default(),
        "trackers": trackers,
        "web_seeds": torrent.web_seeds(),
        "piece_length": torrent.geometry().nominal_piece_length(),
        "pieces": pieces.filter_map(|piece| torrent.piece_hash(PieceIndex(piece))).map(hex).collect::<Vec<_>>(),
        "files": files,
    })
}

/// `content` with files of odd lengths in a scratch folder.
fn content() -> (tempfile::TempDir, Vec<(&'static str, Vec<u8>)>) {
    let folder = tempfile::tempdir().expect("scratch folder");
    let mut rng = fastrand::Rng::with_seed(7);
    let mut files =
        vec![("a é.bin", vec![0; 70_001]), ("b", vec![0; 16_384]), ("c/d/e", vec![0; 1]), ("c/f", vec![0; 33_000])];
    for (path, bytes) in &mut files {
        rng.fill(bytes);
        let path = folder.path().join("content").join(path);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
    (folder, files)
}

/// A torrent of `content` by our own writer, with padding if asked.
fn build(files: &[(&str, Vec<u8>)], aligned: bool) -> Vec<u8> {
    let piece_length = 16_384;
    let mut builder = Builder::folder(OsStr::new("content"), piece_length)
        .private(aligned)
        .comment(Some("naïve".into()))
        .trackers(vec![
            vec!["http://one.example/announce".into(), "udp://two.example:1".into()],
            vec!["http://three/".into()],
        ])
        .web_seeds(vec!["http://web.example/".into()]);
    let mut whole = Vec::new();
    for (path, bytes) in files {
        let gap = whole.len().next_multiple_of(16_384) - whole.len();
        if aligned && gap > 0 {
            builder = builder.padding(gap as u64);
            whole.resize(whole.len() + gap, 0);
        }
        builder = builder.file(path, bytes.len() as u64);
        whole.extend_from_slice(bytes);
    }
    let hashes = whole.chunks(16_384).map(|piece| Sha1::digest(piece).into()).collect();
    builder.hashes(hashes).write().expect("sound")
}

#[test]
fn libtorrent_and_we_say_the_same_of_its_files() {
    let Some(python) = python() else { return };
    let (folder, _) = content();
    libtorrent(&python, "make", &[folder.path()]);
    let paths = ["single", "folder", "canonical", "hybrid"].map(|name| folder.path().join(format!("{name}.torrent")));
    let theirs = libtorrent(&python, "say", &paths.each_ref().map(PathBuf::as_path));
    assert_eq!(theirs.len(), paths.len());
    for (path, theirs) in paths.iter().zip(theirs) {
        let ours = Metainfo::parse(&std::fs::read(path).expect("made")).expect("sound");
        assert_eq!(say(&ours), theirs, "{}", path.display());
    }
    let v2 = std::fs::read(folder.path().join("v2.torrent")).expect("made");
    assert_eq!(Metainfo::parse(&v2).err(), Some(TorrentError::V2Only));
}

#[test]
fn libtorrent_and_we_say_the_same_of_our_files() {
    let Some(python) = python() else { return };
    let (folder, files) = content();
    for aligned in [false, true] {
        let bytes = build(&files, aligned);
        let path = folder.path().join("ours.torrent");
        std::fs::write(&path, &bytes).expect("written");
        let ours = say(&Metainfo::parse(&bytes).expect("sound"));
        assert_eq!(libtorrent(&python, "say", &[&path]), [ours]);
    }
}

#[test]
fn transmission_and_we_say_the_same_of_its_files_and_ours() {
    let installed = |name: &str| Command::new(name).arg("--version").output().is_ok();
    if !installed("transmission-create") || !installed("transmission-show") {
        eprintln!("skipped: transmission-create and transmission-show are not installed");
        return;
    }
    let (folder, files) = content();
    let (theirs, ours) = (folder.path().join("theirs.torrent"), folder.path().join("ours.torrent"));
    let source = folder.path().join("content");
    let options = ["-p", "-s", "32", "-c", "naïve", "-t", "http://one.example/announce", "-o"].map(OsStr::new);
    let arguments: Vec<&OsStr> = options.into_iter().chain([theirs.as_os_str(), source.as_os_str()]).collect();
    run("transmission-create", &arguments);
    std::fs::write(&ours, build(&files, false)).expect("written");
    for path in [&theirs, &ours] {
        let torrent = Metainfo::parse(&std::fs::read(path).expect("made")).expect("sound");
        let shown = run("transmission-show", &[path.as_os_str()]);
        let says =
            |line: String| assert!(shown.lines().any(|shown| shown.trim() == line), "{line:?} is not in:\n{shown}");
        says(format!("Hash: {}", torrent.info_hash()));
        says(format!("Piece Count: {}", torrent.geometry().pieces()));
        says(format!("Comment: {}", torrent.comment().expect("given")));
        says(format!("Privacy: {} torrent", if torrent.private() { "Private" } else { "Public" }));
        for tracker in torrent.trackers().concat() {
            says(tracker);
        }
        for file in torrent.files() {
            let path = torrent.download_path(file);
            assert!(shown.contains(&format!("{} (", path.display())), "{} is not in:\n{shown}", path.display());
        }
    }
    let torrent = Metainfo::parse(&std::fs::read(&theirs).expect("made")).expect("sound");
    assert_pieces_hash_to(&torrent, &files);
}

/// Hashes the files by the torrent's own geometry.
fn assert_pieces_hash_to(torrent: &Metainfo, files: &[(&str, Vec<u8>)]) {
    let geometry = torrent.geometry();
    for piece in (0..geometry.pieces()).map(PieceIndex) {
        let mut hasher = Sha1::new();
        for span in geometry.spans(BlockRef { piece, begin: 0, length: geometry.piece_length(piece) }) {
            let path = torrent.files()[usize::try_from(span.file.0).expect("64-bit")].path();
            let (_, bytes) = files.iter().find(|(name, _)| Path::new(name) == path).expect("one of ours");
            let start = usize::try_from(span.offset).expect("small");
            hasher.update(&bytes[start..start + usize::try_from(span.length).expect("small")]);
        }
        assert_eq!(torrent.piece_hash(piece), Some(hasher.finalize().into()), "{piece:?}");
    }
}
