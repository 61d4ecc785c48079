//! What is known of each key, from the one place where it is declared: its field in `sections.rs`.

use super::load::Reader;

/// A key of the file.
#[derive(Debug)]
pub struct Key {
    /// The section that it stands in.
    pub section: &'static str,
    field: &'static str,
    doc: &'static [&'static str],
    /// Its default, as the file would have it.
    pub default: &'static str,
    /// From when on a change holds.
    pub when: When,
}

/// From when on a change of a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// After a reload.
    Live,
    /// After a restart.
    Restart,
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        (self.section, self.field) == (other.section, other.field)
    }
}

impl Key {
    pub(super) const fn new(
        (section, field): (&'static str, &'static str),
        doc: &'static [&'static str],
        default: &'static str,
        when: When,
    ) -> Key {
        Key { section, field, doc, default, when }
    }

    /// As it stands in its section.
    pub fn name(&self) -> String {
        self.field.replace('_', "-")
    }

    /// With its section: `network.port`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name())
    }

    /// The variable that sets it: `SOWER_NETWORK_PORT`.
    pub fn variable(&self) -> String {
        format!("SOWER_{}_{}", self.section, self.field).to_ascii_uppercase()
    }

    /// Its value is a list.
    pub fn is_list(&self) -> bool {
        self.default.starts_with('[')
    }

    /// Its value is yes or no.
    pub fn is_switch(&self) -> bool {
        matches!(self.default, "true" | "false")
    }

    /// What it is for, a line each.
    pub fn doc(&self) -> impl Iterator<Item = &'static str> {
        self.doc.iter().map(|line| line.trim())
    }
}

/// A section of the file.
pub(super) trait Section: Sized {
    const NAME: &'static str;
    const ABOUT: &'static [&'static str];
    const KEYS: &'static [Key];
    /// Takes its values.
    fn read(reader: &mut Reader<'_>) -> Self;
    /// The keys whose values are others than in `other`.
    fn changed(&self, other: &Self) -> Vec<&'static Key>;
}

/// Declares a section. A field is `[When] key_name: Type = default`; its doc comment is the text in the file.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $name:ident = $section:literal {
            $($(#[doc = $doc:literal])* [$when:ident] $field:ident: $type:ty = $default:tt,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        impl Section for $name {
            const NAME: &'static str = $section;
            const ABOUT: &'static [&'static str] = &[$($about),*];
            const KEYS: &'static [Key] = &[$(Key::new(
                ($section, stringify!($field)),
                &[$($doc),*],
                stringify!($default),
                When::$when,
            )),*];

            fn read(reader: &mut Reader<'_>) -> $name {
                let mut keys = Self::KEYS.iter();
                $name { $($field: reader.next::<$type>(&mut keys),)* }
            }

            fn changed(&self, other: &$name) -> Vec<&'static Key> {
                let same = [$(self.$field == other.$field),*];
                Self::KEYS.iter().zip(same).filter(|(_, same)| !same).map(|(key, _)| key).collect()
            }
        }
    };
}
pub(super) use section;
