//! What a judge says about one thing.

use serde::Serialize;

/// How much a thing matters to upload, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Upload is slower by it than it could be, or will be when a swarm comes.
    HoldsBack,
    /// Matters to some: to a single far peer, to many peers, on the next fast link.
    CouldBeBetter,
    /// Nothing to do.
    Good,
}

/// One thing that was looked at. Commands are whole lines for a root shell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Finding {
    /// What it is about; the same on every machine.
    pub(crate) name: &'static str,
    /// How it is now.
    pub(crate) state: String,
    pub(crate) verdict: Verdict,
    /// One sentence: what it does to upload.
    pub(crate) why: String,
    /// Changes it until the next start of the machine.
    pub(crate) now: Vec<String>,
    /// Changes it from the next start on.
    pub(crate) for_good: Vec<String>,
}

impl Finding {
    pub(crate) fn good(name: &'static str, state: impl Into<String>, why: impl Into<String>) -> Finding {
        let (now, for_good) = (Vec::new(), Vec::new());
        Finding { name, state: state.into(), verdict: Verdict::Good, why: why.into(), now, for_good }
    }

    pub(crate) fn better(name: &'static str, state: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::CouldBeBetter, ..Finding::good(name, state, why) }
    }

    pub(crate) fn holds_back(name: &'static str, state: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::HoldsBack, ..Finding::good(name, state, why) }
    }

    /// The same with its commands.
    pub(crate) fn remedy<T: Into<String>, U: Into<String>>(
        mut self,
        now: impl IntoIterator<Item = T>,
        for_good: impl IntoIterator<Item = U>,
    ) -> Finding {
        self.now.extend(now.into_iter().map(Into::into));
        self.for_good.extend(for_good.into_iter().map(Into::into));
        self
    }

    /// The remedy is a kernel setting.
    pub(crate) fn sysctl(self, name: &str, value: &str) -> Finding {
        let now = if value.contains(' ') {
            format!("sysctl -w {name}='{value}'")
        } else {
            format!("sysctl -w {name}={value}")
        };
        self.remedy([now], [sysctl_line(name, value)])
    }

    /// The remedy is a value in sysfs, which a rule sets again whenever the device comes: `device` are the rule's matches,
    /// `attribute` is a path below it.
    pub(crate) fn attribute(self, device: &str, folder: &str, attribute: &str, value: &str) -> Finding {
        let rule = format!(r#"ACTION=="add|change", {device}, ATTR{{{attribute}}}="{value}""#);
        self.remedy([format!("echo {value} > {folder}/{attribute}")], [append(&rule, UDEV_FILE)])
    }
}

/// After all other files of that folder, so that it has the last word.
const SYSCTL_FILE: &str = "/etc/sysctl.d/99-sower.conf";
const UDEV_FILE: &str = "/etc/udev/rules.d/99-sower.rules";

/// A kernel setting that stays.
pub(crate) fn sysctl_line(name: &str, value: &str) -> String {
    append(&format!("{name} = {value}"), SYSCTL_FILE)
}

/// A rule for when a network device comes.
pub(crate) fn when_it_comes(device: &str, command: &str) -> String {
    let rule = format!(r#"ACTION=="add", SUBSYSTEM=="net", KERNEL=="{device}", RUN+="{command}""#);
    append(&rule, UDEV_FILE)
}

/// The command that puts `line` into `file`.
pub(crate) fn append(line: &str, file: &str) -> String {
    format!("echo {} >> {file}", quoted(line))
}

/// One word of a shell command.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_elsewhere_stays_one_word_of_the_shell() {
        assert_eq!(quoted("eth0"), "eth0");
        assert_eq!(quoted("a b;reboot"), "'a b;reboot'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_sysctl_is_set_now_and_kept_in_a_file() {
        let finding = Finding::better("x", "", "").sysctl("net.ipv4.tcp_wmem", "1 2 3");
        assert_eq!(finding.now, ["sysctl -w net.ipv4.tcp_wmem='1 2 3'"]);
        assert_eq!(finding.for_good, ["echo 'net.ipv4.tcp_wmem = 1 2 3' >> /etc/sysctl.d/99-sower.conf"]);
    }
}
