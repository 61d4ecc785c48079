//! Holds the shape of the program: who may import whom, where `unsafe` may stand, what pure modules never touch, how
//! long a function and a file may be, what lies at the top of the repository.
//!
//! Plain text scanning: comments, literals and test modules are blanked, the rest is searched. Each rule is a function
//! from text to complaints, run once over the sources and once over a sample that breaks it. To satisfy a rule, change
//! the code; a limit here only ever gets tighter, and a listed exception that is no longer needed is itself a complaint.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules a top-level module may import; every one of them stands here, in the order of the levels in `lib.rs`.
const IMPORTS: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("limits", &[]),
    ("clock", &[]),
    ("bencode", LEVEL_0),
    ("wire", LEVEL_0),
    ("metainfo", LEVEL_0),
    ("hash", LEVEL_0),
    ("filter", LEVEL_0),
    ("peer", TO_LEVEL_1),
    ("schedule", &["clock", "ids", "limits"]),
    ("shard", TO_LEVEL_2),
    ("storage", TO_LEVEL_1),
    ("transmit", &["bencode", "clock", "hash", "ids", "limits", "metainfo", "storage", "wire"]),
    ("reactor", TO_LEVEL_5),
    ("tracker", TO_LEVEL_1),
    ("discovery", TO_LEVEL_1),
    ("session", TO_LEVEL_6),
    ("api", TO_LEVEL_7),
    ("cli", TO_LEVEL_8),
    ("picture", &[]),
    ("load", BESIDE),
    ("lab", LAB),
];
const LEVEL_0: &[&str] = &["bencode", "clock", "ids", "limits"];
const TO_LEVEL_1: &[&str] = &["bencode", "clock", "hash", "ids", "limits", "metainfo", "wire"];
const TO_LEVEL_2: &[&str] = &["bencode", "clock", "hash", "ids", "limits", "metainfo", "peer", "schedule", "wire"];
/// What stands beside the program: up to level 3, and the pictures of results.
#[rustfmt::skip]
const BESIDE: &[&str] = &["bencode", "clock", "hash", "ids", "limits", "metainfo", "peer", "picture", "schedule", "shard", "wire"];
/// The same, and the tracker for its pure swarm, to which simulated peers announce.
#[rustfmt::skip]
const LAB: &[&str] = &["bencode", "clock", "hash", "ids", "limits", "metainfo", "peer", "picture", "schedule", "shard", "tracker",
    "wire"];
#[rustfmt::skip]
const TO_LEVEL_5: &[&str] = &["bencode", "clock", "filter", "hash", "ids", "limits", "metainfo", "peer", "schedule", "shard", "storage",
    "transmit", "wire"];
#[rustfmt::skip]
const TO_LEVEL_6: &[&str] = &["bencode", "clock", "discovery", "filter", "hash", "ids", "limits", "metainfo", "peer", "reactor", "schedule",
    "shard", "storage", "tracker", "transmit", "wire"];
#[rustfmt::skip]
const TO_LEVEL_7: &[&str] = &["bencode", "clock", "discovery", "filter", "hash", "ids", "lab", "limits", "load", "metainfo", "peer", "picture",
    "reactor", "schedule", "session", "shard", "storage", "tracker", "transmit", "wire"];
#[rustfmt::skip]
const TO_LEVEL_8: &[&str] = &["api", "bencode", "clock", "discovery", "filter", "hash", "ids", "lab", "limits", "load", "metainfo", "peer", "picture",
    "reactor", "schedule", "session", "shard", "storage", "tracker", "transmit", "wire"];

/// The files that may say `unsafe`: ring, receive buffers, sockets, map, pipes and vmsplice, SIMD lanes, batched
/// datagrams, sockets from a service manager.
const UNSAFE_FILES: &[&str] = &[
    "src/cli/daemon/inherited.rs",
    "src/hash/avx2.rs",
    "src/hash/avx512.rs",
    "src/hash/engine.rs",
    "src/hash/sha.rs",
    "src/load/socket.rs",
    "src/reactor/driver/page_in.rs",
    "src/reactor/driver/provided.rs",
    "src/reactor/driver/queue.rs",
    "src/reactor/driver/ring.rs",
    "src/reactor/sockets.rs",
    "benches/tracker/load.rs",
    "src/storage/residency.rs",
    "src/tracker/http/listener.rs",
    "src/tracker/udp/batch.rs",
    "src/transmit/arena.rs",
    "src/transmit/pipe.rs",
    "src/transmit/socket.rs",
];

