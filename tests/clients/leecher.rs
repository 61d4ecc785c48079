//! The five clients: how each is told what to fetch or to seed, where from, and how it says that it is done.
//!
//! What they cannot do, so that no row asks for it:
//!
//! | client | version | cannot |
//! |---|---|---|
//! | transmission | 3.00 | UDP trackers by IPv6 (takes the bracketed address for a name); makes no empty files |
//! | aria2c | 1.36 | UDP trackers by IPv6 ("udp is not supported yet"); begins encrypted, then falls back |
//! | rtorrent | 0.9.8 | UDP trackers by IPv6 (reads the answer as IPv4 addresses); binding to an IPv6 address |
//! | qbittorrent-nox | 4.5.2 | |
//! | libtorrent | 2.1 | |
//!
//! transmission-cli takes the short stop between metadata and data of a magnet link for its end, now and then: magnet
//! links go to the daemon, which is the same engine. On a busy machine it does so at its start too, with status 0:
//! whoever ends like that before its download is complete is started again.
//!
//! qBittorrent takes a torrent out of its engine and in again once it has dealt with the metadata of a magnet link. Where
//! all the data came before that, the torrent is found complete when it is checked, and 4.5.2 then takes it for one
//! that always was: it calls nobody (`TorrentImpl::handleTorrentCheckedAlert` sets the status of a seed, and
//! `handleTorrentFinishedAlert` returns at once where that is set). Its record of the torrent says that it is complete.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::content::{Content, digests, sizes_match, write_padding};
use crate::namespace::Family;
use crate::process::{Process, wait_for};

/// A download of some MiB over loopback, with two cores shared by a dozen of them.
const DOWNLOAD: Duration = Duration::from_secs(120);

/// Made by `tests/run`, with libtorrent in it.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");

/// Programs that nobody here wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    /// transmission-cli of Debian, for magnet links transmission-daemon
    Transmission,
    /// aria2c of Debian
    Aria2,
    /// rtorrent of Debian
    Rtorrent,
    /// qbittorrent-nox of Debian
    Qbittorrent,
    /// libtorrent from the Python package index
    Libtorrent,
}

impl Client {
    /// The programs to look for.
    pub(crate) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Transmission => &["transmission-cli", "transmission-daemon"],
            Self::Aria2 => &["aria2c"],
            Self::Rtorrent => &["rtorrent"],
            Self::Qbittorrent => &["qbittorrent-nox"],
            Self::Libtorrent => &[PYTHON],
        }
    }

    /// Whether it makes the files that hold no byte.
    pub(crate) fn makes_empty_files(self) -> bool {
        self != Self::Transmission
    }

    /// Whether it takes padding files for what they are (BEP 47); the others want them on disk.
    pub(crate) fn knows_padding(self) -> bool {
        matches!(self, Self::Qbittorrent | Self::Libtorrent)
    }

    /// Whether it announces to `udp://[address]`.
    pub(crate) fn speaks_udp_by_ipv6(self) -> bool {
        matches!(self, Self::Qbittorrent | Self::Libtorrent)
    }
}

/// One running client; killed when dropped.
pub(crate) struct Leecher {
    client: Client,
    process: Process,
    done: PathBuf,
    downloads: PathBuf,
    /// where it keeps what it knows of torrents, if that tells whether they are complete
    records: Option<PathBuf>,
}

/// What a client is told at its start.
struct Setting {
    /// configuration, downloads, the file that says done
    home: PathBuf,
    downloads: PathBuf,
    done: PathBuf,
    /// an executable that makes the file `done`
    hook: String,
    /// path or magnet link
    link: String,
    address: String,
    port: String,
    /// the data is there already
    seeds: bool,
}

impl Leecher {
    /// Starts `client` as that host on a .torrent's path or a magnet link; it goes on to seed when it is done.
    pub(crate) fn start(client: Client, workspace: &Path, family: Family, host: u8, link: &str) -> Self {
        Self::start_on(client, workspace, (family, host), link, None)
    }

    /// Starts `client` as that host on data that it has; it seeds as soon as it has checked that.
    pub(crate) fn seed(client: Client, workspace: &Path, family: Family, host: u8, link: &str, data: Content) -> Self {
        Self::start_on(client, workspace, (family, host), link, Some(data))
    }

