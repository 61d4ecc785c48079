//! `kill -9` at random moments.

use std::time::{Duration, Instant};

use crate::scene::{Scene, right_bytes};

const KILLS: u32 = 200;
/// Downloads at the same time: the machines that test this have two cores.
const AT_ONCE: u32 = 2;
const SIZE: usize = 12 * 1024 * 1024 + 4_321;
const PIECE: usize = 64 * 1024;
/// A download takes some two seconds of running, and the end of the program costs what it has not written.
const RATE: &str = "6MiB";
/// Milliseconds from a start to its kill, at most: some die before they have looked at what is here.
const LIFE_MAX: u64 = 250;

/// What the kills of one thread came to.
#[derive(Default, Debug)]
struct Tally {
    kills: u32,
    downloads: u64,
    /// kills that hit a program which had told of its start
    under_way: u32,
    /// bytes that left the seeder
    sent: u64,
}

#[test]
fn downloads_killed_at_200_random_moments_finish_right_and_fetch_again_what_was_in_flight_at_most() {
    let start = Instant::now();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|number| scope.spawn(move || kill_downloads(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("downloads that finish")).collect()
    });
    let sum = |number: fn(&Tally) -> u64| tallies.iter().map(number).sum::<u64>();
    let again = sum(|tally| tally.sent) - sum(|tally| tally.downloads) * SIZE as u64;
    eprintln!("{tallies:?}: {again} bytes sent again, in {:?}", start.elapsed());
    assert_eq!(sum(|tally| tally.kills.into()), u64::from(KILLS));
    assert!(sum(|tally| tally.under_way.into()) > u64::from(KILLS) / 3, "most came too early to hurt: {tallies:?}");
    // a piece that is not whole, one that is being written, and what the sockets hold at this rate
    assert!(again < u64::from(KILLS) * 2 * PIECE as u64, "{again} bytes were sent again for {KILLS} kills");
}

/// Downloads, one after another, until this thread's share of kills is done; each is let finish.
fn kill_downloads(number: u32) -> Tally {
    let mut random = fastrand::Rng::with_seed(number.into());
    let scene = Scene::of_files("file.bin", [("file.bin".to_owned(), SIZE)]);
    let mut tally = Tally::default();
    while tally.kills < KILLS / AT_ONCE {
        let mut seed = scene.seed_from(&scene.source, &format!("seed-{}", tally.downloads), &["--upload-limit", RATE]);
        let name = format!("copy-{}", tally.downloads);
        let (source, copy) = (scene.source.join("file.bin"), scene.path().join(&name).join("output/file.bin"));
        loop {
            // what a kill left is found, byte for byte, by the next start
            let here = right_bytes(&source, &copy, PIECE);
            let mut getter = scene.get(&name, &[seed.port], &["--then", "exit"]);
            if tally.kills < KILLS / AT_ONCE && here < SIZE as u64 {
                std::thread::sleep(Duration::from_millis(random.u64(..LIFE_MAX)));
                getter.program().kill();
                tally.kills += 1;
            } else {
                assert_eq!(getter.complete()["received"], SIZE as u64 - here, "thread {number}, {name}");
                assert!(getter.end().success());
            }
            let found = getter.program().events("downloading").first().map(|event| event["good"].clone());
            tally.under_way += u32::from(found.is_some());
            assert!(found.is_none_or(|found| found == here), "thread {number}, {name}: {here} bytes were here");
            if !getter.program().events("complete").is_empty() {
                break;
            }
        }
        assert_eq!(right_bytes(&source, &copy, PIECE), SIZE as u64, "thread {number}, {name}");
        seed.seeder.interrupt();
        tally.sent += seed.seeder.uploaded();
        tally.downloads += 1;
        std::fs::remove_dir_all(scene.path().join(&name)).expect("a finished download");
    }
    tally
}
