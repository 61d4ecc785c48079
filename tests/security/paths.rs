//! A program with the token, or whoever made a torrent file, that reaches for files outside of the folders of the configuration.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Reply, ask};
use super::scene::{Scene, Torrent};

/// A victim beside the data folder, and ways to it from inside.
struct Outside {
    scene: Scene,
    /// Each leads out.
    ways: Vec<String>,
}

impl Outside {
    fn new() -> Outside {
        let scene = Scene::new();
        let outside = scene.folder.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("victim"), "mine").expect("written");
        symlink(&outside, scene.data().join("link")).expect("made");
        symlink("/nowhere/else", scene.data().join("dead")).expect("made");
        let data = scene.data().display().to_string();
        let ways = vec![
            outside.display().to_string(),
            format!("{data}/../outside"),
            format!("{data}/link"),
            format!("{data}/link/new"),
            format!("{data}/dead/new"),
            format!("{data}/new/../../outside"),
            "/etc".into(),
            "/".into(),
            "../outside".into(),
        ];
        Outside { scene, ways }
    }

    /// Nothing came into the folder, and nothing in it is different.
    fn untouched(&self) {
        let outside = self.scene.folder.path().join("outside");
        let names: Vec<_> =
            fs::read_dir(&outside).expect("there").map(|entry| entry.expect("read").file_name()).collect();
        assert_eq!(names, ["victim"]);
        assert_eq!(fs::read_to_string(outside.join("victim")).expect("there"), "mine");
        assert!(!Path::new("/nowhere").exists());
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let head = format!(
            "POST /api/v2/{path} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded",
            self.scene.token
        );
        ask(self.scene.address, &head, body.join("&").as_bytes())
    }

    /// By the Transmission RPC; what `result` says.
    fn rpc(&self, method: &str, arguments: Value) -> String {
        let head = |session: &str| {
            format!(
                "POST /transmission/rpc HTTP/1.1\r\nAuthorization: Bearer {}\r\nX-Transmission-Session-Id: {session}",
                self.scene.token
            )
        };
        let session = ask(self.scene.address, &head("none"), b"{}").header("x-transmission-session-id").to_owned();
        let body = json!({ "method": method, "arguments": arguments }).to_string();
        let reply = ask(self.scene.address, &head(&session), body.as_bytes());
        reply.json()["result"].as_str().unwrap_or("").to_owned()
    }
}

/// Attack: content is added, moved or said to be in a folder that is none of ours, by its path, by `..`, or through a link.
#[test]
fn no_folder_outside_of_the_roots_is_used() {
    let outside = Outside::new();
    let hash = outside.scene.seed("one", 50_000);
    let torrent = STANDARD.encode(&Torrent::new("two", 60_000).file);
    for way in &outside.ways {
        let refused =
            |reply: Reply, what: &str| assert!(reply.status >= 400, "{what} {way}: {} {}", reply.status, reply.text());
        let own = |request: &str, body: Value| refused(outside.scene.ask(request, Some(body)), request);
        own("POST /api/v1/torrents", json!({"torrent": torrent, "folder": way}));
        own(&format!("POST /api/v1/torrents/{hash}/move"), json!({"folder": way}));
        own(&format!("POST /api/v1/torrents/{hash}/move"), json!({"folder": way, "files": false}));
        own(&format!("PATCH /api/v1/torrents/{hash}"), json!({"folder": way}));
        refused(outside.form("torrents/setLocation", &[("hashes", &hash), ("location", way)]), "setLocation");
        refused(outside.form("torrents/setSavePath", &[("id", &hash), ("path", way)]), "setSavePath");
        assert_ne!(
            outside.rpc("torrent-set-location", json!({"ids": [hash], "location": way, "move": true})),
            "success",
            "{way}"
        );
        assert_ne!(outside.rpc("torrent-add", json!({"metainfo": torrent, "download-dir": way})), "success", "{way}");
    }
    let row = outside.scene.get(&format!("/api/v1/torrents/{hash}"));
    assert_eq!(row["folder"], json!(fs::canonicalize(outside.scene.data()).expect("there")));
    outside.untouched();
}

