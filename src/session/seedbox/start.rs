//! The start of a seedbox.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::ids::InfoHash;
use crate::storage::{Disk, DiskMode, Resume};

use super::super::Handover;
use super::super::config::{SessionConfig, SessionError};
use super::super::seeding::Session;
use super::super::state::{Loaded, StateError, Store};
use super::enough::Enough;
use super::handle::Seedbox;
use super::keeper::{Keeper, NEWS, now};
use super::pacing::{MonthTraffic, Rates};
use super::patrol::Patrol;
use super::queue::Running;
use super::settings::Settings;
use super::steady::Steady;
use super::view::View;
use super::watching::Watching;

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
    /// What it kept.
    #[error(transparent)]
    Kept(#[from] StateError),
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
        Seedbox::start_after(config, None).await
    }

    /// The same, in place of a process that has [stepped back](Seedbox::step_back).
    pub async fn start_after(
        config: SeedboxConfig,
        before: Option<Handover>,
    ) -> Result<(Seedbox, JoinHandle<()>), SeedboxError> {
        let failed = |path: PathBuf| |source| SeedboxError::State { path, source };
        let (store, loaded) = open(&config).await?;
        let resume = config.state.join("resume");
        std::fs::create_dir_all(&resume).map_err(failed(resume.clone()))?;
        let disk = Disk::start(DiskMode::Auto).map_err(failed(config.state.clone()))?;
        let mut session = Session::start_after(config.session, before).await?;
        session.dormant.enabled = true;
        let mut view = View::new(config.settings);
        view.totals.port = session.fleet().port();
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (views, latest) = watch::channel(Arc::new(view.clone()));
        let mut keeper = Keeper {
            session,
            disk: Arc::new(disk),
            resume: Resume::new(resume),
            store,
            torrents: BTreeMap::new(),
            running: HashMap::new(),
            leaving: HashMap::new(),
            unsaved: BTreeSet::new(),
            next: 1,
            view,
            changed: false,
            views,
            news: mpsc::channel(NEWS),
            looks: VecDeque::new(),
            checks: VecDeque::new(),
            looking: 0,
            checking: 0,
            queue: Running::default(),
            in_trouble: BTreeSet::new(),
            busy: BTreeSet::new(),
            waits: true,
            told: Rates::default(),
            month: MonthTraffic::default(),
            homing: Vec::new(),
            patrol: Patrol::default(),
            hashers: None,
            waking: BTreeSet::new(),
            watching: Watching::default(),
            answers: Vec::new(),
            clock: Steady::new(now()),
            running_before: 0,
            enough: Enough::default(),
            turns: 0,
            ending: None,
            ended: false,
            stepping_back: None,
        };
        keeper.load(loaded);
        keeper.publish();
        let task = tokio::spawn(keeper.run(inbox));
        Ok((Seedbox::new(orders, latest), task))
    }
}

async fn open(config: &SeedboxConfig) -> Result<(Store, Loaded), SeedboxError> {
    let state = config.state.clone();
    let roots = super::place::roots(&config.settings).map(Path::to_owned).collect::<Vec<_>>();
    let opened = tokio::task::spawn_blocking(move || Store::open_with(&state, &roots)).await;
    Ok(opened
        .map_err(|error| SeedboxError::State { path: config.state.clone(), source: io::Error::other(error) })??)
}

impl Keeper {
    pub(super) fn torrent_path(&self, info_hash: InfoHash) -> PathBuf {
        self.store.torrent_path(info_hash)
    }
}
