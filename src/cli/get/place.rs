//! A place for a download: what is there is looked at first, then its files are made.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context;

use crate::cli::background::watched;
use crate::cli::verify::threads;
use crate::hash::Engine;
use crate::metainfo::{Magnet, Metainfo};
use crate::schedule::picker::{Order, Priority};
use crate::session::Download;
use crate::storage::{Checker, Content, Disk, DiskMode, Resume, Space, Target, TargetOptions};

use super::Args;
use super::choice::choose;
use super::view::View;

/// A torrent with its place on disk.
pub(super) struct Placed {
    metainfo: Metainfo,
    target: Arc<Target>,
    priorities: Vec<Priority>,
    disk: Arc<Disk>,
}

impl Placed {
    pub(super) fn download(self, order: Order, memory: u64, peers: Vec<std::net::SocketAddr>) -> Download {
        let Placed { metainfo, target, priorities, disk } = self;
        Download { metainfo, target, priorities, order, memory, peers, disk }
    }
}

/// A folder that is not there, or is none, is told of before anything is opened.
pub(super) fn check_output(output: &Path) -> anyhow::Result<()> {
    let metadata = match output.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            anyhow::bail!(
                "cannot download into {0}: no such folder; make it (mkdir -p), or name another",
                output.display()
            )
        }
        found => found.with_context(|| format!("cannot download into {}", output.display()))?,
    };
    anyhow::ensure!(metadata.is_dir(), "cannot download into {}: it is no folder", output.display());
    Ok(())
}

/// The torrent of a magnet link that an earlier start asked peers for.
pub(super) fn recall(magnet: &Magnet, view: &View) -> Option<Metainfo> {
    let known = Resume::from_environment()?.torrent(magnet.info_hash);
    let known = known.unwrap_or_else(|error| {
        view.warn(&error.to_string());
        None
    })?;
    let trackers = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
    Some(known.with_trackers(trackers).with_web_seeds(magnet.web_seeds.clone()))
}

/// Finds out what is here, and makes the files.
pub(super) async fn place(args: &Args, metainfo: Metainfo, view: &mut View) -> anyhow::Result<Placed> {
    let choice = choose(&metainfo, args.only.as_ref(), args.first.as_ref())?;
    let content = Content::below(&metainfo, &args.output)?;
    let options = TargetOptions {
        space: if args.preallocate { Space::Allocated } else { Space::Sparse },
        overwrite: args.overwrite,
    };
    let (name, size) = (metainfo.name().into_owned(), metainfo.geometry().total());
    let bar = view.checking(&name, size);
    let job = move |done: Arc<AtomicU64>, cancel: Arc<AtomicBool>| {
        make(metainfo, content, choice.wanted, options, &done, &cancel)
    };
    let (result, _) = watched(job, |checked| {
        bar.set_position(checked);
        view.checked(&name, checked, size);
    })
    .await?;
    bar.finish_and_clear();
    let (target, disk, warnings) = result?;
    warnings.iter().for_each(|warning| view.warn(warning));
    Ok(Placed { metainfo: target.torrent().clone(), target, priorities: choice.priorities, disk })
}

fn make(
    metainfo: Metainfo,
    content: Content,
    wanted: Vec<bool>,
    options: TargetOptions,
    done: &AtomicU64,
    cancel: &AtomicBool,
) -> anyhow::Result<(Arc<Target>, Arc<Disk>, Vec<String>)> {
    let disk = Arc::new(Disk::start(DiskMode::Auto).context("cannot start the disk thread")?);
    let resume = Resume::from_environment();
    let target = Target::new(metainfo, content, &wanted, options, disk.clone(), resume.clone());
    let progress = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
    };
    let checker = Checker {
        engine: Engine::detect(),
        disk: &disk,
        threads: threads(),
        through_disk: false,
        progress: &progress,
        cancel,
    };
    let stock = target.take_stock(&checker)?;
    let mut warnings: Vec<String> = stock.warnings.iter().map(ToString::to_string).collect();
    // so that the same magnet link goes on without asking anybody
    let kept = resume.map(|resume| resume.keep_torrent(&disk, target.torrent()));
    warnings.extend(kept.and_then(Result::err).map(|error| error.to_string()));
    match target.make(&stock) {
        Err(crate::storage::CheckpointError::Note(error)) => warnings.push(error.to_string()),
        made => made?,
    }
    Ok((Arc::new(target), disk, warnings))
}
