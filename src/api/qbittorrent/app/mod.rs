//! `app/*`: versions, preferences, the end.

mod fixed;
mod preferences;
mod set_preferences;

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, Fault, Outcome};
use super::call::{Call, Desk};

/// The version of this API: the last one before login failures, additions and `skip_checking` changed their form.
const API_VERSION: &str = "2.11.4";
/// The program whose API that is; clients choose their words by it.
const APP_VERSION: &str = "v5.1.4";
/// Time for the answer to reach who asked for the end.
const LAST_ANSWER: Duration = Duration::from_millis(100);

pub(super) async fn answer(desk: &Desk, call: &Call, action: &str) -> Outcome {
    match action {
        "version" => Answer::text(APP_VERSION),
        "webapiVersion" => Answer::text(API_VERSION),
        "buildInfo" => build_info(),
        "defaultSavePath" => Answer::text(call.view.settings.download_folder.to_string_lossy().into_owned()),
        "preferences" => Answer::json(&preferences::all(&call.view)),
        "setPreferences" => set_preferences::set(desk, call).await,
        "shutdown" => Ok(shut_down(desk)),
        "networkInterfaceList" => network_interfaces().await,
        "networkInterfaceAddressList" => network_addresses(call).await,
        "cookies" => Answer::json(&json!([])),
        "setCookies" | "sendTestEmail" => Err(Fault::unsupported("sower keeps no cookies and sends no mail")),
        "getDirectoryContent" => Err(Fault::unsupported("sower shows no folders beside those of torrents")),
        _ => Err(Fault::not_found()),
    }
}

/// Of the libraries that are named here sower has none.
fn build_info() -> Outcome {
    Answer::json(&json!({
        "bitness": usize::BITS,
        "boost": "0.0.0",
        "libtorrent": "0.0.0.0",
        "openssl": "0.0.0",
        "platform": "linux",
        "qt": "0.0.0",
        "zlib": "0.0.0",
    }))
}

fn shut_down(desk: &Desk) -> Answer {
    let seedbox = desk.seedbox().clone();
    tokio::spawn(async move {
        tokio::time::sleep(LAST_ANSWER).await;
        // refused only if it ends already
        let _ = seedbox.shutdown().await;
    });
    Answer::Done
}

async fn network_interfaces() -> Outcome {
    let mut names: Vec<String> = interfaces().await?.into_iter().map(|interface| interface.name).collect();
    names.sort_unstable();
    names.dedup();
    Answer::json(&names.into_iter().map(|name| json!({ "name": name, "value": name })).collect())
}

/// Of one interface, or of all.
async fn network_addresses(call: &Call) -> Outcome {
    let wanted = call.form.need("iface")?;
    let all = interfaces().await?.into_iter().filter(|interface| wanted.is_empty() || interface.name == wanted);
    Answer::json(&all.map(|interface| interface.ip().to_string().into()).collect::<Vec<serde_json::Value>>().into())
}

/// The kernel is asked on a thread of its own.
async fn interfaces() -> Result<Vec<if_addrs::Interface>, Fault> {
    let found = tokio::task::spawn_blocking(if_addrs::get_if_addrs).await.map_err(|_| Fault::internal())?;
    found.map_err(|error| Fault::conflict(format!("cannot list the network interfaces: {error}")))
}