/// Attack: the folders of the configuration themselves are changed, so that any folder becomes one of ours.
#[test]
fn no_program_makes_itself_a_root() {
    let outside = Outside::new();
    for way in &outside.ways {
        let patches = [
            json!({"roots": [way]}),
            json!({"download_folder": way}),
            json!({"incomplete_folder": way}),
            json!({"watch_folders": [way]}),
            json!({"categories": {"trap": {"folder": way}}}),
        ];
        for patch in patches {
            let reply = outside.scene.ask("PATCH /api/v1/settings", Some(patch.clone()));
            assert!(reply.status >= 400, "{patch}: {}", reply.text());
        }
        let preferences = json!({"save_path": way, "temp_path": way, "temp_path_enabled": true}).to_string();
        outside.form("app/setPreferences", &[("json", &preferences)]);
        outside.form("torrents/createCategory", &[("category", "trap"), ("savePath", way)]);
        outside.form("torrents/editCategory", &[("category", "trap"), ("savePath", way)]);
        outside.rpc("session-set", json!({"download-dir": way, "incomplete-dir": way, "incomplete-dir-enabled": true}));
    }
    let settings = outside.scene.get("/api/v1/settings");
    let data = json!(fs::canonicalize(outside.scene.data()).expect("there"));
    assert_eq!(
        (&settings["download_folder"], &settings["incomplete_folder"], &settings["roots"]),
        (&data, &Value::Null, &json!([]))
    );
    let folders: Vec<&Value> =
        settings["categories"].as_object().expect("an object").values().map(|it| &it["folder"]).collect();
    assert!(folders.iter().all(|folder| folder.is_null()), "{folders:?}");
    outside.untouched();
}

/// Attack: a file gets a name that leads out of its torrent's folder, by itself or through a link.
#[test]
fn no_file_is_renamed_out_of_its_folder() {
    let outside = Outside::new();
    let hash = outside.scene.seed("one", 50_000);
    let path = format!("/api/v1/torrents/{hash}");
    let rename =
        |name: &str| outside.scene.ask(&format!("POST {path}/rename_path"), Some(json!({"from": "one", "to": name})));
    for name in ["../outside/victim", "/etc/passwd", "..", ".", "", "a/../../outside/victim", "a\0b"] {
        let reply = rename(name);
        assert!(reply.status >= 400, "{name:?}: {}", reply.status);
        outside.form("torrents/renameFile", &[("hash", &hash), ("oldPath", "one"), ("newPath", name)]);
        outside.rpc("torrent-rename-path", json!({"ids": [hash], "path": "one", "name": name}));
    }
    // links are found out when the file is moved
    for name in ["link/victim", "link/new", "dead/new", "dead"] {
        rename(name);
        outside.scene.until(&path, |torrent| torrent["activity"] == "seeding");
    }
    let files = outside.scene.get(&format!("{path}/files"));
    assert_eq!(files[0]["path"], "one");
    assert!(outside.scene.data().join("one").exists());
    outside.untouched();
}

/// Attack: a torrent, whose files are not there yet, is called like a link that leads out, so that its download is written through that.
#[test]
fn nothing_is_made_or_written_through_a_link() {
    let outside = Outside::new();
    let piece = "20:aaaaaaaaaaaaaaaaaaaa";
    symlink(outside.scene.folder.path().join("outside/victim"), outside.scene.data().join("file")).expect("made");
    let torrents = [
        format!("d4:infod5:filesld6:lengthi9e4:pathl6:victimee d6:lengthi9e4:pathl3:neweee4:name4:link12:piece lengthi16384e6:pieces{piece}ee").replace("ee d", "eed"),
        format!("d4:infod6:lengthi9e4:name4:file12:piece lengthi16384e6:pieces{piece}ee"),
        format!("d4:infod6:lengthi9e4:name4:dead12:piece lengthi16384e6:pieces{piece}ee"),
    ];
    for torrent in torrents {
        let reply = outside.scene.ask("POST /api/v1/torrents", Some(json!({"torrent": STANDARD.encode(&torrent)})));
        assert_eq!(reply.status, 200, "{torrent}: {}", reply.text());
    }
    let settled = |list: &Value| {
        let torrents = list["torrents"].as_array().expect("a list");
        torrents.iter().all(|torrent| !matches!(torrent["activity"].as_str(), Some("queued_check" | "checking")))
    };
    let list = outside.scene.until("/api/v1/torrents?fields=name,activity,message", settled);
    for torrent in list["torrents"].as_array().expect("a list") {
        assert!(torrent["activity"] == "failed" || torrent["activity"] == "absent", "{torrent}");
        assert!(torrent["message"].is_string(), "{torrent}");
    }
    outside.untouched();
}

