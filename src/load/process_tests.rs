//! A child of this very test program is the process that is measured: it says what it did, by the kernel's other accounts.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

use memmap2::{Advice, MmapMut, MmapOptions};
use rustix::time::{ClockId, clock_gettime};

use super::*;

const ROLE: &str = "SOWER_TEST_CHILD";
const MIB: u64 = 1 << 20;
/// What the child maps of a file, and what it touches of its own.
const MAPPED: u64 = 96 * MIB;
const TOUCHED: u64 = 24 * MIB;

/// A child that takes one step for each line it is sent, and answers with a number.
struct Measured {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Measured {
    fn start(role: &str) -> Measured {
        let mut child = Command::new(env::current_exe().expect("the test program has a path"))
            .args(["--exact", "load::process::tests::child", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test program starts again");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut measured = Measured { child, answers };
        measured.answer();
        measured
    }

    fn pid(&self) -> i32 {
        self.child.id().try_into().expect("process numbers are small")
    }

    fn step(&mut self) -> u64 {
        self.child.stdin.as_mut().expect("piped").write_all(b"\n").expect("the child reads");
        self.answer()
    }

    fn answer(&mut self) -> u64 {
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).expect("text") > 0, "the child ended");
            if let Some((_, number)) = line.split_once("answer ") {
                return number.trim().parse().expect("a number");
            }
        }
    }

    fn end(mut self) {
        self.child.kill().expect("a child can be ended");
        self.child.wait().expect("a child can be waited for");
    }
}

/// Not a test of its own: what the children do.
#[test]
fn child() {
    let step = |answer: u64| {
        println!("answer {answer}");
        std::io::stdin().read_line(&mut String::new()).expect("the parent writes");
    };
    match env::var(ROLE).as_deref() {
        Ok("burn") => {
            step(0);
            let before = cpu_time(ClockId::ProcessCPUTime);
            let worker = thread::Builder::new().name("short-lived".into()).spawn(|| burn(Duration::from_millis(250)));
            worker.expect("a thread starts").join().expect("it ends well");
            burn(Duration::from_millis(200));
            let used = cpu_time(ClockId::ProcessCPUTime) - before;
            step(u64::try_from(used.as_micros()).expect("short"));
        }
        Ok("memory") => {
            let folder = tempfile::tempdir().expect("a scratch folder");
            let file = fs::File::create_new(folder.path().join("payload")).expect("a new file");
            file.set_len(MAPPED).expect("a sparse file");
            let file = fs::File::open(folder.path().join("payload")).expect("it is there");
            step(0);
            let map = MmapOptions::new().map_raw_read_only(&file).expect("a file can be mapped");
            map.advise(Advice::PopulateRead).expect("its pages can be mapped");
            let mut own = MmapMut::map_anon(usize::try_from(TOUCHED).expect("small")).expect("memory");
            own.fill(1);
            drop(folder);
            step(0);
        }
        _ => {}
    }
}

fn cpu_time(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().expect("not negative")
}

fn burn(amount: Duration) {
    let start = cpu_time(ClockId::ThreadCPUTime);
    while cpu_time(ClockId::ThreadCPUTime) - start < amount {}
}

#[test]
fn cpu_time_is_that_of_the_kernels_clock_with_threads_that_ended() {
    let mut child = Measured::start("burn");
    let measuring = Seeder::of(&[child.pid()]).expect("it runs").begin().expect("it runs");
    let used = Duration::from_micros(child.step());
    let threads = measuring.end().expect("it runs").threads;
    child.end();
    let total: Duration = threads.iter().map(|thread| thread.cpu).sum();
    // ticks of up to 10 ms at both ends, in each of two accounts
    let slack = Duration::from_millis(60);
    assert!(total + slack >= used && total <= used + slack, "{threads:?} of {used:?}");
    let ended: Duration = threads.iter().filter(|thread| thread.name == ENDED).map(|thread| thread.cpu).sum();
    assert!(ended + slack >= Duration::from_millis(250), "{threads:?}");
}

