//! Views for tests, without a keeper.

use std::sync::Arc;

use crate::ids::{InfoHash, TorrentId};
use crate::session::seedbox::{About, Activity, Choice, Numbers, Row, Settings, View};

/// A complete torrent that is seeded.
pub(super) fn row(id: u32) -> Row {
    let mut hash = [0xAB; 20];
    hash[..4].copy_from_slice(&id.to_be_bytes());
    let about = About {
        info_hash: Some(InfoHash(hash)),
        name: format!("torrent {id}"),
        size: 1_000_000,
        pieces: 16,
        piece_length: 65_536,
        files: 2,
        has_metadata: true,
        trackers: vec![vec!["http://tracker.example/announce".into()]],
        ..About::default()
    };
    let numbers = Numbers {
        wanted: 1_000_000,
        have: 1_000_000,
        uploaded: 500_000,
        added_at: 1_700_000_000,
        completed_at: Some(1_700_000_100),
        counted_at: 1_700_000_200,
        ..Numbers::default()
    };
    Row {
        id: TorrentId(id),
        revision: 1,
        about: Arc::new(about),
        choice: Arc::new(Choice { folder: "/srv/seed".into(), ..Choice::default() }),
        activity: Activity::Seeding,
        message: None,
        tracker: "".into(),
        trouble: None,
        numbers,
    }
}

/// So many of them.
pub(super) fn view(torrents: u32) -> View {
    View::new(Settings::new("/srv/seed".into())).with_rows(1, (0..torrents).map(|id| Arc::new(row(id))))
}
