//! Torrents are changed and removed.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::command::{Command, Limits};
use super::limit::{Limit, maybe};
use super::settings::LimitAction;
use super::{Answer, ErrorDocument, Failure, find, parse_hash};
use crate::api::Context;
use crate::ids::TorrentId;
use crate::session::seedbox::{Change, LimitChange, View};

type Shared = State<Arc<Context>>;

/// Changes a torrent.
///
/// `kind` is one of those of `/api/v1/change`; the body has what else belongs to it, and may be empty where nothing does.
#[utoipa::path(post, path = "/api/v1/torrents/{hash}/{kind}", tag = "torrents",
    params(("hash" = String, Path, description = "info-hash"), ("kind" = String, Path, description = "kind of the change", example = "stop")),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 204, description = "done"), (status = 400, body = ErrorDocument), (status = 403, body = ErrorDocument),
        (status = 404, body = ErrorDocument), (status = 409, body = ErrorDocument)))]
pub(super) async fn act(
    State(context): Shared,
    Path((hash, kind)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<StatusCode> {
    let row = find(&context.seedbox.view(), &hash)?;
    let body = body?;
    let mut members: Map<String, Value> = if body.is_empty() { Map::new() } else { parse(&body)? };
    if members.insert("kind".into(), Value::String(kind)).is_some() {
        return Err(Failure::invalid("the kind of the change stands in the path; leave it out of the body"));
    }
    let command: Command =
        serde_json::from_value(members.into()).map_err(|error| Failure::invalid(error.to_string()))?;
    context.seedbox.change(vec![row.id], command.change()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::invalid(format!("the body is not the JSON that belongs here: {error}")))
}

/// One change of many torrents.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ManyRequest {
    /// Info-hashes, or `"all"`.
    hashes: Which,
    change: Command,
}

/// Info-hashes, or `"all"`.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum Which {
    Word(AllWord),
    These(Vec<String>),
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AllWord {
    All,
}

impl Which {
    /// Those that are there; unknown ones are passed over, as what is said to many may come late for some.
    fn torrents(&self, view: &View) -> Answer<Vec<TorrentId>> {
        match self {
            Which::Word(AllWord::All) => Ok(view.rows.iter().map(|row| row.id).collect()),
            Which::These(hashes) => {
                let hashes = hashes.iter().map(|hash| parse_hash(hash)).collect::<Answer<Vec<_>>>()?;
                let found: Vec<TorrentId> = hashes.iter().filter_map(|hash| Some(view.find(*hash)?.id)).collect();
                if found.is_empty() && !hashes.is_empty() {
                    return Err(Failure::not_found("none of these torrents is there"));
                }
                Ok(found)
            }
        }
    }
}

/// Changes many torrents in the same way.
///
/// Torrents that are not there are passed over, unless none is.
#[utoipa::path(post, path = "/api/v1/change", tag = "torrents", request_body = ManyRequest,
    responses((status = 204, description = "done"), (status = 400, body = ErrorDocument), (status = 403, body = ErrorDocument),
        (status = 404, description = "none of them is there", body = ErrorDocument), (status = 409, body = ErrorDocument)))]
pub(super) async fn many(
    State(context): Shared,
    request: Result<Json<ManyRequest>, JsonRejection>,
) -> Answer<StatusCode> {
    let Json(request) = request?;
    let torrents = request.hashes.torrents(&context.seedbox.view())?;
    if !torrents.is_empty() {
        context.seedbox.change(torrents, request.change.change()?).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be different of a torrent; members left out stay as they are.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchRequest {
    /// Name that is shown; null: its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// The content is moved there.
    #[schema(value_type = Option<String>)]
    folder: Option<PathBuf>,
    category: Option<String>,
    tags: Option<Vec<String>>,
    auto_managed: Option<bool>,
    sequential: Option<bool>,
    first_last: Option<bool>,
    super_seed: Option<bool>,
    paused: Option<bool>,
    /// Bytes a second that it may send; null: no limit of its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<u64>)]
    upload_limit: Option<Option<u64>>,
    /// Bytes a second that it may receive; null: no limit of its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<u64>)]
    download_limit: Option<Option<u64>>,
    ratio_limit: Option<Limit<f64>>,
    /// Minutes of seeding.
    seeding_limit: Option<Limit<u32>>,
    /// Minutes of seeding without a byte sent.
    idle_limit: Option<Limit<u32>>,
    /// What is done with it then; null: as with all.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<LimitAction>)]
    limit_action: Option<Option<LimitAction>>,
    /// Most peers; null: no limit of its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<u32>)]
    peer_limit: Option<Option<u32>>,
}

impl PatchRequest {
    /// In an order in which a refusal of a path leaves all else undone.
    fn changes(self) -> Answer<Vec<Change>> {
        let limits = Limits {
            upload_limit: self.upload_limit,
            download_limit: self.download_limit,
            ratio_limit: self.ratio_limit,
            seeding_limit: self.seeding_limit,
            idle_limit: self.idle_limit,
            limit_action: self.limit_action,
            peer_limit: self.peer_limit,
        };
        let limits = limits.change()?;
        let run = |paused| if paused { Change::Stop } else { Change::Start { forced: false } };
        let changes = [
            self.folder.map(|folder| Change::Move { folder, files: true }),
            self.category.map(Change::Category),
            self.auto_managed.map(Change::AutoManaged),
            self.name.map(Change::Name),
            self.tags.map(Change::SetTags),
            self.sequential.map(Change::Sequential),
            self.first_last.map(Change::FirstLast),
            self.super_seed.map(Change::SuperSeed),
            (limits != LimitChange::default()).then_some(Change::Limits(limits)),
            self.paused.map(run),
        ];
        Ok(changes.into_iter().flatten().collect())
    }
}

/// Changes what is named of a torrent.
///
/// One after another; what is refused ends it there.
#[utoipa::path(patch, path = "/api/v1/torrents/{hash}", tag = "torrents", params(("hash" = String, Path, description = "info-hash")),
    request_body = PatchRequest,
    responses((status = 204, description = "done"), (status = 400, body = ErrorDocument), (status = 403, body = ErrorDocument),
        (status = 404, body = ErrorDocument), (status = 409, body = ErrorDocument)))]
pub(super) async fn patch(
    State(context): Shared,
    Path(hash): Path<String>,
    request: Result<Json<PatchRequest>, JsonRejection>,
) -> Answer<StatusCode> {
    let row = find(&context.seedbox.view(), &hash)?;
    let Json(request) = request?;
    for change in request.changes()? {
        context.seedbox.change(vec![row.id], change).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveQuery {
    /// With its content.
    #[serde(default)]
    data: bool,
}

/// Removes a torrent.
#[utoipa::path(delete, path = "/api/v1/torrents/{hash}", tag = "torrents",
    params(("hash" = String, Path, description = "info-hash"), RemoveQuery),
    responses((status = 204, description = "done"), (status = 404, body = ErrorDocument)))]
pub(super) async fn remove(
    State(context): Shared,
    Path(hash): Path<String>,
    query: Result<Query<RemoveQuery>, QueryRejection>,
) -> Answer<StatusCode> {
    let Query(query) = query?;
    let row = find(&context.seedbox.view(), &hash)?;
    context.seedbox.change(vec![row.id], Change::Remove { data: query.data }).await?;
    Ok(StatusCode::NO_CONTENT)
}
