//! Torrents are added.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::limit::{Limit, ratio};
use super::settings::LimitAction;
use super::{Answer, ErrorDocument, Failure};
use crate::api::Context;
use crate::session::seedbox::{Addition, Choice, Seedbox, Source};

/// Files in one upload.
const FILES_MOST: usize = 1_000;

/// A torrent to add: one of `magnet`, `url` and `torrent`, and what else is chosen.
#[derive(Deserialize, ToSchema)]
pub(super) struct AddRequest {
    /// A magnet link.
    magnet: Option<String>,
    /// Address of a torrent file, http or https.
    url: Option<String>,
    /// A torrent file, base64.
    torrent: Option<String>,
    #[serde(flatten)]
    options: AddOptions,
}

/// What is chosen for a torrent that is added.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct AddOptions {
    /// Folder for its file, or for the folder of its files; left out: that of its category, else the download folder.
    #[schema(value_type = Option<String>)]
    folder: Option<PathBuf>,
    /// Name to show.
    name: Option<String>,
    category: String,
    tags: Vec<String>,
    /// Left out: as the settings say.
    paused: Option<bool>,
    /// Runs whatever the queue says.
    forced: bool,
    /// Follows its category's folder.
    auto_managed: bool,
    /// The content is said to be there and right: sizes are looked at, pieces are checked when they are first served.
    trusted: bool,
    /// Bytes a second that it may send.
    upload_limit: Option<u64>,
    /// Bytes a second that it may receive.
    download_limit: Option<u64>,
    ratio_limit: Option<Limit<f64>>,
    /// Minutes of seeding.
    seeding_limit: Option<Limit<u32>>,
    /// Minutes of seeding without a byte sent.
    idle_limit: Option<Limit<u32>>,
    /// What is done with it then; left out: as with all.
    limit_action: Option<LimitAction>,
    /// Most peers.
    peer_limit: Option<u32>,
    /// Pieces in order.
    sequential: bool,
    /// Ends of files first.
    first_last: bool,
    /// Pieces are shown one by one.
    super_seed: bool,
    /// Peers that are known already.
    #[schema(value_type = Vec<String>)]
    peers: Vec<SocketAddr>,
}

impl AddOptions {
    fn addition(self, source: Source, start_added: bool) -> Answer<Addition> {
        let choice = Choice {
            folder: self.folder.unwrap_or_default(),
            name: self.name,
            paused: self.paused.unwrap_or(!start_added),
            forced: self.forced,
            category: self.category,
            tags: self.tags.into_iter().collect(),
            auto_managed: self.auto_managed,
            upload_limit: self.upload_limit,
            download_limit: self.download_limit,
            ratio_limit: self.ratio_limit.map(ratio).transpose()?.unwrap_or_default(),
            seeding_limit: self.seeding_limit.map(Into::into).unwrap_or_default(),
            idle_limit: self.idle_limit.map(Into::into).unwrap_or_default(),
            limit_action: self.limit_action.map(Into::into),
            peer_limit: self.peer_limit,
            sequential: self.sequential,
            first_last: self.first_last,
            super_seed: self.super_seed,
            ..Choice::default()
        };
        Ok(Addition { choice, trusted: self.trusted, peers: self.peers, ..Addition::new(source) })
    }
}

/// Torrent files, and what is chosen for them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the parts of an upload")]
pub(super) struct Upload {
    /// JSON, as of the other form without the source; before the files that it is for.
    options: Option<AddOptions>,
    /// One part for each file, of any name.
    #[schema(value_type = Vec<String>, format = Binary)]
    torrents: Vec<Vec<u8>>,
}

/// What became of each.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct AddDocument {
    added: Vec<AddedDocument>,
    refused: Vec<RefusedDocument>,
}

#[derive(Serialize, ToSchema)]
struct AddedDocument {
    hash: String,
    /// It was there before.
    duplicate: bool,
    /// Name of the uploaded file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct RefusedDocument {
    /// Name of the uploaded file.
    file: String,
    kind: &'static str,
    message: String,
}

