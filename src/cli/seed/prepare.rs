//! From a path to a torrent that can be served: found, verified (or known to be right), written where others can fetch it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, bail};

use crate::cli::background::watched;
use crate::cli::show::read_torrent;
use crate::cli::verify::threads;
use crate::hash::Engine;
use crate::ids::InfoHash;
use crate::metainfo::Metainfo;
use crate::session::Torrent;
use crate::storage::{Checker, Content, Disk, DiskMode, Identity, Layout, Recipe, Resume, ResumeError, Walk};

use super::view::View;

/// What a path turned out to be.
pub(super) enum Source {
    /// A torrent file and its data.
    TorrentFile { metainfo: Metainfo, content: Content, file: PathBuf },
    /// A file or folder to make a torrent of.
    Files(Box<Walk>),
}

/// What is said of a torrent when it is served.
pub(super) struct Announced {
    pub(super) info_hash: InfoHash,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) magnet: String,
    pub(super) file: Option<PathBuf>,
    pub(super) trackers: Vec<String>,
    /// URLs below which its files are served by HTTP.
    pub(super) web_seeds: Vec<String>,
}

impl Source {
    /// Nothing says where its peers meet.
    pub(super) fn needs_tracker(&self) -> bool {
        match self {
            Source::TorrentFile { metainfo, .. } => metainfo.trackers().is_empty(),
            Source::Files(_) => true,
        }
    }

    fn name(&self) -> String {
        match self {
            Source::TorrentFile { metainfo, .. } => metainfo.name().into_owned(),
            Source::Files(walk) => walk.name.to_string_lossy().into_owned(),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Source::TorrentFile { metainfo, .. } => metainfo.geometry().total(),
            Source::Files(walk) => walk.files.iter().map(|(_, length)| length).sum(),
        }
    }
}

/// Looks at every path before anything is started, so that a mistake costs nothing.
pub(super) fn look(paths: &[PathBuf], data: Option<&Path>) -> anyhow::Result<Vec<Source>> {
    paths.iter().map(|path| look_at(path, data)).collect()
}

fn look_at(path: &Path, data: Option<&Path>) -> anyhow::Result<Source> {
    let metadata = path.metadata().with_context(|| format!("cannot seed {}", path.display()))?;
    let is_torrent = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("torrent"));
    if !(is_torrent && metadata.is_file()) {
        return Ok(Source::Files(Box::new(Walk::new(path)?)));
    }
    let metainfo = read_torrent(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let content = Content::of(&metainfo, data.unwrap_or(parent))?;
    if let Some(fault) = content.faults().into_iter().next() {
        let hint = "if the data is elsewhere, name its folder with --data; `sower verify` lists all that is wrong";
        bail!("the data of {} is not complete: {fault} ({hint})", path.display());
    }
    Ok(Source::TorrentFile { metainfo, content, file: path.to_owned() })
}

/// Makes `source` ready to be served. Hashes, unless the data is known to be right.
pub(super) async fn prepare(
    source: Source,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    skip_check: bool,
    view: &mut View,
) -> anyhow::Result<(Torrent, Announced)> {
    let (name, size) = (source.name(), source.size());
    let bar = view.hashing(&name, size);
    let job = move |done, cancel| Job { done, cancel, trackers, web_seeds, skip_check }.run(source);
    let (result, hashed) = watched(job, |hashed| {
        if hashed > 0 {
            bar.set_position(hashed);
            view.hashed(&name, hashed, size);
        }
    })
    .await?;
    bar.finish_and_clear();
    view.hashing_ended(&name, hashed, size);
    let (prepared, warnings) = result?;
    warnings.iter().for_each(|warning| view.warn(warning));
    Ok(prepared)
}

/// What another thread does meanwhile.
struct Job {
    done: Arc<AtomicU64>,
    cancel: Arc<AtomicBool>,
    trackers: Vec<String>,
    /// Where torrents are served by HTTP, each by its info-hash.
    web_seeds: Vec<String>,
    skip_check: bool,
}

type Prepared = ((Torrent, Announced), Vec<String>);

impl Job {
    fn run(self, source: Source) -> anyhow::Result<Prepared> {
        let disk = Disk::start(DiskMode::Auto).context("cannot start the disk thread")?;
        let mut memory = Memory { resume: Resume::from_environment(), warnings: Vec::new() };
        let (metainfo, content, identities, file) = match source {
            Source::TorrentFile { metainfo, content, file } => {
                let identities = self.verified(&metainfo, &content, &disk, &mut memory)?;
                (self.with_sources(metainfo), content, identities, file)
            }
            Source::Files(walk) => {
                memory.warnings.extend(walk.left_out.iter().map(ToString::to_string));
                let (metainfo, content, identities) = self.made(&walk, &disk, &mut memory)?;
                let metainfo = self.with_sources(metainfo);
                let file = write_torrent(&metainfo, &walk, &disk, &memory)?;
                (metainfo, content, identities, file)
            }
        };
        let announced = Announced {
            info_hash: metainfo.info_hash(),
            name: metainfo.name().into_owned(),
            size: metainfo.geometry().total(),
            magnet: metainfo.magnet().to_string(),
            file: Some(file),
            trackers: metainfo.trackers().concat(),
            web_seeds: self.web_seeds_of(&metainfo),
        };
        Ok(((Torrent { metainfo, content, identities }, announced), memory.warnings))
    }

