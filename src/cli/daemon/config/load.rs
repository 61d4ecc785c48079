//! From flags, environment and file to checked values: the first of them that names a key decides, and all that is wrong anywhere
//! is told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, TableLike};

use super::key::{Key, Section};
use super::value::{Place, Raw, Value, name as name_of};

/// What is set beside the file.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Flags; of two that set the same key the last one decides.
    pub flags: Vec<Flag>,
    /// Environment variables that begin with `SOWER_`.
    pub environment: Vec<(String, String)>,
}

/// A flag that sets a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flag {
    /// The key.
    pub path: String,
    /// What was typed.
    pub typed: Typed,
    /// The flag, as it is called.
    pub name: String,
}

/// What was typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// In one piece; lists are separated by commas.
    Text(String),
    /// By repeating the flag.
    List(Vec<String>),
}

impl Typed {
    fn raw(&self) -> Raw<'_> {
        match self {
            Typed::Text(text) => Raw::Text(text),
            Typed::List(texts) => Raw::Texts(texts),
        }
    }
}

impl Beside {
    /// The environment of this process.
    pub fn from_environment() -> Beside {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.into_string().ok().filter(|name| name.starts_with("SOWER_"))?;
            Some((name, value.to_string_lossy().into_owned()))
        };
        Beside { flags: Vec::new(), environment: std::env::vars_os().filter_map(text).collect() }
    }
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// From nowhere.
    Default,
    /// This line of the file.
    Line(usize),
    /// This environment variable.
    Variable(String),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Line(line) => write!(f, "line {line}"),
            Source::Variable(name) | Source::Flag(name) => f.write_str(name),
        }
    }
}

/// A value as it was given, for showing.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Given {
    pub(super) key: &'static Key,
    /// As the file would have it.
    pub(super) text: String,
    pub(super) source: Source,
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigError {
    /// Each with its place and remedy.
    pub problems: Vec<String>,
}

/// The words of a file that is no TOML any more: what was between is not looked at.
pub(super) struct File<'text> {
    /// How it is called in messages.
    pub(super) name: String,
    pub(super) document: Document<&'text str>,
}

impl<'text> File<'text> {
    pub(super) fn parse(path: &Path, text: &'text str) -> Result<File<'text>, String> {
        let name = path.display().to_string();
        match Document::parse(text) {
            Ok(document) => Ok(File { name, document }),
            Err(error) => {
                let line = line_of(text, error.span());
                Err(format!(
                    "{name}:{line}: {}: nothing of this file can be read before this is mended",
                    error.message()
                ))
            }
        }
    }

    fn line(&self, span: Option<Range<usize>>) -> usize {
        line_of(self.document.raw(), span)
    }
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start.min(text.len()));
    text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Takes values, and notes what is wrong with them.
pub(super) struct Reader<'given> {
    file: Option<File<'given>>,
    beside: &'given Beside,
    pub(super) given: Vec<Given>,
    pub(super) problems: Vec<String>,
}

