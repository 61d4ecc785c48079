//! What clients change goes into the operator's file, and nothing else there changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sower::cli::daemon::config::{Beside, ConfigFile, Flag, Typed, generated};
use sower::session::seedbox::{Category, LimitAction, RateSchedule, Settings, TrafficBudget};
use tempfile::TempDir;

struct Scene {
    folder: TempDir,
    path: PathBuf,
}

impl Scene {
    fn new(text: &str) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, text).expect("a file");
        Scene { folder, path }
    }

    fn load(&self) -> ConfigFile {
        self.load_beside(Beside::default())
    }

    fn load_beside(&self, beside: Beside) -> ConfigFile {
        let file = ConfigFile::load(self.path.clone(), self.folder.path().into(), beside);
        file.unwrap_or_else(|error| panic!("{error}\n{}", self.text()))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("a file")
    }

    /// The file after `change`.
    fn changed(&self, change: impl FnOnce(&mut Settings)) -> String {
        let mut file = self.load();
        let mut settings = file.settings();
        change(&mut settings);
        file.save_settings(&settings).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(self.load().settings(), settings, "{}", self.text());
        self.text()
    }
}

const OPERATORS: &str = "\
# my box
[seeding]      # forever
idle = \"3d\"    # was 2d
ratio = 2.0

[limits]
# nights are free
upload = \"10MiB/s\" # half of the line

[[unknown]]
";

#[test]
fn a_value_changes_in_its_place_and_comments_and_order_stay() {
    let operators = OPERATORS.replace("[[unknown]]\n", "");
    let after = Scene::new(&operators).changed(|settings| {
        settings.upload_limit = Some(20 << 20);
        settings.idle_limit = None;
        settings.ratio_limit = Some(1.5);
    });
    let expected = operators
        .replace("\"10MiB/s\" # half", "\"20 MiB/s\" # half")
        .replace("\"3d\"    # was", "\"unlimited\"    # was")
        .replace("2.0", "1.5");
    assert_eq!(after, expected);
}

#[test]
fn a_value_that_was_never_set_goes_below_its_commented_out_default() {
    let scene = Scene::new(&generated());
    let after = scene.changed(|settings| settings.upload_limit = Some(5_000_000));
    let expected =
        generated().replace("#upload = \"unlimited\"\n", "#upload = \"unlimited\"\nupload = \"5000000 B/s\"\n");
    assert_eq!(after, expected);
    let after = scene.changed(|settings| settings.upload_limit = None);
    assert_eq!(after, expected.replace("\"5000000 B/s\"", "\"unlimited\""));
}

#[test]
fn a_value_without_a_place_gets_one() {
    let after = Scene::new("# mine\n").changed(|settings| settings.downloads_max = Some(3));
    assert!(after.contains("[queue]\ndownloads = 3\n") && after.contains("# mine"), "{after}");
    let inline = Scene::new("queue = { seeds = 2 } # short\n").changed(|settings| settings.downloads_max = Some(3));
    assert_eq!(inline, "queue = { seeds = 2 , downloads = 3 } # short\n");
    let dotted = Scene::new("queue.seeds = 2\n").changed(|settings| settings.seeds_max = Some(4));
    assert_eq!(dotted, "queue.seeds = 4\n");
}

#[test]
fn lines_of_a_long_text_are_not_taken_for_keys() {
    let text = "[tags]\nnames = [\"\"\"\n[limits]\n#upload = 1\n\"\"\"]\n";
    // control characters are refused in names, so the same in a comment of a category's folder
    let text = text.replace("[tags]\nnames = [", "[categories.a]\nfolder = ").replace("\"]", "\"");
    let after = Scene::new(&text).changed(|settings| settings.upload_limit = Some(1 << 20));
    assert!(after.starts_with(&text) && after.ends_with("[limits]\nupload = \"1 MiB/s\"\n"), "{after}");
}