    /// Where to find peers and files, as far as we know: the embedded tracker's URLs, or the operator's, for a torrent that
    /// names none; our own port, if it serves files.
    fn with_sources(&self, metainfo: Metainfo) -> Metainfo {
        let metainfo = metainfo.with_web_seeds(self.web_seeds_of(&metainfo));
        if !metainfo.trackers().is_empty() {
            return metainfo;
        }
        metainfo.with_trackers(self.trackers.iter().map(|url| vec![url.clone()]).collect())
    }

    /// Private torrents are not served by HTTP.
    fn web_seeds_of(&self, metainfo: &Metainfo) -> Vec<String> {
        let bases = self.web_seeds.iter().filter(|_| !metainfo.private());
        bases.map(|base| format!("{base}{}/", metainfo.info_hash())).collect()
    }

    fn checker<'a>(&'a self, disk: &'a Disk, progress: &'a (dyn Fn(u64) + Sync)) -> Checker<'a> {
        Checker {
            engine: Engine::detect(),
            disk,
            threads: threads(),
            through_disk: false,
            progress,
            cancel: &self.cancel,
        }
    }

    fn verified(
        &self,
        metainfo: &Metainfo,
        content: &Content,
        disk: &Disk,
        memory: &mut Memory,
    ) -> anyhow::Result<Vec<Identity>> {
        if self.skip_check || memory.recall(|resume| resume.is_verified(metainfo, content)).unwrap_or(false) {
            return Ok(content.identities()?);
        }
        let progress = |bytes| {
            self.done.fetch_add(bytes, Ordering::Relaxed);
        };
        let report = self.checker(disk, &progress).verify(content, metainfo)?;
        let Some(identities) = report.identities.as_ref().filter(|_| report.is_good()) else {
            let (bad, all) = (report.bad.len(), metainfo.geometry().pieces());
            let fault = report.faults.first().map(|fault| format!("; {fault}")).unwrap_or_default();
            let hint = "`sower verify` lists them";
            bail!("the data of {} is not right: {bad} of {all} pieces are bad{fault} ({hint})", metainfo.name());
        };
        memory.recall(|resume| resume.keep_verified(disk, metainfo, content, identities));
        Ok(identities.clone())
    }

    fn made(
        &self,
        walk: &Walk,
        disk: &Disk,
        memory: &mut Memory,
    ) -> anyhow::Result<(Metainfo, Content, Vec<Identity>)> {
        let recipe = Recipe::default();
        let layout = Layout::new(walk, &recipe)
            .with_context(|| format!("cannot make a torrent of {}", walk.name.to_string_lossy()))?;
        if let Some(Some(metainfo)) = memory.recall(|resume| resume.made(&layout, &recipe)) {
            let identities = layout.content.identities()?;
            return Ok((metainfo, layout.content, identities));
        }
        let progress = |bytes| {
            self.done.fetch_add(bytes, Ordering::Relaxed);
        };
        let hashed = self.checker(disk, &progress).hash(&layout.content, &layout.geometry)?;
        let builder = layout.builder.clone().hashes(hashed.digests);
        let bytes = builder.created_by(Some(crate::session::USER_AGENT.to_owned())).write()?;
        let metainfo = Metainfo::parse(&bytes)?;
        memory.recall(|resume| resume.keep_made(disk, &layout, &recipe, &metainfo, &hashed.identities));
        Ok((metainfo, layout.content, hashed.identities))
    }
}

/// What earlier starts found out, where there is a place for it.
struct Memory {
    resume: Option<Resume>,
    warnings: Vec<String>,
}

impl Memory {
    /// A failure is worth a warning and nothing more.
    fn recall<T>(&mut self, ask: impl FnOnce(&Resume) -> Result<T, ResumeError>) -> Option<T> {
        let answer = ask(self.resume.as_ref()?);
        answer.map_err(|error| self.warnings.push(error.to_string())).ok()
    }
}

/// Writes NAME.torrent into the current folder. Where that would overwrite another torrent, become part of the content, or
/// is not allowed, it goes to the state folder.
fn write_torrent(metainfo: &Metainfo, walk: &Walk, disk: &Disk, memory: &Memory) -> anyhow::Result<PathBuf> {
    let mut name = walk.name.clone();
    name.push(".torrent");
    let here = std::env::current_dir().map(|folder| folder.join(name));
    let bytes = metainfo.to_bytes();
    if let Ok(path) = here
        && may_write(&path, metainfo, walk)
        && disk.write_atomically(&path, bytes.clone(), 0o666).is_ok()
    {
        return Ok(path);
    }
    let folder = memory
        .resume
        .as_ref()
        .map(Resume::folder)
        .context("no place for the .torrent: run this in a writable folder")?;
    let path = folder.join(format!("{}.torrent", metainfo.info_hash()));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    disk.write_atomically(&path, bytes, 0o666).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn may_write(path: &Path, metainfo: &Metainfo, walk: &Walk) -> bool {
    let inside = match (path.parent().map(Path::canonicalize), walk.root.canonicalize()) {
        (Some(Ok(folder)), Ok(root)) => !walk.single_file && folder.starts_with(root),
        _ => true,
    };
    let same = || read_torrent(path).is_ok_and(|there| there.info_hash() == metainfo.info_hash());
    !inside && (path.symlink_metadata().is_err() || same())
}
