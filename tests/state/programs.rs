//! Resume data that the real programs made, of one torrent that is complete and one that lacks a piece.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use sower::metainfo::Metainfo;
use sower::session::seedbox::{FilePriority, LimitChoice};
use sower::session::state::{Record, Store};
use sower::storage::{Content, Resume};

use crate::namespace::{Family, isolated};
use crate::process::{Process, Workspace, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");
/// Of the torrent that lacks a piece.
const PIECE: usize = 32 * 1024;
const PIECES: usize = 10;
const LACKING: usize = 3;

/// Content and its torrents, in a workspace.
struct Scene {
    workspace: Workspace,
    data: PathBuf,
    many: Metainfo,
    single: Metainfo,
}

impl Scene {
    fn new() -> Scene {
        let workspace = Workspace::new();
        let data = workspace.folder("data");
        let mut random = fastrand::Rng::with_seed(11);
        for (name, size) in [("many/a.bin", 700_000), ("many/b/c d.bin", 100_001), ("single.bin", PIECES * PIECE - 5)] {
            let path = data.join(name);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
            let mut bytes = vec![0; size];
            random.fill(&mut bytes);
            fs::write(path, bytes).expect("a file");
        }
        let many = make(&data.join("many"), &workspace.path().join("many.torrent"), "64KiB");
        let single = make(&data.join("single.bin"), &workspace.path().join("single.torrent"), "32KiB");
        let path = data.join("single.bin");
        let mut bytes = fs::read(&path).expect("a file");
        bytes[LACKING * PIECE..][..PIECE].fill(0);
        fs::write(&path, bytes).expect("a file");
        Scene { workspace, data, many, single }
    }

    fn torrents(&self) -> [PathBuf; 2] {
        ["many.torrent", "single.torrent"].map(|name| self.workspace.path().join(name))
    }

    fn home(&self) -> PathBuf {
        self.workspace.folder("home")
    }

    /// Starts a program of the test in its home.
    fn start(&self, mut command: Command, name: &str) -> Process {
        command.current_dir(self.home()).env("HOME", self.home()).env("LC_ALL", "C.UTF-8");
        Process::start(command, name, self.workspace.path(), false)
    }

    /// Imports, and answers both records after what holds for every program was compared.
    fn import(&self, program: &str, path: &Path) -> [Record; 2] {
        let state = self.workspace.path().join("state");
        let output = sower(&["import", "--from", program, "--state"], &[&state, path]);
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.starts_with("imported 2 torrents\n"), "{text}");
        assert!(text.contains("\n  1 complete, not to be hashed\n  1 unfinished, not to be hashed\n"), "{text}");
        let (store, loaded) = Store::open(&state).expect("the state opens");
        assert_eq!(loaded.problems, []);
        let find = |torrent: &Metainfo| {
            let found = loaded.records.iter().find(|record| record.info_hash == torrent.info_hash());
            found.expect("imported").clone()
        };
        let (many, single) = (find(&self.many), find(&self.single));
        self.check_many(&store, &many);
        self.check_single(&state, &single);
        [many, single]
    }

    fn check_many(&self, store: &Store, record: &Record) {
        assert!(record.complete && record.trusted);
        assert_eq!((record.numbers.left, record.numbers.have), (0, 800_001));
        assert!(record.numbers.added_at > 1_700_000_000, "{:?}", record.numbers);
        assert_eq!((&*record.about.name, record.choice.folder.as_path()), ("many", self.data.as_path()));
        assert_eq!(record.about.trackers, [["http://127.0.0.1:1/announce"]]);
        let identities = store.identities(record.info_hash).expect("readable").expect("known");
        assert_eq!(identities.iter().map(|file| file.size).collect::<Vec<_>>(), [700_000, 100_001]);
        let kept = store.read_torrent(record.info_hash).expect("readable").expect("there");
        assert_eq!(kept.info_bytes(), self.many.info_bytes());
    }

    fn check_single(&self, state: &Path, record: &Record) {
        assert!(!record.complete && !record.trusted);
        assert_eq!(record.numbers.have, (PIECES * PIECE - 5 - PIECE) as u64);
        assert_eq!(record.numbers.left, PIECE as u64);
        let mut content = Content::empty(&self.data);
        content.push(Path::new("single.bin"), self.single.geometry().total());
        let noted = Resume::new(state.join("resume")).noted(&self.single, &content).expect("readable").expect("noted");
        let mut expected = [0xff, 0xc0];
        expected[LACKING / 8] &= !(0x80 >> (LACKING % 8));
        assert_eq!(*noted.pieces, expected);
        assert_eq!(noted.files[0].expect("there").size, (PIECES * PIECE - 5) as u64);
    }
}