#[test]
fn categories_come_and_go_and_others_keep_their_comments() {
    let scene = Scene::new("[categories.a] # first\nfolder = \"x\" # here\n\n# second\n[categories.b]\n");
    let after = scene.changed(|settings| {
        settings.categories.remove("b");
        settings.categories.insert("c d".into(), Category { folder: Some("/srv/c".into()) });
    });
    assert!(after.starts_with("[categories.a] # first\nfolder = \"x\" # here\n"), "{after}");
    assert!(
        after.contains("[categories.\"c d\"]\nfolder = \"/srv/c\"\n") && !after.contains("[categories.b]"),
        "{after}"
    );
}

#[test]
fn what_is_the_same_is_not_written() {
    let scene = Scene::new("[queue]\nseeds=2");
    fs::set_permissions(&scene.path, fs::Permissions::from_mode(0o444)).expect("permissions");
    let mut file = scene.load();
    let saved = file.save_settings(&file.settings()).expect("there is nothing to write");
    assert!(saved.keys.is_empty());
}

#[test]
fn a_read_only_file_stays_and_the_owner_hears_what_is_not_kept() {
    let scene = Scene::new("[queue]\nseeds = 2\n");
    fs::set_permissions(&scene.path, fs::Permissions::from_mode(0o444)).expect("permissions");
    let mut file = scene.load();
    let mut settings = file.settings();
    settings.seeds_max = Some(3);
    let error = file.save_settings(&settings).expect_err("it is read-only").to_string();
    assert!(
        error.contains("read-only") && error.contains("queue.seeds") && error.contains("until the next start"),
        "{error}"
    );
    assert_eq!(scene.text(), "[queue]\nseeds = 2\n");

    fs::set_permissions(&scene.path, fs::Permissions::from_mode(0o644)).expect("permissions");
    settings.upload_limit = Some(1 << 20);
    let saved = file.save_settings(&settings).expect("it can be written now");
    assert_eq!(saved.keys, ["queue.seeds", "limits.upload"], "what could not be kept before is kept now");
}

#[test]
fn a_file_that_the_operator_is_in_the_middle_of_editing_is_left_alone() {
    let scene = Scene::new("[queue]\nseeds = 2\n");
    let mut file = scene.load();
    fs::write(&scene.path, "[queue]\nseeds = tw\n").expect("a file");
    let mut settings = file.settings();
    settings.seeds_max = Some(3);
    let error = file.save_settings(&settings).expect_err("it has a mistake").to_string();
    assert!(error.contains("config.toml:2"), "{error}");
    assert_eq!(scene.text(), "[queue]\nseeds = tw\n");
}

#[test]
fn edits_that_are_not_loaded_yet_are_kept() {
    let scene = Scene::new("[queue]\nseeds = 2\n");
    let mut file = scene.load();
    fs::write(&scene.path, "[queue]\nseeds = 2\n[network]\nport = 5000\n").expect("a file");
    let mut settings = file.settings();
    settings.seeds_max = Some(3);
    file.save_settings(&settings).expect("it is right");
    assert_eq!(scene.text(), "[queue]\nseeds = 3\n[network]\nport = 5000\n");
    assert_eq!(file.reload().expect("it is right").restart.len(), 1);
}

#[test]
fn a_link_stays_a_link_and_permissions_stay() {
    let scene = Scene::new("");
    let real = scene.folder.path().join("real.toml");
    fs::write(&real, "").expect("a file");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("permissions");
    fs::remove_file(&scene.path).expect("removed");
    symlink("real.toml", &scene.path).expect("a link");
    scene.changed(|settings| settings.start_added = false);
    assert!(fs::symlink_metadata(&scene.path).expect("it is there").is_symlink());
    assert_eq!(fs::metadata(&real).expect("it is there").permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(scene.folder.path()).expect("a folder").count(), 2, "something was left behind");
}

