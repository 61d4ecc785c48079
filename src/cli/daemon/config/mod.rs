//! The daemon's configuration: one file of TOML, the environment, flags.
//!
//! ```text
//!   flags --first--.
//!   SOWER_* --------+--> Reader --> Config: checked types --> Settings, which clients may change
//!   config.toml ----'                                              |
//!       ^---------------- what they changed, comments kept --------'
//! ```
//!
//! `sections.rs` is the manual: a key is declared there once, and the parser, the generated file and `--print-config` all come from
//! that. Nothing below this folder parses text.

mod file;
mod key;
mod load;
mod print;
mod save;
mod sections;
mod session;
mod settings;
mod value;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use key::Section;
use load::{File, Given, Reader};

pub use file::{ConfigFile, Reload};
pub use key::{Key, When};
pub use load::{Beside, ConfigError, Flag, Source, Typed};
pub use print::generated;
pub use save::{NotSaved, Saved};
pub use sections::*;
pub use value::*;
pub use words::LogFormat;

/// Declares the sections of the file, in its order.
macro_rules! config {
    ($($(#[doc = $doc:literal])* $field:ident: $section:ident,)*) => {
        /// All of it, checked.
        #[derive(Clone, PartialEq, Debug)]
        pub struct Config {
            $($(#[doc = $doc])* pub $field: $section,)*
            /// Folders of categories, by name.
            pub categories: BTreeMap<String, Option<Place>>,
            given: Vec<Given>,
        }

        impl Config {
            /// Every key, in the order of the file.
            pub fn keys() -> Vec<&'static Key> {
                [$($section::KEYS),*].into_iter().flatten().collect()
            }

            /// Name, text and keys of each section.
            pub(crate) fn sections() -> Vec<(&'static str, &'static [&'static str], &'static [Key])> {
                vec![$(($section::NAME, $section::ABOUT, $section::KEYS)),*]
            }

            fn read(reader: &mut Reader<'_>) -> Config {
                Config {
                    $($field: reader.section(),)*
                    categories: reader.categories(),
                    given: std::mem::take(&mut reader.given),
                }
            }

            /// The keys whose values are others than in `other`.
            pub fn changed(&self, other: &Config) -> Vec<&'static Key> {
                let mut changed = Vec::new();
                $(changed.extend(self.$field.changed(&other.$field));)*
                changed
            }
        }
    };
}

config! {
    /// See [`Network`].
    network: Network,
    /// See [`Folders`].
    folders: Folders,
    /// See [`Limits`].
    limits: Limits,
    /// See [`Seeding`].
    seeding: Seeding,
    /// See [`Queue`].
    queue: Queue,
    /// See [`Budget`].
    budget: Budget,
    /// See [`Trackers`].
    trackers: Trackers,
    /// See [`Filter`].
    filter: Filter,
    /// See [`Tags`].
    tags: Tags,
    /// See [`Api`].
    api: Api,
    /// See [`Log`].
    log: Log,
    /// See [`Webhooks`].
    webhooks: Webhooks,
}

impl Config {
    /// What `text`, the content of the file at `path`, and all beside it come to; or everything that is wrong with them.
    pub fn parse(path: &Path, text: &str, beside: &Beside) -> Result<Config, ConfigError> {
        let (file, broken) = match File::parse(path, text) {
            Ok(file) => (Some(file), None),
            Err(problem) => (None, Some(problem)),
        };
        let mut reader = Reader::new(file, beside);
        reader.problems.extend(broken);
        let config = Config::read(&mut reader);
        reader.look_for_strangers(&Config::keys());
        reader.problems.extend(config.contradictions());
        match reader.problems {
            problems if problems.is_empty() => Ok(config),
            problems => Err(ConfigError { problems }),
        }
    }

    /// Where the value of a key comes from.
    pub fn source(&self, key: &Key) -> Source {
        let given = self.given.iter().find(|given| given.key == key);
        given.map_or(Source::Default, |given| given.source.clone())
    }

    /// What no key can see of itself.
    fn contradictions(&self) -> Vec<String> {
        let external = &self.network.external;
        let mut found = Vec::new();
        if external.iter().filter(|address| address.is_ipv4()).count() > 1
            || external.iter().filter(|address| address.is_ipv6()).count() > 1
        {
            found.push("network.external: at most one IPv4 and one IPv6 address: trackers list one of each".into());
        }
        if self.network.listen.is_empty() {
            found.push("network.listen: at least one address; \"::\" is all of this host".into());
        }
        found
    }
}
