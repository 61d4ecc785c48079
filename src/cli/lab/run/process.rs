//! Processes of the experiment: started, listened to, ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// Time for a process to end in order.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a process said, and when.
pub(super) struct Said {
    /// Which of the processes.
    pub(super) who: usize,
    /// A line, or nothing: it has ended.
    pub(super) line: Option<String>,
    pub(super) at: Instant,
}

/// A running process; ended when dropped.
pub(super) struct Process(Child);

impl Process {
    /// Starts it; each line that it prints is told to `ear`.
    pub(super) fn start(command: &mut Command, who: usize, ear: &Sender<Said>) -> anyhow::Result<Process> {
        let program = command.get_program().to_string_lossy().into_owned();
        // an input that stays open and ends with us
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let (ear, output, errors) = (ear.clone(), child.stdout.take(), child.stderr.take());
        std::thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok));
            for line in lines {
                // nobody listens any more: it still must not wait for us
                let _ = ear.send(Said { who, line: Some(line), at: Instant::now() });
            }
            let _ = ear.send(Said { who, line: None, at: Instant::now() });
        });
        // what is said there would fill its pipe
        std::thread::spawn(move || errors.map(|mut errors| std::io::copy(&mut errors.by_ref(), &mut std::io::sink())));
        Ok(Process(child))
    }

    fn ask_to_end(&self) {
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Ends all of them, in order if they do so soon.
    pub(super) fn end(processes: Vec<Process>) {
        processes.iter().for_each(Process::ask_to_end);
        let begun = Instant::now();
        let mut left = processes;
        while !left.is_empty() && begun.elapsed() < FAREWELL {
            left.retain_mut(|process| matches!(process.0.try_wait(), Ok(None)));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