/// Modules without IO, clock, thread or randomness of their own: a whole swarm runs in virtual time, from a seed.
const PURE: &[&str] = &[
    "src/ids",
    "src/limits",
    "src/clock",
    "src/bencode",
    "src/wire",
    "src/metainfo",
    "src/hash",
    "src/filter",
    "src/peer",
    "src/schedule",
    "src/shard",
    "src/tracker/swarm",
    "src/picture",
    "src/lab",
    "src/discovery/datagram",
    "src/discovery/queues",
    "src/discovery/reply",
    "src/discovery/schedule",
    "src/discovery/trackers",
    "src/api/transmission/arguments",
    "src/api/transmission/envelope",
    "src/api/transmission/field",
    "src/api/transmission/files",
    "src/api/transmission/ids",
    "src/api/transmission/json",
    "src/api/transmission/limits",
    "src/api/transmission/peers",
    "src/api/transmission/torrent",
    "src/api/transmission/wanted",
    "src/cli/tune/facts",
    "src/cli/tune/judge",
];

/// What a pure module never names. `std::net` addresses are values and allowed.
#[rustfmt::skip]
const IMPURE: &[&str] = &[
    "Instant", "SystemTime", "UNIX_EPOCH", "TcpStream", "TcpListener", "UdpSocket", "UnixStream", "std::fs", "File::open",
    "std::thread", "std::process", "std::env", "std::io::stdin", "std::io::stdout", "println!", "eprintln!", "thread_local!",
    "tokio", "tokio_uring", "io_uring", "rustix", "libc", "socket2", "memmap2", "crossbeam", "Mutex", "RwLock",
    "Rng::new", "fastrand::bool", "fastrand::u8", "fastrand::u16", "fastrand::u32", "fastrand::u64", "fastrand::usize",
    "fastrand::shuffle", "fastrand::choice", "fastrand::seed",
];

/// What the repository holds beside dot-files.
const TOP_LEVEL: &[&str] = &["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "src", "benches", "tests", "tuning"];

/// Longest function, signature and closing brace included.
const FUNCTION_LINES: usize = 60;
/// Longest file, its test modules not counted.
const FILE_LINES: usize = 400;

/// A source file: its path from the top of the repository, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn sample(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    /// The text without comments, literals and test modules.
    fn product(&self) -> String {
        without_tests(&code(&self.text))
    }

    /// The modules it lies in, from the crate root; none for `lib.rs`.
    fn modules(&self) -> Vec<&str> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inside.split('/').filter(|&part| part != "mod" && part != "lib").collect()
    }

    fn is_test(&self) -> bool {
        !self.path.starts_with("src/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `folders`, in order of path.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of sources can be read");
            let visible = entries.map(|entry| entry.expect("an entry can be read").path()).filter(|path| !hidden(path));
            waiting.extend(visible);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            let path = path.strip_prefix(root()).expect("found below the root").to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Sources that make the product: test files left out.
fn product_sources() -> Vec<Source> {
    let sources: Vec<Source> = sources(&["src"]).into_iter().filter(|source| !source.is_test()).collect();
    assert!(sources.len() > 20, "the sources were found");
    sources
}

// --- reading Rust -------------------------------------------------------------------------------------------------

/// `text` with comments and the insides of literals blanked; lines stay where they are.
fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + literal_or_comment(&text[at..], out.last().copied()).unwrap_or(0);
        if end > at {
            out.extend(bytes[at..end].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
            at = end;
        } else {
            // names outside literals are ASCII; anything else only has to stay valid text
            out.push(if bytes[at].is_ascii() { bytes[at] } else { b'?' });
            at += 1;
            while !text.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    String::from_utf8(out).expect("only ASCII was kept")
}

/// Length of the comment or literal that `text` starts with, if it starts with one. `before` is the byte before it.
fn literal_or_comment(text: &str, before: Option<u8>) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    // the last letter of a name is no prefix of a literal; a quote after a name still opens one (in macro input)
    let prefixes: &[&str] = if before.is_some_and(in_name) { &[""] } else { &["", "b", "c"] };
    if let Some(body) = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)?.strip_prefix('"')) {
        return Some(text.len() - body.len() + until_quote(body, '"'));
    }
    if prefixes.len() > 1
        && let Some(length) = raw_string(text)
    {
        return Some(length);
    }
    let body = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)?.strip_prefix('\''))?;
    is_character(body).then(|| text.len() - body.len() + until_quote(body, '\''))
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Length up to and with the closing quote.
fn until_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if !escaped && character == quote {
            return at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(text.len() - body.len() + end)
}

