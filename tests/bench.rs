//! `sower bench` as its user runs it: against its own seeder, against libtorrent, against seeders that do not work.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Made by `tests/run`, with libtorrent in it.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");
/// Set by `tests/run`: what is missing fails the test instead of skipping it.
const REQUIRE: &str = "SOWER_REQUIRE_CLIENTS";

fn sower(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.current_dir(folder).env("TMPDIR", folder).env("SOWER_STATE", folder.join("state"));
    command
}

fn bench(folder: &Path, arguments: &str) -> Output {
    let mut command = sower(folder);
    command.arg("bench").args(arguments.split_whitespace()).output().expect("the program runs")
}

/// The runs of a bench that must succeed.
fn runs(folder: &Path, arguments: &str) -> Vec<Value> {
    let output = bench(folder, &format!("{arguments} --json"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    document["runs"].as_array().expect("runs").clone()
}

/// What a bench that must fail says.
fn complaint(folder: &Path, arguments: &str) -> String {
    let output = bench(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn number(run: &Value, name: &str) -> u64 {
    run[name].as_u64().unwrap_or_else(|| panic!("{name} of {run}"))
}

fn assert_clean(run: &Value) {
    for name in ["disconnects", "chokes", "rejects", "protocol_errors", "pieces_bad"] {
        assert_eq!(number(run, name), 0, "{name} of {run}");
    }
}

fn workspace() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A torrent of a file of some MiB, and that file.
fn torrent(folder: &Path) -> (PathBuf, PathBuf) {
    let data: Vec<u8> =
        (0u32..3_000_001).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0)).collect();
    let (file, torrent) = (folder.join("content"), folder.join("content.torrent"));
    std::fs::write(&file, data).expect("written");
    let made = sower(folder).args(["create", "content"]).stdout(Stdio::null()).status();
    assert!(made.expect("the program runs").success());
    (file, torrent)
}

#[test]
fn every_piece_of_our_own_seeder_is_right_and_nothing_is_left_behind() {
    let folder = workspace();
    for order in ["sequential", "random"] {
        let arguments =
            format!("--payload-size 5MB --peers 1,7 --mode verify --warm-up 1 --duration 2 --order {order}");
        let runs = runs(folder.path(), &arguments);
        assert_eq!(runs.iter().map(|run| number(run, "peers")).collect::<Vec<_>>(), [1, 7]);
        for run in &runs {
            assert_clean(run);
            assert!(number(run, "pieces_verified") > 20 && number(run, "bytes") > 0, "{run}");
        }
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("read").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn leechers_come_and_go_or_stay_silent_or_read_slowly() {
    let folder = workspace();
    let common = "--payload-size 20MB --warm-up 1 --duration 2";
    let churn = &runs(folder.path(), &format!("--scenario churn {common}"))[0];
    assert_clean(churn);
    assert!(number(churn, "connections") > 100, "{churn}");
    let idle = &runs(folder.path(), &format!("--peers 200 --active 3 {common} --threads 2"))[0];
    assert_clean(idle);
    assert_eq!((number(idle, "active_peers"), number(idle, "connections")), (3, 200));
    assert_eq!(idle["unchoke_us"]["count"], 3, "the others show no interest: {idle}");
    let slow = &runs(folder.path(), &format!("--scenario slow --slow-rate 500KB {common}"))[0];
    assert_clean(slow);
    // 50 of them for two seconds; twice that for what comes of coarse timers
    assert!(number(slow, "bytes") < 2 * 50 * 500_000 * 2, "{slow}");
}

/// The pages that a peer is to get are read in before it is sent anything, and may be evicted again at any moment.
#[test]
fn content_larger_than_memory_is_served_right_and_read_about_once() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIPPED: a control group needs root");
    }
    const TMPFS: i64 = 0x0102_1994; // linux/magic.h
    let folder = workspace();
    if rustix::fs::statfs(folder.path()).expect("a file system").f_type == TMPFS {
        return eprintln!("SKIPPED: temporary files lie in memory");
    }
    for driver in ["io_uring", "epoll"] {
        let cold = |rest: &str| {
            let common =
                "--scenario cold --payload-size 256MB --memory-limit 64MiB --depth 16 --warm-up 1 --duration 2";
            let runs = runs(folder.path(), &format!("{common} --driver {driver} {rest}"));
            assert_eq!(runs.len(), 2);
            runs.iter().for_each(assert_clean);
            runs
        };
        assert!(cold("--mode verify").iter().all(|run| number(run, "pieces_verified") > 20));
        for (run, most) in cold("--mode copy").iter().zip([1.1, 1.5]) {
            let (read, sent) = (number(&run["seeder"], "disk_read_bytes"), number(run, "bytes"));
            assert!(read > 0, "{driver}: nothing was cold: {run}");
            assert!(read as f64 <= most * sent as f64, "{driver}: {read} bytes read to send {sent}: {run}");
        }
    }
}

#[test]
fn modes_agree_and_pictures_are_drawn() {
    let folder = workspace();
    for mode in ["discard", "copy"] {
        let picture = folder.path().join("curve.svg");
        let common = "--payload-size 5MB --warm-up 1 --duration 60 --bytes 20MB --depth 1,16 --rounds 2 --peers 2";
        let runs = runs(folder.path(), &format!("{common} --mode {mode} --plot {}", picture.display()));
        assert_eq!(runs.len(), 4);
        runs.iter().for_each(assert_clean);
        assert!(runs.iter().all(|run| number(run, "bytes") >= 20_000_000));
        assert!(std::fs::read_to_string(picture).expect("written").contains("<svg"));
    }
    let runs = runs(folder.path(), "--calibrate --peers 3 --warm-up 1 --duration 1");
    assert_clean(&runs[0]);
}

#[test]
fn libtorrent_is_measured_without_a_bad_piece() {
    let script = "import libtorrent as lt, sys, time\n\
        s = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,\n\
            'enable_natpmp': False, 'unchoke_slots_limit': -1, 'allow_multiple_connections_per_ip': True})\n\
        s.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': '.', 'flags': lt.torrent_flags.seed_mode})\n\
        while s.listen_port() == 0: time.sleep(0.01)\n\
        print(s.listen_port(), flush=True)\n\
        sys.stdin.read()\n";
    if !Path::new(PYTHON).exists() {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and missing: {PYTHON}");
        eprintln!("SKIPPED: missing: {PYTHON}");
        return;
    }
    let folder = workspace();
    let (_, torrent) = torrent(folder.path());
    let mut command = Command::new(PYTHON);
    command.args(["-c", script]).arg(&torrent).current_dir(folder.path());
    let mut seeder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python runs");
    let mut port = String::new();
    let mut output = std::io::BufReader::new(seeder.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut output, &mut port).expect("it says its port");
    let target = format!("--target 127.0.0.1:{} --torrent {} --pid {}", port.trim(), torrent.display(), seeder.id());
    let measured = std::panic::catch_unwind(|| {
        for mode in ["verify", "discard"] {
            let run = &runs(folder.path(), &format!("{target} --peers 5 --mode {mode} --warm-up 3 --duration 2"))[0];
            assert_eq!((number(run, "pieces_bad"), number(run, "protocol_errors")), (0, 0), "{run}");
            assert!(number(run, "bytes") > 0 && run["seeder"]["private_bytes"].as_u64() > Some(0), "{run}");
            assert!(mode == "discard" || number(run, "pieces_verified") > 0, "{run}");
        }
    });
    drop(seeder.stdin.take());
    seeder.wait().expect("it ends");
    measured.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Seeders that fail in one way each.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Faulty {
    /// Closes at the handshake.
    Refuses,
    /// Seeds something else.
    AnotherTorrent,
    /// Never unchokes.
    Chokes,
    /// Unchokes and sends nothing.
    Silent,
    /// Sends zeros.
    Lies,
}

impl Faulty {
    /// Serves for as long as the test runs.
    fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || self.serve(stream));
            }
        });
        address
    }

    fn serve(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut handshake = [0; 68];
        stream.read_exact(&mut handshake)?;
        if self == Faulty::Refuses {
            return Ok(());
        }
        if self == Faulty::AnotherTorrent {
            handshake[30] ^= 1;
        }
        handshake[48..].fill(b'f');
        stream.write_all(&handshake)?;
        if self == Faulty::Silent || self == Faulty::Lies {
            stream.write_all(&[0, 0, 0, 1, 1])?;
        }
        let mut rest = vec![0; 5];
        stream.read_exact(&mut rest)?;
        let mut request = [0; 17];
        loop {
            stream.read_exact(&mut request)?;
            if self == Faulty::Lies {
                let length = u32::from_be_bytes([request[13], request[14], request[15], request[16]]);
                let head = [&(length + 9).to_be_bytes()[..], &[7], &request[5..13]].concat();
                stream.write_all(&[head, vec![0; usize::try_from(length).expect("a block")]].concat())?;
            }
        }
    }
}

