//! Everything: torrents, categories, tags, trackers, the state of the server.

use super::super::call::named;
use super::super::fields::{self, Moment};
use super::super::labels::write_category;
use super::super::transfer::server_state;
use super::trackers;
use crate::api::json::Json;
use crate::session::seedbox::View;

/// Bytes that a torrent usually takes: its names, and some sixty values.
const TORRENT_BYTES: usize = 2_560;

/// Writes the whole of `view`.
pub(super) fn write(view: &View, rid: u32, moment: Moment<'_>) -> Vec<u8> {
    let mut json = Json::with_capacity(view.rows.len() * TORRENT_BYTES + 4_096);
    json.object(|json| {
        json.key("rid").value(rid);
        json.key("full_update").value(true);
        write_labels(view, json);
        if !view.rows.is_empty() {
            json.key("torrents").object(|json| {
                for row in named(view) {
                    json.key(&row.info_hash().to_string()).object(|json| fields::write_all(row, moment, json));
                }
            });
        }
        trackers::write(&trackers::all(view), json);
        json.key("server_state").object(|json| {
            for (name, value) in server_state(view) {
                value.write(json.key(name));
            }
        });
    });
    json.into_bytes()
}

fn write_labels(view: &View, json: &mut Json) {
    let settings = &view.settings;
    if !settings.categories.is_empty() {
        json.key("categories").object(|json| {
            for (name, category) in &settings.categories {
                json.key(name).object(|json| write_category(name, category, json));
            }
        });
    }
    if !settings.tags.is_empty() {
        json.key("tags").list(|json| settings.tags.iter().for_each(|tag| json.text(tag)));
    }
}
