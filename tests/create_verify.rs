//! `sower create` and `sower verify`, run as a user runs them; what they make is read by other programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn sower(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.args(arguments).current_dir(folder).output().expect("sower runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = sower(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs and expects an exit code; returns both outputs.
fn end_with(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = sower(folder, arguments);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A folder `data` of odd files, beside which torrents are written.
fn scene() -> TempDir {
    let scene = tempfile::tempdir().expect("a folder");
    let files = [("a", 1), ("b.bin", 400_000), ("empty", 0), ("sub/.hidden", 70_001), ("sub/deep/c", 300_000)];
    for (seed, (name, length)) in (0..).zip(files) {
        let path = scene.path().join("data").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, noise(seed, length)).expect("a file");
    }
    scene
}

fn info_hash(created: &str) -> &str {
    let line = created.lines().find(|line| line.starts_with("info-hash")).expect("an info-hash is printed");
    line.split_whitespace().last().expect("and it is not empty")
}

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = sower(folder, arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {}", text(&output.stderr)))
}

#[test]
fn what_is_created_verifies_by_folder_and_by_parent_and_with_plain_reads() {
    let scene = scene();
    for options in [&[][..], &["--pad"], &["--piece-size", "16KiB"], &["--piece-size", "1MiB", "--reads", "plain"]] {
        succeed(scene.path(), &[&["create", "data", "-f", "-o", "t"], options].concat());
        for place in ["data", "."] {
            assert!(succeed(scene.path(), &["verify", "t", place]).starts_with("all "), "{options:?}");
        }
        assert!(succeed(scene.path(), &["verify", "t", "data", "--reads", "plain"]).starts_with("all "));
    }
}

/// Written to disk and dropped from the page cache, so that the disk thread has to read it.
#[test]
fn cold_data_verifies_both_ways() {
    let scene = tempfile::tempdir().expect("a folder");
    let path = scene.path().join("file");
    fs::write(&path, noise(9, 9_000_001)).expect("a file");
    succeed(scene.path(), &["create", "file", "-o", "t"]);
    for way in ["auto", "plain"] {
        let file = fs::File::open(&path).expect("a file");
        file.sync_all().expect("synced");
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("dropped");
        let report = json(scene.path(), &["verify", "t", "file", "--json", "--reads", way]);
        assert_eq!((&report["good"], &report["bytes_read"]), (&true.into(), &9_000_001.into()));
        let reads = report["reads"].as_str().expect("text");
        assert!(if way == "plain" { reads.starts_with("plain reads") } else { !reads.is_empty() }, "{reads}");
    }
}

#[test]
fn two_runs_are_byte_for_byte_the_same_and_a_date_is_only_what_was_asked_for() {
    let scene = scene();
    let options = ["--tracker", "http://a.example/announce", "--web-seed", "http://b.example/", "--comment", "ü"];
    succeed(scene.path(), &[&["create", "data", "-o", "1"], &options[..]].concat());
    // touched, and files made in another order
    fs::rename(scene.path().join("data"), scene.path().join("old")).expect("renamed");
    for name in ["sub/deep/c", "sub/.hidden", "empty", "b.bin", "a"] {
        let path = scene.path().join("data").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::copy(scene.path().join("old").join(name), path).expect("copied");
    }
    succeed(scene.path(), &[&["create", "data", "-o", "2"], &options[..]].concat());
    assert_eq!(fs::read(scene.path().join("1")).expect("a file"), fs::read(scene.path().join("2")).expect("a file"));
    succeed(scene.path(), &["create", "data", "-o", "3", "--date", "1234567890"]);
    assert!(text(&fs::read(scene.path().join("3")).expect("a file")).contains("13:creation datei1234567890e"));
}

#[test]
fn transmission_reads_what_is_created() {
    let Ok(version) = Command::new("transmission-show").arg("--version").output() else {
        eprintln!("skipped: transmission-show is not installed");
        return;
    };
    assert!(version.status.success());
    let scene = scene();
    let options = ["-t", "http://one.example/a,udp://two.example:1/a", "-t", "http://three.example/a", "--private"];
    let created = succeed(scene.path(), &[&["create", "data", "-o", "t.torrent"], &options[..]].concat());
    let shown = Command::new("transmission-show").arg(scene.path().join("t.torrent")).output().expect("it runs");
    let shown = text(&shown.stdout);
    let wanted =
        [info_hash(&created), "Private torrent", "Tier #2", "udp://two.example:1/a", "three.example", "sub/.hidden"];
    for wanted in wanted {
        assert!(shown.contains(wanted), "{wanted} in {shown}");
    }
}

