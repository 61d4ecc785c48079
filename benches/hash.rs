//! How fast SHA-1 is here, and how fast `create` and `verify` are with it.
//!
//! `cargo bench --bench hash`, with the LTO of the release profile (SHA-NI x4 loses a quarter without). The first group runs one thread on 16 pieces of 256 KiB, fed in the steps that the program uses; the
//! second hashes a file of `SOWER_BENCH_BYTES` (default 256 MiB, in the page cache) with one thread and with all cores, by the
//! hashers' own reads and by the disk thread. `openssl` is the command, timed from outside: 256 KiB blocks of `openssl speed`, and
//! `openssl sha1 FILE` on the same file.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sower::hash::{Backend, Batch, Engine};
use sower::limits;
use sower::metainfo::Metainfo;
use sower::storage::{Checker, Disk, DiskMode, Layout, Recipe, Walk};

const PIECE: usize = 256 * 1024;
const PIECES: usize = 16;

fn backends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sha1, one core");
    group.throughput(Throughput::Bytes((PIECES * PIECE) as u64));
    let pieces: Vec<Vec<u8>> = (0..PIECES).map(noise).collect();
    for engine in Backend::ALL.into_iter().filter_map(Engine::with) {
        group.bench_function(engine.backend().name(), |bencher| bencher.iter(|| hash_in_steps(engine, &pieces)));
    }
    group.bench_function("openssl speed", |bencher| bencher.iter_custom(openssl_speed));
    group.finish();
}

fn noise(seed: usize) -> Vec<u8> {
    let mut bytes = vec![0; PIECE];
    fastrand::Rng::with_seed(seed as u64).fill(&mut bytes);
    bytes
}

fn hash_in_steps(engine: Engine, pieces: &[Vec<u8>]) -> usize {
    let mut digests = 0;
    for together in pieces.chunks(engine.lanes()) {
        let mut batch = Batch::new(engine, together.len());
        for start in (0..PIECE).step_by(limits::WARM_STEP) {
            let parts: Vec<&[u8]> = together.iter().map(|piece| &piece[start..start + limits::WARM_STEP]).collect();
            batch.update(&parts);
        }
        digests += batch.finish(&vec![&[][..]; together.len()]).len();
    }
    digests
}

/// What `iterations` times all pieces would take at the speed that `openssl speed` says. It is measured once: a second of it is
/// steadier than criterion's samples.
fn openssl_speed(iterations: u64) -> Duration {
    static BYTES_PER_SECOND: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
    let speed = *BYTES_PER_SECOND.get_or_init(|| {
        let mut command = Command::new("openssl");
        let output = command.args(["speed", "-mr", "-evp", "sha1", "-bytes", "262144", "-seconds", "2"]).output();
        let text = String::from_utf8(output.expect("openssl is installed").stdout).expect("numbers");
        text.trim()
            .rsplit(':')
            .next()
            .and_then(|speed| speed.parse().ok())
            .expect("a speed at the end of the last line")
    });
    Duration::from_secs_f64((iterations * (PIECES * PIECE) as u64) as f64 / speed)
}

fn whole(criterion: &mut Criterion) {
    // a run of one iteration, to see that all works, need not be long
    let once = std::env::args().any(|word| word == "--test") || std::env::args().all(|word| word != "--bench");
    let default = if once { 4 << 20 } else { 256 << 20 };
    let bytes = std::env::var("SOWER_BENCH_BYTES").map_or(default, |text| text.parse().expect("a number of bytes"));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().join("file");
    let content: Vec<u8> = (0..bytes / PIECE).flat_map(noise).collect();
    fs::write(&path, content).expect("a file");
    let layout = Layout::new(&Walk::new(&path).expect("a walk"), &Recipe::default()).expect("a layout");
    let disk = Disk::start(DiskMode::Auto).expect("a disk thread");
    let plain = Disk::start(DiskMode::Plain).expect("disk threads");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);

    let mut group = criterion.benchmark_group("a file in the page cache");
    group.throughput(Throughput::Bytes(layout.geometry.total())).sample_size(10);
    for (name, threads, through_disk, disk) in [
        ("create, 1 thread".to_owned(), 1, false, &disk),
        (format!("create, {cores} threads"), cores, false, &disk),
        (format!("create, {cores} threads, through the disk thread"), cores, true, &disk),
        (format!("create, {cores} threads, through plain reads"), cores, true, &plain),
    ] {
        let progress = |_| {};
        let cancel = AtomicBool::new(false);
        let checker =
            Checker { engine: Engine::detect(), disk, threads, through_disk, progress: &progress, cancel: &cancel };
        let create = || checker.hash(&layout.content, &layout.geometry).expect("digests");
        group.bench_function(&name, |bencher| bencher.iter(create));
        let file = layout.builder.clone().hashes(create().digests).write().expect("a torrent");
        let torrent = Metainfo::parse(&file).expect("a torrent");
        let verify = || assert!(checker.verify(&layout.content, &torrent).expect("a report").is_good());
        group.bench_function(name.replace("create", "verify"), |bencher| bencher.iter(verify));
    }
    group.bench_function("openssl sha1 FILE", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| openssl_file(&path)).sum());
    });
    group.finish();
}

fn openssl_file(path: &Path) -> Duration {
    let start = Instant::now();
    let output = Command::new("openssl").arg("sha1").arg(path).output().expect("openssl is installed");
    assert!(output.status.success());
    start.elapsed()
}

criterion_group!(benches, backends, whole);
criterion_main!(benches);