/// Whether what follows a `'` is a character literal and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `code` without the items that only tests see, their lines included.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| rest.find(mark)).min() {
        out.push_str(&rest[..at]);
        let body = at + head(&rest[at..]);
        rest = &rest[body + block(&rest[body..])..];
    }
    out + rest
}

/// Length of an item's attributes and signature: up to its `{` or `;`, the ones inside parentheses and brackets passed by.
fn head(code: &str) -> usize {
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' | b';' if depth == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

/// Length of the braces that `code` starts with; 1 if it starts with something else.
fn block(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Where `word` stands in `code` with no name character touching either end.
fn words<'code>(code: &'code str, word: &'code str) -> impl Iterator<Item = usize> + 'code {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = code.as_bytes().get(at + word.len());
        let joined_after = word.ends_with(|c: char| c.is_alphanumeric()) && after.is_some_and(|&byte| in_name(byte));
        let joined_before = at > 0 && in_name(code.as_bytes()[at - 1]);
        !joined_before && !joined_after
    })
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The first names of a path or of a `{...}` group of paths.
fn heads(path: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.bytes().take_while(|&byte| in_name(byte)).count();
    if !path.starts_with('{') {
        return vec![&path[..name(path).max(path.len().min(1))]];
    }
    let group = &path[1..block(path).max(2) - 1];
    let mut depth = 0usize;
    let members = group.split(|c: char| {
        depth = if c == '{' { depth + 1 } else { depth.saturating_sub(usize::from(c == '}')) };
        c == ',' && depth == 0
    });
    members.map(str::trim).filter(|member| !member.is_empty()).map(|member| &member[..name(member).max(1)]).collect()
}

/// The top-level modules that `source` names, with where it does.
fn imports(source: &Source, code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for start in ["crate::", "sower::"] {
        for at in words(code, start) {
            found.extend(heads(&code[at + start.len()..]).into_iter().map(|head| (head.to_owned(), line_of(code, at))));
        }
    }
    let depth = source.modules().len();
    for at in words(code, "super::").filter(|&at| !code[..at].ends_with("super::")) {
        let path = &code[at..];
        let tail = path.trim_start_matches("super::");
        let climbed = (path.len() - tail.len()) / "super::".len();
        if climbed >= depth {
            found.extend(heads(tail).into_iter().map(|head| (head.to_owned(), line_of(code, at))));
        }
    }
    found
}

// --- rules --------------------------------------------------------------------------------------------------------

fn import_complaints(source: &Source) -> Vec<String> {
    let code = source.product();
    let modules = source.modules();
    let allowed: &[&str] = match modules.first() {
        None => return Vec::new(), // lib.rs declares all of them
        Some(&"main") => &["cli"],
        Some(own) => match IMPORTS.iter().find(|(module, _)| module == own) {
            Some((_, allowed)) => allowed,
            None => return vec![format!("{}: `{own}` has no level in this test's table", source.path)],
        },
    };
    let bad = imports(source, &code).into_iter().filter(|(head, _)| head != modules[0] && !allowed.contains(&&**head));
    bad.map(|(head, line)| format!("{}:{line}: imports `{head}`, which is not below it", source.path)).collect()
}

fn purity_complaints(source: &Source) -> Vec<String> {
    let inside = |module: &&str| source.path.strip_prefix(*module).is_some_and(|rest| rest.starts_with(['/', '.']));
    if !PURE.iter().any(inside) {
        return Vec::new();
    }
    let code = source.product();
    let named = |name: &'static str| words(&code, name).map(|at| (name, line_of(&code, at))).collect::<Vec<_>>();
    let found = IMPURE.iter().flat_map(|name| named(name));
    found.map(|(name, line)| format!("{}:{line}: a pure module names `{name}`", source.path)).collect()
}

fn unsafe_complaints(sources: &[Source], allowed: &[&str]) -> Vec<String> {
    let says_unsafe = |source: &&Source| {
        let code = code(&source.text);
        words(&code, "unsafe").next().is_some() || words(&code, "unsafe_code").next().is_some()
    };
    let found: BTreeSet<&str> = sources.iter().filter(says_unsafe).map(|source| &*source.path).collect();
    let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
    let new = found.difference(&allowed).map(|path| format!("{path}: `unsafe` here is not on the list of files"));
    let stale = allowed.difference(&found).map(|path| format!("{path}: listed, but says no `unsafe`; strike it out"));
    new.chain(stale).collect()
}

fn function_complaints(source: &Source) -> Vec<String> {
    let code = source.product();
    let mut complaints = Vec::new();
    for at in words(&code, "fn").filter(|&at| code[at + 2..].starts_with(' ')) {
        let body = at + head(&code[at..]);
        let lines = code[at..body + block(&code[body..])].lines().count();
        if lines > FUNCTION_LINES {
            let name = heads(code[at + 3..].trim_start()).concat();
            complaints.push(format!("{}: `{name}` has {lines} lines, the ceiling is {FUNCTION_LINES}", source.path));
        }
    }
    complaints
}

fn length_complaint(source: &Source) -> Option<String> {
    let lines = source.product().lines().count();
    (lines > FILE_LINES).then(|| format!("{}: {lines} lines without tests, the ceiling is {FILE_LINES}", source.path))
}

fn top_level_complaints<'entry>(entries: impl IntoIterator<Item = &'entry str>) -> Vec<String> {
    let strange = entries.into_iter().filter(|name| {
        let built = *name == "target"; // kept out by .gitignore
        !built && !name.starts_with('.') && !TOP_LEVEL.contains(name)
    });
    strange.map(|name| format!("{name}: does not belong at the top of the repository")).collect()
}

