//! What processes and threads use, by /proc: CPU time within a window, memory at its end, bytes read from disk.
//!
//! CPU time of a thread is the first number of its `schedstat`, in nanoseconds; where the kernel has none, user and system time
//! of its `stat`, in ticks of 10 ms. Threads come and go, io_uring workers (`iou-wrk-N`, threads of the process that they
//! work for) above all: one that began within the window counts from zero, and what those used that ended within it is the
//! rest of the process's own account, shown as [`ENDED`].
//!
//! Memory is from `smaps_rollup`. Private is what would be free if the process ended: anonymous pages (`Pss_Anon`, so that pages
//! shared with a fork count once; `Anonymous` before Linux 5.4), the part of them in swap, and huge pages of its own.
//! `Private_Clean` and `Private_Dirty` are no measure of it: they hold each page of a mapped file that nobody else maps, which
//! is the page cache's, whichever process looks at it. All other resident pages are mapped: files, the program
//! itself, shared memory. What the kernel holds for a process (socket buffers, pipes) appears in neither.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{SeederUse, ThreadUse};

/// Name under which the CPU time of threads that ended within the window is shown.
pub const ENDED: &str = "(ended)";

/// Why a process cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No such process when asked for the first time.
    #[error("there is no process {0}")]
    Missing(i32),
    /// It was there, and is no more.
    #[error("process {pid} ({name}) ended while it was measured")]
    Ended {
        /// Its number.
        pid: i32,
        /// What it was called.
        name: String,
    },
    /// Another user's process, without the right to look at it.
    #[error("may not read {}: be root, or the user that runs the seeder", path.display())]
    Denied {
        /// The file of it.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file of it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The processes of one seeder.
#[derive(Clone, Debug)]
pub struct Seeder {
    processes: Vec<Process>,
}

/// A seeder whose use is being measured.
#[derive(Debug)]
pub struct Measuring {
    processes: Vec<(Process, Account)>,
    read_bytes: u64,
}

#[derive(Clone, Debug)]
struct Process {
    pid: i32,
    name: String,
    /// In ticks since boot: tells a process from a later one with its number.
    started: u64,
}

/// CPU time of a process so far.
#[derive(Debug)]
struct Account {
    /// Of all its threads, those that ended too.
    total: Duration,
    threads: HashMap<i32, ThreadUse>,
}

/// What is wanted of a `stat` file.
struct Stat {
    name: String,
    ended: bool,
    cpu: Duration,
    started: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Memory {
    private_bytes: u64,
    mapped_bytes: u64,
}

impl Seeder {
    /// The seeder that runs as `pids`. Fails now if one of them is not there or may not be looked at.
    pub fn of(pids: &[i32]) -> Result<Seeder, ProcessError> {
        let look = |&pid: &i32| {
            let stat = match read(&of_process(pid, "stat")) {
                Ok(text) => parse_stat(&text).filter(|stat| !stat.ended),
                Err(error) if is_gone(&error) => None,
                Err(error) => return Err(unreadable(of_process(pid, "stat"), error)),
            };
            let stat = stat.ok_or(ProcessError::Missing(pid))?;
            Ok(Process { pid, name: stat.name, started: stat.started })
        };
        let processes = pids.iter().map(look).collect::<Result<Vec<_>, _>>()?;
        for process in &processes {
            process.account()?;
            process.memory()?;
            process.read_bytes()?;
        }
        Ok(Seeder { processes })
    }

    /// Starts the window.
    pub fn begin(&self) -> Result<Measuring, ProcessError> {
        let read_bytes = self.processes.iter().map(Process::read_bytes).sum::<Result<u64, _>>()?;
        let account = |process: &Process| Ok((process.clone(), process.account()?));
        let processes = self.processes.iter().map(account).collect::<Result<Vec<_>, _>>()?;
        Ok(Measuring { processes, read_bytes })
    }
}

impl Measuring {
    /// Ends the window. CPU time first: walking the page tables of a large map takes a while.
    pub fn end(self) -> Result<SeederUse, ProcessError> {
        let mut threads = Vec::new();
        for (process, before) in &self.processes {
            threads.extend(process.account()?.since(before));
        }
        let (mut memory, mut read_bytes) = (Memory::default(), 0);
        for (process, _) in &self.processes {
            let own = process.memory()?;
            memory.private_bytes += own.private_bytes;
            memory.mapped_bytes += own.mapped_bytes;
            read_bytes += process.read_bytes()?;
        }
        Ok(SeederUse {
            threads,
            private_bytes: memory.private_bytes,
            mapped_bytes: memory.mapped_bytes,
            read_bytes: read_bytes.saturating_sub(self.read_bytes),
        })
    }
}

impl Process {
    fn account(&self) -> Result<Account, ProcessError> {
        let stat = self.read("stat").map(|text| parse_stat(&text))?;
        let stat = stat.filter(|stat| !stat.ended && stat.started == self.started).ok_or_else(|| self.ended())?;
        let threads = threads_of(&of_process(self.pid, "task")).map_err(|(path, error)| self.failed(path, error))?;
        Ok(Account { total: stat.cpu, threads })
    }

    fn memory(&self) -> Result<Memory, ProcessError> {
        self.read("smaps_rollup").map(|text| parse_memory(&text))
    }

    /// None by a kernel that does not count them.
    fn read_bytes(&self) -> Result<u64, ProcessError> {
        let path = of_process(self.pid, "io");
        match read(&path) {
            Ok(text) => Ok(field(&text, "read_bytes").unwrap_or(0)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    fn read(&self, file: &str) -> Result<String, ProcessError> {
        let path = of_process(self.pid, file);
        read(&path).map_err(|error| self.failed(path, error))
    }

    fn failed(&self, path: PathBuf, error: io::Error) -> ProcessError {
        if is_gone(&error) { self.ended() } else { unreadable(path, error) }
    }

    fn ended(&self) -> ProcessError {
        ProcessError::Ended { pid: self.pid, name: self.name.clone() }
    }
}

impl Account {
    /// What was used since `before`, the busiest thread first.
    fn since(&self, before: &Account) -> Vec<ThreadUse> {
        let mut used = used_since(&before.threads, &self.threads);
        let known: Duration = used.iter().map(|thread| thread.cpu).sum();
        let ended = self.total.saturating_sub(before.total).saturating_sub(known);
        // both accounts are rounded, that of a running thread to the timer tick before
        if ended > tick() * u32::try_from(self.threads.len() + 2).unwrap_or(u32::MAX) {
            used.push(ThreadUse { name: ENDED.into(), cpu: ended });
        }
        used
    }
}

/// CPU time of threads of this process.
#[derive(Debug)]
pub struct OwnThreads {
    prefix: String,
    before: HashMap<i32, ThreadUse>,
}

impl OwnThreads {
    /// Starts the window for the threads whose name begins with `prefix`, those that start within it too.
    pub fn begin(prefix: &str) -> OwnThreads {
        OwnThreads { prefix: prefix.into(), before: own_threads() }
    }

    /// Ends the window, for the threads that are still there; the busiest first.
    pub fn end(self) -> Vec<ThreadUse> {
        let used = used_since(&self.before, &own_threads());
        used.into_iter().filter(|thread| thread.name.starts_with(&self.prefix)).collect()
    }
}

fn own_threads() -> HashMap<i32, ThreadUse> {
    // without /proc nothing is known of ourselves, which is no reason to give no result
    threads_of(Path::new("/proc/self/task")).unwrap_or_default()
}

/// Threads that did anything between two accounts.
fn used_since(before: &HashMap<i32, ThreadUse>, after: &HashMap<i32, ThreadUse>) -> Vec<ThreadUse> {
    let used = after.iter().map(|(tid, now)| {
        // less than before: a new thread with the number of one that ended
        let earlier = before.get(tid).map(|thread| thread.cpu).filter(|cpu| *cpu <= now.cpu).unwrap_or_default();
        ThreadUse { name: now.name.clone(), cpu: now.cpu - earlier }
    });
    let mut used: Vec<ThreadUse> = used.filter(|thread| !thread.cpu.is_zero()).collect();
    used.sort_by(|a, b| b.cpu.cmp(&a.cpu).then_with(|| a.name.cmp(&b.name)));
    used
}

/// The threads in a `task` folder, by number. One that ends while it is looked at is left out.
fn threads_of(folder: &Path) -> Result<HashMap<i32, ThreadUse>, (PathBuf, io::Error)> {
    let mut threads = HashMap::new();
    for entry in fs::read_dir(folder).map_err(|error| (folder.to_owned(), error))? {
        let entry = entry.map_err(|error| (folder.to_owned(), error))?;
        let Some(tid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match thread(&entry.path()) {
            Ok(thread) => drop(threads.insert(tid, thread)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err((entry.path(), error)),
        }
    }
    Ok(threads)
}

fn thread(folder: &Path) -> io::Result<ThreadUse> {
    let stat = parse_stat(&read(&folder.join("stat"))?).ok_or(ErrorKind::InvalidData)?;
    let exact = read(&folder.join("schedstat")).ok();
    let exact = exact.and_then(|text| text.split_whitespace().next()?.parse().ok()).map(Duration::from_nanos);
    Ok(ThreadUse { name: stat.name, cpu: exact.unwrap_or(stat.cpu) })
}

/// proc_pid_stat(5). The name stands in parentheses and may hold any character, parentheses too.
fn parse_stat(text: &str) -> Option<Stat> {
    let (start, end) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(start + 1..end)?.to_owned();
    // the state is field 3
    let fields: Vec<&str> = text[end + 1..].split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)?.saturating_add(number(15)?);
    let cpu = Duration::from_nanos(ticks.saturating_mul(u64::from(tick().subsec_nanos())));
    Some(Stat { name, ended: matches!(fields.first(), Some(&("Z" | "X" | "x"))), cpu, started: number(22)? })
}

fn parse_memory(text: &str) -> Memory {
    let bytes = |name: &str| field(text, name).map(|kib| kib * 1024);
    let anonymous = bytes("Anonymous").unwrap_or(0);
    let swapped = bytes("SwapPss").or(bytes("Swap")).unwrap_or(0);
    let own = bytes("Pss_Anon").unwrap_or(anonymous);
    let mapped_bytes = bytes("Rss").unwrap_or(0).saturating_sub(anonymous);
    Memory { private_bytes: own + swapped + bytes("Private_Hugetlb").unwrap_or(0), mapped_bytes }
}

/// The number after `name:` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// One unit of the times in `stat`.
fn tick() -> Duration {
    Duration::from_nanos(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

fn of_process(pid: i32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

fn read(path: &Path) -> io::Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A process that ended has no folder; one whose folder was open answers ESRCH.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

fn unreadable(path: PathBuf, source: io::Error) -> ProcessError {
    match source.kind() {
        ErrorKind::PermissionDenied => ProcessError::Denied { path },
        _ => ProcessError::Unreadable { path, source },
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
