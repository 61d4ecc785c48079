//! Lists of ten thousand torrents as JSON: `cargo bench --bench api`.
//!
//! What it has to fit in: a list with fifteen fields in 40 ms with everything around it, a delta in 3 ms.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sower::api::{own::listing, transmission};
use sower::ids::{InfoHash, TorrentId};
use sower::session::seedbox::{About, Activity, Choice, Numbers, Row, Settings, View};

const TORRENTS: u32 = 10_000;
/// Fifteen, as a page shows them.
const FIELDS: &str = "hash,name,size,activity,progress,uploaded,downloaded,ratio,upload_rate,download_rate,peers,seeds,category,tags,\
    added_at";
/// What `transmission-remote --list` asks for.
const TRANSMISSION: [&str; 15] = [
    "addedDate",
    "error",
    "errorString",
    "eta",
    "id",
    "isFinished",
    "leftUntilDone",
    "name",
    "peersGettingFromUs",
    "peersSendingToUs",
    "rateDownload",
    "rateUpload",
    "sizeWhenDone",
    "status",
    "uploadRatio",
];
/// Of all, that change within a second of a busy seedbox.
const CHANGED: u32 = 500;

/// As they are in a seedbox: names of some length, figures of some digits.
fn view() -> Arc<View> {
    let mut view = View::new(Settings::new("/srv/downloads".into()));
    view.rows = (0..TORRENTS).map(|number| Arc::new(row(number, u64::from(number)))).collect();
    view.revision = u64::from(TORRENTS);
    view.totals.starts = 1;
    Arc::new(view)
}

fn row(number: u32, revision: u64) -> Row {
    let figure = u64::from(number) * 1_234_567;
    let mut hash = [0xab; 20];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    let about = About {
        info_hash: Some(InfoHash(hash)),
        name: format!("A.Release.Of.Some.Film.{number}.2160p.BluRay.x265.10bit.DTS-HD.MA.7.1-GROUP"),
        size: figure + 1,
        pieces: 1_024,
        has_metadata: true,
        ..About::default()
    };
    let choice = Choice {
        folder: "/srv/downloads/films".into(),
        category: "films".into(),
        tags: ["kept".to_owned(), format!("year-{}", 1_900 + number % 120)].into(),
        ..Choice::default()
    };
    Row {
        id: TorrentId(number),
        revision,
        about: Arc::new(about),
        choice: Arc::new(choice),
        activity: Activity::Seeding,
        message: None,
        tracker: "https://tracker.example.org/announce".into(),
        trouble: None,
        numbers: Numbers {
            wanted: figure + 1,
            have: figure + 1,
            uploaded: figure * 3,
            downloaded: figure,
            upload_rate: u64::from(number) * 77,
            added_at: 1_790_000_000,
            ..Numbers::default()
        },
    }
}

fn lists(criterion: &mut Criterion) {
    let view = view();
    let mut group = criterion.benchmark_group("api");
    let all = listing(&view, None, FIELDS).expect("known fields");
    group.throughput(Throughput::Bytes(all.len() as u64));
    group.bench_function("list of 10,000, 15 fields", |bencher| {
        bencher.iter_with_large_drop(|| listing(black_box(&view), None, FIELDS));
    });
    group.throughput(Throughput::Elements(u64::from(CHANGED)));
    let since = (1 << 32) + u64::from(TORRENTS - CHANGED) - 1;
    group.bench_function("delta of 500 among 10,000", |bencher| {
        bencher.iter_batched(
            || view.clone(),
            |view| listing(&view, Some(black_box(since)), FIELDS),
            BatchSize::SmallInput,
        );
    });
    let none = (1 << 32) + u64::from(TORRENTS);
    group.bench_function("delta of nothing among 10,000", |bencher| {
        bencher.iter_batched(
            || view.clone(),
            |view| listing(&view, Some(black_box(none)), FIELDS),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn transmission(criterion: &mut Criterion) {
    let view = view();
    let mut group = criterion.benchmark_group("transmission");
    group.throughput(Throughput::Bytes(transmission::listing(&view, None, &TRANSMISSION).len() as u64));
    group.bench_function("list of 10,000, 15 fields", |bencher| {
        bencher.iter_with_large_drop(|| transmission::listing(black_box(&view), None, &TRANSMISSION));
    });
    group.throughput(Throughput::Elements(u64::from(CHANGED)));
    let since = u64::from(TORRENTS - CHANGED) - 1;
    group.bench_function("delta of 500 among 10,000", |bencher| {
        bencher.iter_with_large_drop(|| transmission::listing(black_box(&view), Some(since), &TRANSMISSION));
    });
    group.finish();
}

criterion_group!(benches, lists, transmission);
criterion_main!(benches);
