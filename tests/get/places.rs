//! Places that a download cannot go to, or that change under it: a clear error, nothing lost, and the same command goes on.

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::content::Content;
use crate::getter::Getter;
use crate::program::{Program, sower};
use crate::scene::{Scene, noise};

const FILE: &str = "one file.bin";

/// Waits for a failure, and answers what it says.
fn complaint(getter: &mut Getter) -> String {
    assert_eq!(getter.end().code(), Some(1), "{}", getter.program().complaints());
    getter.program().complaints()
}

fn assert_says(complaint: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| complaint.contains(part)), "{parts:?} are missing in: {complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

/// A file that is there already and something else: refused, left as it is, and taken with `--overwrite`.
fn is_left_alone_unless_told(bytes: &[u8], parts: &[&str]) {
    let scene = Scene::of(Content::Single);
    let seed = scene.seed(&[]);
    let output = scene.workspace.folder("copy/output");
    std::fs::write(output.join(FILE), bytes).expect("a file");
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    assert_says(&complaint(&mut getter), parts);
    assert!(std::fs::read(output.join(FILE)).expect("the file") == bytes, "it was touched");
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit", "--overwrite"]);
    getter.finish(Content::Single, &scene.source);
    assert!(getter.end().success());
}

#[test]
fn a_longer_file_is_left_alone_unless_told() {
    let bytes = noise(&mut fastrand::Rng::with_seed(1), 20_000_000);
    is_left_alone_unless_told(&bytes, &[FILE, "20000000", "--overwrite"]);
}

#[test]
fn a_file_of_something_else_is_left_alone_unless_told() {
    is_left_alone_unless_told(b"a letter", &[FILE, "something else", "--overwrite"]);
}

#[test]
fn a_folder_in_the_place_of_a_file_is_left_alone() {
    let scene = Scene::of(Content::Single);
    let seed = scene.seed(&[]);
    let output = scene.workspace.folder("copy/output");
    std::fs::create_dir(output.join(FILE)).expect("a folder");
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    assert_says(&complaint(&mut getter), &[FILE, "is a folder", "move it away", "another folder"]);
    std::fs::remove_dir(output.join(FILE)).expect("the folder");
    scene.get("copy", &[seed.port], &["--then", "exit"]).finish(Content::Single, &scene.source);
}

#[test]
fn a_file_in_the_place_of_the_folder_is_left_alone() {
    let scene = Scene::of(Content::Folder);
    let seed = scene.seed(&[]);
    let output = scene.workspace.folder("copy/output");
    std::fs::write(output.join("many"), "a letter").expect("a file");
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    assert_says(&complaint(&mut getter), &["many", "is a file", "another folder"]);
    assert_eq!(std::fs::read(output.join("many")).expect("the file"), b"a letter");
}

#[test]
fn an_output_folder_that_is_not_there_is_named_with_what_to_do() {
    let scene = Scene::of(Content::Single);
    let mut command = sower();
    command.args(["get", "--json", &scene.torrent, "--no-tracker", "--output", "not/there"]);
    let mut program = Program::start(command, scene.path());
    assert_eq!(program.end(std::time::Duration::from_secs(10)).code(), Some(1));
    assert_says(&program.complaints(), &["not/there", "no such folder", "mkdir -p"]);
}

#[test]
fn an_output_folder_that_may_not_be_written_is_named_with_what_to_do() {
    if !rustix_is_root() {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: only root can become somebody else");
        return;
    }
    let scene = Scene::of(Content::Single);
    let output = scene.workspace.folder("output");
    let open = |folder: &Path| std::fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("permissions");
    [scene.path(), &output].into_iter().for_each(open);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(sower().get_program());
    command.args(["get", "--json", &scene.torrent, "--no-tracker", "--output"]).arg(&output);
    let mut program = Program::start(command, scene.path());
    assert_eq!(program.end(std::time::Duration::from_secs(10)).code(), Some(1));
    assert_says(&program.complaints(), &[FILE, "permission denied", "writable", "another folder"]);
}

fn rustix_is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Does something to the file in the middle of its download; what the command says to that.
///
/// The same command then goes on, and all is right in the end.
fn changes_under_way(change: impl FnOnce(&Path), parts: &[&str]) {
    let scene = Scene::of(Content::Single);
    let seed = scene.seed(&["--upload-limit", "2MiB"]);
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    getter.reaches(1 << 20);
    change(&getter.output().join(FILE));
    let text = complaint(&mut getter);
    assert_says(&text, &[FILE, "the same command"]);
    assert_says(&text, parts);
    assert!(getter.program().events("complete").is_empty());
    drop(seed);
    let seed = scene.seed(&[]);
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    getter.finish(Content::Single, &scene.source);
    assert!(getter.end().success());
}

#[test]
fn a_file_that_is_removed_during_its_download_ends_it() {
    // it was open, so that all went on to the end, into a file that nobody could find any more
    changes_under_way(|file| std::fs::remove_file(file).expect("removed"), &["removed, replaced or cut short"]);
}

#[test]
fn a_file_that_is_replaced_during_its_download_ends_it() {
    let replace = |file: &Path| {
        let other = file.with_extension("other");
        std::fs::copy(file, &other).expect("a copy");
        std::fs::rename(other, file).expect("in its place");
    };
    changes_under_way(replace, &["removed, replaced or cut short"]);
}

#[test]
fn a_file_that_is_truncated_during_its_download_ends_it() {
    // the next write beyond its end made it as long as before, with a hole where good pieces had been: complete, and wrong
    let truncate = |file: &Path| File::options().write(true).open(file).expect("the file").set_len(0).expect("shorter");
    changes_under_way(truncate, &["removed, replaced or cut short"]);
}

#[test]
fn what_somebody_else_wrote_into_a_finished_piece_is_found_by_the_next_start() {
    let scene = Scene::of(Content::Single);
    let seed = scene.seed(&["--upload-limit", "4MiB"]);
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    getter.reaches(1 << 20);
    assert_eq!(getter.stop("INT").code(), Some(130));
    let file = File::options().write(true).open(getter.output().join(FILE)).expect("the file");
    file.write_all_at(&[0xaa; 10_000_000], 0).expect("written");
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    assert!(getter.program().event("downloading")["good"].as_u64() < Some(1 << 20));
    getter.finish(Content::Single, &scene.source);
}

#[test]
fn a_second_download_of_the_same_torrent_to_the_same_place_is_refused() {
    // each took the other's writing for a stranger's: whoever was done first stopped to seed, "changed"
    for content in [Content::Single, Content::Folder] {
        let scene = Scene::of(content);
        let seed = scene.seed(&["--upload-limit", "2MiB"]);
        let mut first = scene.get("copy", &[seed.port], &[]);
        first.reaches(1 << 20);
        let mut second = scene.get("copy", &[seed.port], &[]);
        assert_says(&complaint(&mut second), &["another download", "end that one", "another folder"]);
        first.finish(content, &scene.source);
        assert_eq!(first.stop("INT").code(), Some(0));
        let mut third = scene.get("copy", &[], &["--then", "exit"]);
        assert_eq!(third.finish(content, &scene.source)["received"], 0);
    }
}
