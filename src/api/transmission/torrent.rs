//! One torrent as JSON: what a view has of it. The fields that need more are written by `files`, `peers` and `trackers`.

use crate::session::seedbox::{LimitChoice, Row};

use super::arguments::KILOBYTE;
use super::defaults;
use super::details::Details;
use super::field::Field;
use super::measure::{self, Moment};
use super::{files, peers, trackers};
use crate::api::json::Json;

/// Writes the value of `field`.
pub(super) fn write(json: &mut Json, field: Field, row: &Row, details: &Details, moment: &Moment<'_>) {
    match field {
        Field::Files => files::write_files(json, row, details),
        Field::FileStats => files::write_stats(json, row, details),
        Field::Priorities => files::write_priorities(json, row, details),
        Field::Wanted => files::write_wanted(json, row, details),
        Field::Availability => files::write_availability(json, row, details),
        Field::Pieces => files::write_pieces(json, row, details),
        Field::Peers => peers::write_peers(json, details),
        Field::PeersFrom => peers::write_origins(json, details),
        Field::Trackers => trackers::write_trackers(json, row),
        Field::TrackerStats => trackers::write_stats(json, row, details, moment),
        Field::TrackerList => json.value(trackers::list(row)),
        Field::MagnetLink => json.value(trackers::magnet(row)),
        Field::Source => json.value(details.metainfo.as_ref().and_then(|metainfo| metainfo.source()).unwrap_or("")),
        Field::Webseeds => json.value(details.metainfo.as_ref().map_or(&[][..], |metainfo| metainfo.web_seeds())),
        _ => write_row(json, field, row, moment),
    }
}

fn write_row(json: &mut Json, field: Field, row: &Row, moment: &Moment<'_>) {
    match field {
        Field::Id => json.value(row.id.0),
        Field::HashString => json.display(row.info_hash()),
        Field::Name => json.value(name(row)),
        Field::Status => json.value(measure::status(row.activity)),
        Field::Error => json.value(measure::error(row).0),
        Field::ErrorString => json.value(measure::error(row).1),
        Field::Eta => json.value(measure::eta(row, moment.settings)),
        Field::EtaIdle => json.value(measure::eta_idle(row, moment)),
        Field::IsFinished => json.value(measure::is_finished(row, moment)),
        // sower never takes a torrent out of its queue for being slow
        Field::IsStalled => json.value(false),
        Field::RecheckProgress => json.value(measure::recheck_progress(row.activity)),
        Field::DesiredAvailable => json.value(measure::desired_available(row)),
        _ => write_numbers(json, field, row, moment),
    }
}

fn write_numbers(json: &mut Json, field: Field, row: &Row, moment: &Moment<'_>) {
    let numbers = &row.numbers;
    match field {
        Field::TotalSize => json.value(row.about.size),
        Field::SizeWhenDone => json.value(numbers.wanted),
        Field::LeftUntilDone => json.value(numbers.left),
        Field::HaveValid => json.value(numbers.have),
        Field::HaveUnchecked => json.value(0),
        Field::CorruptEver => json.value(numbers.wasted),
        Field::DownloadedEver => json.value(numbers.downloaded),
        Field::UploadedEver => json.value(numbers.uploaded),
        Field::UploadRatio => json.value(row.ratio().unwrap_or(-1.0)),
        Field::PercentDone => json.value(row.progress()),
        Field::PercentComplete => json.value(measure::part(numbers.have, row.about.size)),
        Field::RateDownload => json.value(numbers.download_rate),
        Field::RateUpload => json.value(numbers.upload_rate),
        Field::PeersConnected => json.value(numbers.peers),
        Field::PeersGettingFromUs => json.value(numbers.unchoked),
        Field::PeersSendingToUs => json.value(numbers.senders),
        Field::QueuePosition => json.value(numbers.queue),
        Field::WebseedsSendingToUs => json.value(0),
        _ => write_times(json, field, row, moment),
    }
}

fn write_times(json: &mut Json, field: Field, row: &Row, moment: &Moment<'_>) {
    let numbers = &row.numbers;
    let seeding = || row.seeding_seconds(moment.now);
    match field {
        Field::AddedDate => json.value(numbers.added_at),
        // nothing tells when names or trackers changed
        Field::EditDate => json.value(numbers.added_at),
        Field::DoneDate => json.value(numbers.completed_at.unwrap_or(0)),
        Field::ActivityDate => json.value(numbers.active_at.unwrap_or(0)),
        Field::StartDate => json.value(numbers.started_at.unwrap_or(0)),
        Field::DateCreated => json.value(row.about.created_at.unwrap_or(0)),
        Field::ManualAnnounceTime => json.value(0),
        Field::SecondsSeeding => json.value(seeding()),
        Field::SecondsDownloading => json.value(row.running_seconds(moment.now).saturating_sub(seeding())),
        _ => write_choice(json, field, row, moment),
    }
}