fn make(content: &Path, torrent: &Path, piece: &str) -> Metainfo {
    let arguments = ["create", "--tracker", "http://127.0.0.1:1/announce", "--piece-size", piece, "-o"];
    let output = sower(&arguments, &[torrent, content]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Metainfo::parse(&fs::read(torrent).expect("a file")).expect("a torrent")
}

fn sower(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sower")).args(arguments).args(paths).output().expect("sower runs")
}

/// What a command prints if it succeeds.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().expect("installed");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn end(process: &mut Process) {
    wait_for("its end", PATIENCE, || process.ended());
}

#[test]
fn what_transmission_kept_is_taken_over() {
    isolated(Family::V4, &["transmission-daemon", "transmission-remote"], || {
        let scene = Scene::new();
        let folder = scene.home().join("config");
        fs::create_dir_all(&folder).expect("a folder");
        let settings = serde_json::json!({
            "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
            "port-forwarding-enabled": false, "download-dir": scene.data, "rpc-port": 9_091,
        });
        fs::write(folder.join("settings.json"), settings.to_string()).expect("written");
        let mut command = Command::new("transmission-daemon");
        command.arg("--foreground").arg("--config-dir").arg(&folder);
        let mut process = scene.start(command, "transmission");
        let remote = |arguments: &[&str]| ask("transmission-remote", &[&["127.0.0.1:9091"], arguments].concat());
        wait_for("transmission answers", PATIENCE, || remote(&["-l"]));
        let [many, single] = scene.torrents().map(|path| path.display().to_string());
        remote(&["-a", &many]).expect("added");
        wait_for("it is checked", PATIENCE, || remote(&["-l"]).filter(|list| list.contains("100%")));
        remote(&["-a", &single]).expect("added");
        // a stop in the middle of a check is forgotten when the check ends
        let is_checked = |list: &String| list.contains("89%") && !list.contains("Verify");
        wait_for("both are checked", PATIENCE, || remote(&["-l"]).filter(is_checked));
        remote(&["-t", "1", "-L", "films,linux iso"]).expect("labelled");
        remote(&["-t", "1", "-u", "100", "-sr", "2.5", "-G", "1"]).expect("limited");
        remote(&["-t", "2", "-S"]).expect("stopped");
        wait_for("it stops", PATIENCE, || remote(&["-l"]).filter(|list| list.contains("Stopped")));
        process.signal("TERM");
        end(&mut process);
        let [many, single] = scene.import("transmission", &folder);
        assert_eq!(many.choice.tags.iter().collect::<Vec<_>>(), ["films", "linux iso"]);
        assert_eq!((many.choice.upload_limit, many.choice.ratio_limit), (Some(100_000), LimitChoice::At(2.5)));
        assert_eq!(many.choice.files, [FilePriority::Normal, FilePriority::Skip]);
        assert_eq!((many.choice.paused, single.choice.paused), (false, true));
    });
}

#[test]
fn what_qbittorrent_kept_in_files_is_taken_over() {
    isolated(Family::V4, &["qbittorrent-nox", "curl"], || qbittorrent("Legacy", "profile/qBittorrent/data/BT_backup"));
}

