//! What clients changed, written into the operator's file: only the values that changed, each in its place, with every comment and the
//! order kept.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, Value as Toml};

use crate::session::seedbox::{Category, Settings};

use super::Config;
use super::file::{ConfigFile, read};
use super::load::{Beside, Source};
use super::settings::{Entry, entries};

/// What became of changed settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// Keys that were written.
    pub keys: Vec<String>,
    /// Of these, those that a flag or variable will set again at the next start, and which.
    pub overruled: Vec<(String, Source)>,
}

/// Why changed settings are not in the file. They hold until the daemon ends.
#[derive(Debug, thiserror::Error)]
#[error("{} is not changed ({reason}); what clients changed holds until the next start: {}", .path.display(), .keys.join(", "))]
pub struct NotSaved {
    path: PathBuf,
    keys: Vec<String>,
    reason: String,
}

impl ConfigFile {
    /// Writes what differs from what was loaded or last saved.
    pub fn save_settings(&mut self, settings: &Settings) -> Result<Saved, NotSaved> {
        let changes = changes(&self.known, settings);
        let keys: Vec<String> = changes.iter().map(Change::path).collect();
        if changes.is_empty() {
            return Ok(Saved::default());
        }
        let not_saved = |reason: String| NotSaved { path: self.path.clone(), keys: keys.clone(), reason };
        let text = read(&self.path).map_err(|cause| not_saved(cause.to_string()))?;
        let edited = edited(&self.path, &text, &changes, &self.folder).map_err(not_saved)?;
        replace(&self.path, &edited).map_err(|cause| not_saved(cause.to_string()))?;
        let overruled = |path: &String| {
            let key = Config::keys().into_iter().find(|key| key.path() == *path)?;
            let source = self.config.source(key);
            matches!(source, Source::Variable(_) | Source::Flag(_)).then(|| (path.clone(), source))
        };
        let saved = Saved { overruled: keys.iter().filter_map(overruled).collect(), keys };
        self.known = settings.clone();
        Ok(saved)
    }
}

enum Change {
    Value(Entry),
    Category(String, Category),
    NoCategory(String),
}

impl Change {
    fn path(&self) -> String {
        match self {
            Change::Value(((section, key), _)) => format!("{section}.{key}"),
            Change::Category(name, _) | Change::NoCategory(name) => format!("categories.{name}"),
        }
    }

    fn holds_in(&self, settings: &Settings) -> bool {
        let same = |entry: &Entry, (key, value): &Entry| entry.0 == *key && entry.1.to_string() == value.to_string();
        match self {
            Change::Value(wanted) => entries(settings).iter().any(|entry| same(entry, wanted)),
            Change::Category(name, category) => settings.categories.get(name) == Some(category),
            Change::NoCategory(name) => !settings.categories.contains_key(name),
        }
    }
}

fn changes(before: &Settings, now: &Settings) -> Vec<Change> {
    let old: BTreeMap<_, _> = entries(before).into_iter().map(|(key, value)| (key, value.to_string())).collect();
    let differs = |(key, value): &Entry| old.get(key).is_none_or(|old| *old != value.to_string());
    let mut changes: Vec<Change> = entries(now).into_iter().filter(differs).map(Change::Value).collect();
    let other = |(name, category): &(&String, &Category)| before.categories.get(*name) != Some(*category);
    let made = now.categories.iter().filter(other);
    changes.extend(made.map(|(name, category)| Change::Category(name.clone(), category.clone())));
    let gone = before.categories.keys().filter(|name| !now.categories.contains_key(*name));
    changes.extend(gone.map(|name| Change::NoCategory(name.clone())));
    changes
}