/// Paths that exist on one machine only.
fn path_complaints(source: &Source) -> Vec<String> {
    // put together here, so that this file does not complain about itself
    let starts = [["/ho", "me/"], ["/ro", "ot/"], ["/wo", "rk/"], ["/Use", "rs/"]].map(|halves| halves.concat());
    let mut complaints = Vec::new();
    for (line, text) in source.text.lines().enumerate() {
        let absolute = |start: &String| {
            let starts = text.match_indices(start.as_str());
            starts
                .into_iter()
                .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}/".contains(c)))
        };
        if starts.iter().any(absolute) {
            complaints.push(format!("{}:{}: names a path of one machine", source.path, line + 1));
        }
    }
    complaints
}

fn dependency_complaints(manifest: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut inside = false;
    let mut before = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_end().ends_with("dependencies]");
        } else if inside && line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !before.starts_with("# ") {
            let name = line.split([' ', '=', '.']).next().unwrap_or(line);
            complaints.push(format!("Cargo.toml: `{name}` has no line of reason above it"));
        }
        before = line;
    }
    complaints
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

// --- the sources keep the rules -----------------------------------------------------------------------------------

#[test]
fn imports_point_down_the_table_only() {
    assert_none(product_sources().iter().flat_map(import_complaints).collect());
}

#[test]
fn the_table_in_the_front_page_names_every_module() {
    let front = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs can be read");
    let table: String = front.lines().filter(|line| line.starts_with("//! |")).collect();
    for module in front.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = module.trim_end_matches(';');
        assert!(table.contains(&format!("`{module}`")), "`{module}` is not in the table of src/lib.rs");
        assert!(IMPORTS.iter().any(|(name, _)| *name == module), "`{module}` has no level in this test's table");
    }
}

