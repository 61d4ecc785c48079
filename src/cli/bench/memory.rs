//! A control group that limits the memory of the seeder, page cache included: content larger than memory without
//! terabytes of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A group of ours, removed when dropped.
pub(super) struct Memory(PathBuf);

impl Memory {
    /// Makes a group whose processes may use `bytes` together.
    pub(super) fn limited_to(bytes: u64) -> anyhow::Result<Memory> {
        ensure!(rustix::process::geteuid().is_root(), "--memory-limit needs root: it makes a control group");
        let name = format!("sower-bench-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        // version 2 has one tree, version 1 one for each controller
        let (group, limit) = if root.join("cgroup.controllers").exists() {
            let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
            (root.join(name), "memory.max")
        } else {
            (root.join("memory").join(name), "memory.limit_in_bytes")
        };
        fs::create_dir(&group)
            .with_context(|| format!("--memory-limit: cannot make the control group {}", group.display()))?;
        let memory = Memory(group);
        let file = memory.0.join(limit);
        fs::write(&file, bytes.to_string()).with_context(|| {
            format!("--memory-limit: cannot write {}; the memory controller may be off", file.display())
        })?;
        Ok(memory)
    }

    /// Puts a process into it.
    pub(super) fn take_in(&self, pid: u32) -> anyhow::Result<()> {
        let file = self.0.join("cgroup.procs");
        fs::write(&file, pid.to_string()).with_context(|| format!("--memory-limit: cannot write {}", file.display()))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
