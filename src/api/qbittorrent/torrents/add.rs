//! `torrents/add`: torrents by file, link and address.

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk};
use super::super::form::{Form, parse_truth};
use super::super::labels::{absolute, ensure_labels, named_tags};
use super::super::limit;
use super::layout::Layout;
use super::places::one_line;
use crate::ids::TorrentId;
use crate::limits::API_ADDRESSES;
use crate::metainfo::Metainfo;
use crate::session::seedbox::{Addition, Change, Choice, LimitChoice, QueueMove, RefusalKind, Settings, Source};

/// `Ok.` if one of them was added, `Fails.` if none was. What is no torrent file is an error, once those before it are added.
///
/// Of a new torrent's own folder for what is incomplete (`downloadPath`) nothing is kept: there is one such folder for all, and
/// content arrives where `savepath` says in any case.
pub(super) async fn add(desk: &Desk, call: &Call) -> Outcome {
    let form = &call.form;
    check_supported(form)?;
    let choice = choice(call)?;
    let layout = Layout::named(form.or_empty("contentLayout"));
    let addresses: Vec<&str> = form.list("urls", '\n').collect();
    if addresses.len() > API_ADDRESSES {
        return Err(Fault::too_large(format!("add {API_ADDRESSES} links and addresses at once at most")));
    }
    if !addresses.is_empty() {
        layout.check_without_file()?;
    }
    ensure_labels(desk, call, &choice).await?;
    let mut added = Vec::new();
    for address in addresses {
        added.extend(add_one(desk, form, source(address), choice.clone()).await?);
    }
    for file in &form.files {
        let torrent = Metainfo::parse(&file.bytes).map_err(|_| not_a_torrent(&file.name))?;
        let mut choice = choice.clone();
        layout.arrange(&torrent, &mut choice);
        added.extend(add_one(desk, form, Source::File(file.bytes.to_vec()), choice).await?);
    }
    let any = !added.is_empty();
    if form.truth("addToTopOfQueue") == Some(true) {
        desk.change(added, Change::Queue(QueueMove::Top)).await?;
    }
    Answer::text(if any { "Ok." } else { "Fails." })
}

