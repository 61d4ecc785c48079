//! The start of a seedbox.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::ids::InfoHash;
use crate::storage::{Disk, DiskMode, Resume};

use super::super::config::{SessionConfig, SessionError};
use super::super::seeding::Session;
use super::handle::Seedbox;
use super::keeper::{Keeper, NEWS, now};
use super::settings::Settings;
use super::view::View;

/// Orders that wait for the keeper; front ends wait beyond.
const ORDERS: usize = 256;

/// How a seedbox runs.
#[derive(Clone, Debug)]
pub struct SeedboxConfig {
    /// Its engine.
    pub session: SessionConfig,
    /// The folder of its state, which is there.
    pub state: PathBuf,
    /// What holds for all torrents.
    pub settings: Settings,
}

/// Why there is no seedbox.
#[derive(Debug, thiserror::Error)]
pub enum SeedboxError {
    /// The engine.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Its folder.
    #[error("cannot use {}: {source}", path.display())]
    State {
        /// What of it.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl Seedbox {
    /// Starts one, on the tokio runtime that it is called on. It ends with [`Seedbox::shutdown`]; the task is over then.
    pub async fn start(config: SeedboxConfig) -> Result<(Seedbox, JoinHandle<()>), SeedboxError> {
        let failed = |path: PathBuf| |source| SeedboxError::State { path, source };
        for folder in ["torrents", "resume"] {
            let path = config.state.join(folder);
            std::fs::create_dir_all(&path).map_err(failed(path))?;
        }
        let disk = Disk::start(DiskMode::Auto).map_err(failed(config.state.clone()))?;
        let session = Session::start(config.session).await?;
        let mut view = View::new(config.settings);
        view.totals.port = session.fleet().port();
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (views, latest) = watch::channel(Arc::new(view.clone()));
        let keeper = Keeper {
            session,
            disk: Arc::new(disk),
            resume: Resume::new(config.state.join("resume")),
            folder: config.state,
            torrents: BTreeMap::new(),
            running: HashMap::new(),
            next: 1,
            view,
            changed: false,
            views,
            news: mpsc::channel(NEWS),
            looks: VecDeque::new(),
            checks: VecDeque::new(),
            looking: 0,
            checking: 0,
            answers: Vec::new(),
            started_at: now(),
            turns: 0,
            ending: None,
        };
        let task = tokio::spawn(keeper.run(inbox));
        Ok((Seedbox::new(orders, latest), task))
    }
}

impl Keeper {
    pub(super) fn torrent_path(&self, info_hash: InfoHash) -> PathBuf {
        self.folder.join("torrents").join(format!("{info_hash}.torrent"))
    }
}