#[test]
fn unsafe_stands_only_in_the_listed_files() {
    assert_none(unsafe_complaints(&sources(&["src", "tests", "benches"]), UNSAFE_FILES));
}

#[test]
fn pure_modules_touch_no_clock_socket_file_thread_or_hidden_randomness() {
    assert_none(product_sources().iter().flat_map(purity_complaints).collect());
}

#[test]
fn functions_stay_under_the_ceiling() {
    assert_none(product_sources().iter().flat_map(function_complaints).collect());
}

#[test]
fn files_stay_under_the_ceiling() {
    assert_none(product_sources().iter().filter_map(length_complaint).collect());
}

#[test]
fn the_top_of_the_repository_is_small() {
    let entries = fs::read_dir(root()).expect("the root can be read");
    let names: Vec<String> =
        entries.map(|entry| entry.expect("an entry can be read").file_name().to_string_lossy().into_owned()).collect();
    assert_none(top_level_complaints(names.iter().map(String::as_str)));
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    let mut texts = sources(&["src", "tests", "benches"]);
    for name in ["Cargo.toml", "README.md", "tests/run", ".ci/run", ".gitignore", ".rustfmt.toml", ".deny.toml"] {
        texts.extend(fs::read_to_string(root().join(name)).map(|text| Source::sample(name, &text)));
    }
    assert_none(texts.iter().flat_map(path_complaints).collect());
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest can be read");
    assert_none(dependency_complaints(&manifest));
}

// --- the rules can fail -------------------------------------------------------------------------------------------

#[test]
fn an_import_is_seen_in_every_spelling() {
    let complaints = |path: &str, text: &str| import_complaints(&Source::sample(path, text)).len();
    assert_eq!(complaints("src/wire/mod.rs", "use crate::ids::PeerId;"), 0);
    assert_eq!(complaints("src/wire/mod.rs", "use crate::wire::message::Kind;"), 0);
    assert_eq!(complaints("src/wire/mod.rs", "use crate::metainfo::Geometry;"), 1);
    assert_eq!(complaints("src/wire/mod.rs", "use crate::{ids::{A, B}, peer::{C, D}, shard};"), 2);
    assert_eq!(complaints("src/wire/mod.rs", "fn f(g: &crate::metainfo::Geometry) {}"), 1);
    assert_eq!(complaints("src/wire/mod.rs", "use super::metainfo::Geometry;"), 1);
    assert_eq!(complaints("src/wire/message.rs", "use super::Kind;"), 0);
    assert_eq!(complaints("src/wire/message.rs", "use super::super::{ids, metainfo};"), 1);
    assert_eq!(complaints("src/wire/mod.rs", "use crate::*;"), 1);
    assert_eq!(complaints("src/schedule/choker.rs", "use crate::wire::Bitfield;"), 1);
    assert_eq!(complaints("src/tracker/http.rs", "use crate::discovery::Announce;"), 1);
    assert_eq!(complaints("src/bencode.rs", "use crate::limits::BENCODE_DEPTH;"), 0);
    assert_eq!(complaints("src/main.rs", "fn main() { sower::session::run() }"), 1);
    assert_eq!(complaints("src/helpers/mod.rs", ""), 1);
    assert_eq!(complaints("src/wire/mod.rs", "// crate::session\nconst A: &str = \"crate::session\";"), 0);
    assert_eq!(complaints("src/wire/mod.rs", "#[cfg(test)]\nmod tests { use crate::session::Session; }"), 0);
}

#[test]
fn unsafe_is_seen_in_code_but_not_in_words_about_it() {
    let files = [
        Source::sample("src/a.rs", "fn f() { unsafe { g() } }"),
        Source::sample("src/b.rs", "// unsafe\nconst B: &str = \"unsafe\"; /* unsafe */"),
        Source::sample("src/c.rs", "#![expect(unsafe_code, reason = \"none\")]"),
    ];
    assert_eq!(unsafe_complaints(&files, &["src/a.rs", "src/c.rs"]).len(), 0);
    assert_eq!(unsafe_complaints(&files, &["src/a.rs"]).len(), 1, "a new file needs a line in the list");
    assert_eq!(unsafe_complaints(&files, &["src/a.rs", "src/b.rs", "src/c.rs"]).len(), 1, "the list only shrinks");
}

