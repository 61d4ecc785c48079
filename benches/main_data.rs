//! `sync/maindata` of 10,000 torrents: all of it, and what changed when 100 of them, or all, sent something.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use sower::api::qbittorrent::write_main_data;
use sower::ids::{InfoHash, TorrentId};
use sower::session::seedbox::{About, Activity, Choice, Numbers, Row, Settings, View};

const TORRENTS: u32 = 10_000;
const NOW: i64 = 1_700_001_000;

fn row(id: u32) -> Row {
    let mut hash = [0xAB; 20];
    hash[..4].copy_from_slice(&id.to_be_bytes());
    let about = About {
        info_hash: Some(InfoHash(hash)),
        name: format!("Some.Series.S{:02}E{:02}.1080p.WEB-DL.x264-GROUP", id / 100, id % 100),
        size: 10_000_000_000,
        pieces: 2_385,
        piece_length: 4 << 20,
        files: 3,
        has_metadata: true,
        comment: "https://tracker.example/torrents/123456".into(),
        created_by: "qBittorrent v5.1.4".into(),
        created_at: Some(1_690_000_000),
        trackers: vec![vec![format!("https://tracker{}.example/0123456789abcdef0123456789abcdef/announce", id % 20)]],
        ..About::default()
    };
    let numbers = Numbers {
        wanted: about.size,
        have: about.size,
        uploaded: u64::from(id) * 1_000_003,
        added_at: 1_700_000_000,
        completed_at: Some(1_700_000_000),
        counted_at: 1_700_000_000,
        ..Numbers::default()
    };
    let choice = Choice {
        folder: "/srv/seed/series".into(),
        category: "tv-sonarr".into(),
        tags: ["sonarr".to_owned(), "cross-seed".to_owned()].into(),
        ..Choice::default()
    };
    let tracker = about.trackers[0][0].as_str().into();
    let (about, choice) = (Arc::new(about), Arc::new(choice));
    Row {
        id: TorrentId(id),
        revision: 1,
        about,
        choice,
        activity: Activity::Seeding,
        message: None,
        tracker,
        trouble: None,
        numbers,
    }
}

/// `view` after every `step`th torrent sent something.
fn later(view: &View, step: usize) -> View {
    let mut later = view.clone();
    later.revision = 2;
    for id in (0..TORRENTS).step_by(step) {
        later.rows.edit(TorrentId(id), |row| {
            row.revision = 2;
            row.numbers.uploaded += 1_000_000;
            row.numbers.session_uploaded += 1_000_000;
            row.numbers.upload_rate = 1_000_000;
            row.numbers.active_at = Some(NOW);
        });
    }
    later
}

fn main_data(c: &mut Criterion) {
    let view = View::new(Settings::new("/srv/seed".into())).with_rows(1, (0..TORRENTS).map(|id| Arc::new(row(id))));
    let (some, all) = (later(&view, 100), later(&view, 1));
    let mut group = c.benchmark_group("main_data_of_10000");
    group.bench_function("whole", |b| b.iter(|| black_box(write_main_data(None, &view, NOW))));
    group.bench_function("100_changed", |b| b.iter(|| black_box(write_main_data(Some(&view), &some, NOW))));
    group.bench_function("all_changed", |b| b.iter(|| black_box(write_main_data(Some(&view), &all, NOW))));
    group.finish();
}

criterion_group!(benches, main_data);
criterion_main!(benches);