#[test]
fn a_value_that_a_flag_overrules_is_kept_and_told() {
    let scene = Scene::new("");
    let (path, name) = ("limits.upload".into(), "--upload-limit".into());
    let flags = vec![Flag { path, typed: Typed::Text("1MiB/s".into()), name }];
    let mut file = scene.load_beside(Beside { flags, environment: Vec::new() });
    let mut settings = file.settings();
    settings.upload_limit = Some(2 << 20);
    let saved = file.save_settings(&settings).expect("it is right");
    assert_eq!(
        saved.overruled.iter().map(|(key, by)| format!("{key} {by}")).collect::<Vec<_>>(),
        ["limits.upload --upload-limit"]
    );
    assert_eq!(scene.load().settings().upload_limit, Some(2 << 20));
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let rate = || proptest::option::of(any::<u64>().prop_map(|rate| rate >> 1));
    let count = || proptest::option::of(1..1_000_000u32);
    let minutes = || proptest::option::of(0..10_000_000u32);
    let folder = || "/[a-z é\"'#\\\\\\[\\]]{1,12}".prop_map(PathBuf::from);
    let name = || "[a-z][a-z .é\"#\\]-]{0,8}[a-z]";
    let action = prop_oneof![Just(LimitAction::Pause), Just(LimitAction::RemoveWithData), Just(LimitAction::SuperSeed)];
    let schedule = (0..1_440u16, 0..1_440u16, 1..128u8)
        .prop_map(|(begin, end, days)| (begin != end).then_some(RateSchedule { begin, end, days }));
    let budget =
        (1..u64::MAX, 1..29u8, any::<bool>()).prop_map(|(bytes, day, paced)| TrafficBudget { bytes, day, paced });
    let categories = proptest::collection::btree_map(name(), proptest::option::of(folder()), 0..4);
    (
        (folder(), proptest::option::of(folder()), proptest::collection::vec(folder(), 0..3), any::<bool>()),
        (rate(), rate(), rate(), schedule, any::<bool>()),
        (proptest::option::of(0.0..1e6f64), minutes(), minutes(), action),
        (count(), count(), 1..9u32, 1..1_000_000u32),
        (proptest::option::of(budget), categories, proptest::collection::btree_set(name(), 0..4)),
    )
        .prop_map(|(folders, limits, seeding, queue, (budget, categories, tags))| {
            let mut settings = Settings::new(folders.0);
            (settings.incomplete_folder, settings.roots, settings.start_added) = (folders.1, folders.2, folders.3);
            (settings.upload_limit, settings.download_limit, settings.alternative_upload_limit) =
                (limits.0, limits.1, limits.2);
            (settings.schedule, settings.alternative) = (limits.3, limits.3.is_none() && limits.4);
            (settings.ratio_limit, settings.seeding_limit) = (seeding.0, seeding.1);
            (settings.idle_limit, settings.limit_action) = (seeding.2, seeding.3);
            (settings.downloads_max, settings.seeds_max) = (queue.0, queue.1);
            (settings.checks_max, settings.connections) = (queue.2, queue.3);
            settings.budget = budget;
            let category = |(name, folder)| (name, Category { folder });
            settings.categories = categories.into_iter().map(category).collect::<BTreeMap<_, _>>();
            settings.tags = tags.into_iter().collect::<BTreeSet<_>>();
            settings
        })
}

fn save(path: &Path, folder: &Path, settings: &Settings) -> Result<(), String> {
    let load = || ConfigFile::load(path.into(), folder.into(), Beside::default()).map_err(|error| error.to_string());
    load()?.save_settings(settings).map_err(|error| error.to_string())?;
    let read = load()?.settings();
    if read == *settings { Ok(()) } else { Err(format!("{read:?}")) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// One after the other into the same file, so that values change that are there, go back to none, and come anew.
    #[test]
    fn any_settings_are_read_as_they_were_saved(all in proptest::collection::vec(any_settings(), 1..4), documented: bool) {
        let scene = Scene::new(&if documented { generated() } else { String::new() });
        for settings in all {
            if let Err(error) = save(&scene.path, scene.folder.path(), &settings) {
                prop_assert!(false, "{settings:?}\n{error}\n{}", scene.text());
            }
        }
    }
}
