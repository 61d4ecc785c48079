//! Where a torrent's content is, as its owner chose, and whether that is allowed.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::metainfo::Metainfo;
use crate::storage::Content;

use super::choice::{Choice, FilePriority};
use super::order::{Refusal, RefusalKind};
use super::settings::Settings;

/// For what a disk is asked while somebody waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// Threads that may wait for disks that do not answer.
const THREADS: usize = 64;
static IDLE: Semaphore = Semaphore::const_new(THREADS);

/// Does `work` at `path` on a thread of its own, and waits for a while: a file system on a network may hang until its server is back.
/// What is under way then goes on; nobody learns how it ends.
pub(super) async fn ask_disk<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let hangs = |text: &str| Refusal::new(RefusalKind::Environment, format!("{} {text}", path.display()));
    let Ok(Ok(permit)) = tokio::time::timeout(PATIENCE, IDLE.acquire()).await else {
        return Err(hangs(
            "is not looked at: too many disks do not answer; see that they are connected, then try again",
        ));
    };
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| Refusal::new(RefusalKind::Environment, error.to_string())),
        Err(_) => Err(hangs("does not answer; see that its disk is connected, then try again")),
    }
}

/// The content of `torrent` where `choice` has it. Nothing is looked at or made.
pub(in crate::session) fn content_of(torrent: &Metainfo, choice: &Choice) -> Content {
    let name = || choice.renamed_root.as_deref().map_or_else(|| PathBuf::from(torrent.file_name()), PathBuf::from);
    let renamed =
        |index: u32| choice.renamed_files.iter().find(|(file, _)| *file == index).map(|(_, path)| path.clone());
    if torrent.is_single_file() {
        let mut content = Content::within(&choice.folder, Path::new(""));
        content.push(&renamed(0).unwrap_or_else(name), torrent.geometry().total());
        return content;
    }
    let mut content = Content::within(&choice.folder, &name());
    for (file, index) in torrent.files().iter().zip(0..) {
        match file.is_padding() {
            true => content.push_padding(file.length()),
            false => content.push(&renamed(index).unwrap_or_else(|| file.path().to_owned()), file.length()),
        }
    }
    content
}

/// By file, padding included, whether it is wanted; empty if all are.
pub(super) fn wanted_files(choice: &Choice) -> Vec<bool> {
    choice.files.iter().map(|priority| *priority != FilePriority::Skip).collect()
}

/// Bytes of the files that are wanted, padding left out.
pub(super) fn wanted_bytes(torrent: &Metainfo, choice: &Choice) -> u64 {
    let is_wanted = |index: usize| choice.files.get(index).is_none_or(|priority| *priority != FilePriority::Skip);
    let files = torrent.files().iter().enumerate().filter(|(index, file)| !file.is_padding() && is_wanted(*index));
    files.map(|(_, file)| file.length()).sum()
}

/// `folder` without links and `..`, if it lies in one of the roots. Those of its last components that are not there yet are taken as
/// they are named.
pub fn confine(folder: &Path, settings: &Settings) -> Result<PathBuf, Refusal> {
    let refuse = |kind, text: String| Err(Refusal::new(kind, text));
    if !folder.is_absolute() {
        return refuse(RefusalKind::Invalid, format!("{}: give an absolute path", folder.display()));
    }
    let real = match resolve(folder) {
        Ok(real) => real,
        Err(error) => return refuse(RefusalKind::Environment, format!("cannot use {}: {error}", folder.display())),
    };
    // those by whose names it goes first: another may be on a disk that does not answer
    let (near, far): (Vec<&Path>, Vec<&Path>) = roots(settings).partition(|root| real.starts_with(root));
    if near.into_iter().chain(far).any(|root| resolve(root).is_ok_and(|root| real.starts_with(root))) {
        return Ok(real);
    }
    let text = format!(
        "{} lies outside of the folders that content may be in; its owner can add it to `roots` under [folders] in config.toml",
        real.display()
    );
    refuse(RefusalKind::Forbidden, text)
}

