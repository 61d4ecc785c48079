//! What a torrent shows: one table from which lists are written and described.
//!
//! Ten thousand torrents are written field by field into one buffer, without a tree of values between.

use std::io::Write as _;
use std::path::Path;

use utoipa::openapi::schema::{AnyOf, Array, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use super::failure::{Answer, Failure};
use crate::api::json::write_text as text;
use crate::session::seedbox::{Activity, LimitAction, LimitChoice, Row, Trouble};

/// Where answers are written to.
type Out = Vec<u8>;

/// A member of a torrent's object.
struct Field {
    name: &'static str,
    about: &'static str,
    shape: Shape,
    /// In lists only if asked for by name, because it may be long.
    long: bool,
    /// Writes its value, at that time (seconds since 1970).
    write: fn(&Row, &mut Out, i64),
}

/// What its values are.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    TextOrNull,
    Count,
    CountOrNull,
    Number,
    NumberOrNull,
    Flag,
    Texts,
    Limit,
    Activity,
    Trouble,
}

const fn field(name: &'static str, shape: Shape, about: &'static str, write: fn(&Row, &mut Out, i64)) -> Field {
    Field { name, about, shape, long: false, write }
}

const fn long(field: Field) -> Field {
    Field { long: true, ..field }
}

use Shape::{Count, CountOrNull, Flag, Limit, Number, NumberOrNull, Text, TextOrNull, Texts};