#[test]
fn mapped_files_are_not_counted_as_private() {
    let mut child = Measured::start("memory");
    let seeder = Seeder::of(&[child.pid()]).expect("it runs");
    let before = seeder.begin().expect("it runs").end().expect("it runs");
    child.step();
    let after = seeder.begin().expect("it runs").end().expect("it runs");
    child.end();
    let private = after.private_bytes - before.private_bytes;
    assert!((TOUCHED..TOUCHED + 8 * MIB).contains(&private), "{private} bytes private");
    let mapped = after.mapped_bytes - before.mapped_bytes;
    assert!((MAPPED..MAPPED + 16 * MIB).contains(&mapped), "{mapped} bytes mapped");
}

#[test]
fn a_process_that_ends_within_the_window_is_an_error_in_words() {
    let child = Measured::start("burn");
    let pid = child.pid();
    let seeder = Seeder::of(&[pid]).expect("it runs");
    let measuring = seeder.begin().expect("it runs");
    child.end();
    let error = measuring.end().expect_err("it ended").to_string();
    assert!(
        error.starts_with(&format!("process {pid} (")) && error.ends_with(") ended while it was measured"),
        "{error}"
    );
    assert!(matches!(seeder.begin(), Err(ProcessError::Ended { .. })));
}

#[test]
fn a_process_that_waits_for_its_parent_has_ended() {
    let mut child = Measured::start("burn");
    let measuring = Seeder::of(&[child.pid()]).expect("it runs").begin().expect("it runs");
    child.child.kill().expect("a child can be ended");
    // until somebody waits for it, its folder in /proc stays
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    let pid = rustix::process::Pid::from_raw(child.pid()).expect("positive");
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).expect("it is ours");
    assert!(matches!(measuring.end(), Err(ProcessError::Ended { .. })));
    child.end();
}

#[test]
fn a_process_that_is_not_there_is_named() {
    for pid in [0, -1, i32::MAX] {
        assert_eq!(Seeder::of(&[pid]).expect_err("no process").to_string(), format!("there is no process {pid}"));
    }
}

#[test]
fn a_reused_number_is_another_process() {
    let own = i32::try_from(std::process::id()).expect("process numbers are small");
    let mut seeder = Seeder::of(&[own]).expect("we run");
    seeder.processes[0].started += 1;
    assert!(matches!(seeder.begin(), Err(ProcessError::Ended { .. })));
}

#[test]
fn names_may_hold_anything() {
    let fields = (3..=22).map(|field| if field == 3 { "S".into() } else { field.to_string() }).collect::<Vec<_>>();
    let stat = parse_stat(&format!("7 (a) R (b c) {}", fields.join(" "))).expect("valid");
    assert_eq!((&*stat.name, stat.ended, stat.started), ("a) R (b c", false, 22));
    assert_eq!(stat.cpu, tick() * (14 + 15));
    assert!(["", "1", "1 (", ")(", "1 (a)", "1 (a) S 4"].into_iter().all(|text| parse_stat(text).is_none()));
}

#[test]
fn memory_is_anonymous_or_mapped() {
    let memory = parse_memory(
        "00-ff ---p 00000000 00:00 0  [rollup]\nRss: 1000 kB\nPss: 700 kB\nPss_Anon: 150 kB\nPrivate_Clean: 600 kB\n\
         Anonymous: 200 kB\nSwap: 30 kB\nSwapPss: 10 kB\nPrivate_Hugetlb: 2048 kB\n",
    );
    assert_eq!(memory, Memory { private_bytes: (150 + 10 + 2048) * 1024, mapped_bytes: 800 * 1024 });
    let old = parse_memory("Rss: 1000 kB\nAnonymous: 200 kB\nSwap: 30 kB\n");
    assert_eq!(old, Memory { private_bytes: 230 * 1024, mapped_bytes: 800 * 1024 });
    assert_eq!(parse_memory("garbage"), Memory::default());
}

#[test]
fn own_threads_are_found_by_name() {
    let window = OwnThreads::begin("busy-");
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let (told, ready) = std::sync::mpsc::channel();
    let busy = thread::Builder::new().name("busy-1".into()).spawn(move || {
        burn(Duration::from_millis(60));
        told.send(()).expect("the test waits");
        let _ = wait.recv();
    });
    ready.recv().expect("the thread works");
    let threads = window.end();
    drop(done);
    busy.expect("a thread starts").join().expect("it ends well");
    assert_eq!(threads.iter().map(|thread| &*thread.name).collect::<Vec<_>>(), ["busy-1"]);
    assert!(threads[0].cpu >= Duration::from_millis(40), "{threads:?}");
}