impl<'given> Reader<'given> {
    pub(super) fn new(file: Option<File<'given>>, beside: &'given Beside) -> Reader<'given> {
        Reader { file, beside, given: Vec::new(), problems: Vec::new() }
    }

    /// All of a section.
    pub(super) fn section<S: Section>(&mut self) -> S {
        S::read(self)
    }

    /// The value of the next one of `keys`.
    pub(super) fn next<T: Value>(&mut self, keys: &mut std::slice::Iter<'static, Key>) -> T {
        let key = keys.next().expect("a key for each field");
        let default: toml_edit::Value = key.default.parse().expect("a default is TOML: a test reads them all");
        let mut value = T::read(Raw::Toml(&default)).expect("a default is a value: a test reads them all");
        let mut given = Given { key, text: key.default.into(), source: Source::Default };
        if let Some((found, text, source)) = self.in_file(key) {
            (value, given) = (found.unwrap_or(value), Given { key, text, source });
        }
        if let Some((name, text)) = self.beside.environment.iter().rfind(|(name, _)| *name == key.variable()) {
            value = self.beside_file(key, Raw::Text(text), name).unwrap_or(value);
            given = Given { key, text: toml_text(key, Raw::Text(text)), source: Source::Variable(name.clone()) };
        }
        if let Some(flag) = self.beside.flags.iter().rfind(|flag| flag.path == key.path()) {
            value = self.beside_file(key, flag.typed.raw(), &flag.name).unwrap_or(value);
            given = Given { key, text: toml_text(key, flag.typed.raw()), source: Source::Flag(flag.name.clone()) };
        }
        self.given.push(given);
        value
    }

    fn in_file<T: Value>(&mut self, key: &Key) -> Option<(Option<T>, String, Source)> {
        let file = self.file.as_ref()?;
        let item = file.document.get(key.section)?.as_table_like()?.get(&key.name())?;
        let line = file.line(item.span());
        let read = match item.as_value() {
            Some(value) => T::read(Raw::Toml(value)),
            None => Err("a table where a value belongs".into()),
        };
        let problem = read.as_ref().err().map(|error| format!("{}:{line}: {}: {error}", file.name, key.path()));
        self.problems.extend(problem);
        Some((read.ok(), item.to_string().trim().to_owned(), Source::Line(line)))
    }

    fn beside_file<T: Value>(&mut self, key: &Key, raw: Raw<'_>, place: &str) -> Option<T> {
        T::read(raw).map_err(|error| self.problems.push(format!("{place}: {}: {error}", key.path()))).ok()
    }

    /// The tables below `categories`, whose names are the owner's.
    pub(super) fn categories(&mut self) -> BTreeMap<String, Option<Place>> {
        let Some(file) = &self.file else { return BTreeMap::new() };
        let Some(item) = file.document.get("categories") else { return BTreeMap::new() };
        let Some(tables) = item.as_table_like() else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for (name, item) in tables.iter() {
            let at = |span| format!("{}:{}: categories.{name}", file.name, file.line(span));
            match category(name, item) {
                Ok(folder) => _ = found.insert(name.to_owned(), folder),
                Err((span, error)) => self.problems.push(format!("{}: {error}", at(span.or(item.span())))),
            }
        }
        found
    }

    /// Names that nobody knows, in all places.
    pub(super) fn look_for_strangers(&mut self, keys: &[&'static Key]) {
        let mut problems = Vec::new();
        if let Some(file) = &self.file {
            strange_sections(file, keys, &mut problems);
        }
        for Flag { path, name, .. } in &self.beside.flags {
            if !keys.iter().any(|key| key.path() == *path) {
                let hint = nearest(path, keys.iter().map(|key| key.path()));
                problems.push(format!("{name}: there is no key {path}{hint}"));
            }
        }
        let ours = |name: &str| {
            keys.iter().any(|key| name.starts_with(&format!("SOWER_{}_", key.section.to_ascii_uppercase())))
        };
        for (name, _) in self.beside.environment.iter().filter(|(name, _)| ours(name)) {
            if !keys.iter().any(|key| key.variable() == *name) {
                let hint = nearest(name, keys.iter().map(|key| key.variable()));
                problems.push(format!("{name}: no key has this variable{hint}"));
            }
        }
        self.problems.extend(problems);
    }
}

/// The folder of a category, or what is wrong and where.
fn category(name: &str, item: &Item) -> Result<Option<Place>, (Option<Range<usize>>, String)> {
    let table = item.as_table_like().ok_or_else(|| {
        let remedy = format!("write [categories.{name}] and below it folder = \"...\"");
        (item.span(), format!("a value where a table belongs: {remedy}"))
    })?;
    name_of(name).map_err(|error| (item.span(), error))?;
    if let Some((strange, item)) = table.iter().find(|(key, _)| *key != "folder") {
        return Err((item.span(), format!("there is no key {strange}: a category has a folder")));
    }
    let Some(folder) = table.get("folder") else { return Ok(None) };
    let value = folder.as_value().ok_or_else(|| (folder.span(), "a table where a path belongs".to_owned()))?;
    Option::<Place>::read(Raw::Toml(value)).map_err(|error| (folder.span(), error))
}

