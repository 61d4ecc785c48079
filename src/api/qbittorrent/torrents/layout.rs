//! `contentLayout`: whether the files of a new torrent lie in a folder of their own.

use std::path::Path;

use super::super::answer::Fault;
use crate::metainfo::Metainfo;
use crate::session::seedbox::Choice;

/// Where files lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// As the torrent has them.
    Original,
    /// In a folder, even if it is one file.
    Subfolder,
    /// In no folder of their own.
    NoSubfolder,
}

impl Layout {
    /// By its name; names that are not known stand for the original layout, as in qBittorrent.
    pub(super) fn named(name: &str) -> Layout {
        match name {
            "Subfolder" => Layout::Subfolder,
            "NoSubfolder" => Layout::NoSubfolder,
            _ => Layout::Original,
        }
    }

    /// Arranges the files of `torrent` by renaming.
    pub(super) fn arrange(self, torrent: &Metainfo, choice: &mut Choice) {
        match (self, torrent.is_single_file()) {
            (Layout::Subfolder, true) => {
                let name = Path::new(torrent.file_name());
                let folder = name.file_stem().map_or(name, Path::new);
                choice.renamed_files = vec![(0, folder.join(name))];
            }
            (Layout::NoSubfolder, false) => choice.renamed_root = Some(String::new()),
            _ => {}
        }
    }

    /// Of a link or an address it is not known yet what would have to be arranged.
    pub(super) fn check_without_file(self) -> Result<(), Fault> {
        match self {
            Layout::Original => Ok(()),
            _ => Err(Fault::conflict(
                "contentLayout: other than Original needs the torrent file, not a link or an address",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::Builder;

    fn arranged(layout: &str, single: bool) -> Choice {
        let builder = match single {
            true => Builder::single("film.mkv".as_ref(), 1, 16_384),
            false => Builder::folder("films".as_ref(), 16_384).file("a", 1),
        };
        let bytes = builder.hashes(vec![[0; 20]]).write().expect("a torrent");
        let mut choice = Choice::default();
        Layout::named(layout).arrange(&Metainfo::parse(&bytes).expect("a torrent"), &mut choice);
        choice
    }

    #[test]
    fn a_folder_is_made_for_one_file_or_left_out_for_many() {
        assert_eq!(arranged("Subfolder", true).renamed_files, [(0, "film/film.mkv".into())]);
        assert_eq!(arranged("NoSubfolder", false).renamed_root.as_deref(), Some(""));
        for (layout, single) in [("Original", true), ("Subfolder", false), ("NoSubfolder", true), ("what", false)] {
            assert_eq!(arranged(layout, single), Choice::default());
        }
    }
}