    fn start_on(
        client: Client,
        workspace: &Path,
        (family, host): (Family, u8),
        link: &str,
        data: Option<Content>,
    ) -> Self {
        let name = format!("{client:?}-{host}").to_lowercase();
        let home = workspace.join(&name);
        let setting = Setting {
            downloads: home.join("downloads"),
            done: home.join("done"),
            hook: hook(&home),
            link: link.to_owned(),
            address: family.host(host).to_string(),
            port: port(host).to_string(),
            seeds: data.is_some(),
            home,
        };
        std::fs::create_dir_all(&setting.downloads).expect("a folder for downloads");
        if let Some(data) = data {
            data.write(&setting.downloads);
            if data == Content::Padded && !client.knows_padding() {
                write_padding(&setting.downloads);
            }
        }
        let mut command = match client {
            Client::Transmission => transmission(&setting, family),
            Client::Aria2 => aria2(&setting),
            Client::Rtorrent => rtorrent(&setting, family),
            Client::Qbittorrent => qbittorrent(&setting),
            Client::Libtorrent => libtorrent(&setting),
        };
        command.current_dir(&setting.home).env("HOME", &setting.home).env("LC_ALL", "C.UTF-8");
        let process = Process::start(command, &name, workspace, false);
        let records = setting.home.join("profile/qBittorrent/data/BT_backup");
        let records = (client == Client::Qbittorrent).then_some(records);
        Self { client, process, done: setting.done, downloads: setting.downloads, records }
    }

    /// Waits until it has the content, and compares that with the source in `source`, file by file.
    pub(crate) fn finish(&mut self, content: Content, source: &Path) {
        wait_for(&format!("{:?} says that it is done", self.client), DOWNLOAD, || {
            if !self.is_done() {
                self.keep_running();
                return None;
            }
            // for a magnet link some say so for the metadata already
            sizes_match(content, &self.downloads).then_some(())
        });
        let mut expected = digests(content, source);
        if !self.client.makes_empty_files() {
            content.empty_files().for_each(|name| drop(expected.remove(name)));
        }
        let mut actual = digests(content, &self.downloads);
        actual.retain(|name, _| expected.contains_key(name));
        if actual != expected {
            // what it says it has may still be on its way to the file
            wait_for(&format!("the files of {:?} are those of the source", self.client), DOWNLOAD / 4, || {
                actual = digests(content, &self.downloads);
                actual.retain(|name, _| expected.contains_key(name));
                (actual == expected).then_some(())
            });
        }
    }

    /// Starts it again if it ended before it was done; one that failed, or ends again and again, fails the test.
    pub(crate) fn keep_running(&mut self) {
        if !self.is_done() {
            self.process.revive();
        }
    }

    /// Ends it as Ctrl-C does, so that it tells its trackers.
    pub(crate) fn interrupt(&mut self) {
        self.process.signal("INT");
        wait_for(&format!("the end of {:?}", self.client), Duration::from_secs(30), || self.process.ended());
    }

    /// Whether it said that it is done.
    pub(crate) fn is_done(&self) -> bool {
        self.done.exists() || self.records.as_deref().is_some_and(records_a_seed)
    }
}

/// Where a client listens that runs as that host.
pub(crate) fn port(host: u8) -> u16 {
    20_000 + u16::from(host)
}

/// Whether qBittorrent has written down that it seeds the torrent.
fn records_a_seed(folder: &Path) -> bool {
    let says_so = |path: PathBuf| {
        let record = std::fs::read(path).unwrap_or_default();
        record.windows(SEED.len()).any(|bytes| bytes == SEED)
    };
    let records = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    records.filter(|path| path.extension().is_some_and(|extension| extension == "fastresume")).any(says_so)
}

const SEED: &[u8] = b"14:qBt-seedStatusi1e";

fn hook(home: &Path) -> String {
    std::fs::create_dir_all(home).expect("a home for the client");
    let path = home.join("done.sh");
    std::fs::write(&path, format!("#!/bin/sh\n: > '{}'\n", home.join("done").display())).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable script");
    path.into_os_string().into_string().expect("an ASCII path")
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("not the root")).expect("a folder for configuration");
    std::fs::write(path, text).expect("a file of configuration");
}

fn transmission(setting: &Setting, family: Family) -> Command {
    let bind = if family == Family::V4 { "bind-address-ipv4" } else { "bind-address-ipv6" };
    let config = serde_json::json!({
        bind: setting.address, "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
        "port-forwarding-enabled": false, "peer-port": setting.port.parse::<u16>().expect("a port"),
        "download-dir": setting.downloads, "rpc-enabled": false, "encryption": 0, "message-level": 3,
        "script-torrent-done-enabled": true, "script-torrent-done-filename": setting.hook,
    });
    write(&setting.home.join("config/settings.json"), config.to_string());
    if setting.link.starts_with("magnet:") {
        keep_magnet(&setting.link, &setting.home.join("config/torrents"));
        let mut command = Command::new("transmission-daemon");
        command.arg("--foreground").arg("--config-dir").arg(setting.home.join("config"));
        return command;
    }
    let mut command = Command::new("transmission-cli");
    command.arg("-g").arg(setting.home.join("config")).arg("-w").arg(&setting.downloads);
    command.args(["-p", &setting.port, "-M", "-et", "-f", &setting.hook, &setting.link]);
    command.args(setting.seeds.then_some("-v"));
    command
}