/// `text` with `changes`. What comes of it is read again before anybody writes it: a file that the daemon could not start with
/// helps nobody.
fn edited(path: &Path, text: &str, changes: &[Change], folder: &Path) -> Result<String, String> {
    let says = |text: &str| Config::parse(path, text, &Beside::default()).map(|config| config.settings(folder));
    let before = says(text).map_err(|error| format!("it has mistakes: {error}"))?;
    let check = |text: &str| {
        let after = says(text).map_err(|error| error.to_string())?;
        let others = self::changes(&before, &after).into_iter().map(|change| change.path());
        let only_these = others.into_iter().all(|path| changes.iter().any(|change| change.path() == path));
        let lost = changes.iter().find(|change| !change.holds_in(&after));
        lost.map_or(Ok(()), |lost| Err(format!("it cannot hold this value of {}", lost.path())))?;
        if only_these { Ok(()) } else { Err("other keys would change".to_owned()) }
    };
    // lines below the commented-out default look best, but a text in several lines may look like one
    let edited = apply(text, changes, true)?;
    if check(&edited).is_ok() {
        return Ok(edited);
    }
    let edited = apply(text, changes, false)?;
    check(&edited).map(|()| edited)
}

fn apply(text: &str, changes: &[Change], beside_defaults: bool) -> Result<String, String> {
    let mut text = text.to_owned();
    for change in changes {
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
        match change {
            Change::Value(((section, key), value)) => {
                if let Some(slot) = existing(&mut document, section, key) {
                    let decor = slot.decor().clone();
                    *slot = value.clone();
                    *slot.decor_mut() = decor;
                } else if let Some(inserted) = beside_default(&text, (section, key), value).filter(|_| beside_defaults)
                {
                    text = inserted;
                    continue;
                } else {
                    table(document.as_table_mut(), section)?.insert(key, Item::Value(value.clone()));
                }
            }
            Change::Category(name, category) => set_category(&mut document, name, category)?,
            Change::NoCategory(name) => _ = table(document.as_table_mut(), "categories")?.remove(name),
        }
        text = document.to_string();
    }
    Ok(text)
}

fn existing<'document>(document: &'document mut DocumentMut, section: &str, key: &str) -> Option<&'document mut Toml> {
    document.get_mut(section)?.as_table_like_mut()?.get_mut(key)?.as_value_mut()
}

/// The table `name` of `parent`, which is made if there is none.
fn table<'parent>(parent: &'parent mut dyn TableLike, name: &str) -> Result<&'parent mut dyn TableLike, String> {
    let item = parent.entry(name).or_insert_with(|| {
        let mut table = Table::new();
        // a table that only has tables needs no line of its own
        table.set_implicit(name == "categories");
        Item::Table(table)
    });
    item.as_table_like_mut().ok_or_else(|| format!("{name} is no section there"))
}

fn set_category(document: &mut DocumentMut, name: &str, category: &Category) -> Result<(), String> {
    let category_table = table(table(document.as_table_mut(), "categories")?, name)?;
    match &category.folder {
        Some(folder) => {
            let value = Toml::from(folder.to_string_lossy().as_ref());
            category_table.insert("folder", Item::Value(value));
        }
        None => _ = category_table.remove("folder"),
    }
    Ok(())
}

/// `text` with a line for a key below the one on which its default is commented out.
fn beside_default(text: &str, (section, key): (&str, &str), value: &Toml) -> Option<String> {
    let mut inside = false;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        let line = line.trim();
        if line.starts_with('[') {
            inside = line.split_once(']').is_some_and(|(name, _)| name[1..].trim() == section);
        }
        let default = line.strip_prefix('#').map(str::trim_start).and_then(|line| line.strip_prefix(key));
        if inside && default.is_some_and(|rest| rest.trim_start().starts_with('=')) {
            let gap = if text[..end].ends_with('\n') { "" } else { "\n" };
            return Some(format!("{}{gap}{key} = {value}\n{}", &text[..end], &text[end..]));
        }
    }
    None
}

/// Puts `text` in place of the file, so that whatever happens there is one of them, whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // behind a symbolic link it is the file that changes, not the link
    let path = fs::canonicalize(path)?;
    let mode = fs::metadata(&path)?.permissions().mode();
    // a rename asks the folder alone; the operator who took the right to write meant the file. Root is not asked either.
    let writable = rustix::fs::access(&path, rustix::fs::Access::WRITE_OK);
    if mode & 0o222 == 0 || writable.is_err() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let temporary = folder.join(format!(".config-{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode & 0o777);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    });
    if written.is_err() {
        // what is left of it is of no use; that it cannot be removed changes nothing
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| File::open(folder)?.sync_all())
}