/// The folders that content may be in.
pub(super) fn roots(settings: &Settings) -> impl Iterator<Item = &Path> {
    let categories = settings.categories.values().filter_map(|category| category.folder.as_ref());
    let roots = settings.roots.iter().chain([&settings.download_folder]);
    roots.chain(&settings.incomplete_folder).chain(categories).map(PathBuf::as_path)
}

/// The folders that a change of settings names anew, if it leaves the roots as they are. Those have to lie in them, or whoever may use
/// an API could make a root of any folder of this host.
pub(super) fn new_folders(new: &Settings, old: &Settings) -> Result<Vec<PathBuf>, Refusal> {
    if new.roots != old.roots {
        let text = "the folders that content may be in are the owner's to choose: change `roots` in the configuration";
        return Err(Refusal::new(RefusalKind::Forbidden, text));
    }
    let folders = |settings: &Settings| -> Vec<PathBuf> {
        let categories = settings.categories.values().filter_map(|category| category.folder.clone());
        let single = settings.incomplete_folder.iter().chain([&settings.download_folder]).cloned();
        single.chain(settings.watch_folders.iter().cloned()).chain(categories).collect()
    };
    let known = folders(old);
    Ok(folders(new).into_iter().filter(|folder| !known.contains(folder)).collect())
}

/// What is there of `path` is resolved; the rest must be plain names.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // a link to nothing would be followed once that is there
            let is_link = path.symlink_metadata().is_ok();
            let (Some(parent), Some(Component::Normal(name))) = (path.parent(), path.components().next_back()) else {
                return Err(error);
            };
            if is_link { Err(error) } else { Ok(resolve(parent)?.join(name)) }
        }
        real => real,
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Category;
    use super::*;

    fn confine_settings(new: &Settings, old: &Settings) -> Result<(), Refusal> {
        new_folders(new, old)?.iter().try_for_each(|folder| confine(folder, old).map(drop))
    }

    #[test]
    fn folders_are_confined_to_the_roots_whatever_links_and_dots_say() {
        let scratch = tempfile::tempdir().expect("a folder");
        let root = scratch.path().canonicalize().expect("there").join("root");
        std::fs::create_dir(&root).expect("made");
        std::os::unix::fs::symlink("/etc", root.join("out")).expect("made");
        std::os::unix::fs::symlink("/nowhere/else", root.join("dead")).expect("made");
        let settings = Settings::new(root.clone());
        let kind = |path: &str| confine(&root.join(path), &settings).map_err(|refusal| refusal.kind);
        assert_eq!(kind(""), Ok(root.join("")));
        assert_eq!(kind("new/er"), Ok(root.join("new/er")));
        assert_eq!(kind("out/x"), Err(RefusalKind::Forbidden));
        assert_eq!(kind("../x"), Err(RefusalKind::Forbidden));
        assert_eq!(kind("new/../../x"), Err(RefusalKind::Environment));
        assert_eq!(kind("dead/x"), Err(RefusalKind::Environment));
        assert_eq!(kind("/etc"), Err(RefusalKind::Forbidden));
        let mut wider = settings.clone();
        wider.download_folder = root.join("new");
        wider.categories.insert("films".into(), Category { folder: Some(root.join("films")) });
        assert_eq!(confine_settings(&wider, &settings), Ok(()));
        for folder in ["/", "/etc", "out"].map(|folder| root.join(folder)) {
            let categories = [("etc".to_owned(), Category { folder: Some(folder.clone()) })].into();
            let tries = [
                Settings { download_folder: folder.clone(), ..settings.clone() },
                Settings { incomplete_folder: Some(folder.clone()), ..settings.clone() },
                Settings { watch_folders: vec![folder.clone()], ..settings.clone() },
                Settings { roots: vec![folder.clone()], ..settings.clone() },
                Settings { categories, ..settings.clone() },
            ];
            for wider in tries {
                let kind = confine_settings(&wider, &settings).map_err(|refusal| refusal.kind);
                assert_eq!(kind, Err(RefusalKind::Forbidden), "{wider:?}");
            }
        }
        assert_eq!(confine(Path::new("x"), &settings).map_err(|refusal| refusal.kind), Err(RefusalKind::Invalid));
    }
}
