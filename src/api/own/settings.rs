//! What holds for all torrents, read and changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Answer, ErrorDocument, Failure};
use crate::api::Context;
use crate::session::seedbox::{self, Settings, path};

type Shared = State<Arc<Context>>;

/// Settings of the seedbox. Rates are bytes a second; null is no limit. A path that is no UTF-8 is `{"bytes": "hexadecimal digits"}`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsDocument {
    /// Where content goes that nobody names a folder for.
    #[schema(value_type = String)]
    #[serde(with = "path")]
    download_folder: PathBuf,
    /// Where it is until it is complete; null: in its place from the start.
    #[schema(value_type = Option<String>)]
    #[serde(with = "path")]
    incomplete_folder: Option<PathBuf>,
    /// Folders that content may be in, subfolders included. The two above are always among them.
    #[schema(value_type = Vec<String>)]
    #[serde(with = "path")]
    roots: Vec<PathBuf>,
    /// Torrent files that appear in these are added.
    #[schema(value_type = Vec<String>)]
    #[serde(with = "path")]
    watch_folders: Vec<PathBuf>,
    /// Torrents start when they are added.
    start_added: bool,
    /// Everybody together.
    upload_limit: Option<u64>,
    /// Everybody together.
    download_limit: Option<u64>,
    /// In place of `upload_limit` while `alternative` holds.
    alternative_upload_limit: Option<u64>,
    /// In place of `download_limit` while `alternative` holds.
    alternative_download_limit: Option<u64>,
    /// The alternative limits hold; a schedule switches it.
    alternative: bool,
    /// When they hold.
    schedule: Option<RateSchedule>,
    /// Sent for each byte of a torrent.
    ratio_limit: Option<f64>,
    /// Minutes of seeding.
    seeding_limit: Option<u32>,
    /// Minutes of seeding without a byte sent.
    idle_limit: Option<u32>,
    limit_action: LimitAction,
    /// Downloads that run at once.
    downloads_max: Option<u32>,
    /// Torrents that are seeded at once.
    seeds_max: Option<u32>,
    /// Both together.
    active_max: Option<u32>,
    /// Checks that run at once.
    checks_max: u32,
    /// Connections in all.
    connections: u32,
    /// Connections of one torrent.
    connections_per_torrent: Option<u32>,
    /// Traffic of a month.
    budget: Option<TrafficBudget>,
    /// Trackers beside those of public torrents.
    added_trackers: Vec<String>,
    /// By name; null in a change removes one.
    categories: BTreeMap<String, Category>,
    /// Tags that may be chosen; those that torrents have are among them.
    tags: BTreeSet<String>,
}

/// A named group of torrents.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Category {
    /// Where its content goes; null: a folder of its name in the download folder.
    #[schema(value_type = Option<String>)]
    #[serde(default, with = "path")]
    folder: Option<PathBuf>,
}

/// What is done with a torrent that was seeded enough.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LimitAction {
    Pause,
    /// Its content stays.
    Remove,
    RemoveWithData,
    SuperSeed,
}

/// When the alternative limits hold, in local time.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RateSchedule {
    /// Minutes after midnight.
    begin: u16,
    /// Minutes after midnight; before `begin`: on the next day.
    end: u16,
    /// Bit 0 is Sunday.
    days: u8,
}

/// Traffic that may be used in a month.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TrafficBudget {
    /// Bytes of payload, sent and received together.
    bytes: u64,
    /// Day of the month on which it begins anew, 1 to 28.
    day: u8,
    /// What is left is spread over the days that are left; otherwise it is used as it comes.
    paced: bool,
}

/// Shows the settings.
#[utoipa::path(get, path = "/api/v1/settings", tag = "daemon", responses((status = 200, body = SettingsDocument)))]
pub(super) async fn settings(State(context): Shared) -> Json<SettingsDocument> {
    Json(SettingsDocument::of(&context.seedbox.view().settings))
}

/// Changes settings.
///
/// Members left out stay as they are, as in a JSON merge patch (RFC 7396): null is no limit, and removes a category. Answers with all
/// of them as they are then.
#[utoipa::path(patch, path = "/api/v1/settings", tag = "daemon",
    request_body(content = SettingsDocument, description = "any of the members"),
    responses((status = 200, body = SettingsDocument), (status = 400, body = ErrorDocument), (status = 403, body = ErrorDocument)))]
