//! The same requests to sower and to the real qbittorrent-nox of Debian (4.5.2, API 2.8.19): the answers have the same keys, and values of
//! the same JSON types, but for what is listed here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sower::metainfo::Magnet;

use crate::daemon::{Daemon, free_address, until, wait_for};
use crate::http::Api;
use crate::torrents::Sample;

/// Keys of versions after the one that is compared with; sower has them, the other has not.
#[rustfmt::skip]
const NEWER: &[&str] = &["comment", "created_by", "creation_date", "has_metadata", "has_other_announce_error",
    "has_tracker_error", "has_tracker_warning", "inactive_seeding_time_limit",
    "max_inactive_seeding_time", "connections_count", "connections_limit", "pieces_have", "pieces_num", "piece_size", "popularity", "private",
    "progress", "reannounce", "root_path", "share_limit_action", "share_limits_mode", "total_wasted", "last_external_address_v4",
    "last_external_address_v6", "use_subcategories"];

/// A running qbittorrent-nox, whose web interface asks nobody on this machine who they are.
struct Other {
    child: Child,
    api: Api,
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Other {
    fn start(folder: &Path) -> Option<Other> {
        let (profile, downloads, address) = (folder.join("profile"), folder.join("downloads"), free_address());
        let config = profile.join("qBittorrent/config");
        fs::create_dir_all(&config).expect("made");
        let text = format!(
            "[LegalNotice]\nAccepted=true\n[Preferences]\nWebUI\\Enabled=true\nWebUI\\Address=127.0.0.1\n\
             WebUI\\LocalHostAuth=false\n[BitTorrent]\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\n\
             Session\\PeXEnabled=false\nSession\\Port={}\nSession\\Interface=lo\nSession\\DefaultSavePath={}\n",
            free_address().port(),
            downloads.display(),
        );
        fs::write(config.join("qBittorrent.conf"), text).expect("written");
        let mut command = Command::new("qbittorrent-nox");
        command.arg(format!("--profile={}", profile.display())).arg(format!("--webui-port={}", address.port()));
        command.env("HOME", folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        assert!(child.is_ok() || std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(), "qbittorrent-nox is missing");
        let Ok(child) = child else {
            println!("SKIPPED: qbittorrent-nox is not installed");
            return None;
        };
        wait_for("qbittorrent-nox to listen", || std::net::TcpStream::connect(address).ok());
        Some(Other { child, api: Api::new(address) })
    }
}

/// The JSON type of each value, by its path. Numbers are whole or not; which of the two a ratio of 1 is does not count.
fn types(value: &Value) -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| collect(value, &format!("{path}/{key}"), found))
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, &format!("{path}/*"), found)),
        Value::String(_) => drop(found.insert(path.to_owned(), "text")),
        Value::Number(_) => drop(found.insert(path.to_owned(), "number")),
        Value::Bool(_) => drop(found.insert(path.to_owned(), "truth")),
        Value::Null => drop(found.insert(path.to_owned(), "null")),
    }
}

/// What differs: keys of either that the other has not, or has with another type.
fn differences(ours: &Value, theirs: &Value, allowed: &[&str]) -> Vec<String> {
    let (ours, theirs) = (types(ours), types(theirs));
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_allowed = |path: &str| allowed.contains(&name(path).as_str());
    let of_ours = ours.iter().filter(|(path, kind)| theirs.get(*path) != Some(*kind) && !is_allowed(path));
    let of_theirs = theirs.iter().filter(|(path, _)| !ours.contains_key(*path));
    of_ours
        .map(|(path, kind)| format!("ours: {path} {kind}"))
        .chain(of_theirs.map(|(path, kind)| format!("theirs: {path} {kind}")))
        .collect()
}

