//! A swarm of everybody: a seed that is slow, and leechers of six kinds that are faster together.

use std::time::Duration;

use crate::content::Content;
use crate::getter::Getter;
use crate::leecher::{Client, Leecher, port};
use crate::namespace::{Family, isolated};
use crate::process::{Workspace, wait_for};
use crate::recorder::Recorder;
use crate::seeder::Seeder;

const OTHERS: [Client; 5] =
    [Client::Libtorrent, Client::Transmission, Client::Aria2, Client::Rtorrent, Client::Qbittorrent];

#[test]
fn sower_and_five_clients_finish_each_other_and_each_gives_something() {
    let programs: Vec<&str> = OTHERS.iter().flat_map(|client| client.programs()).copied().collect();
    isolated(Family::V4, &programs, || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let tracker = Recorder::introducing("10.77.0.1");
        let mut arguments = Content::Single.write(&source);
        // long enough for each to choke and unchoke a few times
        arguments.extend(["--upload-limit", "384KiB", "--tracker", &tracker.url()].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        let torrent = served.torrent.to_str().expect("an ASCII path");
        let mut getters = [2, 3].map(|host| {
            let (name, port) = (format!("sower-{host}"), port(host).to_string());
            Getter::start(workspace.path(), &name, [torrent, "--port", &port])
        });
        let start =
            |(client, host): (&Client, u8)| Leecher::start(*client, workspace.path(), Family::V4, host, torrent);
        let mut leechers: Vec<Leecher> = OTHERS.iter().zip(4..).map(start).collect();
        for getter in &mut getters {
            getter.finish(Content::Single, &source);
        }
        leechers.iter_mut().for_each(|leecher| leecher.finish(Content::Single, &source));
        // what each has sent it says itself, to the tracker, at its end; Transmission ends without a word
        wait_for("Transmission to tell that it has everything", Duration::from_secs(30), || {
            (tracker.latest(port(5), "left") == Some(0)).then_some(())
        });
        for getter in &mut getters {
            assert!(getter.stop("INT").success());
        }
        leechers.iter_mut().for_each(Leecher::interrupt);
        seeder.interrupt();
        let given: Vec<u64> = (2..=8).map(|host| tracker.latest(port(host), "uploaded").unwrap_or(0)).collect();
        eprintln!("uploaded by the seed {}, by hosts 2 to 8 {given:?}, of {}", seeder.uploaded(), served.size);
        assert!(given.iter().all(|bytes| *bytes > 0), "somebody gave nothing: {given:?}");
        assert!(seeder.uploaded() < 7 * served.size / 2, "the seed sent {} for seven copies", seeder.uploaded());
        let all: u64 = given.iter().sum::<u64>() + seeder.uploaded();
        assert!(all >= 7 * served.size, "seven copies of {} bytes, and {all} were sent", served.size);
    });
}
