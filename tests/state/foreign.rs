//! Resume data as older and newer versions write it, as it should not be, and as nobody would.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sower::bencode::Encoder;
use sower::metainfo::Metainfo;
use sower::session::resume::{Foreign, Found, Have, Modified, Program, Subject, Verdict, read};
use sower::session::seedbox::{LimitChoice, Source};

use crate::scene::torrent;

/// A value of bencode.
enum Item<'a> {
    Number(i64),
    Bytes(&'a [u8]),
    List(Vec<Item<'a>>),
    Dict(Vec<(&'a str, Item<'a>)>),
}

use Item::{Bytes, Dict, List, Number};

fn text(text: &str) -> Item<'_> {
    Bytes(text.as_bytes())
}

fn encode(item: &Item<'_>, out: &mut Encoder) {
    match item {
        Number(number) => out.integer(*number),
        Bytes(bytes) => out.bytes(bytes),
        List(items) => out.list(|out| items.iter().for_each(|item| encode(item, out))),
        Dict(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.dict(|out| entries.iter().for_each(|(key, item)| encode(item, out.key(key.as_bytes()))));
        }
    }
}

fn bytes(entries: Vec<(&str, Item<'_>)>) -> Vec<u8> {
    let mut out = Encoder::new();
    encode(&Dict(entries), &mut out);
    out.finish()
}

/// A torrent of three pieces and two files, and its files.
struct Scene {
    folder: tempfile::TempDir,
    torrent: Metainfo,
    file: Vec<u8>,
}

impl Scene {
    fn new() -> Scene {
        let (torrent, file) = torrent(1);
        Scene { folder: tempfile::tempdir().expect("a folder"), torrent, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, bytes).expect("written");
    }

    fn content(&self, root: &str, time: u64) {
        self.write(&format!("{root}/a.bin"), vec![1; 40_000]);
        self.write(&format!("{root}/b.bin"), vec![1; 5]);
        for name in ["a.bin", "b.bin"] {
            let file = fs::File::options().write(true).open(self.path(root).join(name)).expect("a file");
            file.set_modified(UNIX_EPOCH + Duration::from_secs(time)).expect("set");
        }
    }

    fn hash(&self) -> String {
        self.torrent.info_hash().to_string()
    }

    /// The only torrent that `program` has in the folder.
    fn only(&self, program: Program, folder: &str) -> Foreign {
        let mut found = read(program, &self.path(folder)).expect("readable");
        assert_eq!(found.problems, []);
        assert_eq!(found.torrents.len(), 1);
        found.torrents.remove(0)
    }
}

fn problem(found: &Found) -> &str {
    assert!(found.torrents.is_empty(), "{:?}", found.torrents);
    &found.problems.first().expect("a problem").text
}

#[test]
fn transmission_2_and_3_note_when_each_file_or_piece_was_checked() {
    let scene = Scene::new();
    let root = scene.path("");
    let name = format!("torrent 1.{}", &scene.hash()[..16]);
    scene.write(&format!("config/torrents/{name}.torrent"), &scene.file);
    let write = |progress: Vec<(&str, Item<'_>)>| {
        let destination = text(root.to_str().expect("UTF-8"));
        let resume = bytes(vec![("destination", destination), ("progress", Dict(progress)), ("uploaded", Number(7))]);
        scene.write(&format!("config/resume/{name}.resume"), resume);
        scene.only(Program::Transmission, "config")
    };
    // base and differences: the oldest piece of the first file was checked at 1_000_003
    let times = || List(vec![List(vec![Number(1_000_000), Number(5), Number(3), Number(9)]), Number(1_000_001)]);
    let whole = write(vec![("blocks", text("all")), ("time-checked", times())]);
    assert_eq!(whole.have, Have::All);
    assert_eq!(whole.modified, [Modified::NotAfter(1_000_003), Modified::NotAfter(1_000_001)]);
    assert_eq!(whole.numbers.uploaded, 7);
    assert!(matches!(whole.judge(), Verdict::Absent(_)));
    scene.content("torrent 1", 1_000_000);
    assert!(matches!(whole.judge(), Verdict::Whole(files) if files.len() == 2));
    let addition = whole.clone().into_addition(&whole.judge());
    assert!(addition.trusted && addition.before == (7, 0) && addition.choice.folder == scene.folder.path());
    scene.content("torrent 1", 1_000_002);
    let verdict = whole.judge();
    assert!(matches!(&verdict, Verdict::Unsure(text) if text.contains("b.bin was changed")), "{verdict:?}");
    // blocks of 16 KiB: the second is missing
    let part = write(vec![("blocks", Bytes(&[0b1010_0000])), ("time-checked", List(vec![]))]);
    assert_eq!(part.have, Have::Pieces(vec![0b1010_0000]));
    assert!(matches!(part.judge(), Verdict::Part { have, .. } if have == 16_384 + 40_005 - 2 * 16_384));
}

#[test]
fn transmission_4_writes_other_keys_and_renamed_files() {
    let scene = Scene::new();
    scene.write(&format!("config/torrents/{}.torrent", scene.hash()), &scene.file);
    let root = scene.path("done").display().to_string();
    let unfinished = scene.path("unfinished").display().to_string();
    let ratio = Dict(vec![("ratio_limit", text("1.25")), ("ratio_mode", Number(1))]);
    let speed = Dict(vec![("speed_Bps", Number(9_000)), ("use_speed_limit", Number(1))]);
    let times = List(vec![Number(1_000_000), Number(1_000_000)]);
    let progress = Dict(vec![("blocks", text("all")), ("mtimes", times), ("pieces", text("all"))]);
    let resume = bytes(vec![
        ("destination", text(&root)),
        ("incomplete_dir", text(&unfinished)),
        ("files", List(vec![text("other/a.bin"), text("other/b.bin")])),
        ("name", text("other")),
        ("progress", progress),
        ("ratio_limit", ratio),
        ("speed_limit_up", speed),
        ("seeding_time_seconds", Number(77)),
        ("queue_position", Number(3)),
    ]);
    scene.write(&format!("config/resume/{}.resume", scene.hash()), resume);
    let foreign = scene.only(Program::Transmission, "config");
    assert_eq!(foreign.choice.folder, scene.path("done"), "what is finished is not in the other folder");
    assert_eq!(
        (foreign.choice.renamed_root.as_deref(), foreign.choice.name.as_deref()),
        (Some("other"), Some("other"))
    );
    assert_eq!((foreign.choice.ratio_limit, foreign.choice.upload_limit), (LimitChoice::At(1.25), Some(9_000)));
    assert_eq!((foreign.numbers.seeding_seconds, foreign.queue), (77, Some(3)));
    scene.content("done/other", 1_000_000);
    assert!(matches!(foreign.judge(), Verdict::Whole(_)));
    scene.content("done/other", 1_000_001);
    assert!(matches!(foreign.judge(), Verdict::Unsure(_)), "written since");
}

#[test]
fn magnet_links_are_taken_over_as_links() {
    let scene = Scene::new();
    let hash = scene.torrent.info_hash();
    let info = Dict(vec![("info_hash", Bytes(&hash.0)), ("display-name", text("a name"))]);
    scene.write("config/torrents/x.torrent", bytes(vec![("announce", text("udp://t:1")), ("magnet-info", info)]));
    let resume = bytes(vec![("destination", text("/data")), ("paused", Number(1))]);
    scene.write(&format!("config/resume/{hash}.resume"), &resume);
    let foreign = scene.only(Program::Transmission, "config");
    let Subject::Magnet(magnet) = &foreign.subject else { panic!("a link: {:?}", foreign.subject) };
    assert_eq!((magnet.name.as_deref(), &magnet.trackers[..]), (Some("a name"), &["udp://t:1".to_owned()][..]));
    assert!(foreign.choice.paused && matches!(foreign.judge(), Verdict::Nothing));
    fs::remove_file(scene.path("config/torrents/x.torrent")).expect("removed");
    scene.write(&format!("config/torrents/{hash}.magnet"), format!("magnet:?xt=urn:btih:{hash}&dn=b"));
    let foreign = scene.only(Program::Transmission, "config");
    assert_eq!(foreign.subject.name(), "b");
    let verdict = foreign.judge();
    let addition = foreign.into_addition(&verdict);
    assert!(matches!(&addition.source, Source::Magnet(link) if link.contains(&hash.to_string())) && !addition.trusted);
}

/// Resume data of libtorrent with what a test is about.
fn libtorrent(scene: &Scene, more: Vec<(&str, Item<'_>)>) -> Vec<u8> {
    let hash = scene.torrent.info_hash();
    let root = scene.path("").display().to_string();
    let mut entries = vec![
        ("file-format", text("libtorrent resume file")),
        ("info-hash", Bytes(&hash.0)),
        ("auto_managed", Number(1)),
    ];
    if more.iter().all(|(key, _)| *key != "save_path") {
        entries.push(("save_path", text(&root)));
    }
    entries.extend(more);
    bytes(entries)
}

#[test]
fn libtorrent_1_has_a_byte_a_piece_and_times_and_libtorrent_2_a_bit() {
    let scene = Scene::new();
    scene.content("torrent 1", 1_000_000);
    scene.write("r/x.torrent", &scene.file);
    let file = |size, time| List(vec![Number(size), Number(time)]);
    let sizes = || List(vec![file(40_000, 1_000_000), file(5, 1_000_000)]);
    scene.write("r/x.fastresume", libtorrent(&scene, vec![("pieces", Bytes(&[1, 1, 1])), ("file sizes", sizes())]));
    let whole = scene.only(Program::Libtorrent, "r");
    assert_eq!((&whole.have, &whole.modified[..]), (&Have::All, &[Modified::At(1_000_000); 2][..]));
    assert!(matches!(whole.judge(), Verdict::Whole(_)));
    scene.write("r/x.fastresume", libtorrent(&scene, vec![("pieces", Bytes(&[1, 0, 3]))]));
    assert_eq!(scene.only(Program::Libtorrent, "r").have, Have::Pieces(vec![0b1010_0000]));
    let second = vec![("pieces", Bytes(&[0b0110_0000])), ("file-version", Number(2))];
    scene.write("r/x.fastresume", libtorrent(&scene, second));
    assert_eq!(scene.only(Program::Libtorrent, "r").have, Have::Pieces(vec![0b0110_0000]));
    scene.write("r/x.fastresume", libtorrent(&scene, vec![("pieces", Bytes(&[1; 50]))]));
    assert!(matches!(scene.only(Program::Libtorrent, "r").judge(), Verdict::Unsure(_)), "of another torrent");
}

#[test]
fn a_link_that_has_pieces_already_wants_its_torrent_file() {
    let scene = Scene::new();
    scene.write("r/x.resume", libtorrent(&scene, vec![("pieces", Bytes(&[1, 1, 1]))]));
    let found = read(Program::Libtorrent, &scene.path("r")).expect("readable");
    assert!(problem(&found).contains("put its torrent file beside it"), "{}", problem(&found));
    scene.write("r/x.torrent", torrent(2).1);
    let found = read(Program::Libtorrent, &scene.path("r")).expect("readable");
    assert!(problem(&found).contains("its torrent file is another one"), "{}", problem(&found));
}

#[test]
fn deluge_keeps_all_in_one_file() {
    let scene = Scene::new();
    scene.content("torrent 1", 1_000_000);
    let (hash, resume) = (scene.hash(), libtorrent(&scene, vec![("pieces", Bytes(&[1, 1, 1]))]));
    scene.write(&format!("state/{hash}.torrent"), &scene.file);
    scene.write("state/torrents.fastresume", bytes(vec![(&hash, Bytes(&resume))]));
    assert!(matches!(scene.only(Program::Deluge, "state").judge(), Verdict::Whole(_)));
}

#[test]
fn qbittorrent_without_a_folder_of_the_torrents_own_and_with_its_older_fields() {
    let scene = Scene::new();
    scene.content("flat", 1_000_000);
    let root = scene.path("flat").display().to_string();
    let more = vec![
        ("mapped_files", List(vec![text("a.bin"), text("b.bin")])),
        ("pieces", Bytes(&[1, 1, 1])),
        ("save_path", text(&root)),
        ("file_priority", List(vec![Number(6), Number(1)])),
        ("qBt-ratioLimit", text("0.5")),
        ("qBt-seedingTimeLimit", Number(-1)),
        ("qBt-category", text("c")),
    ];
    scene.write(&format!("BT_backup/{}.torrent", scene.hash()), &scene.file);
    scene.write(&format!("BT_backup/{}.fastresume", scene.hash()), libtorrent(&scene, more));
    scene.write("BT_backup/queue", format!("{}\n{}\n", "0".repeat(40), scene.hash()));
    let foreign = scene.only(Program::Qbittorrent, "");
    assert!(matches!(foreign.judge(), Verdict::Whole(_)), "{:?}", foreign.judge());
    let choice = &foreign.choice;
    assert_eq!((choice.folder.as_path(), choice.renamed_root.as_deref()), (scene.folder.path(), Some("flat")));
    assert_eq!((choice.ratio_limit, choice.seeding_limit), (LimitChoice::At(0.5), LimitChoice::Unlimited));
    assert!(choice.auto_managed && choice.category == "c");
    assert_eq!(foreign.queue, Some(1));
}

#[test]
fn unfinished_files_under_other_names_are_told() {
    let scene = Scene::new();
    scene.write("torrent 1/a.bin.!qB", vec![1; 40_000]);
    scene.write("r/x.torrent", &scene.file);
    scene.write("r/x.resume", libtorrent(&scene, vec![("pieces", Bytes(&[1, 0, 0]))]));
    let verdict = scene.only(Program::Libtorrent, "r").judge();
    assert!(
        matches!(&verdict, Verdict::Unsure(text) if text.contains("a.bin.!qB is there in its place")),
        "{verdict:?}"
    );
}

#[test]
fn paths_that_lead_out_of_the_torrents_folder_are_refused_by_name() {
    let scene = Scene::new();
    scene.write("r/x.torrent", &scene.file);
    for (name, word) in [("/etc/passwd", "outside"), ("../../x", "outside"), ("torrent 1/../../x", "outside")] {
        let more = vec![("mapped_files", List(vec![text(name)]))];
        scene.write("r/x.resume", libtorrent(&scene, more));
        let found = read(Program::Libtorrent, &scene.path("r")).expect("readable");
        assert!(problem(&found).contains(word), "{name}: {}", problem(&found));
    }
    scene.write("r/x.resume", libtorrent(&scene, vec![("save_path", text("downloads"))]));
    let found = read(Program::Libtorrent, &scene.path("r")).expect("readable");
    assert!(problem(&found).contains("not an absolute path"), "{}", problem(&found));
    let link = scene.path("torrent 1");
    std::os::unix::fs::symlink("/etc", &link).expect("a link");
    scene.write("r/x.resume", libtorrent(&scene, vec![("pieces", Bytes(&[1, 1, 1]))]));
    assert!(!matches!(scene.only(Program::Libtorrent, "r").judge(), Verdict::Whole(_)));
}

#[test]
fn folders_of_something_else_are_told_what_should_be_in_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for program in
        [Program::Qbittorrent, Program::Transmission, Program::Rtorrent, Program::Libtorrent, Program::Deluge]
    {
        let error = read(program, folder.path()).expect_err("nothing there").to_string();
        assert!(error.contains("holds nothing of"), "{program:?}: {error}");
        read(program, Path::new("/nowhere/at/all")).expect_err("not there");
    }
    fs::write(folder.path().join("torrents.db"), "no database").expect("written");
    read(Program::Qbittorrent, folder.path()).expect_err("no database");
}

/// Every file of every program, damaged in ten thousand ways: an error or not, but an answer.
#[test]
fn damaged_files_are_named_and_cost_nothing_else() {
    let scene = Scene::new();
    let hash = scene.hash();
    let resume = libtorrent(
        &scene,
        vec![
            ("pieces", Bytes(&[1, 0, 1])),
            ("mapped_files", List(vec![text("torrent 1/x"), text("")])),
            ("file_priority", List(vec![Number(0), Number(7)])),
            ("trackers", List(vec![List(vec![text("udp://t:1")])])),
            ("qBt-tags", List(vec![text("a")])),
        ],
    );
    let files =
        List(vec![Dict(vec![("mtime", Number(5)), ("priority", Number(2))]), Dict(vec![("mtime", Number(-1))])]);
    let rtorrent =
        bytes(vec![("bitfield", Bytes(&[0xa0])), ("files", files), ("uncertain_pieces", Bytes(&[0, 0, 0, 2]))]);
    let times = List(vec![List(vec![Number(1), Number(2)]), Number(9)]);
    let progress = Dict(vec![("blocks", Bytes(&[0xa0])), ("time-checked", times)]);
    let transmission = bytes(vec![("destination", text("/d")), ("dnd", List(vec![Number(1)])), ("progress", progress)]);
    let cases: [(Program, &str, Vec<u8>); 5] = [
        (Program::Qbittorrent, "q", resume.clone()),
        (Program::Libtorrent, "l", resume),
        (Program::Rtorrent, "r", rtorrent),
        (Program::Rtorrent, "s", bytes(vec![("directory", text("/d/torrent 1")), ("state", Number(1))])),
        (Program::Transmission, "t", transmission),
    ];
    let places = |folder: &str| match folder {
        "q" => (format!("q/{hash}.torrent"), format!("q/{hash}.fastresume")),
        "l" => ("l/x.torrent".into(), "l/x.resume".into()),
        "r" => ("r/H.torrent".into(), "r/H.torrent.libtorrent_resume".into()),
        "s" => ("s/H.torrent".into(), "s/H.torrent.rtorrent".into()),
        _ => (format!("t/torrents/{hash}.torrent"), format!("t/resume/{hash}.resume")),
    };
    scene.write("r/H.torrent.rtorrent", bytes(vec![("directory", text("/d/torrent 1"))]));
    let mut random = fastrand::Rng::with_seed(12);
    let start = SystemTime::now();
    let mut read_well = 0;
    for (program, folder, good) in cases {
        let (torrent, path) = places(folder);
        scene.write(&torrent, &scene.file);
        scene.write(&path, &good);
        assert_eq!(read(program, &scene.path(folder)).expect("readable").torrents.len(), 1, "{program:?}");
        for _ in 0..2_000 {
            scene.write(&path, damage(&good, &mut random));
            let found = read(program, &scene.path(folder)).expect("the folder is right");
            assert_eq!(found.torrents.len() + found.problems.len(), 1);
            found.torrents.iter().for_each(|foreign| drop(foreign.judge()));
            read_well += found.torrents.len();
        }
    }
    assert!(read_well > 500, "damage of values is not damage of all: {read_well}");
    assert!(start.elapsed().expect("a clock") < Duration::from_secs(60));
}

fn damage(good: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..bytes.len());
        match random.u8(..5) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] = random.u8(..),
            2 => bytes[at] = b"0123456789ilde:-"[random.usize(..16)],
            3 => drop(bytes.remove(at)),
            _ => bytes.insert(at, bytes[random.usize(..bytes.len())]),
        }
        if bytes.is_empty() {
            bytes.push(b'd');
        }
    }
    bytes
}