#[test]
fn answers_have_the_keys_and_types_of_qbittorrent() {
    let (daemon, folder) = (Daemon::new(), tempfile::tempdir().expect("a folder"));
    let Some(other) = Other::start(folder.path()) else { return };
    let (ours, theirs) = (daemon.api(), &other.api);
    let samples = [Sample::folder("beside"), Sample::single("beside.bin")];
    for (api, downloads) in [(&ours, daemon.downloads()), (theirs, folder.path().join("downloads"))] {
        let folder = downloads.to_str().expect("text");
        api.order("torrents/createCategory", &[("category", "kind"), ("savePath", folder)]);
        for sample in &samples {
            sample.write(&downloads);
            let fields = [("savepath", folder), ("category", "kind"), ("tags", "one,two")];
            let added = api.upload("torrents/add", &fields, &[("torrents", "beside.torrent", &sample.torrent)]);
            assert_eq!(added.text(), "Ok.");
            until(api, &sample.hash(), "stalledUP");
        }
    }
    let [hash, single] = samples.each_ref().map(Sample::hash);
    for (path, allowed) in [
        (format!("torrents/info?hashes={hash}"), NEWER),
        (format!("torrents/properties?hash={hash}"), NEWER),
        (format!("torrents/files?hash={hash}"), &[]),
        (format!("torrents/trackers?hash={hash}"), &[]),
        (format!("torrents/webseeds?hash={hash}"), &[]),
        (format!("torrents/pieceStates?hash={hash}"), &[]),
        (format!("torrents/pieceHashes?hash={hash}"), &[]),
        ("torrents/categories".into(), &[]),
        ("torrents/tags".into(), &[]),
        ("transfer/info".into(), NEWER),
        ("sync/maindata".into(), NEWER),
        (format!("sync/torrentPeers?hash={hash}"), &[]),
        ("app/buildInfo".into(), &["platform"]),
    ] {
        let found = differences(&ours.json(&path), &theirs.json(&path), allowed);
        assert_eq!(found, [""; 0], "{path}");
    }
    // libtorrent counts padding, which nobody stores, as content
    values_agree(&ours, theirs, &hash, &["total_size"]);
    values_agree(&ours, theirs, &single, &[]);
    preferences_agree(&ours.json("app/preferences"), &theirs.json("app/preferences"));
}

/// What is the same thing has the same value.
fn values_agree(ours: &Api, theirs: &Api, hash: &str, but: &[&str]) {
    #[rustfmt::skip]
    let same = ["hash", "infohash_v1", "infohash_v2", "name", "size", "total_size", "progress", "state", "category", "tags", "dl_limit",
        "up_limit", "seq_dl", "f_l_piece_prio", "super_seeding", "force_start", "auto_tmm", "eta", "amount_left", "completed", "ratio", "max_ratio",
        "max_seeding_time", "ratio_limit", "seeding_time_limit", "trackers_count", "downloaded", "uploaded"];
    let (one, two) =
        (ours.json(&format!("torrents/info?hashes={hash}")), theirs.json(&format!("torrents/info?hashes={hash}")));
    for name in same.into_iter().filter(|name| !but.contains(name)) {
        let equal = match (one[0][name].as_f64(), two[0][name].as_f64()) {
            (Some(one), Some(two)) => (one - two).abs() < 1e-9,
            _ => one[0][name] == two[0][name],
        };
        assert!(equal, "{name}: {} and {}", one[0][name], two[0][name]);
    }
    let link = |list: &Value| Magnet::parse(list[0]["magnet_uri"].as_str().expect("a link")).expect("a link");
    assert_eq!(link(&one), link(&two));
    for path in ["files", "pieceStates", "pieceHashes"].map(|action| format!("torrents/{action}?hash={hash}")) {
        let (mut one, mut two) = (ours.json(&path), theirs.json(&path));
        for list in [&mut one, &mut two] {
            for file in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                // one counts copies among peers, the other in the swarm; 1 and 1.0 are the same
                file.remove("availability");
                file.insert("progress".into(), file["progress"].as_f64().into());
            }
        }
        assert_eq!(one, two, "{path}");
    }
}

/// Those that sower has are of the same type; names that the other version does not have are few and known.
fn preferences_agree(ours: &Value, theirs: &Value) {
    let (ours, theirs) = (types(ours), types(theirs));
    let other: Vec<String> = ours
        .iter()
        .filter(|(path, kind)| theirs.get(*path).is_some_and(|theirs| theirs != *kind))
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(other, ["/proxy_type"], "a number then, a word since 4.6");
    let newer: Vec<&String> = ours.keys().filter(|path| !theirs.contains_key(*path)).collect();
    #[rustfmt::skip]
    let known = ["/add_stopped_enabled", "/add_to_top_of_queue", "/add_trackers_from_url_enabled", "/add_trackers_url", "/add_trackers_url_list",
        "/app_instance_name", "/current_interface_name", "/confirm_torrent_deletion", "/confirm_torrent_recheck", "/delete_torrent_content_files", "/file_log_enabled",
        "/file_log_path", "/i2p_enabled", "/max_inactive_seeding_time", "/max_inactive_seeding_time_enabled", "/merge_trackers", "/random_port",
        "/ssl_enabled", "/status_bar_external_ip", "/torrent_stop_condition", "/use_subcategories", "/use_unwanted_folder"];
    let unknown: Vec<_> = newer.into_iter().filter(|path| !known.contains(&path.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