/// None if it is here already, is no torrent, or leads to none.
async fn add_one(desk: &Desk, form: &Form, source: Source, choice: Choice) -> Result<Option<TorrentId>, Fault> {
    let is_address = matches!(source, Source::Url(_));
    let addition = Addition { choice, trusted: form.truth("skip_checking") == Some(true), ..Addition::new(source) };
    match desk.seedbox().add(addition).await {
        Ok(added) => Ok((!added.duplicate).then_some(added.id)),
        Err(refusal) if concerns_itself(refusal.kind, is_address) => {
            tracing::info!(%refusal, "a torrent was not added");
            Ok(None)
        }
        // a folder that may not be used, a disk that will not: the client is told, since the next one fails too
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether a refusal says nothing of the other torrents that are added along.
fn concerns_itself(kind: RefusalKind, is_address: bool) -> bool {
    match kind {
        RefusalKind::Invalid | RefusalKind::NotFound | RefusalKind::Conflict => true,
        RefusalKind::Environment => is_address,
        RefusalKind::Forbidden | RefusalKind::Busy => false,
    }
}

fn source(address: &str) -> Source {
    match address.get(..8) {
        Some(scheme) if scheme.eq_ignore_ascii_case("magnet:?") => Source::Magnet(address.to_owned()),
        _ => Source::Url(address.to_owned()),
    }
}

fn not_a_torrent(name: &str) -> Fault {
    Fault::bad_file(format!("Error: '{}' is not a valid torrent file.", one_line(name)))
}

/// What would make a torrent run, or end, otherwise than was asked for is refused.
fn check_supported(form: &Form) -> Result<(), Fault> {
    let usual = ["stopCondition", "shareLimitAction"].map(|name| (name, form.or_empty(name)));
    match usual.into_iter().find(|(_, value)| !matches!(*value, "" | "None" | "Default")) {
        Some((name, _)) => Err(Fault::unsupported(format!("sower has no {name} of a single torrent; leave it out"))),
        None => Ok(()),
    }
}

fn choice(call: &Call) -> Result<Choice, Fault> {
    let (form, settings) = (&call.form, &*call.view.settings);
    let name = one_line(form.or_empty("rename"));
    let auto_managed = form.truth("autoTMM") == Some(true);
    // what follows its category lies where that says
    let folder = if auto_managed { "" } else { form.or_empty("savepath") };
    let rate = |field: &str| form.number(field).and_then(limit::read_rate);
    let minutes = |field: &str| form.number(field).map_or(LimitChoice::Global, limit::read_minutes);
    Ok(Choice {
        folder: absolute(folder, settings).unwrap_or_default(),
        name: (!name.is_empty()).then_some(name),
        paused: is_paused(form, settings),
        forced: form.truth("forced") == Some(true),
        category: form.or_empty("category").to_owned(),
        tags: named_tags(call)?.into_iter().collect(),
        auto_managed,
        upload_limit: rate("upLimit"),
        download_limit: rate("dlLimit"),
        ratio_limit: form.number("ratioLimit").and_then(limit::read_ratio).unwrap_or_default(),
        seeding_limit: minutes("seedingTimeLimit"),
        idle_limit: minutes("inactiveSeedingTimeLimit"),
        sequential: form.truth("sequentialDownload") == Some(true),
        first_last: form.truth("firstLastPiecePrio") == Some(true),
        ..Choice::default()
    })
}

/// `stopped` of this version, `paused` of older ones.
fn is_paused(form: &Form, settings: &Settings) -> bool {
    let said = form.get("stopped").or_else(|| form.get("paused")).and_then(parse_truth);
    said.unwrap_or(!settings.start_added)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::call::Client;
    use super::*;
    use crate::api::qbittorrent::sample;

    fn chosen(query: &str) -> Choice {
        let form = Form::decode(query.as_bytes()).expect("a form");
        let call = Call { form, view: Arc::new(sample::view(0)), client: Client::Local, now: 0 };
        choice(&call).expect("a choice")
    }

    #[test]
    fn what_sonarr_says_is_understood() {
        let choice = chosen(
            "category=tv-sonarr&paused=false&stopped=false&ratioLimit=1.5&seedingTimeLimit=90&contentLayout=Original",
        );
        let expected = Choice {
            category: "tv-sonarr".into(),
            ratio_limit: LimitChoice::At(1.5),
            seeding_limit: LimitChoice::At(90),
            ..Choice::default()
        };
        assert_eq!(choice, expected);
    }

    #[test]
    fn both_words_for_stopped_are_understood_and_the_new_one_counts() {
        assert!(chosen("paused=true").paused);
        assert!(chosen("stopped=TRUE&paused=false").paused);
        assert!(!chosen("stopped=false&paused=true").paused);
        assert!(!chosen("").paused);
    }

    #[test]
    fn limits_and_folders_follow_their_conventions() {
        let choice = chosen(
            "savepath=tv&upLimit=1000&dlLimit=-1&ratioLimit=-1&seedingTimeLimit=-2&inactiveSeedingTimeLimit=x&tags=a,b",
        );
        assert_eq!(choice.folder, std::path::Path::new("/srv/seed/tv"));
        assert_eq!((choice.upload_limit, choice.download_limit), (Some(1000), None));
        assert_eq!(
            (choice.ratio_limit, choice.seeding_limit, choice.idle_limit),
            (LimitChoice::Unlimited, LimitChoice::Global, LimitChoice::Global)
        );
        assert_eq!(choice.tags.len(), 2);
    }

    #[test]
    fn links_and_addresses_are_told_apart() {
        assert!(matches!(source("MAGNET:?xt=urn:btih:x"), Source::Magnet(_)));
        assert!(matches!(source("https://site.example/magnet:?x"), Source::Url(_)));
        assert!(matches!(source("ééééé"), Source::Url(_)));
    }
}