#[rustfmt::skip]
const FIELDS: &[Field] = &[
    field("hash", Text, "info-hash, 40 hexadecimal digits; names the torrent in paths", |row, out, _| {
        let _ = write!(out, "\"{}\"", row.info_hash());
    }),
    field("name", Text, "name that is shown: the owner's, else the torrent's", |row, out, _| text(out, row.name())),
    field("torrent_name", Text, "name in the torrent file or magnet link", |row, out, _| text(out, &row.about.name)),
    field("size", Count, "bytes of content", |row, out, _| count(out, row.about.size)),
    field("pieces", Count, "pieces", |row, out, _| count(out, row.about.pieces)),
    field("piece_length", Count, "bytes of a piece but the last", |row, out, _| count(out, row.about.piece_length)),
    field("files", Count, "files", |row, out, _| count(out, row.about.files)),
    field("single_file", Flag, "the content is one file, not a folder", |row, out, _| flag(out, row.about.single_file)),
    field("private", Flag, "peers come from its own trackers only", |row, out, _| flag(out, row.about.private)),
    field("has_metadata", Flag, "false of a magnet link whose metadata is still sought", |row, out, _| flag(out, row.about.has_metadata)),
    long(field("comment", Text, "comment in the torrent file; in lists only if asked for", |row, out, _| text(out, &row.about.comment))),
    long(field("created_by", Text, "what made the torrent file; in lists only if asked for", |row, out, _| text(out, &row.about.created_by))),
    field("created_at", CountOrNull, "when the torrent file was made, seconds since 1970", |row, out, _| seconds(out, row.about.created_at)),
    field("folder", Text, "folder that holds its file, or the folder of its files", |row, out, _| path(out, &row.choice.folder)),
    field("content_path", Text, "its file, or the folder of its files", |row, out, _| path(out, &row.content_path())),
    field("paused", Flag, "stopped by its owner or a limit", |row, out, _| flag(out, row.choice.paused)),
    field("forced", Flag, "runs whatever the queue says", |row, out, _| flag(out, row.choice.forced)),
    field("category", Text, "empty for none", |row, out, _| text(out, &row.choice.category)),
    field("tags", Texts, "tags", |row, out, _| texts(out, row.choice.tags.iter())),
    field("auto_managed", Flag, "follows its category's folder", |row, out, _| flag(out, row.choice.auto_managed)),
    field("upload_limit", CountOrNull, "bytes a second that it may send", |row, out, _| maybe(out, row.choice.upload_limit)),
    field("download_limit", CountOrNull, "bytes a second that it may receive", |row, out, _| maybe(out, row.choice.download_limit)),
    field("ratio_limit", Limit, "sent for each byte of it, after which it has had enough", |row, out, _| limit(out, row.choice.ratio_limit, number)),
    field("seeding_limit", Limit, "minutes of seeding", |row, out, _| limit(out, row.choice.seeding_limit, count)),
    field("idle_limit", Limit, "minutes of seeding without a byte sent", |row, out, _| limit(out, row.choice.idle_limit, count)),
    field("limit_action", TextOrNull, "what is done with it then, `pause`, `remove`, `remove_with_data` or `super_seed`; null: as with all", |row, out, _| text_or_null(out, row.choice.limit_action.map(action_name))),
    field("peer_limit", CountOrNull, "most peers", |row, out, _| maybe(out, row.choice.peer_limit)),
    field("sequential", Flag, "pieces in order", |row, out, _| flag(out, row.choice.sequential)),
    field("first_last", Flag, "ends of files first", |row, out, _| flag(out, row.choice.first_last)),
    field("super_seed", Flag, "pieces are shown one by one", |row, out, _| flag(out, row.choice.super_seed)),
    field("activity", Shape::Activity, "what it is doing", |row, out, _| text(out, activity_name(row.activity))),
    field("activity_per_mille", CountOrNull, "how far checking or moving has come, in thousandths", |row, out, _| maybe(out, activity_progress(row.activity))),
    field("message", TextOrNull, "why it is absent or failed, with the remedy; else what is worth telling", |row, out, _| text_or_null(out, row.message.as_deref())),
    field("tracker", Text, "tracker that answered last, without its secrets; empty if none has", |row, out, _| text(out, &row.tracker)),
    field("tracker_trouble", Shape::Trouble, "`refused`: no tracker answers, and one has refused it; `unreachable`: none can be asked; `warned`: one answers, with a warning; null: its trackers are well", |row, out, _| text_or_null(out, row.trouble.as_ref().map(trouble_name))),
    field("tracker_message", TextOrNull, "what the tracker says, or why it cannot be asked", |row, out, _| text_or_null(out, row.trouble.as_ref().map(Trouble::text))),
    field("complete", Flag, "nothing that is wanted is missing", |row, out, _| flag(out, row.is_complete())),
    field("progress", Number, "part of the wanted that is here, 0 to 1", |row, out, _| number(out, row.progress())),
    field("ratio", NumberOrNull, "sent for each byte received, or of the content if nothing was received", |row, out, _| match row.ratio() {
        Some(ratio) => number(out, ratio),
        None => null(out),
    }),
    field("wanted", Count, "bytes of wanted files", |row, out, _| count(out, row.numbers.wanted)),
    field("left", Count, "bytes of wanted pieces that are not here", |row, out, _| count(out, row.numbers.left)),
    field("have", Count, "bytes of good pieces that are here", |row, out, _| count(out, row.numbers.have)),
    field("uploaded", Count, "payload bytes sent, all starts together", |row, out, _| count(out, row.numbers.uploaded)),
    field("downloaded", Count, "payload bytes received and kept, all starts together", |row, out, _| count(out, row.numbers.downloaded)),
    field("wasted", Count, "payload bytes received and dropped, or found bad", |row, out, _| count(out, row.numbers.wasted)),
    field("session_uploaded", Count, "payload bytes sent since the daemon started", |row, out, _| count(out, row.numbers.session_uploaded)),
    field("session_downloaded", Count, "payload bytes received since the daemon started", |row, out, _| count(out, row.numbers.session_downloaded)),
    field("session_wasted", Count, "payload bytes received and dropped, or found bad, since the daemon started", |row, out, _| count(out, row.numbers.session_wasted)),
    field("upload_rate", Count, "bytes a second, over the last second", |row, out, _| count(out, row.numbers.upload_rate)),
    field("download_rate", Count, "bytes a second, over the last second", |row, out, _| count(out, row.numbers.download_rate)),
    field("peers", Count, "connected peers", |row, out, _| count(out, row.numbers.peers)),
    field("seeds", Count, "of these, those that have everything", |row, out, _| count(out, row.numbers.seeds)),
    field("unchoked", Count, "peers that we may send to", |row, out, _| count(out, row.numbers.unchoked)),
    field("senders", Count, "peers that send to us", |row, out, _| count(out, row.numbers.senders)),
    field("swarm_seeds", CountOrNull, "seeds in the swarm, as trackers say", |row, out, _| maybe(out, row.numbers.swarm_seeds)),
    field("swarm_leechers", CountOrNull, "others in the swarm, as trackers say", |row, out, _| maybe(out, row.numbers.swarm_leechers)),
    field("availability_per_mille", Count, "copies of the rarest piece among the connected peers, in thousandths", |row, out, _| count(out, row.numbers.availability_per_mille)),
    field("added_at", Count, "when it was added, seconds since 1970", |row, out, _| seconds(out, Some(row.numbers.added_at))),
    field("started_at", CountOrNull, "when it was started last, by this daemon, seconds since 1970", |row, out, _| seconds(out, row.numbers.started_at)),
    field("announce_at", CountOrNull, "when it is announced next, seconds since 1970; null while it is being announced; in what changed it is told along with other changes", |row, out, _| seconds(out, row.numbers.announce_at)),
    field("completed_at", CountOrNull, "when everything wanted was here, seconds since 1970", |row, out, _| seconds(out, row.numbers.completed_at)),
    field("active_at", CountOrNull, "when payload last went to or came from a peer, seconds since 1970", |row, out, _| seconds(out, row.numbers.active_at)),
    field("seeding_seconds", Count, "for how long it was seeded, up to this answer", |row, out, now| count(out, row.seeding_seconds(now))),
    field("running_seconds", Count, "for how long it was downloaded or seeded, up to this answer", |row, out, now| count(out, row.running_seconds(now))),
    field("queue", Count, "place in the queue, counted from 0", |row, out, _| count(out, row.numbers.queue)),
];

