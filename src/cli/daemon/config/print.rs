//! The file as it is generated, and the configuration as it holds.

use std::fmt::Write as _;

use super::Config;
use super::file::ConfigFile;
use super::key::When;
use super::load::Source;

const HEAD: &str = "\
# Configuration of `sower daemon`. Every key stands here with its default: remove the # before it and write another value.
#
# A flag goes before an environment variable, a variable before this file, and this file before the defaults. The variable of a key is
# SOWER_SECTION_KEY, such as SOWER_LIMITS_UPLOAD; lists are separated by commas there.
#
# After a change: `sower daemon --check-config` says what is wrong, SIGHUP (`systemctl reload sower`) lets it hold without dropping a peer.
# Keys marked [restart] hold after a restart. What clients change is written into this file; comments and order stay.
";

const CATEGORIES: &str = "
# Groups of torrents, each with a folder; without one, it is a folder of the category's name in the download folder.
#[categories.NAME]
#folder = \"/srv/NAME\"
";

/// The file of the first start.
pub fn generated() -> String {
    let mut text = HEAD.to_owned();
    for (section, about, keys) in Config::sections() {
        text.push('\n');
        about.iter().for_each(|line| _ = writeln!(text, "# {}", line.trim()));
        _ = writeln!(text, "[{section}]");
        for key in keys {
            text.push('\n');
            let mark = if key.when == When::Restart { "[restart] " } else { "" };
            for (number, line) in key.doc().enumerate() {
                _ = writeln!(text, "# {}{line}", if number == 0 { mark } else { "" });
            }
            _ = writeln!(text, "#{} = {}", key.name(), key.default);
        }
    }
    text + CATEGORIES
}

impl ConfigFile {
    /// The configuration as it holds, as a file would have it, with where each value comes from.
    pub fn effective(&self) -> String {
        let mut text = format!("# {}, and what goes before it\n", self.path.display());
        let mut section = "";
        for given in &self.config.given {
            if given.key.section != section {
                section = given.key.section;
                _ = writeln!(text, "\n[{section}]");
            }
            if given.source != Source::Default {
                _ = writeln!(text, "# from {}", given.source);
            }
            _ = writeln!(text, "{} = {}", given.key.name(), given.text);
        }
        for (name, folder) in &self.config.categories {
            _ = writeln!(text, "\n[categories.{}]", toml_edit::Key::new(name).display_repr());
            if let Some(folder) = folder {
                _ = writeln!(text, "folder = {}", toml_edit::Value::from(folder.0.to_string_lossy().as_ref()));
            }
        }
        text
    }
}
