//! What the tests begin with: data, a torrent of it, a seeder.

use std::path::{Path, PathBuf};

use crate::content::Content;
use crate::getter::Getter;
use crate::process::{Workspace, run};
use crate::program::sower;
use crate::seeder::Seeder;

/// Files that somebody has, and their torrent, which names no tracker.
pub(crate) struct Scene {
    pub(crate) workspace: Workspace,
    /// the folder that they are in
    pub(crate) source: PathBuf,
    pub(crate) torrent: String,
}

/// A running seeder, and where it is reached.
pub(crate) struct Seed {
    pub(crate) seeder: Seeder,
    pub(crate) port: u16,
    pub(crate) size: u64,
}

impl Scene {
    pub(crate) fn of(content: Content) -> Self {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let path = content.write(&source).remove(0);
        let torrent = if content == Content::Padded { path } else { create(&workspace, &path, &[]) };
        Self { workspace, source, torrent }
    }

    /// One file, `NAME`, or one folder, with pieces of 64 KiB.
    pub(crate) fn of_files(root: &str, files: impl IntoIterator<Item = (String, usize)>) -> Self {
        Self::of_files_in(Workspace::new(), root, files)
    }

    pub(crate) fn of_files_in(
        workspace: Workspace,
        root: &str,
        files: impl IntoIterator<Item = (String, usize)>,
    ) -> Self {
        let source = workspace.folder("source");
        let mut random = fastrand::Rng::with_seed(3);
        for (name, size) in files {
            let path = source.join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder of the content");
            std::fs::write(path, noise(&mut random, size)).expect("a file of the content");
        }
        let path = source.join(root).into_os_string().into_string().expect("an ASCII path");
        let torrent = create(&workspace, &path, &["--piece-size", "64KiB"]);
        Self { workspace, source, torrent }
    }

    pub(crate) fn path(&self) -> &Path {
        self.workspace.path()
    }

    /// Seeds all of it.
    pub(crate) fn seed(&self, arguments: &[&str]) -> Seed {
        self.seed_from(&self.source, "seed", arguments)
    }

    /// Seeds what is in `folder`.
    pub(crate) fn seed_from(&self, folder: &Path, name: &str, arguments: &[&str]) -> Seed {
        let data = folder.to_str().expect("an ASCII path");
        let port = ["--port", "0"].iter().filter(|_| !arguments.contains(&"--port"));
        let all = [&self.torrent, "--data", data, "--no-tracker"].into_iter().chain(port.copied());
        let all = all.chain(arguments.iter().copied());
        let mut seeder = Seeder::start(&self.workspace.folder(name), all);
        let served = seeder.serving(1).remove(0);
        Seed { seeder, port: served.port, size: served.size }
    }

    /// Downloads from those peers alone. The same name goes on with what it has begun.
    pub(crate) fn get(&self, name: &str, peers: &[u16], arguments: &[&str]) -> Getter {
        let peers: Vec<String> = peers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let peers = peers.iter().flat_map(|peer| ["--peer", peer]);
        let common = [&self.torrent, "--no-tracker", "--port", "0"];
        Getter::start(self.path(), name, common.into_iter().chain(peers).chain(arguments.iter().copied()))
    }
}

/// Bytes that are like no others.
pub(crate) fn noise(random: &mut fastrand::Rng, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    random.fill(&mut bytes);
    bytes
}

/// Makes a torrent of `path`; its path.
fn create(workspace: &Workspace, path: &str, arguments: &[&str]) -> String {
    let torrent = workspace.path().join("the.torrent").into_os_string().into_string().expect("an ASCII path");
    let program = sower().get_program().to_str().expect("an ASCII path").to_owned();
    run(&program, &[&["create", path, "--output", &torrent], arguments].concat());
    torrent
}

/// Bytes of the pieces of one file that are right in a copy of it, by looking at every byte.
pub(crate) fn right_bytes(source: &Path, copy: &Path, piece: usize) -> u64 {
    let source = std::fs::read(source).expect("the source");
    let mut copy = std::fs::read(copy).unwrap_or_default();
    copy.resize(source.len(), 0);
    let right = source.chunks(piece).zip(copy.chunks(piece)).filter(|(wanted, found)| wanted == found);
    right.map(|(piece, _)| piece.len() as u64).sum()
}
