//! Who may come in.
//!
//! There is one secret, the token: 256 random bits that `DIR/token` holds. Whoever shows it is the owner, as the password of
//! user `sower` (Basic auth and logins) or as a bearer token. A login gives out a session, by which a browser is known without the
//! token. Who comes by the Unix socket has shown already that the file system lets them.
//!
//! Secrets are compared in constant time. Wrong guesses cost their address ever longer waits, in which no password of it is
//! looked at; sessions go on, so nobody is thrown out by somebody else's guesses. A program that repeats one wrong password is no
//! guesser: it learns nothing, and is told that it is wrong without being counted again.

mod caller;
mod denied;
mod guesses;
mod secret;
mod sessions;
#[cfg(test)]
mod tests;
mod token;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use guesses::Guesses;
use sessions::Sessions;

pub use caller::Caller;
pub use denied::Denied;
pub(super) use secret::fresh;
pub use sessions::SessionKey;
pub use token::{Token, TokenError};

/// The one user there is.
pub const USER: &str = "sower";
/// The cookie of a session.
const COOKIE_NAME: &str = "SID";
/// Of a header that carries a password; tokens are 43 characters long.
const CREDENTIALS_LENGTH: usize = 1_024;

/// See the module.
pub struct Guard {
    token: Token,
    sessions: Mutex<Sessions>,
    guesses: Mutex<Guesses>,
}

impl Guard {
    /// Lets in who knows `token`.
    pub fn new(token: Token) -> Guard {
        Guard { token, sessions: Mutex::default(), guesses: Mutex::default() }
    }

    /// Whether `caller` may go on: by the Unix socket, by a session, or by the token in `Authorization`.
    pub fn check(&self, headers: &HeaderMap, caller: Caller) -> Result<(), Denied> {
        if caller == Caller::Unix || self.session(headers).is_some() {
            return Ok(());
        }
        match Credentials::of(headers)? {
            Credentials::Bearer(token) => self.judge(USER, token.as_bytes(), caller),
            Credentials::Basic(user, password) => self.judge(&user, password.as_bytes(), caller),
        }
    }

    /// Opens a session for who knows the token; what comes back is the value of its cookie, see [`Guard::cookie`].
    pub fn login(&self, user: &str, password: &str, caller: Caller) -> Result<String, Denied> {
        self.judge(user, password.as_bytes(), caller)?;
        Ok(lock(&self.sessions).open(Instant::now()))
    }

    /// Ends the session of this cookie value.
    pub fn logout(&self, sid: &str) {
        lock(&self.sessions).close(sid);
    }

    /// The session that a request belongs to, if it brings the cookie of one; that keeps the session from ending.
    pub fn session(&self, headers: &HeaderMap) -> Option<SessionKey> {
        let mut sessions = lock(&self.sessions);
        let now = Instant::now();
        sids(headers).find_map(|sid| sessions.key(sid, now))
    }

    /// `Set-Cookie` of a session. Not sent along with requests that other sites cause, and out of reach of scripts.
    pub fn cookie(sid: &str) -> HeaderValue {
        let text = format!("{COOKIE_NAME}={sid}; HttpOnly; SameSite=Strict; Path=/");
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    /// The value of the session cookie in a request, for [`Guard::logout`].
    pub fn sid(headers: &HeaderMap) -> Option<&str> {
        sids(headers).next()
    }

    /// Compares, unless this caller has to wait, and keeps count.
    fn judge(&self, user: &str, password: &[u8], caller: Caller) -> Result<(), Denied> {
        let Some(address) = caller.address() else { return Ok(()) };
        let mut guesses = lock(&self.guesses);
        // not before the lock is there: two callers would see each other's times in the wrong order
        let now = Instant::now();
        guesses.may_guess(address, now)?;
        // both are compared, whatever the first says
        if self.token.is(password) & (user == USER) {
            guesses.right(address, now);
            return Ok(());
        }
        guesses.wrong(address, user, password, now);
        Err(Denied::Wrong)
    }
}

/// Nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every cookie of our name: an outdated one of a parent path may stand before the right one.
fn sids(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, sid)| sid)
}

/// What a request says that its sender knows.
enum Credentials<'request> {
    Bearer(&'request str),
    Basic(String, String),
}

impl Credentials<'_> {
    fn of(headers: &HeaderMap) -> Result<Credentials<'_>, Denied> {
        let line = headers.get(AUTHORIZATION).ok_or(Denied::Nobody)?;
        let line = line.to_str().ok().filter(|line| line.len() <= CREDENTIALS_LENGTH).ok_or(Denied::Nobody)?;
        let (scheme, rest) = line.split_once(' ').ok_or(Denied::Nobody)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Credentials::Bearer(rest.trim()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Denied::Nobody);
        }
        let text = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or(Denied::Nobody)?;
        let (user, password) = text.split_once(':').ok_or(Denied::Nobody)?;
        Ok(Credentials::Basic(user.into(), password.into()))
    }
}