fn strange_sections(file: &File<'_>, keys: &[&'static Key], problems: &mut Vec<String>) {
    let sections = || keys.iter().map(|key| key.section.to_owned()).chain(["categories".to_owned()]);
    for (name, item) in file.document.as_table().iter() {
        let line = |table: Option<Range<usize>>| file.line(table.or_else(|| file.document.key(name)?.span()));
        match item.as_table_like() {
            Some(table) if keys.iter().any(|key| key.section == name) => {
                strange_keys(file, name, table, keys, problems)
            }
            Some(_) if name == "categories" => {}
            Some(_) => {
                let hint = nearest(name, sections());
                problems.push(format!("{}:{}: there is no section [{name}]{hint}", file.name, line(item.span())));
            }
            None => {
                let hint = elsewhere(name, keys).unwrap_or_else(|| nearest(name, sections()));
                problems.push(format!("{}:{}: `{name}` stands in no section{hint}", file.name, line(item.span())));
            }
        }
    }
}

fn strange_keys(
    file: &File<'_>,
    section: &str,
    table: &dyn TableLike,
    keys: &[&'static Key],
    problems: &mut Vec<String>,
) {
    let known = || keys.iter().filter(|key| key.section == section).map(|key| key.name());
    for (name, item) in table.iter().filter(|(name, _)| !known().any(|key| key == *name)) {
        let line = file.line(table.key(name).and_then(|key| key.span()).or(item.span()));
        let hint = match nearest(name, known()) {
            hint if hint.is_empty() => elsewhere(name, keys).unwrap_or_default(),
            hint => hint,
        };
        problems.push(format!("{}:{line}: there is no key {section}.{name}{hint}", file.name));
    }
}

/// A key of this name in another section.
fn elsewhere(name: &str, keys: &[&'static Key]) -> Option<String> {
    let key = keys.iter().find(|key| key.name() == name)?;
    Some(format!("; it belongs in [{}]", key.section))
}

/// `; did you mean ...?`, if one of `known` is near `name`.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let plain = |text: &str| text.replace('_', "-").to_ascii_lowercase();
    let (_, best) = known
        .map(|known| (distance(&plain(name), &plain(&known)), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .unwrap_or_default();
    if best.is_empty() { best } else { format!("; did you mean {best}?") }
}

/// Letters to add, drop or change to make one of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// A flag or variable as the file would have it, in the form of the default.
fn toml_text(key: &Key, raw: Raw<'_>) -> String {
    let number =
        |text: &str| text.parse::<toml_edit::Value>().is_ok_and(|value| value.is_integer() || value.is_float());
    match (raw, raw.text()) {
        (Raw::Texts(texts), _) => texts.iter().collect::<toml_edit::Array>().to_string(),
        (Raw::Text(text), _) if key.is_list() => {
            text.split(',').map(str::trim).collect::<toml_edit::Array>().to_string()
        }
        (Raw::Text(_), _) if key.is_switch() => bool::read(raw).is_ok_and(|on| on).to_string(),
        (_, Ok(text)) if number(&text) => text.into_owned(),
        (_, text) => toml_edit::Value::from(text.unwrap_or_default().as_ref()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_slip_away_and_a_strange_one_has_none() {
        let known = || ["upload", "download", "bind-device"].map(str::to_owned).into_iter();
        assert_eq!(nearest("uplaod", known()), "; did you mean upload?");
        assert_eq!(nearest("bind_device", known()), "; did you mean bind-device?");
        assert_eq!(nearest("encryption", known()), "");
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
