//! The file on disk: made at the first start, read, read again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::limits;
use crate::session::seedbox::Settings;

use super::Config;
use super::key::{Key, When};
use super::load::{Beside, ConfigError};
use super::print::generated;

/// The configuration and where it is kept.
#[derive(Debug)]
pub struct ConfigFile {
    pub(super) path: PathBuf,
    /// The state folder.
    pub(super) folder: PathBuf,
    beside: Beside,
    pub(super) config: Config,
    /// What the file says, as far as clients may change it.
    pub(super) known: Settings,
}

/// What a reload brought.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reload {
    /// Keys that have other values now, and hold.
    pub live: Vec<&'static Key>,
    /// Keys that have other values now, and hold after a restart.
    pub restart: Vec<&'static Key>,
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |keys: &[&Key]| keys.iter().map(|key| key.path()).collect::<Vec<_>>().join(", ");
        match (self.live.as_slice(), self.restart.as_slice()) {
            ([], []) => f.write_str("nothing changed"),
            (live, []) => write!(f, "changed: {}", names(live)),
            ([], restart) => write!(f, "a restart is needed for: {}", names(restart)),
            (live, restart) => write!(f, "changed: {}; a restart is needed for: {}", names(live), names(restart)),
        }
    }
}

impl ConfigFile {
    /// Loads the file at `path`. A file that is not there says nothing: all defaults.
    pub fn load(path: PathBuf, folder: PathBuf, beside: Beside) -> Result<ConfigFile, ConfigError> {
        let config = Config::parse(&path, &text_of(&path)?, &beside)?;
        let known = config.settings(&folder);
        Ok(ConfigFile { path, folder, beside, config, known })
    }

    /// Makes the file, with every key documented, if it is not there. Whether it was made.
    pub fn make(path: &Path) -> io::Result<bool> {
        // others on this host have no business in it, and URLs of webhooks are secrets
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match opened.and_then(|mut file| file.write_all(generated().as_bytes())) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What holds.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What holds for all torrents.
    pub fn settings(&self) -> Settings {
        self.config.settings(&self.folder)
    }

    /// Reads the file again. What is wrong with it leaves everything as it was.
    pub fn reload(&mut self) -> Result<Reload, ConfigError> {
        let config = Config::parse(&self.path, &text_of(&self.path)?, &self.beside)?;
        let (live, restart) = config.changed(&self.config).into_iter().partition(|key| key.when == When::Live);
        self.known = config.settings(&self.folder);
        self.config = config;
        Ok(Reload { live, restart })
    }
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    match read(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "; it belongs to another user: run sower as that one, or choose another folder with --state"
                }
                io::ErrorKind::IsADirectory => "; name a file with --config",
                _ => "",
            };
            Err(ConfigError { problems: vec![format!("{}: {error}{remedy}", path.display())] })
        }
    }
}

pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(limits::CONFIG_FILE + 1).read_to_string(&mut text)?;
    match u64::try_from(length) {
        Ok(0..=limits::CONFIG_FILE) => Ok(text),
        _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is far too long for a configuration")),
    }
}
