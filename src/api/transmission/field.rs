//! The fields of a torrent, by the names of the protocol.

use super::arguments::Arguments;
use super::envelope::Fault;

macro_rules! fields {
    ($($field:ident $name:literal,)*) => {
        /// A field of a torrent.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Field {
            $(#[doc = concat!("`", $name, "`")] $field,)*
        }

        impl Field {
            /// All there are.
            pub(super) const ALL: &'static [Field] = &[$(Field::$field,)*];

            /// Its name.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Field::$field => $name,)*
                }
            }
        }
    };
}

fields! {
    ActivityDate "activityDate",
    AddedDate "addedDate",
    Availability "availability",
    BandwidthPriority "bandwidthPriority",
    Comment "comment",
    CorruptEver "corruptEver",
    Creator "creator",
    DateCreated "dateCreated",
    DesiredAvailable "desiredAvailable",
    DoneDate "doneDate",
    DownloadDir "downloadDir",
    DownloadLimit "downloadLimit",
    DownloadLimited "downloadLimited",
    DownloadedEver "downloadedEver",
    EditDate "editDate",
    Error "error",
    ErrorString "errorString",
    Eta "eta",
    EtaIdle "etaIdle",
    FileCount "file-count",
    FileStats "fileStats",
    Files "files",
    Group "group",
    HashString "hashString",
    HaveUnchecked "haveUnchecked",
    HaveValid "haveValid",
    HonorsSessionLimits "honorsSessionLimits",
    Id "id",
    IsFinished "isFinished",
    IsPrivate "isPrivate",
    IsStalled "isStalled",
    Labels "labels",
    LeftUntilDone "leftUntilDone",
    MagnetLink "magnetLink",
    ManualAnnounceTime "manualAnnounceTime",
    MaxConnectedPeers "maxConnectedPeers",
    MetadataPercentComplete "metadataPercentComplete",
    Name "name",
    PeerLimit "peer-limit",
    Peers "peers",
    PeersConnected "peersConnected",
    PeersFrom "peersFrom",
    PeersGettingFromUs "peersGettingFromUs",
    PeersSendingToUs "peersSendingToUs",
    PercentComplete "percentComplete",
    PercentDone "percentDone",
    PieceCount "pieceCount",
    PieceSize "pieceSize",
    Pieces "pieces",
    PrimaryMimeType "primary-mime-type",
    Priorities "priorities",
    QueuePosition "queuePosition",
    RateDownload "rateDownload",
    RateUpload "rateUpload",
    RecheckProgress "recheckProgress",
    SecondsDownloading "secondsDownloading",
    SecondsSeeding "secondsSeeding",
    SeedIdleLimit "seedIdleLimit",
    SeedIdleMode "seedIdleMode",
    SeedRatioLimit "seedRatioLimit",
    SeedRatioMode "seedRatioMode",
    SequentialDownload "sequentialDownload",
    SizeWhenDone "sizeWhenDone",
    Source "source",
    StartDate "startDate",
    Status "status",
    TorrentFile "torrentFile",
    TotalSize "totalSize",
    TrackerList "trackerList",
    TrackerStats "trackerStats",
    Trackers "trackers",
    UploadLimit "uploadLimit",
    UploadLimited "uploadLimited",
    UploadRatio "uploadRatio",
    UploadedEver "uploadedEver",
    Wanted "wanted",
    Webseeds "webseeds",
    WebseedsSendingToUs "webseedsSendingToUs",
}

/// What is asked of the seedbox for a field, because no view has it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Needs {
    /// What the torrent file says.
    pub(super) metainfo: bool,
    /// Trackers.
    pub(super) trackers: bool,
    /// Peers.
    pub(super) peers: bool,
    /// Which pieces are here.
    pub(super) pieces: bool,
}

impl Field {
    /// The field of this name.
    pub(super) fn named(name: &str) -> Option<Field> {
        Field::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// What it needs beside a view.
    fn needs(self) -> Needs {
        let mut needs = Needs::default();
        match self {
            Field::Files | Field::FileStats => (needs.metainfo, needs.pieces) = (true, true),
            Field::Priorities | Field::Source | Field::Wanted | Field::Webseeds => needs.metainfo = true,
            Field::Availability | Field::Pieces => needs.pieces = true,
            Field::Peers | Field::PeersFrom => needs.peers = true,
            Field::TrackerStats => needs.trackers = true,
            _ => {}
        }
        needs
    }
}

/// The fields that `fields` names, each once; unknown names are passed over.
pub(super) fn parse(arguments: &Arguments) -> Result<Vec<Field>, Fault> {
    let names = arguments.texts("fields")?.ok_or_else(|| Fault::new("no fields specified"))?;
    let mut fields = Vec::new();
    for name in names {
        if fields.len() == Field::ALL.len() {
            break;
        }
        fields.extend(Field::named(name).filter(|field| !fields.contains(field)));
    }
    Ok(fields)
}

/// What these fields need together.
pub(super) fn needs(fields: &[Field]) -> Needs {
    fields.iter().map(|field| field.needs()).fold(Needs::default(), |all, one| Needs {
        metainfo: all.metainfo | one.metainfo,
        trackers: all.trackers | one.trackers,
        peers: all.peers | one.peers,
        pieces: all.pieces | one.pieces,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(names: Value) -> Result<Vec<Field>, Fault> {
        let arguments = json!({ "fields": names });
        parse(&Arguments::new(arguments.as_object().expect("an object").clone()))
    }

    #[test]
    fn fields_are_known_by_name_and_come_once() {
        assert_eq!(
            fields(json!(["id", "file-count", "id", "fileCount", "nothing"])),
            Ok(vec![Field::Id, Field::FileCount])
        );
        assert_eq!(fields(json!([])), Ok(vec![]));
        assert!(fields(json!(null)).is_err());
        assert!(fields(json!("id")).is_err());
        for field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(*field));
        }
    }

    #[test]
    fn a_list_of_torrents_asks_nothing_beside_the_view() {
        let list = fields(json!([
            "id",
            "name",
            "status",
            "labels",
            "downloadDir",
            "eta",
            "errorString",
            "trackers",
            "magnetLink"
        ]));
        assert_eq!(needs(&list.expect("fields")), Needs::default());
        let details = fields(json!(["id", "files", "trackerStats"])).expect("fields");
        assert_eq!(needs(&details), Needs { metainfo: true, trackers: true, peers: false, pieces: true });
    }
}
