//! The methods by name.

use std::sync::Arc;

use crate::session::seedbox::{Change, QueueMove};

use super::arguments::Arguments;
use super::envelope::{Fault, begin};
use super::server::Server;
use super::{act, add, get, place, session_get, session_set, set};
use crate::api::json::Json;

/// Calls a method.
pub(super) async fn call(server: &Arc<Server>, method: &str, arguments: Arguments) -> Result<Json, Fault> {
    let given = &arguments;
    match method {
        "torrent-get" => get::torrents(server, given).await,
        "torrent-add" => add::add(server, arguments).await,
        "torrent-set" => set::torrents(server, given).await,
        "torrent-start" => act::change(server, given, Change::Start { forced: false }).await,
        "torrent-start-now" => act::change(server, given, Change::Start { forced: true }).await,
        "torrent-stop" => act::change(server, given, Change::Stop).await,
        "torrent-verify" => act::change(server, given, Change::Verify).await,
        "torrent-reannounce" => act::change(server, given, Change::Reannounce).await,
        "torrent-remove" => act::remove(server, given).await,
        "torrent-set-location" => act::set_location(server, given).await,
        "torrent-rename-path" => act::rename_path(server, given).await,
        "queue-move-top" => act::change(server, given, Change::Queue(QueueMove::Top)).await,
        "queue-move-up" => act::change(server, given, Change::Queue(QueueMove::Up)).await,
        "queue-move-down" => act::change(server, given, Change::Queue(QueueMove::Down)).await,
        "queue-move-bottom" => act::change(server, given, Change::Queue(QueueMove::Bottom)).await,
        "session-get" => session_get::session(server, given).await,
        "session-set" => session_set::session(server, given).await,
        "session-stats" => Ok(session_get::stats(&server.context.seedbox.view())),
        "session-close" => Ok(close(server)),
        "free-space" => place::free_space(server, given).await,
        "group-get" => Ok(begin(|json| {
            json.key("group");
            json.list(|_| {});
        })),
        "group-set" => Err(Fault::new(NO_GROUPS)),
        "port-test" => Err(Fault::new(NO_PORT_TEST)),
        "blocklist-update" => Err(Fault::new(NO_BLOCKLIST)),
        _ => Err(Fault::new("method name not recognized")),
    }
}

/// Why there is no bandwidth group.
pub(super) const NO_GROUPS: &str = "there are no bandwidth groups here: limit torrents one by one, or all together";
const NO_PORT_TEST: &str = "the port is not tested, because that would tell an outside service of this machine: \
     connections that peers open show that it can be reached";
const NO_BLOCKLIST: &str =
    "lists of addresses are files named in the configuration: replace the file and have the daemon reload it";

/// The answer is on its way before the daemon ends.
fn close(server: &Server) -> Json {
    let seedbox = server.context.seedbox.clone();
    tokio::spawn(async move { seedbox.shutdown().await });
    begin(|_| {})
}
