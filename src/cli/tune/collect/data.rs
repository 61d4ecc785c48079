//! Where the content lies: file system, mount options, block device.

use super::super::facts::Data;
use super::tree::{Tree, last_part};

/// Of `path`, which is absolute and free of links.
pub(super) fn data(tree: &Tree, path: &str) -> Option<Data> {
    let mounts = tree.text("proc/self/mountinfo")?;
    let holds = |point: &str| {
        point == "/" || path == point || path.strip_prefix(point).is_some_and(|rest| rest.starts_with('/'))
    };
    // the last of several mounts on one point covers the others
    let mounts = mounts.lines().filter_map(Mount::parse).filter(|mount| holds(&mount.point));
    let mount = mounts.max_by_key(|mount| mount.point.len())?;
    let disk = disk(tree, &mount);
    let ahead_kib = ahead(tree, &mount, disk.as_deref());
    let Mount { point, file_system, options, .. } = mount;
    Some(Data { mount_point: point, file_system, options, disk, ahead_kib })
}

/// A line of mountinfo, proc_pid_mountinfo(5).
struct Mount {
    device: String,
    point: String,
    options: Vec<String>,
    file_system: String,
    source: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Mount> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(2);
        let (device, point) = (before.next()?.to_owned(), unescaped(before.nth(1)?));
        let options = before.next()?.split(',').map(str::to_owned).collect();
        let mut after = after.split(' ');
        let (file_system, source) = (after.next()?.to_owned(), unescaped(after.next()?));
        Some(Mount { device, point, options, file_system, source })
    }
}

/// The kernel writes blanks and backslashes as octal numbers.
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (code, letter)| field.replace(code, letter))
}

/// Its name in /sys/class/block: by number, or by the mounted node where the file system has a number of its own (btrfs).
fn disk(tree: &Tree, mount: &Mount) -> Option<String> {
    let by_number = tree.target(&format!("sys/dev/block/{}", mount.device));
    let by_number = by_number.as_deref().and_then(last_part).map(str::to_owned);
    let by_node = || {
        let name = mount.source.strip_prefix("/dev/").and_then(last_part)?;
        tree.exists(&format!("sys/class/block/{name}")).then(|| name.to_owned())
    };
    by_number.or_else(by_node)
}

/// One request to read ahead is cut to the larger of these two (mm/readahead.c, `force_page_cache_ra`).
fn ahead(tree: &Tree, mount: &Mount, disk: Option<&str>) -> Option<u64> {
    let Some(disk) = disk else { return tree.number(&format!("sys/class/bdi/{}/read_ahead_kb", mount.device)) };
    // a partition's queue is that of the disk that it lies on
    let queue = [format!("sys/class/block/{disk}/queue"), partition_queue(tree, disk)?];
    let queue = queue.iter().find(|queue| tree.exists(queue))?;
    let of = |name: &str| tree.number(&format!("{queue}/{name}"));
    of("read_ahead_kb").max(of("max_sectors_kb"))
}

fn partition_queue(tree: &Tree, disk: &str) -> Option<String> {
    let target = tree.target(&format!("sys/class/block/{disk}"))?;
    Some(format!("{}/queue", target.rsplit_once('/')?.0))
}
