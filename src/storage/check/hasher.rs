//! One hashing thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::hash::Batch;
use crate::ids::PieceIndex;
use crate::limits;

use super::ahead::{Ahead, Filled, Step};
use super::files::{Files, Range};
use super::plan::Plan;
use super::{CheckError, Checker, Task};

/// Between two lanes' buffers, so that the same byte of all of them does not fall into one set of the first-level cache.
const STAGGER: usize = 192;
const STRIDE: usize = limits::WARM_STEP + STAGGER;

/// Takes groups until none is left.
pub(super) struct Hasher<'a> {
    checker: &'a Checker<'a>,
    task: &'a Task<'a>,
    plan: &'a Plan,
    /// Another hasher gave up.
    failed: &'a AtomicBool,
    files: Files<'a>,
    /// Steps that no buffer was free for.
    waiting: VecDeque<Step>,
    ahead: Ahead,
    /// The pieces of the steps that the disk thread answers.
    batch: Option<Batch>,
    /// Room for one step of a warm group.
    warm: Vec<u8>,
}

impl<'a> Hasher<'a> {
    pub(super) fn new(
        checker: &'a Checker<'a>,
        task: &'a Task<'a>,
        plan: &'a Plan,
        failed: &'a AtomicBool,
    ) -> Hasher<'a> {
        Hasher {
            checker,
            task,
            plan,
            failed,
            files: Files::new(task),
            waiting: VecDeque::new(),
            ahead: Ahead::new(),
            batch: None,
            warm: vec![0; STRIDE * checker.engine.lanes()],
        }
    }

    pub(super) fn run(mut self) -> Result<(), CheckError> {
        loop {
            self.ask_ahead()?;
            let group = if self.waiting.is_empty() { self.plan.take() } else { &[] };
            if !group.is_empty() {
                self.begin(group)?;
            } else if !self.hash_next_answer()? {
                return Ok(());
            }
        }
    }

    fn begin(&mut self, group: &[PieceIndex]) -> Result<(), CheckError> {
        if self.is_warm(group)? {
            return self.hash_warm(group);
        }
        let length = self.task.geometry.piece_length(group[0]);
        // short pieces are read whole, half of the buffers at a time; long ones alone: either way in the order on disk
        let together = if length <= limits::READ_STEP { limits::READS_PER_HASHER / 2 } else { 1 };
        for pieces in group.chunks(together) {
            let step = |start| {
                let here = limits::READ_STEP.min(length - start);
                Step { pieces: pieces.to_vec(), start, length: here, last: start + here == length }
            };
            self.waiting.extend((0..length).step_by(limits::READ_STEP as usize).map(step));
        }
        Ok(())
    }

    fn is_warm(&mut self, group: &[PieceIndex]) -> Result<bool, CheckError> {
        if self.checker.through_disk {
            return Ok(false);
        }
        for &piece in group {
            let length = self.task.geometry.piece_length(piece);
            if !self.files.is_warm(Range { piece, start: 0, length })? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn hash_warm(&mut self, group: &[PieceIndex]) -> Result<(), CheckError> {
        let length = self.task.geometry.piece_length(group[0]);
        let mut batch = None;
        for start in (0..length).step_by(limits::WARM_STEP) {
            self.go_on()?;
            let here = limits::WARM_STEP.min((length - start) as usize);
            for (&piece, buffer) in group.iter().zip(self.warm.chunks_mut(STRIDE)) {
                let range = Range { piece, start, length: u32::try_from(here).expect("a step") };
                self.files.read(range, &mut buffer[..here])?;
            }
            let parts: Vec<&[u8]> = self.warm.chunks(STRIDE).take(group.len()).map(|buffer| &buffer[..here]).collect();
            self.advance(&mut batch, group, &parts, start as usize + here == length as usize);
        }
        Ok(())
    }

    fn ask_ahead(&mut self) -> Result<(), CheckError> {
        while let Some(step) = self.waiting.pop_front_if(|step| self.ahead.has_room(step)) {
            self.ahead.ask(step, &mut self.files, self.checker.disk)?;
        }
        Ok(())
    }

    /// `false`: nothing was asked for.
    fn hash_next_answer(&mut self) -> Result<bool, CheckError> {
        self.go_on()?;
        let Some(answer) = self.ahead.next(&self.files) else { return Ok(false) };
        let Filled { step, buffers } = answer?;
        let parts: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
        let mut batch = self.batch.take();
        self.advance(&mut batch, &step.pieces, &parts, step.last);
        self.batch = batch;
        self.ahead.give_back(buffers);
        Ok(true)
    }

    /// Hashes the next bytes of `pieces`, and delivers their digests if these are the `last`.
    fn advance(&self, batch: &mut Option<Batch>, pieces: &[PieceIndex], parts: &[&[u8]], last: bool) {
        let mut hashing = batch.take().unwrap_or_else(|| Batch::new(self.checker.engine, pieces.len()));
        if last {
            for (&piece, digest) in pieces.iter().zip(hashing.finish(parts)) {
                (self.task.deliver)(piece, digest);
            }
        } else {
            hashing.update(parts);
            *batch = Some(hashing);
        }
        (self.checker.progress)(parts.iter().map(|part| part.len() as u64).sum());
    }

    fn go_on(&self) -> Result<(), CheckError> {
        let over = self.checker.cancel.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed);
        if over { Err(CheckError::Cancelled) } else { Ok(()) }
    }
}