/// Adds torrents: one by link, address or file in JSON, or an upload of files.
///
/// Of an upload, some files may be added and others refused. Whoever adds one alone gets the refusal as an error.
#[utoipa::path(post, path = "/api/v1/torrents", tag = "torrents",
    request_body(content((AddRequest = "application/json"), (Upload = "multipart/form-data"))),
    responses((status = 200, body = AddDocument), (status = 400, description = "no torrent", body = ErrorDocument),
        (status = 403, description = "a folder outside of the roots", body = ErrorDocument), (status = 413, body = ErrorDocument)))]
pub(super) async fn add(State(context): State<Arc<Context>>, request: Request) -> Answer<Json<AddDocument>> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        let form = Multipart::from_request(request, &()).await;
        return upload(&context.seedbox, form.map_err(|error| Failure::of_status(error.status(), error.body_text()))?)
            .await;
    }
    let Json(request) = Json::<AddRequest>::from_request(request, &()).await?;
    let start_added = context.seedbox.view().settings.start_added;
    let source = request.source()?;
    let added = context.seedbox.add(request.options.addition(source, start_added)?).await?;
    let added = AddedDocument { hash: added.info_hash.to_string(), duplicate: added.duplicate, file: None };
    Ok(Json(AddDocument { added: vec![added], refused: Vec::new() }))
}

impl AddRequest {
    fn source(&self) -> Answer<Source> {
        match (&self.magnet, &self.url, &self.torrent) {
            (Some(magnet), None, None) => Ok(Source::Magnet(magnet.clone())),
            (None, Some(url), None) => match url.split_once(':') {
                Some(("http" | "https" | "magnet", _)) => Ok(Source::Url(url.clone())),
                _ => Err(Failure::invalid("url is the address of a torrent file, http or https")),
            },
            (None, None, Some(torrent)) => {
                let bytes = STANDARD
                    .decode(torrent)
                    .map_err(|error| Failure::invalid(format!("torrent is not base64: {error}")))?;
                Ok(Source::File(bytes))
            }
            _ => Err(Failure::invalid("name one of magnet, url and torrent")),
        }
    }
}

/// File by file, as they come: one is in memory at a time.
async fn upload(seedbox: &Seedbox, mut form: Multipart) -> Answer<Json<AddDocument>> {
    let unreadable =
        |error: axum::extract::multipart::MultipartError| Failure::of_status(error.status(), error.body_text());
    let start_added = seedbox.view().settings.start_added;
    let (mut options, mut document) = (AddOptions::default(), AddDocument::default());
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        let Some(file) = part.file_name().map(str::to_owned) else {
            let name = part.name().unwrap_or("").to_owned();
            options = read_options(&name, &part.bytes().await.map_err(unreadable)?)?;
            continue;
        };
        if document.added.len() + document.refused.len() == FILES_MOST {
            return Err(Failure::of_status(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("more than {FILES_MOST} files at once"),
            ));
        }
        let bytes = part.bytes().await.map_err(unreadable)?;
        let addition = options.clone().addition(Source::File(bytes.into()), start_added)?;
        match seedbox.add(addition).await.map_err(Failure::from) {
            Ok(added) => document.added.push(AddedDocument {
                hash: added.info_hash.to_string(),
                duplicate: added.duplicate,
                file: Some(file),
            }),
            Err(failure) => {
                document.refused.push(RefusedDocument {
                    file,
                    kind: failure.kind(),
                    message: failure.message().into(),
                });
            }
        }
    }
    if document.added.is_empty() && document.refused.is_empty() {
        return Err(Failure::invalid("there is no file in the upload"));
    }
    Ok(Json(document))
}

fn read_options(name: &str, text: &[u8]) -> Answer<AddOptions> {
    if name != "options" {
        return Err(Failure::invalid("the parts of an upload are files, and `options`"));
    }
    serde_json::from_slice(text).map_err(|error| Failure::invalid(format!("options: {error}")))
}
