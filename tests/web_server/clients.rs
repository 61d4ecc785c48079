//! Clients that nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::WAYS;
use crate::content::{Content, digests, sizes_match};
use crate::process::{Process, wait_for};
use crate::server::Server;

fn is_missing(program: &str) -> bool {
    let missing = Command::new(program).arg("--version").output().is_err();
    if missing {
        println!("SKIPPED: {program} is not installed");
    }
    missing
}

/// Runs curl in `folder`; what it wrote to its standard output, and whether it succeeded.
fn curl(folder: &Path, arguments: &[&str]) -> (String, bool) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "60"]).args(arguments);
    let Output { status, stdout, .. } = command.current_dir(folder).output().expect("curl runs");
    (String::from_utf8_lossy(&stdout).into_owned(), status.success())
}

#[test]
fn curl_downloads_resumes_and_keeps_its_connection() {
    if is_missing("curl") {
        return;
    }
    for way in WAYS {
        let server = Server::start(way, &[Content::Folder], &[]);
        let folder = server.workspace.folder("got");
        let read = |name: &str| std::fs::read(folder.join(name)).expect("a file that curl wrote");
        let (long, three) = (server.url(0, "many/z/long.bin"), server.url(0, "many/b/three pieces.bin"));
        let connects = "%{http_code} %{num_connects}\n";
        let both = curl(&folder, &["-o", "a", &long, "-o", "b", &three, "-w", connects]);
        assert_eq!(both, ("200 1\n200 0\n".to_owned(), true), "one connection for both");
        let whole = server.bytes("many/z/long.bin");
        assert!(read("a") == whole && read("b") == server.bytes("many/b/three pieces.bin"), "{way:?}");
        std::fs::write(folder.join("part"), &whole[..1_234_567]).expect("a part of the file");
        assert_eq!(curl(&folder, &["-C", "-", "-o", "part", &long, "-w", "%{http_code}"]), ("206".to_owned(), true));
        assert!(read("part") == whole, "{way:?}: the resumed file differs");
        assert!(curl(&folder, &["-r", "100-199", "-o", "range", &long]).1 && read("range") == whole[100..200]);
        let (head, _) = curl(&folder, &["--head", &long]);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Content-Length: 6000001\r\n"), "{head}");
        let status = |arguments: &[&str]| curl(&folder, &[arguments, &["-o", "x", "-w", "%{http_code}"]].concat()).0;
        assert_eq!(status(&[&server.url(0, "many/nothing")]), "404");
        assert_eq!(status(&["-r", "6000001-", &long]), "416");
        assert_eq!(status(&["--http1.0", &long]), "200");
        assert_eq!(status(&["-d", "a=b", &long]), "405");
        assert_eq!(status(&["--path-as-is", &server.url(0, "many/../../../etc/passwd")]), "404");
    }
}

#[test]
fn aria2_downloads_a_torrent_from_its_web_seed_alone() {
    if is_missing("aria2c") {
        return;
    }
    for (way, content) in WAYS.into_iter().zip([Content::Single, Content::Folder].into_iter().cycle()) {
        let server = Server::start(way, &[content], &[]);
        let mut command = Command::new("aria2c");
        command.args(["--no-conf", "--enable-dht=false", "--enable-dht6=false", "--enable-peer-exchange=false"]);
        command.args(["--bt-enable-lpd=false", "--seed-time=0", "--no-proxy=*", "--dir", "got"]);
        command.arg(&server.torrents[0].torrent).current_dir(server.workspace.path());
        finish(&server, content, command, "aria2c");
    }
}

#[test]
fn libtorrent_downloads_a_torrent_from_its_web_seed_alone() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.venv/bin/python");
    if !python.exists() {
        return println!("SKIPPED: {} is not there: run tests/run install", python.display());
    }
    for (way, content) in WAYS.into_iter().zip([Content::Folder, Content::Single].into_iter().cycle()) {
        let server = Server::start(way, &[content], &[]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/libtorrent_client.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(&server.torrents[0].torrent).arg("got").args(["127.0.0.1", "0", "done"]);
        command.current_dir(server.workspace.path());
        finish(&server, content, command, "libtorrent");
    }
}

#[test]
fn sower_get_downloads_a_torrent_from_its_web_seed_alone() {
    for (way, content) in WAYS.into_iter().zip([Content::Folder, Content::Single].into_iter().cycle()) {
        let server = Server::start(way, &[content], &[]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
        command.arg("get").arg(&server.torrents[0].torrent).args(["--no-tracker", "--port", "0", "-o", "got"]);
        command.current_dir(server.workspace.path()).env("SOWER_STATE", server.workspace.folder("other state"));
        finish(&server, content, command, "sower-get");
    }
}

/// Runs a client that writes into the folder `got`, and waits until all is there and right.
fn finish(server: &Server, content: Content, command: Command, name: &str) {
    let got: PathBuf = server.workspace.folder("got");
    let _client = Process::start(command, name, server.workspace.path(), false);
    let want = digests(content, &server.source);
    wait_for("the whole content", Duration::from_secs(120), || {
        // some clients make no empty files
        let same = || digests(content, &got).iter().all(|(file, digest)| digest.is_none() || *digest == want[file]);
        (sizes_match(content, &got) && same()).then_some(())
    });
    let size = server.torrents[0].size;
    wait_for("the bytes are counted", Duration::from_secs(10), || (server.seeder.uploaded() >= size).then_some(()));
}
