//! `torrent-add`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use tokio::task::spawn_blocking;

use crate::ids::InfoHash;
use crate::metainfo::Metainfo;
use crate::session::seedbox::{Added, Addition, Change, Choice, FilePriority, Source};

use super::arguments::Arguments;
use super::envelope::{Fault, begin};
use super::server::Server;
use super::{files, limits, place, set, torrent, wanted};
use crate::api::json::Json;

/// With or without padding at its end: both go round.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Answers `torrent-add`.
pub(super) async fn add(server: &Server, mut arguments: Arguments) -> Result<Json, Fault> {
    let seedbox = &server.context.seedbox;
    let metainfo = arguments.take_text("metainfo")?;
    let filename = arguments.text("filename")?.unwrap_or("").trim();
    let source = match metainfo.filter(|metainfo| !metainfo.is_empty()) {
        Some(metainfo) => Source::File(decode(&metainfo)?),
        None => source(server, filename).await?,
    };
    if matches!(source, Source::Url(_)) && arguments.text("cookies")?.is_some_and(|cookies| !cookies.is_empty()) {
        return Err(Fault::new("cookies are not sent along: fetch the torrent file yourself and send it as metainfo"));
    }
    let files = wanted_files(&wanted::Wishes::parse(&arguments)?, &source)?;
    let choice = Choice { files, ..choice(server, &arguments)? };
    let paused = choice.paused;
    let added = seedbox.add(Addition { choice, ..Addition::new(source) }).await?;
    if paused && !added.duplicate {
        take_stock(server, added).await?;
    }
    Ok(tell(server, added))
}

/// Transmission finds out what is here of a new torrent even if it is not to start, and cross-seed waits for that to decide whether
/// to start it. Where nothing is, there is nothing to find out.
async fn take_stock(server: &Server, added: Added) -> Result<(), Fault> {
    let seedbox = &server.context.seedbox;
    let Some(row) = seedbox.view().row(added.id).filter(|row| row.about.has_metadata).cloned() else { return Ok(()) };
    let is_there = spawn_blocking(move || row.content_path().symlink_metadata().is_ok()).await.unwrap_or(false);
    if is_there {
        seedbox.change(vec![added.id], Change::Verify).await?;
    }
    Ok(())
}

/// What `filename` names: a magnet link, the address of a torrent file, a hash, or a file on this machine.
async fn source(server: &Server, filename: &str) -> Result<Source, Fault> {
    let begins = |scheme: &str| filename.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    if filename.is_empty() {
        return Err(Fault::new("no filename or metainfo specified"));
    }
    if begins("magnet:") {
        return Ok(Source::Magnet(filename.to_owned()));
    }
    if begins("http://") || begins("https://") {
        return Ok(Source::Url(filename.to_owned()));
    }
    match InfoHash::from_hex(filename) {
        Some(hash) => Ok(Source::Magnet(format!("magnet:?xt=urn:btih:{hash}"))),
        None => Ok(Source::File(place::torrent_file(server, filename).await?)),
    }
}

fn decode(metainfo: &str) -> Result<Vec<u8>, Fault> {
    let wrong = |_| Fault::new("metainfo: a torrent file in base64 is expected");
    if metainfo.bytes().any(|byte| byte.is_ascii_whitespace()) {
        let lines: Vec<u8> = metainfo.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return BASE64.decode(lines).map_err(wrong);
    }
    BASE64.decode(metainfo).map_err(wrong)
}

fn choice(server: &Server, arguments: &Arguments) -> Result<Choice, Fault> {
    let folder = arguments.text("download-dir")?.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
        return Err(Fault::new("download directory path is not absolute"));
    }
    // only a hint: there are no priorities between torrents
    let _: Option<i64> = arguments.integer("bandwidthPriority")?;
    let paused = arguments.flag("paused")?;
    Ok(Choice {
        folder: folder.unwrap_or_default(),
        paused: paused.unwrap_or_else(|| !server.context.seedbox.view().settings.start_added),
        tags: set::labels(arguments)?.unwrap_or_default().into_iter().collect(),
        peer_limit: limits::peer_limit(arguments)?,
        sequential: arguments.flag("sequentialDownload")?.unwrap_or(false),
        ..Choice::default()
    })
}

fn wanted_files(wishes: &wanted::Wishes, source: &Source) -> Result<Vec<FilePriority>, Fault> {
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    let Source::File(bytes) = source else { return wishes.follow_unknown() };
    let metainfo = Metainfo::parse(bytes).map_err(|error| Fault(format!("not a torrent file: {error}")))?;
    let stored: Vec<u32> = files::stored(&metainfo).map(|(index, _)| index).collect();
    wishes.follow(&[], &stored, metainfo.files().len())
}

fn tell(server: &Server, added: Added) -> Json {
    let hash = added.info_hash.to_string();
    let view = server.context.seedbox.view();
    // it may be gone again
    let name = view.row(added.id).map_or(hash.as_str(), |row| torrent::name(row));
    begin(|json| {
        json.key(if added.duplicate { "torrent-duplicate" } else { "torrent-added" });
        json.object(|json| {
            json.pair("id", added.id.0);
            json.pair("name", name);
            json.pair("hashString", &hash);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_taken_as_clients_write_it() {
        for text in ["ZDE6YWkxZWU=", "ZDE6YWkxZWU", "ZDE6\r\nYWkx\nZWU=\n"] {
            assert_eq!(decode(text), Ok(b"d1:ai1ee".to_vec()), "{text}");
        }
        assert!(decode("no base64!").is_err());
    }
}
