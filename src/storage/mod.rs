//! Content on disk: mapped files for sending, what of them is in memory, where a torrent's files are, and how downloaded
//! pieces get into them.

mod check;
mod checkpoint;
mod content;
mod disk;
mod intake;
mod layout;
mod lazy;
mod map;
mod map_table;
mod payload;
mod residency;
mod resume;
mod target;

pub use check::{CheckError, Checker, Hashed, Report};
pub use checkpoint::Noted;
pub use content::{Cause, Content, ContentError, FileFault, Identity, LeftOut, Reason, RelocateError, Walk, WalkError};
pub use disk::{Disk, DiskMode, Read, ReadAnswer, ReadPart, WritePart};
pub use intake::{Arrived, Intake, IntakeSetup, Outcome, Verdict};
pub use layout::{Layout, Recipe};
pub use lazy::{Answer, Found, LazyCheck, LazyHashers, PieceCheck};
pub use map::MappedFile;
pub use map_table::Maps;
pub use payload::{Files, Part, Parts, Payload, PayloadError};
pub use residency::{ColdRange, Residency, WINDOW};
pub use resume::{Resume, ResumeError, ResumeFault};
pub use target::{CheckpointError, Space, Stock, Target, TargetOptions};

#[cfg(test)]
mod tests;
