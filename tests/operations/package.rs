//! The Debian package. Building one takes minutes, so that is done by hand (`tuning/debian/package`); here its parts are looked at.

use std::fs;
use std::process::Command;

use crate::repository;

/// From, to, and mode of each file in the package.
fn assets() -> Vec<[String; 3]> {
    let manifest = fs::read_to_string(repository("Cargo.toml")).expect("a manifest");
    let (_, list) = manifest.split_once("\nassets = [\n").expect("assets");
    let (list, _) = list.split_once("\n]\n").expect("an end");
    list.lines().map(|line| serde_json::from_str(line.trim().trim_end_matches(',')).expect("three texts")).collect()
}

#[test]
fn everything_in_the_package_is_in_the_repository_or_made_by_its_script() {
    let script = fs::read_to_string(repository("tuning/debian/package")).expect("a script");
    for [from, to, mode] in assets() {
        match from.strip_prefix("target/package/") {
            Some(made) => {
                let folder = made.split(['/', '.']).next().expect("a name");
                assert!(script.contains(&format!("$parts/{folder}")), "{from} is made by nobody");
            }
            None => assert!(repository(&from).is_file(), "{from}"),
        }
        assert_eq!(mode, if to == "usr/bin/" { "755" } else { "644" }, "{from}");
        assert!(!to.starts_with("usr/local"), "{to}");
    }
}

#[test]
fn the_service_finds_the_program_and_the_settings_where_the_package_puts_them() {
    let service = fs::read_to_string(repository("tuning/sowerd.service")).expect("a unit");
    assert!(service.contains("EnvironmentFile=-/etc/default/sower\n"));
    assert!(assets().iter().any(|[_, to, _]| to == "etc/default/sower"));
    let user = service.lines().find_map(|line| line.strip_prefix("User=")).expect("a user");
    let users = fs::read_to_string(repository("tuning/debian/sysusers.conf")).expect("users");
    assert!(users.starts_with(&format!("u {user} ")), "{users}");
}

#[test]
fn its_scripts_are_scripts() {
    for (shell, script) in [("sh", "postinst"), ("sh", "prerm"), ("sh", "postrm"), ("bash", "package")] {
        let path = repository("tuning/debian").join(script);
        let output = Command::new(shell).arg("-n").arg(&path).output().expect("a shell runs");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(&path).expect("a script");
        assert!(text.contains("\nset -e"), "{script} goes on after a failure");
    }
}
