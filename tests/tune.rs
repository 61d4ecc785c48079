//! `sower tune` on the machine that runs this test.

use std::process::{Command, Output};

use serde_json::Value;

fn tune(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.arg("tune").args(arguments).output().expect("sower runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn this_machine_is_looked_at() {
    let output = tune(&["--device", "lo"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(said.starts_with("Linux ") && said.contains("device lo"), "{said}");
    assert!(said.trim_end().ends_with("Nothing was changed."), "{said}");
    for name in ["congestion control: ", "send buffer of a connection: ", "io_uring: ", "file system of the content: "]
    {
        assert!(said.contains(name), "{name} is missing:\n{said}");
    }
    // the kernel tells of qdiscs by netlink, to everybody
    assert!(said.contains(" (lo)"), "{said}");
}

#[test]
fn programs_read_the_same() {
    let output = tune(&["--device", "lo", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    assert!(findings.len() >= 10, "{report}");
    for finding in findings {
        for key in ["name", "state", "why"] {
            assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {finding}");
        }
        assert!(["holds_back", "could_be_better", "good"].iter().any(|verdict| finding["verdict"] == **verdict));
        assert!(finding["now"].is_array() && finding["for_good"].is_array());
    }
    let count = |verdict: &str| findings.iter().filter(|finding| finding["verdict"] == verdict).count() as u64;
    assert_eq!(report["holds_back"].as_u64(), Some(count("holds_back")));
    assert_eq!(report["machine"]["devices"][0], "lo");
}

#[test]
fn what_is_not_there_cannot_be_looked_at() {
    for (arguments, word) in [
        (["--device", "no-such-device"], "no-such-device"),
        (["--device", "../../etc"], "network device"),
        (["--path", "/no/such/folder"], "/no/such/folder"),
    ] {
        let output = tune(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{arguments:?}: {}", text(&output.stderr));
    }
    assert_eq!(tune(&["--no-such-flag"]).status.code(), Some(2));
}
