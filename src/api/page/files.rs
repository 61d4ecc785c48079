//! The files of the page, as they are asked for.
//!
//! Browsers ask each time whether a file has changed, and are told by a hash of its bytes: a new program shows its own page at once.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha1::{Digest as _, Sha1};

/// Everything is of this origin and in files of its own. Names of torrents are a stranger's words: where a script would have to turn
/// text into elements, the browser refuses.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("files/", $name)))),*] };
}

/// What stands in `files`.
#[rustfmt::skip]
const FILES: &[(&str, &str)] = files![
    "actions.js", "add.js", "api.js", "app.js", "base.css", "changes.js", "chart.js", "chart_tabs.js", "columns.js", "details.css",
    "details.js", "dialog.js", "dialogs.css", "dom.js", "favicon.svg", "files_tab.js", "filters.js", "format.js", "frame.css", "grid.js",
    "grid_header.js", "grid_keys.js", "help.js", "history.js", "index.html", "keys.js", "labels.js", "list.css", "listing.js", "menu.js",
    "overview_tab.js", "page.js", "peers_tab.js", "phone.css", "progress.js", "selecting.js", "selection.js", "settings.js", "sidebar.js", "states.js", "status.js",
    "store.js", "table.js", "theme.js", "toasts.js", "toolbar.js", "torrent_dialogs.js", "totals.js", "trackers_tab.js",
];

/// One file, ready to be sent.
struct File {
    name: &'static str,
    kind: HeaderValue,
    tag: HeaderValue,
    text: &'static str,
}

impl File {
    fn new(name: &'static str, text: &'static str) -> File {
        let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        File { name, kind: HeaderValue::from_static(kind), tag: tag(text), text }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let mut response =
            if self.is_known_by(asked) { StatusCode::NOT_MODIFIED.into_response() } else { self.text.into_response() };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.kind.clone());
        headers.insert(ETAG, self.tag.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        response
    }

    /// The browser has it (RFC 9110, 13.1.2).
    fn is_known_by(&self, asked: &HeaderMap) -> bool {
        let lines = asked.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == self.tag)
    }
}

fn tag(text: &str) -> HeaderValue {
    let digest = Sha1::digest(text);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// `/` and `/page/NAME`.
pub(super) fn router() -> Router {
    let files: Arc<[File]> = FILES.iter().map(|(name, text)| File::new(name, text)).collect();
    Router::new().route("/", get(index)).route("/page/{name}", get(by_name)).with_state(files)
}

async fn index(State(files): State<Arc<[File]>>, asked: HeaderMap) -> Response {
    send(&files, "index.html", &asked)
}

async fn by_name(State(files): State<Arc<[File]>>, Path(name): Path<String>, asked: HeaderMap) -> Response {
    send(&files, &name, &asked)
}

fn send(files: &[File], name: &str, asked: &HeaderMap) -> Response {
    match files.iter().find(|file| file.name == name) {
        Some(file) => file.answer(asked),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/page/files");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        let served: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn every_icon_that_is_named_is_drawn() {
        let (_, icons) = FILES.iter().find(|(name, _)| *name == "index.html").expect("the page");
        for (file, text) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            for (at, _) in text.match_indices("icon: \"") {
                let name = text[at + 7..].split('"').next().unwrap_or("");
                assert!(icons.contains(&format!("<symbol id=\"icon-{name}\"")), "{file}: {name}");
            }
        }
    }

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let file = File::new("a.css", "body {}");
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(value).expect("a value"));
            file.is_known_by(&headers)
        };
        let tag = file.tag.to_str().expect("text");
        assert!(with(tag) && with("*") && with(&format!("\"old\", W/{tag}")));
        assert!(!with("\"old\"") && !with("") && !file.is_known_by(&HeaderMap::new()));
    }
}