#[test]
fn seeders_that_do_not_work_are_told_apart() {
    let folder = workspace();
    let (_, torrent) = torrent(folder.path());
    let against = |target: SocketAddr| {
        let common = "--peers 3 --warm-up 1 --duration 1 --mode verify";
        complaint(folder.path(), &format!("--target {target} --torrent {} {common}", torrent.display()))
    };
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let said = against(nobody);
    assert!(said.contains("no leecher got a handshake") && said.contains("refused"), "{said}");
    let said = against(Faulty::Refuses.start());
    assert!(said.contains("closed the connection at the handshake") && said.contains("does it seed"), "{said}");
    let said = against(Faulty::AnotherTorrent.start());
    assert!(said.contains("another torrent's info-hash"), "{said}");
    let said = against(Faulty::Chokes.start());
    assert!(said.contains("unchoked none of 3") && said.contains("--warm-up"), "{said}");
    let said = against(Faulty::Silent.start());
    assert!(said.contains("not a byte came"), "{said}");
}

#[test]
fn wrong_bytes_are_found_and_fail_the_run() {
    let folder = workspace();
    let (_, torrent) = torrent(folder.path());
    let target = Faulty::Lies.start();
    let common = "--peers 2 --warm-up 1 --duration 1 --json";
    let arguments = |mode| format!("--target {target} --torrent {} {common} --mode {mode}", torrent.display());
    let output = bench(folder.path(), &arguments("verify"));
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let run = &document["runs"][0];
    assert!(number(run, "pieces_bad") > 0 && number(run, "pieces_verified") == 0, "{run}");
    assert!(bench(folder.path(), &arguments("discard")).status.success(), "who does not look sees nothing");
}