pub(super) async fn patch_settings(
    State(context): Shared,
    patch: Result<Json<Value>, JsonRejection>,
) -> Answer<Json<SettingsDocument>> {
    let Json(patch) = patch?;
    if !patch.is_object() {
        return Err(Failure::invalid("a change of settings is an object"));
    }
    // once to say what is wrong with it, once on what holds when its turn comes
    let mut outcome = patched(&context.seedbox.view().settings, &patch).map(drop);
    if outcome.is_ok() {
        let change = |settings: &mut Settings| outcome = patched(settings, &patch).map(|changed| *settings = changed);
        context.seedbox.settings(change).await?;
    }
    outcome?;
    Ok(Json(SettingsDocument::of(&context.seedbox.view().settings)))
}

fn patched(settings: &Settings, patch: &Value) -> Answer<Settings> {
    let wrong = |error: serde_json::Error| Failure::invalid(error.to_string());
    let mut document = serde_json::to_value(SettingsDocument::of(settings)).map_err(wrong)?;
    merge(&mut document, patch);
    let document: SettingsDocument = serde_json::from_value(document).map_err(wrong)?;
    document.check()?;
    // the file's alone
    Ok(Settings { stop_grace: settings.stop_grace, ..document.settings() })
}

/// RFC 7396, but that a member which must be there may be null.
fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(members), Value::Object(changes)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (name, change) in changes {
        match members.get_mut(name) {
            Some(Value::Object(_)) if name != "categories" && !change.is_null() && change.is_object() => {
                merge(members.get_mut(name).unwrap_or(&mut Value::Null), change);
            }
            Some(Value::Object(categories)) if name == "categories" => merge_categories(categories, change),
            _ => drop(members.insert(name.clone(), change.clone())),
        }
    }
}

fn merge_categories(categories: &mut serde_json::Map<String, Value>, changes: &Value) {
    for (name, change) in changes.as_object().into_iter().flatten() {
        if change.is_null() {
            categories.remove(name);
        } else {
            categories.insert(name.clone(), change.clone());
        }
    }
}

impl SettingsDocument {
    /// What a type cannot say.
    fn check(&self) -> Answer<()> {
        let wrong = |text: &str| Err(Failure::invalid(text));
        match self {
            Self { ratio_limit: Some(ratio), .. } if !ratio.is_finite() || *ratio < 0.0 => {
                wrong("ratio_limit is a number from 0 on")
            }
            Self { schedule: Some(RateSchedule { begin, end, days }), .. }
                if *begin >= 1_440 || *end >= 1_440 || *days > 127 =>
            {
                wrong("a schedule has minutes below 1440, and days below 128")
            }
            Self { budget: Some(TrafficBudget { day, .. }), .. } if !(1..=28).contains(day) => {
                wrong("a budget begins on a day from 1 to 28")
            }
            Self { checks_max: 0, .. } => wrong("checks_max is at least 1"),
            Self { connections: 0, .. } => wrong("connections is at least 1"),
            _ => Ok(()),
        }
    }

    fn of(settings: &Settings) -> SettingsDocument {
        let categories = settings
            .categories
            .iter()
            .map(|(name, category)| (name.clone(), Category { folder: category.folder.clone() }));
        SettingsDocument {
            download_folder: settings.download_folder.clone(),
            incomplete_folder: settings.incomplete_folder.clone(),
            roots: settings.roots.clone(),
            watch_folders: settings.watch_folders.clone(),
            start_added: settings.start_added,
            upload_limit: settings.upload_limit,
            download_limit: settings.download_limit,
            alternative_upload_limit: settings.alternative_upload_limit,
            alternative_download_limit: settings.alternative_download_limit,
            alternative: settings.alternative,
            schedule: settings.schedule.map(|it| RateSchedule { begin: it.begin, end: it.end, days: it.days }),
            ratio_limit: settings.ratio_limit,
            seeding_limit: settings.seeding_limit,
            idle_limit: settings.idle_limit,
            limit_action: settings.limit_action.into(),
            downloads_max: settings.downloads_max,
            seeds_max: settings.seeds_max,
            active_max: settings.active_max,
            checks_max: settings.checks_max,
            connections: settings.connections,
            connections_per_torrent: settings.connections_per_torrent,
            budget: settings.budget.map(|it| TrafficBudget { bytes: it.bytes, day: it.day, paced: it.paced }),
            added_trackers: settings.added_trackers.clone(),
            categories: categories.collect(),
            tags: settings.tags.clone(),
        }
    }