/// Attack: a torrent file whose files have such names.
#[test]
fn a_torrent_with_paths_that_lead_out_is_refused_or_tamed() {
    let outside = Outside::new();
    let piece = "20:aaaaaaaaaaaaaaaaaaaa";
    let single =
        |name: &str| format!("d4:infod6:lengthi1e4:name{}:{name}12:piece lengthi16384e6:pieces{piece}ee", name.len());
    let several = |path: &[&str]| {
        let path: String = path.iter().map(|part| format!("{}:{part}", part.len())).collect();
        format!("d4:infod5:filesld6:lengthi1e4:pathl{path}eee4:name3:box12:piece lengthi16384e6:pieces{piece}ee")
    };
    let hostile = [
        single("../outside/victim"),
        single("/etc/passwd"),
        single(".."),
        single("a/../../outside/victim"),
        several(&["..", "..", "outside", "victim"]),
        several(&["/etc", "passwd"]),
        several(&["a", "..", "..", "..", "outside", "victim"]),
        several(&["../../outside/victim"]),
        several(&[]),
    ];
    for torrent in hostile {
        let reply = outside.scene.ask("POST /api/v1/torrents", Some(json!({"torrent": STANDARD.encode(&torrent)})));
        assert!(reply.status == 200 || reply.status == 400, "{torrent}: {}", reply.text());
    }
    for torrent in outside.scene.get("/api/v1/torrents")["torrents"].as_array().expect("a list") {
        let path = torrent["content_path"].as_str().expect("a path");
        let data = fs::canonicalize(outside.scene.data()).expect("there");
        assert!(Path::new(path).starts_with(&data) && !path.contains(".."), "{path}");
    }
    outside.untouched();
}

/// Attack: removing content removes what is not the torrent's: a file that a link leads to, or others in its folder.
#[test]
fn removing_content_removes_what_is_the_torrents_alone() {
    let outside = Outside::new();
    let hash = outside.scene.seed("one", 50_000);
    fs::write(outside.scene.data().join("other"), "not the torrent's").expect("written");
    let victim = outside.scene.folder.path().join("outside/victim");
    fs::rename(outside.scene.data().join("one"), outside.scene.data().join("kept")).expect("moved");
    symlink(&victim, outside.scene.data().join("one")).expect("made");
    let reply = outside.scene.ask(&format!("DELETE /api/v1/torrents/{hash}?data=true"), None);
    assert!(reply.status == 204 || reply.status >= 400, "{}", reply.text());
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(outside.scene.data().join("other").exists());
    outside.untouched();
}

/// Attack: a torrent is to be fetched from a file of this host, or with a scheme that reads one.
#[test]
fn no_address_reads_a_file_of_this_host() {
    let outside = Outside::new();
    let victim = outside.scene.folder.path().join("outside/victim");
    for url in [
        format!("file://{}", victim.display()),
        victim.display().to_string(),
        "ftp://127.0.0.1/x".into(),
        "gopher://127.0.0.1/".into(),
    ] {
        let reply = outside.scene.ask("POST /api/v1/torrents", Some(json!({"url": url})));
        assert!((400..500).contains(&reply.status), "{url}: {}", reply.text());
        assert!(!reply.text().contains("mine"));
        assert_ne!(outside.rpc("torrent-add", json!({"filename": url})), "success", "{url}");
    }
}

/// A torrent of a folder with these files, of which nobody has the content.
fn folder_of(name: &str, files: &[(&str, u64)]) -> String {
    let files: String =
        files.iter().map(|(path, length)| format!("d6:lengthi{length}e4:pathl{}:{path}ee", path.len())).collect();
    let torrent = format!(
        "d4:infod5:filesl{files}e4:name{}:{name}12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        name.len()
    );
    STANDARD.encode(torrent)
}

/// What becomes of a torrent once it was looked at.
fn looked_at(scene: &Scene, hash: &str) -> Value {
    let is_over = |torrent: &Value| !matches!(torrent["activity"].as_str(), Some("queued_check" | "checking"));
    scene.until(&format!("/api/v1/torrents/{hash}"), is_over)
}