fn write_choice(json: &mut Json, field: Field, row: &Row, moment: &Moment<'_>) {
    let choice = &row.choice;
    match field {
        Field::DownloadDir => json.value(choice.destination.as_ref().unwrap_or(&choice.folder).to_string_lossy()),
        Field::Labels => json.value(&choice.tags),
        Field::UploadLimited => json.value(choice.upload_limit.is_some()),
        Field::UploadLimit => json.value(choice.upload_limit.map_or(defaults::RATE, |limit| limit / KILOBYTE)),
        Field::DownloadLimited => json.value(choice.download_limit.is_some()),
        Field::DownloadLimit => json.value(choice.download_limit.map_or(defaults::RATE, |limit| limit / KILOBYTE)),
        Field::SeedRatioMode => json.value(measure::mode(choice.ratio_limit)),
        Field::SeedRatioLimit => json.value(own(choice.ratio_limit).unwrap_or(defaults::RATIO)),
        Field::SeedIdleMode => json.value(measure::mode(choice.idle_limit)),
        Field::SeedIdleLimit => json.value(own(choice.idle_limit).unwrap_or(defaults::IDLE_MINUTES)),
        Field::PeerLimit | Field::MaxConnectedPeers => json.value(peer_limit(row, moment)),
        Field::SequentialDownload => json.value(choice.sequential),
        Field::HonorsSessionLimits => json.value(true),
        Field::BandwidthPriority => json.value(0),
        Field::Group => json.value(""),
        _ => write_about(json, field, row),
    }
}

fn write_about(json: &mut Json, field: Field, row: &Row) {
    let about = &row.about;
    match field {
        Field::Comment => json.value(&about.comment),
        Field::Creator => json.value(&about.created_by),
        Field::FileCount => json.value(about.files),
        Field::PieceCount => json.value(about.pieces),
        Field::PieceSize => json.value(about.piece_length),
        Field::IsPrivate => json.value(about.private),
        Field::MetadataPercentComplete => json.value(if about.has_metadata { 1.0 } else { 0.0 }),
        Field::PrimaryMimeType => json.value("application/octet-stream"),
        // kept in the daemon's state, not as a file that others could open
        Field::TorrentFile => json.value(""),
        _ => unreachable!("{field:?} is written above"),
    }
}

/// Clients find content at `downloadDir`/`name`; so it is the name on disk, whatever name its owner reads elsewhere.
pub(super) fn name(row: &Row) -> &str {
    match (&row.choice.renamed_root, row.about.has_metadata) {
        (Some(renamed), _) => renamed,
        (None, true) => &row.about.name,
        (None, false) => row.name(),
    }
}

fn own<T>(limit: LimitChoice<T>) -> Option<T> {
    match limit {
        LimitChoice::At(limit) => Some(limit),
        LimitChoice::Global | LimitChoice::Unlimited => None,
    }
}

fn peer_limit(row: &Row, moment: &Moment<'_>) -> u32 {
    let settings = moment.settings;
    row.choice.peer_limit.or(settings.connections_per_torrent).unwrap_or(settings.connections)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::transmission::sample;
    use crate::session::seedbox::{Activity, Choice, Settings};

    fn value(field: Field, row: &Row) -> Value {
        let settings = Settings::new("/data".into());
        let mut json = Json::default();
        write(&mut json, field, row, &Details::default(), &Moment::at(2_000, &settings));
        serde_json::from_slice(&json.into_bytes()).expect("JSON")
    }

    #[test]
    fn every_field_is_written_even_without_details() {
        for field in Field::ALL {
            value(*field, &sample::row(3));
        }
    }

    #[test]
    fn numbers_have_the_units_that_clients_expect() {
        let mut row = sample::row(6);
        row.choice = std::sync::Arc::new(Choice {
            folder: "/data/linux".into(),
            upload_limit: Some(50_000),
            ratio_limit: LimitChoice::At(2.5),
            idle_limit: LimitChoice::Unlimited,
            tags: ["a".to_owned(), "b".to_owned()].into(),
            ..Choice::default()
        });
        for (field, expected) in [
            (Field::Id, json!(6)),
            (Field::UploadLimit, json!(50)),
            (Field::UploadLimited, json!(true)),
            (Field::DownloadLimited, json!(false)),
            (Field::SeedRatioMode, json!(1)),
            (Field::SeedRatioLimit, json!(2.5)),
            (Field::SeedIdleMode, json!(2)),
            (Field::Labels, json!(["a", "b"])),
            (Field::DownloadDir, json!("/data/linux")),
            (Field::Status, json!(6)),
            (Field::PercentDone, json!(1.0)),
            // it is not sending: how long its ratio takes is not to be told
            (Field::Eta, json!(-2)),
            (Field::Group, json!("")),
        ] {
            assert_eq!(value(field, &row), expected, "{field:?}");
        }
    }

    #[test]
    fn a_magnet_link_without_metadata_is_not_complete() {
        let mut row = sample::row(0);
        row.activity = Activity::Metadata;
        row.about = std::sync::Arc::default();
        row.numbers = crate::session::seedbox::Numbers::default();
        assert_eq!(value(Field::TotalSize, &row), json!(0), "by which clients know it");
        assert_eq!(value(Field::PercentDone, &row), json!(0.0));
        assert_eq!(value(Field::MetadataPercentComplete, &row), json!(0.0));
        assert_eq!(value(Field::UploadRatio, &row), json!(-1.0));
        assert_eq!(value(Field::IsFinished, &row), json!(false));
    }
}
