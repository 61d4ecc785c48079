//! Where a torrent's files are: programs name each file below one folder, a [`Choice`] names a folder,
//! the root in it, and the files that are called otherwise below that.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::metainfo::Metainfo;
use crate::session::seedbox::Choice;

/// Sets where the files are: below `folder`, each at the path that `named` has for its index, else where its torrent has it.
pub(super) fn place(
    choice: &mut Choice,
    torrent: &Metainfo,
    folder: &Path,
    named: &dyn Fn(usize) -> Option<PathBuf>,
) -> Result<(), String> {
    choice.folder = absolute(folder)?;
    let files = torrent.files().iter().enumerate().filter(|(_, file)| !file.is_padding());
    let files: Vec<(u32, PathBuf)> = files
        .map(|(index, file)| {
            let path = named(index).unwrap_or_else(|| torrent.download_path(file));
            Ok((u32::try_from(index).expect("files are bounded"), relative(&path)?))
        })
        .collect::<Result<_, String>>()?;
    if torrent.is_single_file() {
        choice.renamed_files = files.into_iter().filter(|(_, path)| path != Path::new(torrent.file_name())).collect();
        return Ok(());
    }
    let root = common_root(&files).map(|root| root.to_owned());
    match &root {
        Some(root) => set_root(choice, torrent, root)?,
        // the files lie in the folder itself
        None => {
            let (parent, name) = (choice.folder.parent(), choice.folder.file_name());
            let (Some(parent), Some(name)) = (parent, name) else {
                return Err("its files lie in the root of the file system, where they cannot be left".to_owned());
            };
            let (parent, name) = (parent.to_owned(), name.to_owned());
            choice.folder = parent;
            set_root(choice, torrent, &name)?;
        }
    }
    let below = |path: &Path| root.as_ref().and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path).to_owned();
    let renamed = files.into_iter().map(|(index, path)| (index, below(&path)));
    choice.renamed_files = renamed.filter(|(index, path)| path != torrent.files()[*index as usize].path()).collect();
    Ok(())
}

/// Sets where the files are if `root` is the folder that holds them, or the one that holds the only file.
pub(super) fn place_in(choice: &mut Choice, torrent: &Metainfo, root: &Path) -> Result<(), String> {
    let root = absolute(root)?;
    if torrent.is_single_file() {
        choice.folder = root;
        return Ok(());
    }
    let (Some(folder), Some(name)) = (root.parent(), root.file_name()) else {
        return Err("its files lie in the root of the file system, where they cannot be left".to_owned());
    };
    choice.folder = folder.to_owned();
    set_root(choice, torrent, name)
}

fn set_root(choice: &mut Choice, torrent: &Metainfo, root: &OsStr) -> Result<(), String> {
    let renamed = root != torrent.file_name();
    let name = || root.to_str().ok_or_else(|| format!("its folder {root:?} has a name that is not UTF-8: rename it"));
    choice.renamed_root = if renamed { Some(name()?.to_owned()) } else { None };
    Ok(())
}

/// The first part of all paths, if they have one in common and something after it.
fn common_root(files: &[(u32, PathBuf)]) -> Option<&OsStr> {
    let first = |path: &'_ PathBuf| -> Option<PathBuf> {
        let mut parts = path.components();
        let root = parts.next()?;
        parts.next().map(|_| PathBuf::from(root.as_os_str()))
    };
    let root = first(&files.first()?.1)?;
    let all = files.iter().all(|(_, path)| first(path).as_ref() == Some(&root));
    all.then(|| files[0].1.components().next().map(Component::as_os_str)).flatten()
}

fn absolute(folder: &Path) -> Result<PathBuf, String> {
    if folder.is_absolute() && folder.components().all(|part| part != Component::ParentDir) {
        // without dots and a slash at the end
        Ok(folder.components().collect())
    } else {
        Err(format!("its folder {folder:?} is not an absolute path; move it in the program to one that is"))
    }
}

fn relative(path: &Path) -> Result<PathBuf, String> {
    let normal = path.components().all(|part| matches!(part, Component::Normal(_)));
    if normal && path.components().next().is_some() {
        Ok(path.to_owned())
    } else {
        Err(format!(
            "its file {path:?} lies outside of its folder; move it into that, and its name there in the program"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::Builder;

    fn torrent() -> Metainfo {
        let builder = Builder::folder(OsStr::new("name"), 16_384).file("a", 1).padding(16_383).file("b/c", 1);
        Metainfo::parse(&builder.hashes(vec![[7; 20]; 2]).write().expect("a torrent")).expect("a torrent")
    }

    /// Folder, root and files that have other names.
    type Placed = (PathBuf, Option<String>, Vec<(u32, PathBuf)>);

    fn placed(names: [Option<&str>; 3]) -> Result<Placed, String> {
        let mut choice = Choice::default();
        place(&mut choice, &torrent(), Path::new("/data/x/"), &|index| names[index].map(PathBuf::from))?;
        Ok((choice.folder, choice.renamed_root, choice.renamed_files))
    }

    #[test]
    fn names_of_files_become_a_folder_a_root_and_what_differs_below() {
        let folder = PathBuf::from("/data/x");
        assert_eq!(placed([None; 3]), Ok((folder.clone(), None, vec![])));
        assert_eq!(placed([Some("name/A"), None, None]), Ok((folder.clone(), None, vec![(0, "A".into())])));
        let renamed = placed([Some("other/a"), None, Some("other/b/c")]);
        assert_eq!(renamed, Ok((folder.clone(), Some("other".into()), vec![])), "the root is called otherwise");
        let flat = placed([Some("a"), None, Some("b/c")]);
        assert_eq!(flat, Ok(("/data".into(), Some("x".into()), vec![])), "no folder of the torrent's own");
        let mixed = placed([Some("a"), None, None]);
        assert_eq!(mixed, Ok(("/data".into(), Some("x".into()), vec![(2, "name/b/c".into())])));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in ["../a", "/etc/passwd", "name/../../a", ""] {
            placed([Some(name), None, None]).expect_err(name);
        }
        let mut choice = Choice::default();
        place(&mut choice, &torrent(), Path::new("data"), &|_| None).expect_err("not absolute");
        place_in(&mut choice, &torrent(), Path::new("/")).expect_err("no name");
        place_in(&mut choice, &torrent(), Path::new("/a/../b")).expect_err("dots");
    }
}
