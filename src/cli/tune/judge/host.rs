//! Where the content comes from, and how fast the processors run.

use super::super::facts::{Data, Facts};
use super::super::finding::{Finding, quoted};
use crate::limits::CHUNK;

/// Bytes that sower asks the kernel to read at a time.
const WINDOW_KIB: u64 = CHUNK as u64 / 1024;

pub(super) fn file_system(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "file system of the content";
    let data = facts.data.as_ref()?;
    let state = format!("{} at {}", data.file_system, data.mount_point);
    let kind = data.file_system.as_str();
    if let Some(why) = cost(kind) {
        return Some(Finding::better(NAME, state, why));
    }
    if data.options.iter().any(|option| option == "strictatime") {
        let why = "each map of a file writes its time of access";
        let remount = format!("mount -o remount,noatime {}", quoted(&data.mount_point));
        let table = format!("# in /etc/fstab, options of {}: noatime", data.mount_point);
        return Some(Finding::better(NAME, format!("{state}, strictatime"), why).remedy([remount], [table]));
    }
    Some(Finding::good(NAME, state, "its pages go from the page cache to the socket as they are"))
}

/// What a file system costs that is not simply pages of a disk. Nobody changes it by a command.
fn cost(kind: &str) -> Option<&'static str> {
    match kind {
        _ if kind.starts_with("fuse") => Some(
            "each cold range is asked of another program, and copied from it; once in the page cache it is sent like any other",
        ),
        "nfs" | "nfs4" | "cifs" | "smb3" | "ceph" | "9p" | "virtiofs" | "afs" => Some(
            "each cold range comes over the network or from the host; once in the page cache it is sent like any other",
        ),
        "zfs" => Some(
            "zfs keeps what it read in a cache of its own, and a mapped file once more in the page cache: half fits memory",
        ),
        _ => None,
    }
}

pub(super) fn read_ahead(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "read-ahead of the disk";
    let data = facts.data.as_ref()?;
    let ahead = data.ahead_kib?;
    let state =
        format!("{ahead} KiB at a time{}", data.disk.as_ref().map_or(String::new(), |disk| format!(" ({disk})")));
    if ahead >= WINDOW_KIB {
        return Some(Finding::good(NAME, state, "a cold range of 256 KiB is read by one request"));
    }
    let why =
        "sower asks for cold ranges of 256 KiB; the kernel cuts that to this size and reads the rest page by page";
    Some(remedied(Finding::better(NAME, state, why), data))
}

fn remedied(finding: Finding, data: &Data) -> Finding {
    let Some(disk) = &data.disk else { return finding };
    let device = format!(r#"SUBSYSTEM=="block", KERNEL=="{disk}""#);
    finding.attribute(&device, &format!("/sys/class/block/{disk}"), "queue/read_ahead_kb", "512")
}

/// Governors that follow the load reach full speed under it; one that stays at the lowest does not. The same name means
/// something else to drivers that choose the frequency themselves.
pub(super) fn governor(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "processor frequency";
    let (driver, governor) = facts.governors.first()?;
    let own_choice = matches!(driver.as_str(), "intel_pstate" | "amd-pstate-epp");
    let slow = |(driver, governor): &&(String, String)| {
        let own_choice = matches!(driver.as_str(), "intel_pstate" | "amd-pstate-epp");
        governor == "powersave" && !own_choice
    };
    let state = format!("{governor} ({driver})");
    let held = facts.governors.iter().filter(slow).count();
    if held == 0 {
        let why = if own_choice { "the processor chooses by load" } else { "reaches full speed under load" };
        return Some(Finding::good(NAME, state, why));
    }
    let state = format!("{held} of {} at the lowest (powersave)", facts.governors.len());
    let set = "echo schedutil | tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor";
    let tmpfiles = super::super::finding::append(
        "w /sys/devices/system/cpu/cpufreq/policy*/scaling_governor - - - - schedutil",
        "/etc/tmpfiles.d/sower.conf",
    );
    Some(
        Finding::holds_back(NAME, state, "these processors run at their lowest frequency whatever the load")
            .remedy([set], [tmpfiles]),
    )
}

/// Said so that nobody has to try: only anonymous memory and shared memory obey it, and sower has little of either.
pub(super) fn huge_pages(facts: &Facts) -> Option<Finding> {
    let mode = facts.huge_pages.as_ref()?;
    let why = "content is sent from pages as its file system keeps them, and header pages are asked to stay small";
    Some(Finding::good("transparent huge pages", mode, why))
}
