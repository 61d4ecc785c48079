//! Categories and tags: which there are, and which torrents have them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::answer::{Answer, Fault, Outcome};
use super::call::{Call, Desk, ids};
use crate::api::json::Json;
use crate::session::seedbox::{Category, Change, Choice, Row, Settings};

/// Longest name of a category or a tag: that of a folder.
const NAME_LENGTH: usize = crate::limits::NAME_LENGTH;

/// Writes the entries of a category's object.
pub(super) fn write_category(name: &str, category: &Category, json: &mut Json) {
    json.key("name").text(name);
    json.key("savePath").text(&category.folder.as_deref().map_or_else(Default::default, Path::to_string_lossy));
}

/// `torrents/categories`
pub(super) fn categories(call: &Call) -> Outcome {
    let mut json = Json::default();
    json.object(|json| {
        for (name, category) in &call.view.settings.categories {
            json.key(name).object(|json| write_category(name, category, json));
        }
    });
    Ok(Answer::Json(json.into_bytes()))
}

/// `torrents/tags`
pub(super) fn tags(call: &Call) -> Outcome {
    let mut json = Json::default();
    json.list(|json| call.view.settings.tags.iter().for_each(|tag| json.text(tag)));
    Ok(Answer::Json(json.into_bytes()))
}

/// `torrents/createCategory`
pub(super) async fn create_category(desk: &Desk, call: &Call) -> Outcome {
    let name = category_name(call)?;
    if !is_category_name(name) {
        return Err(Fault::conflict("Incorrect category name"));
    }
    if call.view.settings.categories.contains_key(name) {
        return Err(Fault::conflict("Unable to create category"));
    }
    set_category_folder(desk, call, name).await
}

/// `torrents/editCategory`
pub(super) async fn edit_category(desk: &Desk, call: &Call) -> Outcome {
    let name = category_name(call)?;
    call.form.need("savePath")?;
    if !call.view.settings.categories.contains_key(name) {
        return Err(Fault::conflict("Unable to edit category"));
    }
    set_category_folder(desk, call, name).await
}

fn category_name(call: &Call) -> Result<&str, Fault> {
    match call.form.need("category")? {
        "" => Err(Fault::invalid("Category cannot be empty")),
        name => Ok(name),
    }
}

async fn set_category_folder(desk: &Desk, call: &Call, name: &str) -> Outcome {
    if call.form.truth("downloadPathEnabled") == Some(true) && !call.form.or_empty("downloadPath").is_empty() {
        return Err(Fault::unsupported("sower has one folder for what is incomplete, not one for each category"));
    }
    let folder = absolute(call.form.or_empty("savePath"), &call.view.settings);
    let set = desk.seedbox().settings(|settings| {
        settings.categories.insert(name.to_owned(), Category { folder: folder.clone() });
    });
    set.await?;
    Ok(Answer::Done)
}

/// A folder that a client names: one that is relative lies in the download folder. None if it is empty.
pub(super) fn absolute(folder: &str, settings: &Settings) -> Option<PathBuf> {
    let folder = folder.trim();
    (!folder.is_empty()).then(|| settings.download_folder.join(folder))
}

/// `torrents/removeCategories`
pub(super) async fn remove_categories(desk: &Desk, call: &Call) -> Outcome {
    call.form.need("categories")?;
    let names: Vec<String> = call.form.list("categories", '\n').map(str::to_owned).collect();
    let members = with(call, |row| names.contains(&row.choice.category));
    desk.change(members, Change::Category(String::new())).await?;
    desk.seedbox().settings(|settings| settings.categories.retain(|name, _| !names.contains(name))).await?;
    Ok(Answer::Done)
}

/// `torrents/setCategory`
pub(super) async fn set_category(desk: &Desk, call: &Call) -> Outcome {
    let torrents = call.chosen("hashes")?;
    let name = call.form.need("category")?;
    if !name.is_empty() && !call.view.settings.categories.contains_key(name) {
        return Err(Fault::conflict("Incorrect category name"));
    }
    desk.change(torrents, Change::Category(name.to_owned())).await?;
    Ok(Answer::Done)
}

/// Makes the category and the tags that a torrent is added with, as far as they are not there yet.
pub(super) async fn ensure_labels(desk: &Desk, call: &Call, choice: &Choice) -> Result<(), Fault> {
    let (name, settings) = (&choice.category, &call.view.settings);
    let has_category = name.is_empty() || settings.categories.contains_key(name);
    if has_category && choice.tags.is_subset(&settings.tags) {
        return Ok(());
    }
    if !has_category && !is_category_name(name) {
        return Err(Fault::conflict("Incorrect category name"));
    }
    let made = desk.seedbox().settings(|settings| {
        settings.tags.extend(choice.tags.iter().cloned());
        if !has_category {
            settings.categories.entry(name.clone()).or_default();
        }
    });
    Ok(made.await?)
}

/// `torrents/createTags`
pub(super) async fn create_tags(desk: &Desk, call: &Call) -> Outcome {
    call.form.need("tags")?;
    let tags = named_tags(call)?;
    desk.seedbox().settings(|settings| settings.tags.extend(tags.iter().cloned())).await?;
    Ok(Answer::Done)
}

/// `torrents/deleteTags`
pub(super) async fn delete_tags(desk: &Desk, call: &Call) -> Outcome {
    call.form.need("tags")?;
    let tags = named_tags(call)?;
    if tags.is_empty() {
        return Ok(Answer::Done);
    }
    let having = with(call, |row| tags.iter().any(|tag| row.choice.tags.contains(tag)));
    desk.change(having, Change::RemoveTags(tags.clone())).await?;
    desk.seedbox().settings(|settings| settings.tags.retain(|tag| !tags.contains(tag))).await?;
    Ok(Answer::Done)
}

/// `torrents/addTags`, `torrents/removeTags` and `torrents/setTags`
pub(super) async fn change_tags(desk: &Desk, call: &Call, change: impl FnOnce(Vec<String>) -> Change) -> Outcome {
    desk.change_chosen(call, change(named_tags(call)?)).await
}

/// Tags in field `tags`, with commas between.
pub(super) fn named_tags(call: &Call) -> Result<Vec<String>, Fault> {
    let tags: Vec<String> = call.form.list("tags", ',').map(str::to_owned).collect();
    match tags.iter().all(|tag| is_label(tag)) {
        true => Ok(tags),
        false => Err(Fault::invalid("a tag has no control characters, and 255 bytes at most")),
    }
}

fn with(call: &Call, has: impl Fn(&Row) -> bool) -> Vec<crate::ids::TorrentId> {
    ids(call.view.rows.iter().filter(|row: &&Arc<Row>| has(row)))
}

/// A category may become a folder: its name is a relative path without detours.
fn is_category_name(name: &str) -> bool {
    is_label(name) && !name.contains('\\') && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn is_label(name: &str) -> bool {
    name.len() <= NAME_LENGTH && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_paths_without_detours() {
        for good in ["tv", "a/b", "a.b", "mit Leerzeichen", "中"] {
            assert!(is_category_name(good), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "a\\b", "..", "a/../b", ".", "a\nb", &"x".repeat(256)] {
            assert!(!is_category_name(bad), "{bad}");
        }
    }

    #[test]
    fn folders_are_below_the_download_folder_unless_they_say_otherwise() {
        let settings = Settings::new("/srv/seed".into());
        assert_eq!(absolute(" tv ", &settings), Some("/srv/seed/tv".into()));
        assert_eq!(absolute("/other", &settings), Some("/other".into()));
        assert_eq!(absolute(" ", &settings), None);
    }
}
