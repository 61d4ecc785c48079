//! Rows and views for tests.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::{InfoHash, TorrentId};
use crate::session::seedbox::{About, Activity, Choice, Numbers, Row, Settings, View};

/// A seeded torrent whose id and revision are `number`.
pub(super) fn row(number: u32) -> Row {
    let mut hash = [0; 20];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    let size = 3 << 30;
    Row {
        id: TorrentId(number),
        revision: u64::from(number),
        about: Arc::new(About {
            info_hash: Some(InfoHash(hash)),
            name: format!("ubuntu-{number}-desktop-amd64.iso"),
            size,
            pieces: 3072,
            piece_length: 1 << 20,
            files: 1,
            single_file: true,
            has_metadata: true,
            ..About::default()
        }),
        choice: Arc::new(Choice {
            folder: PathBuf::from("/data/linux"),
            tags: ["iso".to_owned()].into(),
            ..Choice::default()
        }),
        activity: Activity::Seeding,
        message: None,
        tracker: "https://torrent.ubuntu.com/announce".into(),
        trouble: None,
        numbers: Numbers { wanted: size, have: size, queue: number, added_at: 1_000, ..Numbers::default() },
    }
}

/// So many of them, counted from 1.
pub(super) fn view(count: u32) -> View {
    let mut view = View::new(Settings::new("/data".into()));
    view.rows = (1..=count).map(|number| Arc::new(row(number))).collect();
    view.revision = u64::from(count);
    view
}
