//! Saying no.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

/// Why a request goes no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// It says nothing of who sends it.
    #[error(
        "log in as user sower with the token as password, or send it as a bearer token; it is in the file `token` of the state folder"
    )]
    Nobody,
    /// What it says is wrong.
    #[error("wrong user or token; the user is sower, the token is in the file `token` of the state folder")]
    Wrong,
    /// Somebody guesses.
    #[error("too many wrong tokens; wait {} s", .wait.as_secs() + 1)]
    Guessing {
        /// Until it is looked at again.
        wait: Duration,
    },
    /// It is for a name that is not ours.
    #[error(
        "this is no name of this daemon: call it by its address or as localhost, or add the name to `hosts` under [api] in config.toml and start it again"
    )]
    Misdirected,
    /// It comes from another web site.
    #[error("{0}")]
    Foreign(&'static str),
}

impl Denied {
    /// Of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Denied::Nobody | Denied::Wrong => StatusCode::UNAUTHORIZED,
            Denied::Guessing { .. } => StatusCode::TOO_MANY_REQUESTS,
            Denied::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Denied::Foreign(_) => StatusCode::FORBIDDEN,
        }
    }

    /// Puts `Retry-After` or `WWW-Authenticate` on the answer that a front end makes.
    pub fn mark(self, response: &mut Response) {
        *response.status_mut() = self.status();
        match self {
            Denied::Nobody | Denied::Wrong => {
                let basic = "Basic realm=\"sower\", charset=\"UTF-8\"";
                response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static(basic));
            }
            Denied::Guessing { wait } => {
                response.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
            }
            Denied::Misdirected | Denied::Foreign(_) => {}
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let mut response = format!("{self}\n").into_response();
        self.mark(&mut response);
        response
    }
}