const ACTIVITIES: [&str; 11] = [
    "queued_check",
    "checking",
    "metadata",
    "queued_download",
    "downloading",
    "queued_seed",
    "seeding",
    "paused",
    "moving",
    "absent",
    "failed",
];

/// As it is called in JSON and in metrics.
pub(in crate::api) fn activity_name(activity: Activity) -> &'static str {
    match activity {
        Activity::QueuedCheck => "queued_check",
        Activity::Checking { .. } => "checking",
        Activity::Metadata => "metadata",
        Activity::QueuedDownload => "queued_download",
        Activity::Downloading => "downloading",
        Activity::QueuedSeed => "queued_seed",
        Activity::Seeding => "seeding",
        Activity::Paused => "paused",
        Activity::Moving { .. } => "moving",
        Activity::Absent => "absent",
        Activity::Failed => "failed",
    }
}

const TROUBLES: [&str; 3] = ["refused", "unreachable", "warned"];

/// As it is called in JSON and in metrics.
pub(in crate::api) fn trouble_name(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Refused(_) => "refused",
        Trouble::Unreachable(_) => "unreachable",
        Trouble::Warned(_) => "warned",
    }
}

fn activity_progress(activity: Activity) -> Option<u16> {
    match activity {
        Activity::Checking { per_mille } | Activity::Moving { per_mille } => Some(per_mille),
        _ => None,
    }
}

fn action_name(action: LimitAction) -> &'static str {
    match action {
        LimitAction::Pause => "pause",
        LimitAction::Remove => "remove",
        LimitAction::RemoveWithData => "remove_with_data",
        LimitAction::SuperSeed => "super_seed",
    }
}

/// The members that a client wants.
#[derive(Clone)]
pub(in crate::api) struct Selection(Vec<&'static Field>);

impl Selection {
    /// Those named in `names`, with commas between; without, all but the long ones.
    pub(in crate::api) fn parse(names: Option<&str>) -> Answer<Selection> {
        let Some(names) = names else { return Ok(Selection(FIELDS.iter().filter(|field| !field.long).collect())) };
        let mut chosen: Vec<&'static Field> = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found = FIELDS.iter().find(|field| field.name == name);
            let field =
                found.ok_or_else(|| Failure::invalid(format!("torrents have no field '{}'", name.escape_debug())))?;
            // each once, so that an answer is never longer than all fields
            if !chosen.iter().any(|other| other.name == field.name) {
                chosen.push(field);
            }
        }
        Ok(Selection(chosen))
    }

    /// Every one.
    pub(super) fn all() -> Selection {
        Selection(FIELDS.iter().collect())
    }

    /// Writes `rows` as an array.
    pub(super) fn write_rows<'view>(&self, rows: impl Iterator<Item = &'view Row>, now: i64, out: &mut Out) {
        out.push(b'[');
        let mut first = true;
        for row in rows {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            self.write_row(row, now, out);
        }
        out.push(b']');
    }

    /// Writes one torrent as an object.
    pub(super) fn write_row(&self, row: &Row, now: i64, out: &mut Out) {
        out.push(b'{');
        for (at, field) in self.0.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(field.name.as_bytes());
            out.extend_from_slice(b"\":");
            (field.write)(row, out, now);
        }
        out.push(b'}');
    }

    /// Bytes that `rows` torrents take about.
    pub(super) fn bytes(&self, rows: usize) -> usize {
        rows * self.0.len() * 28 + 1_024
    }
}

/// A torrent, in the document.
pub(in crate::api) struct Torrent;

