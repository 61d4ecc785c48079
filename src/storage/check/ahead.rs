//! What one hasher has asked of the disk thread.

use std::collections::VecDeque;

use crossbeam::channel::{self, Receiver, Sender};

use crate::ids::PieceIndex;
use crate::limits;
use crate::storage::{Disk, Read, ReadAnswer};

use super::CheckError;
use super::files::{Files, Range};

/// The same bytes of several pieces.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) pieces: Vec<PieceIndex>,
    /// First byte, counted from the start of each piece.
    pub(super) start: u32,
    pub(super) length: u32,
    /// The pieces end here.
    pub(super) last: bool,
}

impl Step {
    fn ranges(&self) -> impl Iterator<Item = Range> {
        self.pieces.iter().map(|&piece| Range { piece, start: self.start, length: self.length })
    }
}

/// Steps being read, in the order in which they are to be hashed. Owns [`limits::READS_PER_HASHER`] buffers, which travel
/// to the disk thread and back; so no more than that can ever be asked for.
pub(super) struct Ahead {
    asked: VecDeque<Asked>,
    free: Vec<Vec<u8>>,
    reply: Sender<ReadAnswer>,
    answers: Receiver<ReadAnswer>,
    /// Reads asked for so far: the tag of the next.
    reads: u64,
}

/// A step with the bytes of each of its pieces.
pub(super) struct Filled {
    pub(super) step: Step,
    pub(super) buffers: Vec<Vec<u8>>,
}

struct Asked {
    step: Step,
    first_tag: u64,
    buffers: Vec<Option<Vec<u8>>>,
}

impl Ahead {
    pub(super) fn new() -> Ahead {
        let (reply, answers) = channel::bounded(limits::READS_PER_HASHER);
        let free = vec![Vec::new(); limits::READS_PER_HASHER];
        Ahead { asked: VecDeque::new(), free, reply, answers, reads: 0 }
    }

    /// Whether there are buffers for `step`.
    pub(super) fn has_room(&self, step: &Step) -> bool {
        self.free.len() >= step.pieces.len()
    }

    pub(super) fn ask(&mut self, step: Step, files: &mut Files<'_>, disk: &Disk) -> Result<(), CheckError> {
        let first_tag = self.reads;
        for range in step.ranges() {
            let buffer = self.free.pop().expect("room was asked for");
            disk.read(Read { parts: files.parts(range)?, buffer, tag: self.reads, reply: self.reply.clone() });
            self.reads += 1;
        }
        let buffers = vec![None; step.pieces.len()];
        self.asked.push_back(Asked { step, first_tag, buffers });
        Ok(())
    }

    /// Waits for the oldest step, and returns it; `None` if nothing is asked for.
    pub(super) fn next(&mut self, files: &Files<'_>) -> Option<Result<Filled, CheckError>> {
        while self.asked.front()?.buffers.iter().any(Option::is_none) {
            let answer = self.answers.recv().expect("both ends are ours");
            if let Err(error) = self.file(answer, files) {
                return Some(Err(error));
            }
        }
        let done = self.asked.pop_front()?;
        Some(Ok(Filled { step: done.step, buffers: done.buffers.into_iter().flatten().collect() }))
    }

    pub(super) fn give_back(&mut self, buffers: Vec<Vec<u8>>) {
        self.free.extend(buffers);
    }

    fn file(&mut self, answer: ReadAnswer, files: &Files<'_>) -> Result<(), CheckError> {
        let at = self.asked.partition_point(|asked| asked.first_tag <= answer.tag) - 1;
        let asked = &mut self.asked[at];
        let lane = usize::try_from(answer.tag - asked.first_tag).expect("lanes are few");
        if let Err((part, error)) = answer.result {
            let range = asked.step.ranges().nth(lane).expect("one range for each buffer");
            return Err(files.part_fault(range, part, error));
        }
        asked.buffers[lane] = Some(answer.buffer);
        Ok(())
    }
}
