//! The Dockerfile and the compose file. There may be no engine to build them with: they are looked at by others' tools, and the commands
//! of the image are run as they stand, in a root folder with what the image would have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::daemon::{Running, until};
use crate::repository;

/// A program of the Python environment of the tests.
fn python_program(name: &str) -> Option<Command> {
    let path = repository("tests/.venv/bin").join(name);
    let found = path.is_file();
    assert!(found || std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(), "{name} is missing: tests/run install");
    if !found {
        println!("SKIPPED: there is no {name}");
    }
    found.then(|| Command::new(path))
}

fn dockerfile() -> String {
    fs::read_to_string(repository("tuning/docker/Dockerfile")).expect("a Dockerfile")
}

/// The words of the one line that begins so.
fn words(beginning: &str) -> Vec<String> {
    let text = dockerfile();
    let line = text.lines().find(|line| line.starts_with(beginning)).expect("an instruction");
    serde_json::from_str(&line[line.find('[').expect("a list")..]).expect("a list of words")
}

#[test]
fn a_linter_finds_nothing_wrong_with_the_dockerfile() {
    let Some(mut hadolint) = python_program("hadolint") else { return };
    let output = hadolint.arg(repository("tuning/docker/Dockerfile")).output().expect("it runs");
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_compose_file_is_one_and_agrees_with_the_dockerfile() {
    let Some(mut python) = python_program("python") else { return };
    let script = "import sys, json, compose_spec\n\
        print(json.dumps(compose_spec.PyCompose.from_yaml(open(sys.argv[1]).read()).to_dict()))";
    let output = python.args(["-c", script]).arg(repository("tuning/docker/compose.yaml")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let compose: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let service = &compose["services"]["sower"];
    let text = service.to_string();
    for volume in ["/state", "/downloads"] {
        assert!(text.contains(volume) && dockerfile().contains(&format!("VOLUME {volume}\n")), "{volume}: {text}");
    }
    let context = repository("tuning/docker").join(service["build"]["context"].as_str().expect("a folder"));
    assert!(context.join(service["build"]["dockerfile"].as_str().expect("a file")).is_file());
    assert!(repository("tuning/docker").join("../seccomp.json").is_file() && text.contains("seccomp=../seccomp.json"));
    // the API goes to this host alone
    let raw = fs::read_to_string(repository("tuning/docker/compose.yaml")).expect("a file");
    assert!(raw.contains("\"127.0.0.1:9091:9091/tcp\""));
}

#[test]
fn what_is_copied_into_the_image_is_what_cargo_needs() {
    let ignored = fs::read_to_string(repository("tuning/docker/Dockerfile.dockerignore")).expect("a file");
    for copied in ["Cargo.toml", "Cargo.lock", "src", "benches"] {
        assert!(dockerfile().contains(copied) && ignored.contains(&format!("!{copied}\n")), "{copied}");
        assert!(repository(copied).exists());
    }
}

/// A root folder with the program and the libraries that it is linked with.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Root {
        let root = Root(tempfile::tempdir().expect("a folder"));
        let program = Path::new(env!("CARGO_BIN_EXE_sower"));
        for folder in ["usr/local/bin", "state", "downloads", "tmp"] {
            fs::create_dir_all(root.0.path().join(folder)).expect("a folder");
        }
        let linked = Command::new("ldd").arg(program).output().expect("ldd runs");
        for library in String::from_utf8_lossy(&linked.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
            let place = root.0.path().join(library.trim_start_matches('/'));
            fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            fs::copy(library, place).expect("copied");
        }
        let place = root.0.path().join("usr/local/bin/sower");
        fs::hard_link(program, &place).or_else(|_| fs::copy(program, &place).map(drop)).expect("copied");
        root
    }

    /// `words` as the image would run them: in this root, in a network of its own.
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "--", "chroot"]).arg(self.0.path()).args(words);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }
}

#[test]
fn the_commands_of_the_image_start_a_daemon_find_it_well_and_end_it() {
    let allowed = Command::new("unshare")
        .args(["--map-root-user", "--net", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !allowed {
        println!("SKIPPED: no namespaces may be made here");
        return;
    }
    let root = Root::new();
    let (entry, health) = ([words("ENTRYPOINT"), words("CMD")].concat(), words("HEALTHCHECK"));
    let mut daemon = Running::start(root.command(&entry));
    let ask = || root.command(&health).output().expect("it runs");
    until("the image is healthy", || {
        assert!(daemon.0.try_wait().expect("it can be asked").is_none(), "{}", daemon.output());
        ask().status.success()
    });
    assert!(root.path("state/token").exists() && root.path("state/config.toml").exists());
    let output = daemon.end();
    assert!(output.contains("peers: port 6881; API: http://0.0.0.0:9091/;"), "{output}");
    assert!(!ask().status.success(), "what is gone is not well");
}
