//! The OpenAPI document.

use std::sync::OnceLock;

use axum::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::list::json;
use super::{add, change, details, list, settings, totals};
use crate::api::events;
use crate::api::page::login;

pub(in crate::api) use super::failure::ErrorDocument;
pub(in crate::api) use super::list::DeltaDocument;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "sower",
        description = "The daemon's own API. Every request needs the token of the state folder, as bearer token or as password of user `sower`; \
            by the Unix socket it needs none. Errors are `{\"error\": {\"kind\", \"message\"}}`.",
    ),
    paths(
        list::list, add::add, details::torrent, details::files, details::torrent_file, details::peers, details::trackers, details::pieces, change::act,
        change::patch, change::remove, change::many, settings::settings, settings::patch_settings, totals::totals, totals::engine,
        events::events, login::login, login::logout
    ),
    tags(
        (name = "torrents", description = "Torrents, one or many"),
        (name = "daemon", description = "What holds for all of them"),
    ),
    modifiers(&Security),
    security(("bearer" = []), ("basic" = [])),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [("bearer", HttpAuthScheme::Bearer), ("basic", HttpAuthScheme::Basic)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
    }
}

/// The document, as JSON.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| Document::openapi().to_json().unwrap_or_default())
}

pub(super) async fn serve() -> Response {
    json(document().into())
}