#[test]
fn ctrl_c_ends_the_seeder_and_removes_the_payload() {
    let folder = workspace();
    let mut command = sower(folder.path());
    command.args(["bench", "--payload-size", "3MB", "--peers", "2", "--duration", "600"]);
    let mut bench = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
    let payload = || {
        std::fs::read_dir(folder.path())
            .expect("read")
            .flatten()
            .find(|entry| entry.path().join("payload.torrent").exists())
    };
    let end = Instant::now() + Duration::from_secs(60);
    while payload().is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let stopped = Command::new("kill").args(["-s", "INT", &bench.id().to_string()]).status();
    assert!(stopped.expect("kill runs").success());
    assert_eq!(bench.wait().expect("it ends").code(), Some(130));
    assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
}

/// Killed, it can end nothing: its seeder went on serving for good.
#[test]
fn a_seeder_ends_with_the_bench_that_started_it_even_if_that_is_killed() {
    let folder = workspace();
    let mut command = sower(folder.path());
    command.args(["bench", "--payload-size", "3MB", "--peers", "2", "--duration", "600"]);
    let mut bench = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
    let children = format!("/proc/{0}/task/{0}/children", bench.id());
    let seeder = within(Duration::from_secs(60), || {
        std::fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse::<u32>().ok()
    });
    bench.kill().expect("it runs");
    bench.wait().expect("it was killed");
    let seeder = seeder.expect("it starts a seeder, as a child of its first thread");
    let gone = within(Duration::from_secs(20), || (!runs_still(seeder)).then_some(()));
    if gone.is_none() {
        let _ = Command::new("kill").args(["-s", "KILL", &seeder.to_string()]).status();
    }
    assert!(gone.is_some(), "the seeder runs on");
}

/// Whether a process is there and not one that merely was not waited for yet.
fn runs_still(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The first answer of `look`, if there is one in time.
fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let answer = look();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn wrong_usage_is_told() {
    let folder = workspace();
    let usage = |arguments: &str| {
        let output = bench(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
    };
    usage("--target 127.0.0.1:1");
    usage("--peers 0");
    usage("--scenario fifty --peers 3");
    usage("--load-cpus 99999");
    assert!(complaint(folder.path(), "--payload-size 0").contains("--payload-size 0"));
    assert!(complaint(folder.path(), "--torrent nowhere.torrent").contains("--target"));
    assert!(complaint(folder.path(), "--target nonsense --torrent x.torrent").contains("HOST:PORT"));
}
