//! What the answers say, to a client of bare bytes.

use crate::WAYS;
use crate::content::Content;
use crate::process::run;
use crate::server::{Server, files_below};

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: here\r\n{fields}\r\n")
}

#[test]
fn every_file_of_every_torrent_comes_byte_for_byte_on_every_path() {
    for way in WAYS {
        let server = Server::start(way, &[Content::Single, Content::Folder, Content::Padded], &[]);
        let torrent_of = |file: &str| match file.split('/').next() {
            Some("many") => 1,
            Some("padded") => 2,
            _ => 0,
        };
        let files = files_below(&server.source).into_iter().filter(|file| !file.ends_with(".torrent"));
        let mut client = server.connect();
        for file in files {
            assert!(client.send(get(&server.path(torrent_of(&file), &file), "")));
            let (head, body) = client.answer().expect("an answer");
            assert_eq!(head.status, 200, "{file}");
            assert!(body == server.bytes(&file), "{way:?}: {file} differs");
        }
    }
}

#[test]
fn the_address_of_a_torrent_leads_to_all_its_files() {
    let server = Server::start(WAYS[0], &[Content::Padded], &[]);
    let mut client = server.connect();
    client.send(get(&server.path(0, ""), ""));
    let (head, page) = client.answer().expect("an answer");
    assert_eq!((head.status, head.field("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let page = String::from_utf8(page).expect("UTF-8");
    let links = page.lines().filter_map(|line| line.strip_prefix("<li><a href=\"")?.split('"').next());
    let links: Vec<&str> = links.collect();
    assert_eq!(links.len(), 5, "{page}");
    for link in links {
        client.send(get(link, ""));
        let (head, body) = client.answer().expect("an answer");
        let file = &link["/".len() + 40 + "/".len()..];
        assert!(head.status == 200 && body == server.bytes(file), "{file}");
    }
}

#[test]
fn padding_is_nobodys_and_folders_are_none() {
    let server = Server::start(WAYS[0], &[Content::Padded], &[]);
    let mut client = server.connect();
    for file in ["padded/.pad/262143", "padded/.pad/1", "padded/", "padded", "padded/sub"] {
        client.send(get(&server.path(0, file), ""));
        assert_eq!(client.answer().expect("an answer").0.status, 404, "{file}");
    }
}

#[test]
fn ranges_conditions_and_head_are_answered_on_one_connection() {
    let server = Server::start(WAYS[2], &[Content::Folder], &[]);
    let (file, whole) = ("many/b/three pieces.bin", server.bytes("many/b/three pieces.bin"));
    let path = server.path(0, file);
    let mut client = server.connect();
    client.send(get(&path, "").replace("GET", "HEAD"));
    let head = client.head().expect("an answer");
    assert_eq!((head.status, head.length()), (200, whole.len()));
    let tag = head.field("ETag").expect("a tag").to_owned();
    let mut part = |fields: &str| {
        client.send(get(&path, &fields.replace("TAG", &tag)));
        let (head, body) = client.answer().expect("an answer");
        (head.status, head.field("Content-Range").map(str::to_owned), body)
    };
    let random = &mut fastrand::Rng::with_seed(3);
    for _ in 0..50 {
        let start = random.usize(..whole.len());
        let end = random.usize(start..whole.len());
        let (status, range, body) = part(&format!("Range: bytes={start}-{end}\r\n"));
        assert_eq!((status, range), (206, Some(format!("bytes {start}-{end}/{}", whole.len()))));
        assert!(body == whole[start..=end], "{start}-{end}");
    }
    let (status, _, body) = part("Range: bytes=-5\r\n");
    assert!(status == 206 && body == whole[whole.len() - 5..]);
    let beyond = part(&format!("Range: bytes={}-\r\n", whole.len()));
    assert_eq!((beyond.0, beyond.1), (416, Some(format!("bytes */{}", whole.len()))));
    assert!(part("Range: bytes=0-1, 3-4\r\n").2 == whole, "several ranges: the whole");
    assert_eq!(part("If-None-Match: TAG\r\n").0, 304);
    assert_eq!(part("If-Range: TAG\r\nRange: bytes=0-1\r\n").2.len(), 2);
    assert_eq!(part("If-Range: \"other\"\r\nRange: bytes=0-1\r\n").0, 200);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    for way in WAYS {
        let server = Server::start(way, &[Content::Folder], &[]);
        let names = ["many/b/one.bin", "many/a.bin", "many/nothing", "many/b/empty.txt", "many/z/long.bin"];
        let requests: Vec<String> = names.iter().cycle().take(25).map(|name| get(&server.path(0, name), "")).collect();
        let mut client = server.connect();
        assert!(client.send(requests.concat()));
        for name in names.iter().cycle().take(25) {
            let (head, body) = client.answer().expect("an answer");
            match *name {
                "many/nothing" => assert_eq!(head.status, 404),
                name => assert!(head.status == 200 && body == server.bytes(name), "{way:?}: {name} differs"),
            }
        }
    }
}

#[test]
fn what_is_cold_is_read_from_disk_first() {
    for way in WAYS {
        let server = Server::start(way, &[Content::Single], &[]);
        let whole = server.bytes("one file.bin");
        let file = std::fs::File::open(server.source.join("one file.bin")).expect("the source");
        file.sync_all().expect("a disk");
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("a file");
        let mut client = server.connect();
        client.send(get(&server.path(0, "one file.bin"), "Connection: close\r\n"));
        let (head, body) = client.answer().expect("an answer");
        assert!(head.status == 200 && head.field("Connection") == Some("close") && body == whole, "{way:?}");
        client.assert_ended();
    }
}

#[test]
fn limits_hold_for_http_as_for_peers() {
    let server = Server::start(WAYS[0], &[Content::Single], &["--upload-limit", "4MB"]);
    let mut client = server.connect();
    let begun = std::time::Instant::now();
    client.send(get(&server.path(0, "one file.bin"), "Range: bytes=0-8388607\r\n"));
    let (_, body) = client.answer().expect("an answer");
    assert!(body == server.bytes("one file.bin")[..8 << 20]);
    assert!(begun.elapsed().as_secs_f64() > 1.5, "8 MiB at 4 MB/s took {:?}", begun.elapsed());
}

#[test]
fn a_private_torrent_is_never_served() {
    let server = Server::start(WAYS[0], &[Content::Single], &[]);
    let folder = server.workspace.folder("private");
    std::fs::write(folder.join("secret.bin"), vec![b's'; 100_000]).expect("a file");
    let (file, torrent) = (folder.join("secret.bin"), folder.join("secret.torrent"));
    let text = |path: &std::path::Path| path.to_str().expect("ASCII").to_owned();
    let sower = env!("CARGO_BIN_EXE_sower");
    run(
        sower,
        &["create", &text(&file), "--private", "--tracker", "http://127.0.0.1:9/announce", "-o", &text(&torrent)],
    );
    let both = [text(&torrent), text(&server.source.join("one file.bin"))];
    let mut arguments: Vec<String> = both.to_vec();
    arguments.extend(["--web-seed", "--port", "0", "--external-ip", "127.0.0.1"].map(str::to_owned));
    let mut seeder = crate::seeder::Seeder::start(&server.workspace.folder("second"), arguments);
    let torrents = seeder.serving(2);
    let said = seeder.events("seeding");
    assert_eq!(said[0]["web_seed"], serde_json::json!([]));
    assert!(!torrents[0].magnet.contains("ws="));
    let public =
        Server { seeder, torrents, source: server.source.clone(), workspace: crate::process::Workspace::new() };
    let mut client = public.connect();
    let mut status = |path: String| {
        client.send(get(&path, ""));
        let (head, body) = client.answer().expect("an answer");
        (head.status, body)
    };
    let unknown = status(format!("/{}/secret.bin", "0".repeat(40)));
    assert_eq!(unknown.0, 404);
    assert_eq!(status(public.path(0, "secret.bin")), unknown, "as if it did not exist");
    assert!(status(public.path(1, "one file.bin")).1 == public.bytes("one file.bin"));
}

#[test]
fn without_the_option_http_is_not_answered() {
    let workspace = crate::process::Workspace::new();
    let source = workspace.folder("source");
    let mut arguments = Content::Single.write(&source);
    arguments.extend(["--no-tracker", "--port", "0"].map(str::to_owned));
    let mut seeder = crate::seeder::Seeder::start(workspace.path(), arguments);
    let torrents = seeder.serving(1);
    assert!(!torrents[0].magnet.contains("ws="));
    let server = Server { seeder, torrents, source, workspace };
    let mut client = server.connect();
    client.send(get(&server.path(0, "one file.bin"), ""));
    client.assert_ended();
}