/// Writes a magnet link down as Transmission keeps it between its runs.
fn keep_magnet(link: &str, folder: &Path) {
    let value = |key: &str| {
        let rest = &link[link.find(key).expect("a part of every link here") + key.len()..];
        rest.split('&').next().unwrap_or(rest)
    };
    let (hash, tracker) = (value("urn:btih:"), value("&tr="));
    let tracker: Vec<u8> = percent_encoding::percent_decode_str(tracker).collect();
    let digit = |at: usize| u8::from_str_radix(&hash[at..at + 2], 16).expect("hexadecimal digits");
    let raw: Vec<u8> = (0..40).step_by(2).map(digit).collect();
    let announce = format!("d8:announce{}:", tracker.len());
    let kept = [announce.as_bytes(), &tracker, b"11:magnet-infod9:info_hash20:", &raw, b"ee"].concat();
    write(&folder.join(format!("{hash}.torrent")), kept);
}

fn aria2(setting: &Setting) -> Command {
    let mut command = Command::new("aria2c");
    command.args(["--no-conf", "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false"]);
    // UDP trackers come with the DHT: its node knows nobody here
    command.arg("--enable-dht=true").arg(format!("--dht-file-path={}", setting.home.join("dht").display()));
    command.arg(format!("--dht-listen-port={0}", setting.port)).arg(format!("--listen-port={}", setting.port));
    command.arg(format!("--interface={}", setting.address)).arg("--dir").arg(&setting.downloads);
    command.args(["--seed-ratio=0.0", "--file-allocation=none", "--summary-interval=0", "--console-log-level=info"]);
    command.arg(format!("--on-bt-download-complete={}", setting.hook)).arg(&setting.link);
    command.args(setting.seeds.then_some("--check-integrity=true"));
    command
}

fn rtorrent(setting: &Setting, family: Family) -> Command {
    let home = setting.home.display();
    // it binds to IPv4 addresses only; unbound it uses both families
    let bind = if family == Family::V4 { &setting.address } else { "0.0.0.0" };
    std::fs::create_dir_all(setting.home.join("session")).expect("a folder for the session");
    let config = format!(
        "system.daemon.set = true\n\
         directory.default.set = {}\n\
         session.path.set = {home}/session\n\
         network.bind_address.set = {}\n\
         network.port_range.set = {port}-{port}\n\
         network.port_random.set = no\n\
         network.scgi.open_local = {home}/scgi\n\
         dht.mode.set = off\n\
         protocol.pex.set = no\n\
         protocol.encryption.set = none\n\
         trackers.use_udp.set = yes\n\
         log.open_file = log, {home}/../rtorrent-details.log\n\
         log.add_output = info, log\n\
         log.add_output = tracker_debug, log\n\
         method.set_key = event.download.finished, done, \"execute.nothrow={}\"\n",
        setting.downloads.display(),
        bind,
        setting.hook,
        port = setting.port,
    );
    let path = setting.home.join("rtorrent.rc");
    write(&path, &config);
    let mut command = Command::new("rtorrent");
    command.arg("-n").arg("-o").arg(format!("import={}", path.display())).arg(&setting.link);
    command
}

fn qbittorrent(setting: &Setting) -> Command {
    let config = format!(
        "[LegalNotice]\nAccepted=true\n\
         [AutoRun]\nenabled=true\nprogram={}\n\
         [Preferences]\nWebUI\\Enabled=false\n\
         [BitTorrent]\nSession\\BTProtocol=TCP\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\n\
         Session\\PeXEnabled=false\nSession\\Port={}\nSession\\DefaultSavePath={}\nSession\\TempPathEnabled=false\n\
         Session\\InterfaceAddress={}\nSession\\AddTrackersEnabled=false\n",
        setting.hook,
        setting.port,
        setting.downloads.display(),
        setting.address,
    );
    let profile = setting.home.join("profile");
    write(&profile.join("qBittorrent/config/qBittorrent.conf"), &config);
    let mut command = Command::new("qbittorrent-nox");
    command.arg(format!("--profile={}", profile.display())).arg("--webui-port=8080");
    command.arg(format!("--save-path={}", setting.downloads.display()));
    command.args(["--skip-dialog=true", &setting.link]);
    command
}

fn libtorrent(setting: &Setting) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/libtorrent_client.py"));
    command.arg(&setting.link).arg(&setting.downloads).args([&setting.address, &setting.port]).arg(&setting.done);
    command
}