    fn settings(self) -> Settings {
        let categories = self.categories.into_iter().map(|(name, it)| (name, seedbox::Category { folder: it.folder }));
        Settings {
            download_folder: self.download_folder,
            incomplete_folder: self.incomplete_folder,
            roots: self.roots,
            watch_folders: self.watch_folders,
            start_added: self.start_added,
            upload_limit: self.upload_limit,
            download_limit: self.download_limit,
            alternative_upload_limit: self.alternative_upload_limit,
            alternative_download_limit: self.alternative_download_limit,
            alternative: self.alternative,
            schedule: self.schedule.map(|it| seedbox::RateSchedule { begin: it.begin, end: it.end, days: it.days }),
            ratio_limit: self.ratio_limit,
            seeding_limit: self.seeding_limit,
            idle_limit: self.idle_limit,
            limit_action: self.limit_action.into(),
            downloads_max: self.downloads_max,
            seeds_max: self.seeds_max,
            active_max: self.active_max,
            checks_max: self.checks_max,
            connections: self.connections,
            connections_per_torrent: self.connections_per_torrent,
            budget: self.budget.map(|it| seedbox::TrafficBudget { bytes: it.bytes, day: it.day, paced: it.paced }),
            added_trackers: self.added_trackers,
            categories: categories.collect(),
            tags: self.tags,
            ..Settings::default()
        }
    }
}

impl From<seedbox::LimitAction> for LimitAction {
    fn from(action: seedbox::LimitAction) -> LimitAction {
        match action {
            seedbox::LimitAction::Pause => LimitAction::Pause,
            seedbox::LimitAction::Remove => LimitAction::Remove,
            seedbox::LimitAction::RemoveWithData => LimitAction::RemoveWithData,
            seedbox::LimitAction::SuperSeed => LimitAction::SuperSeed,
        }
    }
}

impl From<LimitAction> for seedbox::LimitAction {
    fn from(action: LimitAction) -> seedbox::LimitAction {
        match action {
            LimitAction::Pause => seedbox::LimitAction::Pause,
            LimitAction::Remove => seedbox::LimitAction::Remove,
            LimitAction::RemoveWithData => seedbox::LimitAction::RemoveWithData,
            LimitAction::SuperSeed => seedbox::LimitAction::SuperSeed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings() -> Settings {
        let mut settings = Settings::new("/srv".into());
        settings.upload_limit = Some(5);
        settings.categories.insert("old".into(), seedbox::Category::default());
        settings.schedule = Some(seedbox::RateSchedule { begin: 1, end: 2, days: 3 });
        settings
    }

    #[test]
    fn what_is_left_out_stays() {
        let changed =
            patched(&settings(), &json!({"ratio_limit": 2.5, "limit_action": "super_seed", "schedule": {"end": 9}}));
        let expected = Settings {
            ratio_limit: Some(2.5),
            limit_action: seedbox::LimitAction::SuperSeed,
            schedule: Some(seedbox::RateSchedule { begin: 1, end: 9, days: 3 }),
            ..settings()
        };
        assert_eq!(changed.ok(), Some(expected));
        assert_eq!(patched(&settings(), &json!({})).ok(), Some(settings()), "every setting comes back from JSON");
    }

    #[test]
    fn paths_that_are_no_text_are_shown_and_come_back() {
        use std::os::unix::ffi::OsStringExt as _;
        let path = || PathBuf::from(std::ffi::OsString::from_vec(b"/srv/\xff".to_vec()));
        let odd = Settings { download_folder: path(), roots: vec![path(), "/srv/a".into()], ..settings() };
        let shown = serde_json::to_value(SettingsDocument::of(&odd)).expect("shown");
        assert_eq!(shown["download_folder"], json!({"bytes": "2f7372762fff"}));
        assert_eq!(shown["roots"], json!([{"bytes": "2f7372762fff"}, "/srv/a"]));
        assert_eq!(patched(&odd, &json!({"start_added": odd.start_added})).ok(), Some(odd.clone()));
        let changed = patched(&odd, &json!({"download_folder": "/srv/b"})).expect("good");
        assert_eq!((changed.download_folder, changed.roots), ("/srv/b".into(), odd.roots));
    }

    #[test]
    fn null_is_no_limit_and_removes_a_category() {
        let changed = patched(
            &settings(),
            &json!({"upload_limit": null, "schedule": null, "categories": {"old": null, "new": {}}}),
        );
        let changed = changed.expect("good");
        assert_eq!((changed.upload_limit, changed.schedule), (None, None));
        assert_eq!(changed.categories.keys().collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let bad = [
            json!({"uplaod_limit": 5}),
            json!({"connections": 0}),
            json!({"connections": null}),
            json!({"ratio_limit": -1}),
            json!({"budget": {"bytes": 1, "day": 29, "paced": true}}),
            json!({"schedule": {"begin": 1440}}),
            json!({"categories": {"a": {"path": "/"}}}),
            json!({"upload_limit": -5}),
            json!({"download_folder": 7}),
        ];
        for patch in bad {
            assert!(patched(&settings(), &patch).is_err(), "{patch}");
        }
    }
}
