//! Where content is, and what it is called.

use std::path::{Component, Path};

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk, ids};
use super::super::labels::absolute;
use crate::session::seedbox::{Change, Row};

/// `torrents/setLocation`: torrents go there and follow their categories no more.
pub(super) async fn set_location(desk: &Desk, call: &Call) -> Outcome {
    let rows = call.rows("hashes")?;
    let folder = call.form.need("location")?;
    let folder = absolute(folder, &call.view.settings).ok_or_else(empty_path)?;
    let following = ids(rows.iter().copied().filter(|row| row.choice.auto_managed));
    desk.change(following, Change::AutoManaged(false)).await?;
    desk.change(ids(rows), Change::Move { folder, files: true }).await?;
    Ok(Answer::Done)
}

/// `torrents/setSavePath`: the same, of those that follow no category.
pub(super) async fn set_save_path(desk: &Desk, call: &Call) -> Outcome {
    let rows = call.rows("id")?;
    let folder = absolute(call.form.need("path")?, &call.view.settings).ok_or_else(empty_path)?;
    let free = rows.into_iter().filter(|row| !row.choice.auto_managed);
    desk.change(ids(free), Change::Move { folder, files: true }).await?;
    Ok(Answer::Done)
}

/// `torrents/setDownloadPath`: there is one folder for all that is incomplete.
pub(super) fn set_download_path(call: &Call) -> Outcome {
    call.form.need("id")?;
    let wanted = absolute(call.form.need("path")?, &call.view.settings);
    match wanted == call.view.settings.incomplete_folder {
        true => Ok(Answer::Done),
        false => {
            Err(Fault::unsupported("sower has one folder for what is incomplete; see `temp_path` in the preferences"))
        }
    }
}

/// `torrents/rename`: another name to show.
pub(super) async fn rename(desk: &Desk, call: &Call) -> Outcome {
    let name = one_line(call.form.need("name")?);
    if name.is_empty() {
        return Err(Fault::conflict("Incorrect torrent name"));
    }
    let row = call.row()?;
    desk.change(vec![row.id], Change::Name(Some(name))).await?;
    Ok(Answer::Done)
}

/// Without control characters: names stand in lists.
pub(super) fn one_line(name: &str) -> String {
    name.trim().replace("\r\n", " ").replace(char::is_control, " ")
}

/// `torrents/renameFile` and `torrents/renameFolder`
pub(super) async fn rename_path(desk: &Desk, call: &Call) -> Outcome {
    let (from, to) = (call.form.need("oldPath")?, call.form.need("newPath")?);
    let row = call.row()?;
    if !is_inside(from) || !is_inside(to) {
        return Err(Fault::conflict("give paths below the save path, without `..`"));
    }
    if !row.about.has_metadata {
        return Err(super::no_metadata());
    }
    check_root(row, from, to)?;
    desk.change(vec![row.id], Change::RenamePath { from: from.to_owned(), to: to.to_owned() }).await?;
    Ok(Answer::Done)
}

/// A path of one name is a new last name to the keeper, which would leave the file in its folder.
fn check_root(row: &Row, from: &str, to: &str) -> Result<(), Fault> {
    let deep = |path: &str| Path::new(path).components().count() > 1;
    match !row.about.single_file && deep(from) && !deep(to) {
        true => Err(Fault::conflict("a file cannot leave the folder of its torrent; name the folder too")),
        false => Ok(()),
    }
}

fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn empty_path() -> Fault {
    Fault::invalid("Save path cannot be empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_a_way_out_are_refused() {
        for good in ["a", "a/b.mkv", "a/..b", "中/b"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../../b", "./a", "a\0b"] {
            assert!(!is_inside(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_stays_in_its_line() {
        assert_eq!(one_line("  a\r\nb\tc\u{1b}[31m "), "a b c [31m");
    }
}
