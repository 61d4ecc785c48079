//! The owner's token, and the file that holds it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq as _;

use super::secret;

/// A token that somebody chose has at least this length.
const LENGTH_MIN: usize = 16;
/// And at most this one: it has to fit a header.
const LENGTH_MAX: usize = 256;

/// The secret. It does not show itself when printed.
#[derive(Clone)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or made.
    #[error("the token file {}: {error}", .path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Others may read it.
    #[error("others can read the token file {}: have `chmod 600` do away with that, or remove it and a new one is made", .0.display())]
    Open(PathBuf),
    /// It holds no token.
    #[error("the token file {} holds no token of {LENGTH_MIN} to {LENGTH_MAX} printable characters: remove it and a new one is made", .0.display())]
    Bad(PathBuf),
}

impl Token {
    /// This one: printable ASCII without spaces, long enough not to be guessed.
    pub fn new(text: &str) -> Option<Token> {
        let good = (LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Token(text.into()))
    }

    /// That of the state folder, `DIR/token`; made if there is none, so that nobody ever has a default one.
    pub fn of_folder(folder: &Path) -> Result<Token, TokenError> {
        let path = folder.join("token");
        match read(&path) {
            Err(TokenError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => make(&path),
            result => result,
        }
    }

    /// The text itself, for the one place that has to show or send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that tells nothing of where a difference is. How long the token is, is no secret.
    pub(super) fn is(&self, guess: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(guess).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn read(path: &Path) -> Result<Token, TokenError> {
    let failed = |error| TokenError::Io { path: path.into(), error };
    let text = fs::read_to_string(path).map_err(failed)?;
    if fs::metadata(path).map_err(failed)?.mode() & 0o077 != 0 {
        return Err(TokenError::Open(path.into()));
    }
    Token::new(text.trim()).ok_or_else(|| TokenError::Bad(path.into()))
}

/// Written aside and linked into place: a kill leaves no half token, and of two that start at once one makes it.
fn make(path: &Path) -> Result<Token, TokenError> {
    let failed = |error| TokenError::Io { path: path.into(), error };
    let token = secret::fresh();
    let aside = path.with_extension(format!("new.{}", std::process::id()));
    let _ = fs::remove_file(&aside);
    let place = || match fs::hard_link(&aside, path) {
        // some file systems have no links
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(&aside, path),
        linked => linked,
    };
    let made = write(&aside, &token).and_then(|()| place());
    let _ = fs::remove_file(&aside);
    match made {
        Ok(()) => Ok(Token(token)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(failed(error)),
    }
}

fn write(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()
}