#[test]
fn a_clock_in_a_pure_module_is_seen() {
    let complaints = |path: &str, text: &str| purity_complaints(&Source::sample(path, text)).len();
    assert_eq!(complaints("src/peer/mod.rs", "let now = Instant::now();"), 1);
    assert_eq!(complaints("src/bencode.rs", "std::fs::read(path)"), 1);
    assert_eq!(complaints("src/tracker/swarm.rs", "SystemTime::now()"), 1);
    assert_eq!(complaints("src/tracker/http.rs", "SystemTime::now()"), 0);
    assert_eq!(complaints("src/shard/mod.rs", "let pick = fastrand::u32(..9);"), 1);
    assert_eq!(complaints("src/shard/mod.rs", "let pick = random.u32(..9); use std::net::IpAddr;"), 0);
    assert_eq!(complaints("src/peer/mod.rs", "struct Instantly;"), 0);
    assert_eq!(complaints("src/peer/mod.rs", "#[cfg(test)]\nmod tests { use std::thread; }"), 0);
}

#[test]
fn a_long_function_is_seen() {
    let with_lines =
        |lines: usize| format!("fn long(\n  a: [u8; 4],\n) {{\n{}}}\nfn next() {{}}\n", "  a;\n".repeat(lines));
    let complaints = |text: &str| function_complaints(&Source::sample("src/a.rs", text)).len();
    assert_eq!(complaints(&with_lines(FUNCTION_LINES - 4)), 0);
    assert_eq!(complaints(&with_lines(FUNCTION_LINES - 3)), 1);
    assert_eq!(complaints(&format!("#[cfg(test)]\nmod tests {{\n{}}}", with_lines(100))), 0);
    assert_eq!(complaints(&format!("fn short() {{ '{{'; \"{{\"; r#\"{{\"{{\"#; }}\n{}", "\n".repeat(100))), 0);
}

#[test]
fn a_long_file_is_seen_and_its_tests_are_not_counted() {
    let complaint = |text: String| length_complaint(&Source::sample("src/a.rs", &text));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}", "\n".repeat(FILE_LINES));
    assert_eq!(complaint("\n".repeat(FILE_LINES - 1) + &tests), None);
    assert!(complaint("\n".repeat(FILE_LINES + 1)).is_some());
}

#[test]
fn a_stray_entry_at_the_top_is_seen() {
    assert_eq!(top_level_complaints(["Cargo.toml", "src", ".gitignore", "target"]).len(), 0);
    assert_eq!(top_level_complaints(["scripts", "src", "notes.md"]).len(), 2);
}

#[test]
fn a_path_of_one_machine_is_seen() {
    let complaints = |text: &str| path_complaints(&Source::sample("a", text)).len();
    assert_eq!(complaints(&["open(\"/ho", "me/someone/file\")"].concat()), 1);
    assert_eq!(complaints(&["cd /wo", "rk/tree"].concat()), 1);
    assert_eq!(complaints("https://example.org/work/page and src/work/mod.rs and /etc/passwd"), 0);
}

#[test]
fn a_dependency_without_a_reason_is_seen() {
    assert_eq!(dependency_complaints("[dependencies]\n# sockets\na = \"1\"\n").len(), 0);
    assert_eq!(dependency_complaints("[dependencies]\n# sockets\na = \"1\"\nb = \"1\"\n").len(), 1);
    assert_eq!(dependency_complaints("[dev-dependencies]\nc.workspace = true\n").len(), 1);
    assert_eq!(dependency_complaints("[package]\nname = \"d\"\n").len(), 0);
}

#[test]
fn literals_and_comments_are_blanked_and_lifetimes_are_not() {
    let blanked = code("a \"x\\\"y\" b'\\'' 'z' r#\"q\"# /* o /* i */ o */ <'life> // end\nnext");
    assert_eq!(blanked.split_whitespace().collect::<Vec<_>>(), ["a", "<'life>", "next"]);
}
