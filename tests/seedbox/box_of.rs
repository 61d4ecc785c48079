//! A seedbox in a scratch folder, and small torrents for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sower::ids::TorrentId;
use sower::metainfo::Builder;
use sower::reactor::sockets::Options;
use sower::session::seedbox::{Activity, Addition, Change, Row, Seedbox, SeedboxConfig, Settings, Source, View};
use sower::session::{FleetConfig, SessionConfig};
use tokio::task::JoinHandle;

/// A running seedbox.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) seedbox: Seedbox,
    pub(crate) keeper: JoinHandle<()>,
}

impl Scene {
    pub(crate) async fn new() -> Scene {
        Scene::in_folder(tempfile::tempdir().expect("a folder")).await
    }

    pub(crate) async fn in_folder(folder: tempfile::TempDir) -> Scene {
        let (state, data) = (folder.path().join("state"), folder.path().join("data"));
        fs::create_dir_all(&state).expect("made");
        fs::create_dir_all(&data).expect("made");
        let config = SeedboxConfig { session: session(), state, settings: Settings::new(data) };
        let (seedbox, keeper) = Seedbox::start(config).await.expect("started");
        Scene { folder, seedbox, keeper }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends it, and starts another in the same folder.
    pub(crate) async fn restart(self) -> Scene {
        self.seedbox.shutdown().await.expect("ended");
        self.keeper.await.expect("no panic");
        Scene::in_folder(self.folder).await
    }

    pub(crate) async fn add(&self, torrent: &[u8]) -> TorrentId {
        self.seedbox.add(Addition::new(Source::File(torrent.to_vec()))).await.expect("added").id
    }

    pub(crate) async fn change(&self, id: TorrentId, change: Change) {
        self.seedbox.change(vec![id], change).await.expect("changed");
    }

    pub(crate) fn row(&self, id: TorrentId) -> Arc<Row> {
        self.seedbox.view().row(id).expect("there").clone()
    }

    /// Waits until a torrent is as `is` says.
    pub(crate) async fn until(&self, id: TorrentId, what: &str, is: impl Fn(&Row) -> bool) -> Arc<Row> {
        let view = self.until_view(what, |view| view.row(id).is_some_and(|row| is(row))).await;
        view.row(id).expect("there").clone()
    }

    pub(crate) async fn until_view(&self, what: &str, is: impl Fn(&View) -> bool) -> Arc<View> {
        let mut views = self.seedbox.watch();
        let found = tokio::time::timeout(Duration::from_secs(120), views.wait_for(|view| is(view))).await;
        match found {
            Ok(view) => view.expect("the keeper runs").clone(),
            Err(_) => panic!("{what}: {:#?}", self.seedbox.view().rows),
        }
    }

    pub(crate) async fn until_seeding(&self, id: TorrentId) -> Arc<Row> {
        self.until(id, "to be seeding", |row| row.activity == Activity::Seeding).await
    }
}

fn session() -> SessionConfig {
    SessionConfig {
        fleet: FleetConfig {
            reactors: 1,
            driver: Default::default(),
            send: Default::default(),
            listen: Vec::new(),
            listeners: Vec::new(),
            port: Some(0),
            slots: Default::default(),
            upload_limit: None,
            download_limit: None,
            peer_limit: None,
            connections: 500,
            connections_per_address: 500,
            congestion: Default::default(),
            options: Options::default(),
            downloads: true,
        },
        external: Vec::new(),
        tracker: None,
        added_trackers: Vec::new(),
        web_seed: false,
        super_seed: false,
    }
}

/// A torrent of one file, and its bytes.
pub(crate) fn torrent(name: &str, length: usize) -> (Vec<u8>, Vec<u8>) {
    const PIECE: usize = 32 * 1024;
    let mut rng = fastrand::Rng::with_seed(length as u64);
    let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
    let digests = bytes.chunks(PIECE).map(|piece| {
        use sha1::Digest;
        sha1::Sha1::digest(piece).into()
    });
    let torrent =
        Builder::single(name.as_ref(), length as u64, u32::try_from(PIECE).expect("small")).hashes(digests.collect());
    (torrent.write().expect("a torrent"), bytes)
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path
}
