//! Requests as they come over HTTP, up to the method that they name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use subtle::ConstantTimeEq as _;

use crate::api::Context;
use crate::api::guard::{Caller, fresh};
use crate::limits::API_UPLOAD;
use crate::session::seedbox::View;

use super::envelope::{self, Request};
use super::history::History;
use super::method;

/// Carries the word that a page of another site cannot know.
const SESSION_ID: HeaderName = HeaderName::from_static("x-transmission-session-id");

/// What all requests share.
pub(super) struct Server {
    pub(super) context: Arc<Context>,
    /// New with each start.
    session_id: HeaderValue,
    history: Mutex<History>,
}

impl Server {
    /// One that nobody has spoken to.
    pub(super) fn new(context: Arc<Context>) -> Server {
        let session_id = HeaderValue::try_from(fresh()).unwrap_or(HeaderValue::from_static(""));
        let history = Mutex::new(History::new(Instant::now(), context.seedbox.view().revision));
        Server { context, session_id, history }
    }

    /// There is a new view.
    pub(super) fn note(&self, view: &View) {
        // a revision is a number: whoever panicked left it whole
        self.history.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now(), view.revision);
    }

    /// The revision after which changes are recent.
    pub(super) fn recent(&self) -> u64 {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).since(Instant::now())
    }

    /// The word that requests carry.
    pub(super) fn session_id(&self) -> &str {
        self.session_id.to_str().unwrap_or("")
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(&SESSION_ID);
        given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(self.session_id.as_bytes())))
    }
}

/// Answers a request for the path of the RPC.
pub(super) async fn answer(State(server): State<Arc<Server>>, caller: Caller, request: HttpRequest<Body>) -> Response {
    let mut response = match checked(&server, caller, request).await {
        Ok(body) => {
            let answer = respond(&server, &body).await;
            ([(CONTENT_TYPE, "application/json; charset=UTF-8")], answer).into_response()
        }
        Err(response) => *response,
    };
    // some clients forget it with each answer that does not repeat it
    if response.status() != StatusCode::UNAUTHORIZED && response.status() != StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(SESSION_ID, server.session_id.clone());
    }
    response
}

/// The body of a request from who may ask. Nothing of it is read before that is known.
async fn checked(server: &Server, caller: Caller, request: HttpRequest<Body>) -> Result<Bytes, Box<Response>> {
    let refuse = |response: Response| Err(Box::new(response));
    if let Err(denied) = server.context.guard.check(request.headers(), caller) {
        return refuse(denied.into_response());
    }
    if !server.knows(request.headers()) {
        // clients say it again at once by the same connection, which would be closed with a body that nobody took
        drain(request.into_body()).await;
        return refuse((StatusCode::CONFLICT, conflict(server.session_id())).into_response());
    }
    if request.method() != Method::POST {
        return refuse((StatusCode::METHOD_NOT_ALLOWED, "send requests with POST\n").into_response());
    }
    match axum::body::to_bytes(request.into_body(), API_UPLOAD).await {
        Ok(body) => Ok(body),
        Err(_) => {
            let text = format!("a request may have {API_UPLOAD} bytes at most\n");
            refuse((StatusCode::PAYLOAD_TOO_LARGE, text).into_response())
        }
    }
}

/// Takes a body and keeps nothing of it. One that is too long is left.
async fn drain(body: Body) {
    let (mut data, mut taken) = (body.into_data_stream(), 0);
    while let Some(Ok(part)) = data.next().await {
        taken += part.len();
        if taken > API_UPLOAD {
            return;
        }
    }
}

async fn respond(server: &Arc<Server>, body: &[u8]) -> Vec<u8> {
    match Request::parse(body) {
        Ok(Request { method, arguments, tag }) => {
            envelope::finish(method::call(server, &method, arguments).await, tag.as_ref())
        }
        Err((fault, tag)) => envelope::finish(Err(fault), tag.as_ref()),
    }
}

fn conflict(session_id: &str) -> String {
    format!("send the request again with the header X-Transmission-Session-Id: {session_id}\n")
}