#[test]
fn what_qbittorrent_kept_in_sqlite_is_taken_over() {
    isolated(Family::V4, &["qbittorrent-nox", "curl"], || qbittorrent("SQLite", "profile/qBittorrent/data"));
}

fn qbittorrent(storage: &str, path: &str) {
    let scene = Scene::new();
    let profile = scene.home().join("profile");
    let config = profile.join("qBittorrent/config");
    fs::create_dir_all(&config).expect("a folder");
    let data = scene.data.display();
    let text = format!(
        "[LegalNotice]\nAccepted=true\n[Preferences]\nWebUI\\Enabled=true\nWebUI\\Port=8080\nWebUI\\Address=127.0.0.1\n\
         WebUI\\LocalHostAuth=false\n[BitTorrent]\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\n\
         Session\\PeXEnabled=false\nSession\\DefaultSavePath={data}\nSession\\TempPathEnabled=false\n\
         Session\\ResumeDataStorageType={storage}\n"
    );
    fs::write(config.join("qBittorrent.conf"), text).expect("written");
    let mut command = Command::new("qbittorrent-nox");
    command.arg(format!("--profile={}", profile.display())).arg(format!("--save-path={data}"));
    command.arg("--skip-dialog=true").args(scene.torrents());
    let mut process = scene.start(command, "qbittorrent");
    let call = |path: &str, body: &[String]| {
        let mut arguments = vec!["-sf".to_owned(), format!("http://127.0.0.1:8080/api/v2/{path}")];
        body.iter().for_each(|field| arguments.extend(["--data-urlencode".to_owned(), field.clone()]));
        ask("curl", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    wait_for("both are checked", PATIENCE, || {
        let list: Vec<serde_json::Value> = serde_json::from_str(&call("torrents/info", &[])?).ok()?;
        let is_checked = |torrent: &&serde_json::Value| {
            torrent["progress"] == 1 || (torrent["name"] == "single.bin" && torrent["amount_left"] == PIECE)
        };
        (list.iter().filter(is_checked).count() == 2).then_some(())
    });
    let (many, single) = (scene.many.info_hash(), scene.single.info_hash());
    let change = |path: &str, fields: &[(&str, &str)]| {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        call(path, &body).unwrap_or_else(|| panic!("{path} is refused"));
    };
    let hash = many.to_string();
    change("torrents/createCategory", &[("category", "films"), ("savePath", &scene.data.display().to_string())]);
    change("torrents/setCategory", &[("hashes", &hash), ("category", "films")]);
    change("torrents/addTags", &[("hashes", &hash), ("tags", "a,linux iso")]);
    let limits = [("ratioLimit", "1.5"), ("seedingTimeLimit", "-1"), ("inactiveSeedingTimeLimit", "-2")];
    change("torrents/setShareLimits", &[&[("hashes", &*hash)], &limits[..]].concat());
    change("torrents/setUploadLimit", &[("hashes", &hash), ("limit", "100000")]);
    change("torrents/renameFile", &[("hash", &hash), ("oldPath", "many/a.bin"), ("newPath", "many/sub/renamed.bin")]);
    change("torrents/rename", &[("hash", &single.to_string()), ("name", "shown")]);
    change("torrents/pause", &[("hashes", &single.to_string())]);
    wait_for("the file is renamed", PATIENCE, || scene.data.join("many/sub/renamed.bin").exists().then_some(()));
    ask("curl", &["-sf", "-X", "POST", "http://127.0.0.1:8080/api/v2/app/shutdown"]);
    end(&mut process);
    let [many, single] = scene.import("qbittorrent", &scene.home().join(path));
    assert_eq!((&*many.choice.category, many.choice.auto_managed), ("films", false));
    assert_eq!(many.choice.tags.iter().collect::<Vec<_>>(), ["a", "linux iso"]);
    assert_eq!((many.choice.ratio_limit, many.choice.seeding_limit), (LimitChoice::At(1.5), LimitChoice::Unlimited));
    assert_eq!((many.choice.upload_limit, many.choice.peer_limit), (Some(100_000), None));
    assert_eq!(many.choice.renamed_files, [(0, PathBuf::from("sub/renamed.bin"))]);
    assert_eq!((many.choice.paused, single.choice.paused, single.choice.name.as_deref()), (false, true, Some("shown")));
    assert!(many.numbers.completed_at.is_some() && single.numbers.completed_at.is_none());
}

#[test]
fn what_rtorrent_kept_is_taken_over() {
    isolated(Family::V4, &["rtorrent"], || {
        let scene = Scene::new();
        let (home, data) = (scene.home(), scene.data.display());
        let session = home.join("session");
        fs::create_dir_all(&session).expect("a folder");
        let text = format!(
            "system.daemon.set = true\ndirectory.default.set = {data}\nsession.path.set = {0}\n\
             network.port_range.set = 20005-20005\nnetwork.scgi.open_local = {1}/scgi\ndht.mode.set = off\n\
             protocol.pex.set = no\n",
            session.display(),
            home.display(),
        );
        fs::write(home.join("rc"), text).expect("written");
        let mut command = Command::new("rtorrent");
        command.arg("-n").arg("-o").arg(format!("import={}/rc", home.display())).args(scene.torrents());
        let mut process = scene.start(command, "rtorrent");
        let hash = scene.many.info_hash().to_string().to_uppercase();
        let other = scene.single.info_hash().to_string().to_uppercase();
        let call = |method: &str, arguments: &[&str]| scgi(&home.join("scgi"), method, arguments);
        wait_for("both are checked", PATIENCE, || {
            let complete = call("d.complete", &[&hash])?.contains("<i8>1</i8>");
            let left = call("d.left_bytes", &[&other])?.contains(&format!("<i8>{PIECE}</i8>"));
            (complete && left).then_some(())
        });
        call("d.custom1.set", &[&hash, "linux%20iso"]).expect("set");
        call("d.stop", &[&other]).expect("stopped");
        call("d.close", &[&other]).expect("closed");
        process.signal("INT");
        end(&mut process);
        let [many, single] = scene.import("rtorrent", &session);
        assert_eq!((&*many.choice.category, many.choice.paused), ("linux iso", false));
        assert!(single.choice.paused && many.numbers.completed_at.is_some());
    });
}

/// One call of XML-RPC over SCGI.
fn scgi(socket: &Path, method: &str, arguments: &[&str]) -> Option<String> {
    let value = |argument: &&str| format!("<param><value><string>{argument}</string></value></param>");
    let parameters: String = arguments.iter().map(value).collect();
    let body = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{parameters}</params></methodCall>"
    );
    let head = format!("CONTENT_LENGTH\0{}\0SCGI\x001\0", body.len());
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(format!("{}:{head},{body}", head.len()).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.contains("<fault>")).then_some(answer)
}

#[test]
fn what_libtorrent_kept_is_taken_over() {
    isolated(Family::V4, &[PYTHON], || {
        let scene = Scene::new();
        let resume = scene.workspace.folder("resume");
        let mut command = Command::new(PYTHON);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/state/libtorrent_resume.py"));
        command.arg(&scene.data).arg(&resume).args(scene.torrents());
        let mut process = scene.start(command, "libtorrent");
        let status = wait_for("libtorrent writes its resume data", PATIENCE, || process.ended());
        assert!(status.success(), "{status}");
        let [many, single] = scene.import("libtorrent", &resume);
        assert_eq!((many.choice.upload_limit, many.choice.peer_limit), (Some(5_000), None));
        assert_eq!(many.choice.renamed_files, [(0, PathBuf::from("sub/renamed.bin"))]);
        assert!(many.choice.paused && single.choice.paused);
    });
}
