//! The daemon's configuration, as its owner meets it: the generated file, mistakes, what clients change.

mod saving;

use std::fs;
use std::path::Path;

use sower::cli::daemon::config::{Beside, Config, ConfigError, ConfigFile, Flag, Source, Typed, When, generated};
use sower::session::seedbox::{LimitAction, Settings};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("config.toml"), text, &Beside::default())
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err("it is wrong").problems
}

fn beside(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Beside {
    let flag = |(path, value): &(&str, &str)| Flag {
        path: (*path).into(),
        typed: Typed::Text((*value).into()),
        name: format!("--set {path}"),
    };
    Beside {
        flags: flags.iter().map(flag).collect(),
        environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

/// The generated file with every default written out.
fn written_out() -> String {
    let active = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    let without_example = generated();
    let (keys, _) = without_example.split_once("#[categories.NAME]").expect("an example");
    keys.lines().map(active).collect()
}

#[test]
fn the_generated_file_says_nothing_until_it_is_edited() {
    let config = parse(&generated()).expect("it is right");
    assert!(config.changed(&parse("").expect("nothing is right too")).is_empty());
    assert!(Config::keys().iter().all(|key| config.source(key) == Source::Default));
}

#[test]
fn every_key_stands_in_the_generated_file_with_its_default_and_a_text() {
    let config = parse(&written_out()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        config.changed(&parse("").expect("all defaults")).is_empty(),
        "a default is another one than the file says"
    );
    for key in Config::keys() {
        assert!(matches!(config.source(key), Source::Line(_)), "{} is not in the file", key.path());
        assert!(key.doc().all(|line| line.len() > 4), "{} has no text", key.path());
    }
    let longest = generated().lines().map(str::len).max();
    assert!(longest <= Some(150), "{longest:?} bytes are too wide for an editor");
}

#[test]
fn the_example_of_a_category_is_right() {
    let example: String = generated()
        .lines()
        .skip_while(|line| *line != "#[categories.NAME]")
        .map(|line| format!("{}\n", line.trim_start_matches('#')))
        .collect();
    assert_eq!(parse(&example).unwrap_or_else(|error| panic!("{error}")).categories.len(), 1);
}

#[test]
fn without_a_word_the_settings_are_those_of_a_server() {
    let folder = Path::new("/var/lib/sower");
    assert_eq!(parse("").expect("all defaults").settings(folder), Settings::new(folder.join("downloads")));
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let mut variables: Vec<_> = Config::keys().iter().map(|key| key.variable()).collect();
    assert!(variables.contains(&"SOWER_NETWORK_BIND_DEVICE".to_owned()));
    variables.sort_unstable();
    variables.dedup();
    assert_eq!(variables.len(), Config::keys().len());
    // `SOWER_STATE` names the state folder, `SOWER_SEED` arguments of another command
    assert!(!variables.iter().any(|name| ["SOWER_STATE", "SOWER_SEED", "SOWER_CONFIG"].contains(&name.as_str())));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
    assert_eq!(
        problems("[limits]\nupload = \"1MiB/s\"\nuplaod = 5\n"),
        ["config.toml:3: there is no key limits.uplaod; did you mean upload?"]
    );
    assert_eq!(
        problems("[limit]\nupload = \"1MiB/s\"\n"),
        ["config.toml:1: there is no section [limit]; did you mean limits?"]
    );
    assert_eq!(
        problems("\n[queue]\nratio = 2\n"),
        ["config.toml:3: there is no key queue.ratio; it belongs in [seeding]"]
    );
    assert_eq!(problems("port = 6881\n"), ["config.toml:1: `port` stands in no section; it belongs in [network]"]);
    assert_eq!(problems("[api]\nrun_program = \"x\"\n"), ["config.toml:2: there is no key api.run_program"]);
    assert_eq!(
        problems("[categories.linux]\nfolder = \"/x\"\nsave-path = \"/y\"\n"),
        ["config.toml:3: categories.linux: there is no key save-path: a category has a folder"]
    );
}

#[test]
fn an_unknown_variable_or_flag_is_an_error_too_unless_it_is_another_ones() {
    let wrong = beside(&[("network.prot", "1")], &[("SOWER_LIMITS_UPLAOD", "1MiB")]);
    let error = Config::parse(Path::new("c"), "", &wrong).expect_err("it is wrong");
    assert_eq!(
        error.problems,
        [
            "--set network.prot: there is no key network.prot; did you mean network.port?",
            "SOWER_LIMITS_UPLAOD: no key has this variable; did you mean SOWER_LIMITS_UPLOAD?"
        ]
    );
    let others = beside(&[], &[("SOWER_STATE", "/x"), ("SOWER_SEED", "a b"), ("SOWER_BINARY", "x")]);
    assert!(Config::parse(Path::new("c"), "", &others).is_ok());
}

#[test]
fn all_mistakes_are_told_at_once_with_line_and_remedy() {
    let text = "\
[network]
port = 70000
bind-device = \"a/b\"
external = [\"192.0.2.1\", \"192.0.2.2\"]

[limits]
upload = \"fast\"
download = 0
schedule = \"nights\"

[seeding]
action = \"delete\"

[folders]
download = \"~/downloads\"
roots = \"/srv\"

[queue]
start-added = \"yes\"
[queue.checks]
";
    let found = problems(text);
    let expected = [
        ("config.toml:2: network.port: ", "from 1 to 65535"),
        ("config.toml:3: network.bind-device: ", "`ip link`"),
        ("config.toml:7: limits.upload: ", "\"10MiB/s\""),
        ("config.toml:8: limits.download: ", "\"unlimited\" or \"0 B/s\""),
        ("config.toml:9: limits.schedule: ", "mon-fri"),
        ("config.toml:12: seeding.action: ", "\"remove-with-data\""),
        ("config.toml:15: folders.download: ", "whole path"),
        ("config.toml:16: folders.roots: ", "[brackets]"),
        ("config.toml:19: queue.start-added: ", "true or false"),
        ("config.toml:20: queue.checks: ", "a table"),
        ("network.external: ", "at most one IPv4"),
    ];
    for (place, remedy) in expected {
        let told = found.iter().any(|problem| problem.starts_with(place) && problem.contains(remedy));
        assert!(told, "{place}...{remedy} is not in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    for (text, line) in [("[limits\n", 1), ("[limits]\nupload = \n", 2), ("[a]\nb=1\nb=2\n", 3), ("[api]\n[api]\n", 2)]
    {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].starts_with(&format!("config.toml:{line}: ")), "{text:?}: {found:?}");
    }
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let text = written_out();
    for _ in 0..2_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes[at] = random.u8(..),
                1 => _ = bytes.remove(at),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn flags_go_before_variables_before_the_file_before_defaults() {
    let file = "[limits]\nupload = \"1MiB/s\"\ndownload = \"1MiB/s\"\npeer = \"1MiB/s\"\n";
    let sources = beside(
        &[("limits.upload", "3MiB/s")],
        &[("SOWER_LIMITS_UPLOAD", "2MiB/s"), ("SOWER_LIMITS_DOWNLOAD", "2MiB/s"), ("SOWER_FOLDERS_ROOTS", "/a, /b")],
    );
    let config = Config::parse(Path::new("config.toml"), file, &sources).expect("all is right");
    let limits = &config.limits;
    let rates = [&limits.upload, &limits.download, &limits.peer].map(|rate| rate.as_ref().map(|rate| rate.0 >> 20));
    assert_eq!(rates, [Some(3), Some(2), Some(1)]);
    assert_eq!(config.folders.roots.len(), 2);
    let source = |path: &str| {
        config.source(Config::keys().into_iter().find(|key| key.path() == path).expect("a key")).to_string()
    };
    assert_eq!(
        ["limits.upload", "limits.download", "limits.peer", "limits.slots"].map(source),
        ["--set limits.upload", "SOWER_LIMITS_DOWNLOAD", "line 4", "default"]
    );
}

#[test]
fn a_mistake_that_is_overruled_is_told_all_the_same() {
    let sources = beside(&[("limits.upload", "3MiB/s")], &[("SOWER_LIMITS_UPLOAD", "much")]);
    let error =
        Config::parse(Path::new("config.toml"), "[limits]\nupload = \"more\"\n", &sources).expect_err("it is wrong");
    assert_eq!(error.problems.len(), 2, "{error}");
}

#[test]
fn the_effective_configuration_is_a_file_that_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let text =
        "[folders]\nroots = [\n  \"/a\", # one\n  \"/b\",\n]\n[categories.\"a b\"]\nfolder = \"x\"\n[categories.c]\n";
    fs::write(&path, text).expect("a file");
    let sources =
        beside(&[("network.port", "4000")], &[("SOWER_SEEDING_ACTION", "remove"), ("SOWER_API_HOSTS", "a.b,c.d")]);
    let file = ConfigFile::load(path, folder.path().into(), sources).expect("all is right");
    let shown = file.effective();
    for said in ["# from --set network.port\nport = 4000\n", "# from SOWER_SEEDING_ACTION\n", "# from line 2\n"] {
        assert!(shown.contains(said), "{said} is not in {shown}");
    }
    let again = parse(&shown).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert!(again.changed(file.config()).is_empty(), "{shown}");
    assert_eq!(again.categories, file.config().categories);
}

#[test]
fn a_reload_tells_what_holds_now_and_what_needs_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let mut file = ConfigFile::load(path.clone(), folder.path().into(), Beside::default()).expect("no file is fine");
    fs::write(&path, "[seeding]\nratio = 2\naction = \"remove\"\n[network]\nport = 5000\n").expect("a file");
    let reload = file.reload().expect("it is right");
    assert_eq!(reload.to_string(), "changed: seeding.ratio, seeding.action; a restart is needed for: network.port");
    assert!(reload.live.iter().all(|key| key.when == When::Live));
    assert_eq!((file.settings().ratio_limit, file.settings().limit_action), (Some(2.0), LimitAction::Remove));

    fs::write(&path, "[seeding]\nratio = \"much\"\n").expect("a file");
    file.reload().expect_err("it is wrong");
    assert_eq!(file.settings().ratio_limit, Some(2.0), "a mistake changed something");
}

#[test]
fn the_file_is_made_once_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    assert!(ConfigFile::make(&path).expect("it is made"));
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    fs::write(&path, "[queue]\n").expect("a file");
    assert!(!ConfigFile::make(&path).expect("it is there"));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "[queue]\n", "the owner's file was replaced");
}

#[test]
fn a_file_without_an_end_is_not_read_into_memory() {
    let error = ConfigFile::load("/dev/zero".into(), "/".into(), Beside::default()).expect_err("it has no end");
    assert!(error.to_string().contains("far too long"), "{error}");
}
