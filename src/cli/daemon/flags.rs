//! Flags that set keys of the configuration. Their help is the text of the key, so that neither says what the other does not.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::config::{Config, Flag, Key, Typed};

/// Flags and the keys that they set: those that `sower seed` has too, and those for a first start.
const FLAGS: &[(&str, &str, &str)] = &[
    ("api", "api.listen", "IP:PORT"),
    ("downloads", "folders.download", "DIR"),
    ("root", "folders.roots", "DIR"),
    ("listen", "network.listen", "IP"),
    ("port", "network.port", "N"),
    ("bind-device", "network.bind-device", "IFACE"),
    ("external-ip", "network.external", "IP"),
    ("upload-limit", "limits.upload", "RATE"),
    ("download-limit", "limits.download", "RATE"),
    ("peer-limit", "limits.peer", "RATE"),
    ("slots", "limits.slots", "auto|unlimited|N"),
    ("connections", "network.connections", "N"),
    ("connections-per-address", "network.connections-per-address", "N"),
    ("congestion", "network.congestion", "auto|NAME"),
    ("dscp", "network.dscp", "NAME|N"),
    ("unsent-limit", "network.unsent-limit", "SIZE"),
    ("send", "network.send", "auto|splice|copy|zerocopy"),
    ("driver", "network.driver", "auto|io_uring|epoll"),
    ("reactors", "network.reactors", "auto|N"),
    ("web-seed", "network.web-seed", ""),
    ("log-format", "log.format", "text|json"),
    ("log-level", "log.level", "LEVEL"),
];

/// Keys that were set by flags.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags(pub(super) Vec<Flag>);

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let keys = Config::keys();
        let named = FLAGS.iter().filter_map(|(flag, path, value)| {
            let key = keys.iter().find(|key| key.path() == *path)?;
            let help = key.doc().collect::<Vec<_>>().join(" ").replace("\"", "`");
            let default = key.default.replace(['"', '[', ']'], "");
            let default = if default.is_empty() { default } else { format!(" [default: {default}]") };
            let arg = Arg::new(*flag).long(*flag).help(format!("{}{default}", help.trim_end_matches('.')));
            Some(match (key.is_switch(), key.is_list()) {
                (true, _) => arg.action(ArgAction::SetTrue).help(help.trim_end_matches('.').to_owned()),
                (_, true) => arg.value_name(*value).action(ArgAction::Append),
                _ => arg.value_name(*value),
            })
        });
        let any = Arg::new("set").long("set").value_name("SECTION.KEY=VALUE").action(ArgAction::Append);
        let any = any.help("Set any key of the configuration; lists are separated by commas");
        command.args(named).arg(any)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let keys = Config::keys();
        let mut flags = Vec::new();
        for (flag, path, _) in FLAGS {
            let Some(key) = keys.iter().find(|key| key.path() == *path) else { continue };
            let typed = typed(matches, flag, key);
            flags.extend(typed.map(|typed| Flag { path: key.path(), typed, name: format!("--{flag}") }));
        }
        for set in matches.get_many::<String>("set").into_iter().flatten() {
            let (path, value) = set.split_once('=').ok_or_else(|| {
                let text = format!("--set {set}: write it as --set SECTION.KEY=VALUE, such as --set seeding.ratio=2\n");
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, text)
            })?;
            let (path, typed) = (path.trim().to_owned(), Typed::Text(value.to_owned()));
            flags.push(Flag { name: format!("--set {path}"), path, typed });
        }
        Ok(Flags(flags))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}

fn typed(matches: &ArgMatches, flag: &str, key: &Key) -> Option<Typed> {
    // on the command line a relative path begins where the shell is
    let whole = |text: &String| match key.section {
        "folders" => std::path::absolute(Path::new(text)).unwrap_or(PathBuf::from(text)).to_string_lossy().into_owned(),
        _ => text.clone(),
    };
    match (key.is_switch(), key.is_list()) {
        (true, _) => matches.get_flag(flag).then(|| Typed::Text("true".into())),
        (_, true) => Some(Typed::List(matches.get_many::<String>(flag)?.map(whole).collect())),
        _ => Some(Typed::Text(whole(matches.get_one::<String>(flag)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_sets_a_key_that_there_is() {
        let keys: Vec<String> = Config::keys().iter().map(|key| key.path()).collect();
        for (flag, path, _) in FLAGS {
            assert!(keys.iter().any(|key| key == path), "--{flag} sets {path}, which is no key");
        }
    }
}