#[test]
fn libtorrent_agrees_on_info_hash_files_and_padding_and_finds_the_data_complete() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.venv/bin/python");
    let python = if python.exists() { python } else { PathBuf::from("python3") };
    let has_it = Command::new(&python).args(["-c", "import libtorrent"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no python with libtorrent (tests/run installs it)");
        return;
    }
    let scene = scene();
    for options in [&[][..], &["--pad"], &["--piece-size", "32KiB", "--source", "x"]] {
        let created = succeed(scene.path(), &[&["create", "data", "-f", "-o", "t.torrent"], options].concat());
        let output = Command::new(&python)
            .arg("-c")
            .arg(LIBTORRENT_CHECK)
            .current_dir(scene.path())
            .output()
            .expect("python runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        assert_eq!(said.split_whitespace().next(), Some(info_hash(&created)));
        let padding = if options == ["--pad"] { "padding" } else { "none" };
        assert!(said.contains(&format!("{padding} complete")), "{said}");
    }
}

/// Prints info-hash, whether there is padding, and whether a full check finds everything.
const LIBTORRENT_CHECK: &str = r#"
import libtorrent as lt, sys
ti = lt.torrent_info("t.torrent")
files = ti.files()
pad = any(files.file_flags(i) & lt.file_flags_t.flag_pad_file for i in range(files.num_files()))
session = lt.session({"listen_interfaces": "", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
                      "enable_natpmp": False, "alert_mask": lt.alert.category_t.status_notification})
handle = session.add_torrent({"ti": ti, "save_path": "."})
while True:
    session.wait_for_alert(30000) or sys.exit("no alert in 30 s")
    if any(isinstance(a, lt.torrent_checked_alert) for a in session.pop_alerts()):
        break
status = handle.status()
print(ti.info_hash(), "padding" if pad else "none", "complete" if status.is_seeding else f"{status.progress}")
"#;

#[test]
fn damage_is_named_by_piece_and_file_and_the_exit_code_says_so() {
    let scene = scene();
    succeed(scene.path(), &["create", "data", "-o", "t", "--piece-size", "16KiB"]);
    let path = scene.path().join("data/b.bin");
    let mut bytes = fs::read(&path).expect("a file");
    bytes[100_000] ^= 1;
    bytes[116_000] ^= 1;
    fs::write(&path, &bytes).expect("a file");
    let said = end_with(scene.path(), 1, &["verify", "t", "data"]);
    // byte 0 is file a
    assert!(said.contains("bad pieces 6-7: b.bin\n"), "{said}");
    let report = json(scene.path(), &["verify", "t", "data", "--json"]);
    assert_eq!(report["bad"], serde_json::json!([{"first": 6, "last": 7, "files": ["b.bin"]}]));
    assert_eq!(report["good"], false);

    fs::write(&path, &bytes[..399_999]).expect("a file");
    let said = end_with(scene.path(), 1, &["verify", "t", "data"]);
    assert!(said.contains("has 399999 bytes where the torrent says 400000"), "{said}");
    fs::remove_file(&path).expect("removed");
    let said = end_with(scene.path(), 1, &["verify", "t", "data"]);
    assert!(said.contains("b.bin: no such file") && said.contains("bad pieces 0-24: a, b.bin, sub/.hidden"), "{said}");
    let report = json(scene.path(), &["verify", "t", "data", "--json"]);
    assert!(report["missing"][0].as_str().expect("a path").ends_with("b.bin"));
    // an empty file that is missing makes no piece bad, and yet it is missing
    let scene = self::scene();
    succeed(scene.path(), &["create", "data", "-o", "t"]);
    fs::remove_file(scene.path().join("data/empty")).expect("removed");
    assert!(end_with(scene.path(), 1, &["verify", "t", "data"]).contains("empty: no such file"));
}

#[test]
fn wrong_usage_and_unusable_input_are_told_from_bad_data() {
    let scene = scene();
    succeed(scene.path(), &["create", "data", "-o", "t"]);
    for arguments in
        [&["verify", "t"][..], &["verify", "none", "data"], &["verify", "data/b.bin", "data"], &["verify", "t", "none"]]
    {
        end_with(scene.path(), 2, arguments);
    }
    assert!(end_with(scene.path(), 2, &["verify", "t", "data/a"]).contains("name that folder or its parent"));
    for size in ["0", "8KiB", "100KiB", "256MiB", "x"] {
        end_with(scene.path(), 2, &["create", "data", "-o", "new", "--piece-size", size]);
    }
    assert!(
        end_with(scene.path(), 1, &["create", "data", "-o", "t"]).contains("--force"),
        "nothing is overwritten unasked"
    );
    end_with(scene.path(), 1, &["create", "none"]);
    end_with(scene.path(), 1, &["create", "data/empty", "-o", "new"]);
    for url in ["nonsense", "ftp://tracker.example/", "udp:"] {
        end_with(scene.path(), 1, &["create", "data", "-o", "new", "--tracker", url]);
    }
    assert!(!scene.path().join("new").exists());
}

#[test]
fn links_out_and_special_files_are_left_out_by_name_and_never_followed() {
    let scene = scene();
    let data = scene.path().join("data");
    fs::write(scene.path().join("secret"), noise(5, 100_000)).expect("a file");
    symlink("../secret", data.join("escape")).expect("a link");
    symlink(scene.path().join("secret"), data.join("absolute")).expect("a link");
    rustix::fs::mknodat(rustix::fs::CWD, data.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("a FIFO");
    let output = sower(scene.path(), &["create", "data", "-o", "t"]);
    assert!(output.status.success());
    let said = text(&output.stderr);
    for name in ["data/escape", "data/absolute", "data/fifo"] {
        assert!(said.contains(&format!("{name} is left out")), "{name} in {said}");
    }
    let shown = json(scene.path(), &["show", "t", "--json"]).to_string();
    assert!(!shown.contains("escape") && !shown.contains("absolute") && !shown.contains("fifo"), "{shown}");

    // a torrent whose file is such a link: the right bytes are behind it, and are not read
    fs::rename(data.join("b.bin"), scene.path().join("moved")).expect("moved");
    symlink("../moved", data.join("b.bin")).expect("a link");
    assert!(end_with(scene.path(), 1, &["verify", "t", "data"]).contains("leads out of the folder"));
    fs::remove_file(data.join("b.bin")).expect("removed");
    fs::rename(data.join("fifo"), data.join("b.bin")).expect("moved");
    assert!(end_with(scene.path(), 1, &["verify", "t", "data"]).contains("b.bin: is a FIFO"));
    // the same link as the path itself was named by the operator
    symlink("data", scene.path().join("link")).expect("a link");
    succeed(scene.path(), &["create", "link", "-o", "t2"]);
}

#[test]
fn what_may_not_be_read_is_an_error_with_a_name() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root, to become somebody who may not read");
        return;
    }
    let scene = scene();
    succeed(scene.path(), &["create", "data", "-o", "t"]);
    fs::set_permissions(scene.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    fs::set_permissions(scene.path().join("data/b.bin"), fs::Permissions::from_mode(0o600)).expect("permissions");
    let program = scene.path().join("sower");
    fs::copy(env!("CARGO_BIN_EXE_sower"), &program).expect("copied");
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        let output =
            command.args(arguments).current_dir(scene.path()).uid(65_534).gid(65_534).output().expect("it runs");
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = nobody(&["create", "data", "-o", "-"]);
    assert!(code == Some(1) && said.contains("b.bin") && said.contains("permission denied"), "{said}");
    let (code, said) = nobody(&["verify", "t", "data"]);
    assert!(code == Some(1) && said.contains("b.bin: permission denied"), "{said}");
    fs::set_permissions(scene.path().join("data/b.bin"), fs::Permissions::from_mode(0o644)).expect("permissions");
    assert_eq!(nobody(&["verify", "t", "data"]).0, Some(0));
    let (code, said) = nobody(&["create", "data", "-o", "new"]);
    assert!(code == Some(1) && said.contains("cannot write new"), "{said}");
}