impl PartialSchema for Torrent {
    fn schema() -> RefOr<Schema> {
        let object = FIELDS.iter().fold(
            ObjectBuilder::new().description(Some("A torrent. Lists can be told which of its members are wanted.")),
            |object, field| object.property(field.name, field.shape.schema(field.about)),
        );
        object.into()
    }
}

impl ToSchema for Torrent {}

impl Shape {
    fn schema(self, about: &str) -> RefOr<Schema> {
        let count = || {
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        };
        let object = match self {
            Shape::Text => Object::with_type(Type::String).into(),
            Shape::TextOrNull => ObjectBuilder::new().schema_type(or_null(Type::String)),
            Shape::Count => count(),
            Shape::CountOrNull => count().schema_type(or_null(Type::Integer)),
            Shape::Number => Object::with_type(Type::Number).into(),
            Shape::NumberOrNull => ObjectBuilder::new().schema_type(or_null(Type::Number)),
            Shape::Flag => Object::with_type(Type::Boolean).into(),
            Shape::Activity => ObjectBuilder::new().schema_type(Type::String).enum_values(Some(ACTIVITIES)),
            Shape::Trouble => ObjectBuilder::new()
                .schema_type(or_null(Type::String))
                .enum_values(Some(TROUBLES.map(Some).into_iter().chain([None]))),
            Shape::Texts => {
                let mut array = Array::new(Object::with_type(Type::String));
                array.description = Some(about.into());
                return Schema::Array(array).into();
            }
            Shape::Limit => {
                let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["global", "unlimited"]));
                let mut either = AnyOf::new();
                either.items = vec![Object::with_type(Type::Number).into(), word.into()];
                either.description = Some(about.into());
                return Schema::AnyOf(either).into();
            }
        };
        object.description(Some(about)).into()
    }
}

fn or_null(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}

// --- values -------------------------------------------------------------------------------------------------------

fn null(out: &mut Out) {
    out.extend_from_slice(b"null");
}

fn flag(out: &mut Out, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

fn text_or_null(out: &mut Out, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => null(out),
    }
}

fn path(out: &mut Out, path: &Path) {
    text(out, &path.to_string_lossy());
}

fn texts<'row>(out: &mut Out, values: impl Iterator<Item = &'row String>) {
    out.push(b'[');
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(out, value);
    }
    out.push(b']');
}

/// Digits from the last, as `fmt` would take three times as long.
pub(super) fn count(out: &mut Out, value: impl Into<u64>) {
    let (mut value, mut digits, mut at) = (value.into(), [0; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn maybe(out: &mut Out, value: Option<impl Into<u64>>) {
    match value {
        Some(value) => count(out, value),
        None => null(out),
    }
}

fn seconds(out: &mut Out, value: Option<i64>) {
    match value {
        Some(value) => drop(write!(out, "{value}")),
        None => null(out),
    }
}

/// Four places say enough of a ratio. JSON knows no infinity.
fn number(out: &mut Out, value: f64) {
    if value.is_finite() {
        let _ = write!(out, "{}", (value * 10_000.0).round() / 10_000.0);
    } else {
        null(out);
    }
}

fn limit<T>(out: &mut Out, limit: LimitChoice<T>, write: impl Fn(&mut Out, T)) {
    match limit {
        LimitChoice::Global => text(out, "global"),
        LimitChoice::Unlimited => text(out, "unlimited"),
        LimitChoice::At(at) => write(out, at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json_has_them() {
        let mut out = Out::new();
        for value in [0u64, 9, 10, 1_234_567, u64::MAX] {
            out.clear();
            count(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out), value.to_string());
        }
        for value in ["", "plain", "Ünïcode ☃", "a\"b\\c\nd\u{1}e\u{7f}", "\u{2028}</script>"] {
            out.clear();
            text(&mut out, value);
            assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), value);
        }
        for (value, written) in
            [(0.0, "0"), (1.0, "1"), (0.333_333, "0.3333"), (f64::INFINITY, "null"), (12_345.678_91, "12345.6789")]
        {
            out.clear();
            number(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out), written);
        }
    }

    #[test]
    fn fields_are_chosen_by_name_and_each_once() {
        let names = |selection: Selection| selection.0.iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(names(Selection::parse(Some("size, name,size,")).expect("known")), ["size", "name"]);
        assert!(Selection::parse(Some("size,colour")).is_err());
        assert!(!names(Selection::parse(None).expect("all")).contains(&"comment"));
        let all = names(Selection::all());
        assert!(all.iter().enumerate().all(|(at, name)| !all[..at].contains(name)), "no name twice");
    }
}
