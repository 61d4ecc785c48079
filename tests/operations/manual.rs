//! Man pages and completions, made by the program itself.

use std::fs;
use std::process::{Command, Output};

use crate::program;

fn sower(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_sower")).args(arguments).output().expect("sower runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The commands that `sower help` lists.
fn commands() -> Vec<String> {
    let help = String::from_utf8(sower(&["--help"]).stdout).expect("text");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // a command stands behind two spaces, the rest of its text further right
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn there_is_a_page_for_every_command_and_none_has_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("man");
    sower(&["man", path.to_str().expect("text")]);
    let commands = commands();
    assert!(commands.len() > 9 && commands.iter().any(|name| name == "daemon"), "{commands:?}");
    for page in commands.iter().map(|name| format!("sower-{name}.1")).chain(["sower.1".into(), "sower-config.5".into()])
    {
        let page = path.join(page);
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".TH sower"), "{text}");
        if let Some(mut man) = program("man") {
            let output =
                man.args(["--warnings", "-l"]).arg(&page).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100").output();
            let output = output.expect("man runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
        }
        if let Some(mut mandoc) = program("mandoc") {
            let output = mandoc.args(["-T", "lint", "-W", "warning"]).arg(&page).output().expect("mandoc runs");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            // a page has no date on purpose, and its maker parts paragraphs in two ways at once
            let mut wrong =
                said.lines().filter(|line| !line.contains("parse date") && !line.contains("paragraph macro"));
            assert_eq!(wrong.next(), None);
        }
    }
}

#[test]
fn the_page_of_the_configuration_has_every_key() {
    let folder = tempfile::tempdir().expect("a folder");
    sower(&["man", folder.path().to_str().expect("text")]);
    let page = fs::read_to_string(folder.path().join("sower-config.5")).expect("a page").replace("\\-", "-");
    for key in sower::cli::daemon::config::Config::keys() {
        assert!(
            page.contains(&format!("\\fB{}\\fR = {}", key.name(), key.default.replace('\\', "\\e"))),
            "{}",
            key.path()
        );
    }
}

#[test]
fn shells_load_the_completions_and_know_the_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, script) in [
        (
            "bash",
            "source \"$0\"; COMP_WORDS=(sower daem) COMP_CWORD=1; _sower sower daem sower; echo \"${COMPREPLY[@]}\"",
        ),
        ("fish", "source $argv[1]; complete -C 'sower daem'"),
        (
            "zsh",
            "autoload -U compinit; compinit -u -d \"$0.dump\"; source \"$0\"; echo $_comps[sower]; grep -c daemon \"$0\"",
        ),
    ] {
        let path = folder.path().join(shell);
        fs::write(&path, sower(&["completions", shell]).stdout).expect("a file");
        let Some(mut command) = program(shell) else { continue };
        if shell == "zsh" {
            command.arg("-f");
        }
        let output = command.args(["-c", script]).arg(&path).output().expect("a shell runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let wanted = if shell == "zsh" { "_sower" } else { "daemon" };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(wanted) && errors.is_empty(), "{shell}: {said} {errors}");
    }
}