/// Attack: a torrent is called like a link of the owner's in the download folder, whose target has nothing of it yet: what is made would be made
/// there. And what it has, such as `.ssh/authorized_keys` in `home`, would be removed with it.
#[test]
fn a_torrent_that_is_called_like_a_link_leads_nowhere() {
    let outside = Outside::new();
    for files in [&[("new", 300)][..], &[("victim", 4)]] {
        let torrent = json!({"torrent": folder_of("link", files)});
        let added = outside.scene.ask("POST /api/v1/torrents", Some(torrent)).json();
        let hash = added["added"][0]["hash"].as_str().expect("a hash").to_owned();
        let torrent = looked_at(&outside.scene, &hash);
        assert_eq!(torrent["activity"], "failed", "{torrent}");
        assert!(torrent["message"].as_str().is_some_and(|message| message.contains("symbolic link")), "{torrent}");
        outside.scene.ask(&format!("DELETE /api/v1/torrents/{hash}?data=true"), None);
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    outside.untouched();
}

/// Attack: the folder is looked at, found good, and replaced by a link before it is used, by another user of this host who may write to what it lies
/// in. Who can make no other user's link (the tests run without root) sees the torrent's own folder tried alone.
#[test]
fn a_link_that_is_put_in_the_way_later_is_not_followed() {
    let outside = Outside::new();
    let shared = outside.scene.data().join("shared");
    fs::create_dir(&shared).expect("made");
    let torrent = json!({"torrent": folder_of("box", &[("one", 300), ("two", 300)]), "folder": shared});
    let added = outside.scene.ask("POST /api/v1/torrents", Some(torrent)).json();
    let hash = added["added"][0]["hash"].as_str().expect("a hash").to_owned();
    assert_eq!(looked_at(&outside.scene, &hash)["activity"], "downloading");
    assert!(shared.join("box/one").exists());
    let target = outside.scene.folder.path().join("outside");
    let swaps = [shared.join("box"), shared.clone()];
    for place in &swaps {
        let aside = place.with_extension("aside");
        fs::rename(place, &aside).expect("moved");
        symlink(&target, place).expect("made");
        let is_others = std::os::unix::fs::lchown(place, Some(65_534), None).is_ok();
        if *place != shared || is_others {
            outside.scene.ask(&format!("POST /api/v1/torrents/{hash}/verify"), None);
            let torrent = outside.scene.until(&format!("/api/v1/torrents/{hash}"), |torrent| {
                matches!(torrent["activity"].as_str(), Some("failed" | "absent"))
            });
            assert!(torrent["message"].is_string(), "{torrent}");
        }
        fs::remove_file(place).expect("a link");
        fs::rename(&aside, place).expect("moved back");
    }
    outside.untouched();
}

/// Attack: a category is called like a way out. Its content goes to a folder of its name, unless it names one.
#[test]
fn no_category_is_called_like_a_way_out() {
    let outside = Outside::new();
    let hash = outside.scene.seed("one", 50_000);
    let torrent = STANDARD.encode(&Torrent::new("two", 60_000).file);
    let absolute = outside.scene.folder.path().join("outside").display().to_string();
    for name in ["../outside", "..", "link", "link/new", "/etc", &absolute] {
        outside.scene.ask("PATCH /api/v1/settings", Some(json!({"categories": {name: {}}})));
        let add = json!({"torrent": torrent, "category": name});
        assert!(outside.scene.ask("POST /api/v1/torrents", Some(add)).status >= 400, "{name}");
        let path = format!("/api/v1/torrents/{hash}");
        outside.scene.ask(&format!("PATCH {path}"), Some(json!({"auto_managed": true})));
        assert!(outside.scene.ask(&format!("PATCH {path}"), Some(json!({"category": name}))).status >= 400, "{name}");
    }
    let row = outside.scene.get(&format!("/api/v1/torrents/{hash}"));
    assert_eq!(row["folder"], json!(fs::canonicalize(outside.scene.data()).expect("there")));
    outside.untouched();
}

/// Attack: a watch folder that others may write to has a link to a file of the owner's, a FIFO that nobody writes to, and a file without end.
#[test]
fn a_watch_folder_reads_files_alone_and_no_more_than_a_torrent_has() {
    let outside = Outside::new();
    let watched = outside.scene.data().join("watched");
    fs::create_dir(&watched).expect("made");
    symlink(outside.scene.folder.path().join("outside/victim"), watched.join("link.torrent")).expect("made");
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, watched.join("fifo.torrent"), fifo, mode, 0).expect("made");
    for (name, length) in [("huge.torrent", 1 << 40), ("huge.magnet", 1 << 40), ("small.torrent", 100)] {
        let file = fs::File::create(watched.join(name)).expect("made");
        file.set_len(length).expect("sparse");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("ours");
    }
    let reply = outside.scene.ask("PATCH /api/v1/settings", Some(json!({ "watch_folders": [watched] })));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let begun = std::time::Instant::now();
    let done = ["huge.torrent.invalid", "huge.magnet.invalid", "small.torrent.invalid"];
    while !done.iter().all(|name| watched.join(name).exists()) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{}", outside.scene.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(outside.scene.get("/api/v1/torrents")["torrents"], json!([]));
    outside.untouched();
}
