//! Page-ins of the io_uring driver: the kernel's own workers where it has the operation, ours where not.

use std::io;

use super::interface::{DriverConfig, Event, MemoryRange, Token};
use super::page_in::{PageIns, whole_pages};
use super::queue::{Completion, Operation, Queue, UNHEARD};
use super::table::pack;
use super::waker::Waker;

/// Who brings ranges into memory.
pub(super) enum Paging {
    /// The caller's token stands at the place that names the operation.
    Kernel {
        kind: u8,
        tokens: Vec<u64>,
        free: Vec<u32>,
    },
    Threads(PageIns),
}

impl Paging {
    /// In the kernel, its operations being named by `kind`.
    pub(super) fn by_kernel(config: &DriverConfig, kind: u8) -> Paging {
        let places = u32::from(config.page_ins);
        Paging::Kernel { kind, tokens: vec![0; places as usize], free: (0..places).rev().collect() }
    }

    pub(super) fn by_threads(config: &DriverConfig, waker: &Waker) -> Paging {
        Paging::Threads(PageIns::new(config.page_ins, waker.clone()))
    }

    pub(super) fn start(&mut self, queue: &mut Queue, token: u64, range: MemoryRange) -> io::Result<()> {
        match self {
            Paging::Threads(threads) => threads.start(token, range),
            Paging::Kernel { kind, tokens, free } => {
                let slot = free.pop().ok_or(io::ErrorKind::WouldBlock)?;
                tokens[slot as usize] = token;
                let range = whole_pages(range);
                queue.push(&Operation::ReadAhead(range), UNHEARD);
                queue.push(&Operation::PageIn(range), pack(*kind, Token { slot, generation: 0 }));
                Ok(())
            }
        }
    }

    /// The kernel is done with the operation at `slot`.
    pub(super) fn completed(&mut self, completion: Completion, slot: u32, events: &mut Vec<Event>) {
        if let Paging::Kernel { tokens, free, .. } = self {
            free.push(slot);
            let result = completion.result().map(drop).map_err(io::Error::from);
            events.push(Event::PagedIn { token: tokens[slot as usize], result });
        }
    }

    /// The driver was woken, perhaps by one of our threads.
    pub(super) fn collect(&mut self, events: &mut Vec<Event>) {
        if let Paging::Threads(threads) = self {
            threads.collect(events);
        }
    }
}
