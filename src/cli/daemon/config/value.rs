//! Values as they are given, and the checked types that they become.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use toml_edit::Value as Toml;
use tracing_subscriber::EnvFilter;

use crate::limits;
use crate::reactor::congestion::CongestionChoice;
use crate::reactor::driver::DriverChoice;
use crate::reactor::sockets::Dscp;
use crate::schedule::Slots;
use crate::session::TrackerChoice;
use crate::transmit::SendMode;

use super::super::super::units::{parse_rate, parse_size};

/// A value before it is looked at.
#[derive(Clone, Copy)]
pub(super) enum Raw<'given> {
    /// From the file.
    Toml(&'given Toml),
    /// From a flag or the environment: text, lists separated by commas.
    Text(&'given str),
    /// From a flag that was repeated.
    Texts(&'given [String]),
}

/// A type of values.
pub(super) trait Value: Sized {
    /// Reads one; the error says what to write instead.
    fn read(raw: Raw<'_>) -> Result<Self, String>;
}

/// Values that may be missing, and the word for that.
pub(super) trait Optional: Value {
    /// That word.
    const NONE: &'static str;
}

impl<'given> Raw<'given> {
    /// As text. Numbers are fine too where a text may be one, such as `upload = 100000`.
    pub(super) fn text(self) -> Result<Cow<'given, str>, String> {
        match self {
            Raw::Text(text) => Ok(text.trim().into()),
            Raw::Texts(texts) => Err(format!("{} texts where one belongs", texts.len())),
            Raw::Toml(Toml::String(text)) => Ok(text.value().as_str().into()),
            Raw::Toml(Toml::Integer(number)) => Ok(number.value().to_string().into()),
            Raw::Toml(Toml::Float(number)) => Ok(number.value().to_string().into()),
            Raw::Toml(other) => Err(format!("{} where a text belongs: write it in quotes", kind(other))),
        }
    }

    fn list(self) -> Result<Vec<Raw<'given>>, String> {
        match self {
            Raw::Toml(Toml::Array(items)) => Ok(items.iter().map(Raw::Toml).collect()),
            Raw::Texts(texts) => Ok(texts.iter().map(|text| Raw::Text(text)).collect()),
            Raw::Text(text) => Ok(text.split(',').filter(|item| !item.trim().is_empty()).map(Raw::Text).collect()),
            Raw::Toml(other) => Err(format!("{} where a list belongs: write it in [brackets]", kind(other))),
        }
    }
}

fn kind(value: &Toml) -> &'static str {
    match value {
        Toml::Boolean(_) => "a yes or no",
        Toml::Array(_) => "a list",
        Toml::InlineTable(_) => "a table",
        Toml::Datetime(_) => "a date",
        Toml::String(_) => "a text",
        Toml::Integer(_) | Toml::Float(_) => "a number",
    }
}

impl Value for bool {
    fn read(raw: Raw<'_>) -> Result<bool, String> {
        match raw {
            Raw::Toml(Toml::Boolean(value)) => Ok(*value.value()),
            Raw::Text("true" | "yes" | "on" | "1") => Ok(true),
            Raw::Text("false" | "no" | "off" | "0") => Ok(false),
            Raw::Toml(_) => Err("write true or false, without quotes".into()),
            _ => Err(format!("{:?} is neither true nor false", raw.text()?)),
        }
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(raw: Raw<'_>) -> Result<Vec<T>, String> {
        raw.list()?.into_iter().map(T::read).collect()
    }
}

impl<T: Optional> Value for Option<T> {
    fn read(raw: Raw<'_>) -> Result<Option<T>, String> {
        if raw.text().is_ok_and(|text| text == T::NONE) {
            return Ok(None);
        }
        let or = if T::NONE.is_empty() { String::new() } else { format!(", or {:?}", T::NONE) };
        T::read(raw).map(Some).map_err(|error| format!("{error}{or}"))
    }
}

/// Types that read themselves from text.
macro_rules! textual {
    ($($type:ty),* $(,)?) => {
        $(impl Value for $type {
            fn read(raw: Raw<'_>) -> Result<$type, String> {
                raw.text()?.parse().map_err(|error| format!("{error}"))
            }
        })*
    };
}
textual!(Slots, SendMode, DriverChoice, CongestionChoice, Dscp);

impl Optional for Dscp {
    const NONE: &'static str = "none";
}

impl Value for IpAddr {
    fn read(raw: Raw<'_>) -> Result<IpAddr, String> {
        let text = raw.text()?;
        let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(&text);
        bare.parse()
            .map_err(|_| format!("{text:?} is no address: write one such as \"203.0.113.7\" or \"2001:db8::7\""))
    }
}

impl Value for SocketAddr {
    fn read(raw: Raw<'_>) -> Result<SocketAddr, String> {
        let text = raw.text()?;
        text.parse().map_err(|_| {
            format!("{text:?} is no address with a port: write one such as \"127.0.0.1:9091\" or \"[::1]:9091\"")
        })
    }
}

impl Value for TrackerChoiceOrNone {
    fn read(raw: Raw<'_>) -> Result<TrackerChoiceOrNone, String> {
        let text = raw.text()?;
        match text.as_ref() {
            "off" => Ok(TrackerChoiceOrNone(None)),
            "auto" => Ok(TrackerChoiceOrNone(Some(TrackerChoice::AnyPort))),
            number => match number.parse() {
                Ok(port @ 1..) => Ok(TrackerChoiceOrNone(Some(TrackerChoice::Port(port)))),
                _ => Err(format!("{text:?} is none of \"off\", \"auto\" and a port")),
            },
        }
    }
}

/// Where the embedded tracker listens, if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrackerChoiceOrNone(pub Option<TrackerChoice>);

/// Declares checked types around a plain one, with what reads them and, for some, the word for none.
macro_rules! checked {
    ($($(#[doc = $doc:literal])* $name:ident($inner:ty) $(or $none:literal)? = $read:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Clone, PartialEq, Debug)]
            pub struct $name(pub $inner);

            impl Value for $name {
                fn read(raw: Raw<'_>) -> Result<$name, String> {
                    let read: fn(&str) -> Result<$inner, String> = $read;
                    read(&raw.text()?).map($name)
                }
            }

            $(impl Optional for $name {
                const NONE: &'static str = $none;
            })?
        )*
    };
}

checked! {
    /// Bytes a second.
    Rate(u64) or "unlimited" = rate;
    /// Bytes.
    Size(u64) or "unlimited" = size;
    /// Bytes that the kernel may hold of one connection before they are on their way.
    UnsentLimit(u32) or "system" = unsent_limit;
    /// A time, in seconds.
    Seconds(u32) = seconds;
    /// A time, in minutes.
    Minutes(u32) or "unlimited" = minutes;
    /// Bytes sent for each byte.
    Ratio(f64) or "unlimited" = ratio;
    /// So many things, at least one.
    Count(u32) or "unlimited" = |text| number(text, 1, 1_000_000);
    /// Reactor threads.
    Reactors(u32) or "auto" = |text| number(text, 1, 64);
    /// Connections from one address.
    PerAddress(u16) = |text| number(text, 1, u16::MAX.into()).and_then(|count| count.try_into().map_err(|_| String::new()));
    /// A day that each month has.
    Day(u8) = |text| number(text, 1, 28).and_then(|day| day.try_into().map_err(|_| String::new()));
    /// A TCP port.
    Port(u16) or "auto" = port;
    /// A network interface.
    Device(String) or "" = device;
    /// A file or folder; relative ones are below the state folder.
    Place(PathBuf) or "" = place;
    /// Address of a tracker.
    TrackerUrl(String) = tracker_url;
    /// Address that webhooks go to.
    HookUrl(url::Url) = hook_url;
    /// A host name, or an address, with or without a port.
    HostName(String) = host_name;
    /// A name without control characters.
    Name(String) = name;
    /// Which lines of the log are written.
    Level(String) = level;
}

impl Place {
    /// The whole path.
    pub fn below(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }
}

fn rate(text: &str) -> Result<u64, String> {
    let unclear = "0 might mean no limit or nothing at all: write \"unlimited\" or \"0 B/s\"";
    match (text, parse_rate(text)) {
        ("0", _) => Err(unclear.into()),
        (_, Ok(rate)) => Ok(rate),
        (_, Err(_)) => Err(format!("{text:?} is no rate: write one such as \"10MiB/s\", \"100Mbit/s\"")),
    }
}

fn size(text: &str) -> Result<u64, String> {
    match parse_size(text) {
        Ok(1..) => parse_size(text),
        _ => Err(format!("{text:?} is no size: write one such as \"500GiB\", \"20TB\"")),
    }
}

fn unsent_limit(text: &str) -> Result<u32, String> {
    let least = limits::UNSENT_MIN;
    let bytes = parse_size(text).ok().and_then(|bytes| u32::try_from(bytes).ok()).filter(|bytes| *bytes >= least);
    bytes.ok_or_else(|| format!("{text:?} is not within {} KiB to 4 GiB, such as \"512KiB\"", least / 1_024))
}

fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time up to an hour: write one such as \"5s\" or \"2m\"");
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count: u32 = text[..text.len() - unit.len()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => Some(count),
        "m" | "min" => count.checked_mul(60),
        _ => None,
    };
    seconds.filter(|seconds| *seconds <= 3_600).ok_or_else(wrong)
}

fn minutes(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time: write one such as \"90m\", \"48h\", \"30d\"");
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let each = match unit {
        "m" | "min" => 1u32,
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - unit.len()].parse().map_err(|_| wrong())?;
    count.checked_mul(each).ok_or_else(wrong)
}

fn ratio(text: &str) -> Result<f64, String> {
    let read = text.parse::<f64>().ok().filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
    read.ok_or_else(|| format!("{text:?} is no ratio: write a number such as 2.0"))
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let read = text.parse().ok().filter(|number| (least..=most).contains(number));
    read.ok_or_else(|| format!("{text:?} is no number from {least} to {most}"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is no port: write a number from 1 to 65535"))
}

/// What the kernel takes for one (IFNAMSIZ, dev_valid_name).
fn device(text: &str) -> Result<String, String> {
    let fits = (1..16).contains(&text.len()) && !text.contains(['/', ':']) && !text.contains(char::is_whitespace);
    if fits { Ok(text.into()) } else { Err(format!("{text:?} is no interface: list them with `ip link`")) }
}

fn place(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if text.is_empty() || text.contains('\0') {
        return Err("a path is missing".into());
    }
    if path.components().next() == Some(Component::Normal("~".as_ref())) {
        return Err("~ is not known here: write the whole path".into());
    }
    Ok(path.into())
}

fn tracker_url(text: &str) -> Result<String, String> {
    let known =
        url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "udp") && url.has_host());
    match known && text.len() <= limits::TRACKER_URL {
        true => Ok(text.into()),
        false => Err(format!("{text:?} is no tracker: write a URL that begins with http://, https:// or udp://")),
    }
}

fn hook_url(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // where it is printed, a password would be too; a header or path of the receiver's own does the same
    let url = url.ok_or_else(|| format!("{text:?} is no URL that begins with http:// or https://"))?;
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => {
            Err("no user and password in a URL: use webhooks.secret-file, by which the receiver knows who sends".into())
        }
    }
}

fn host_name(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    match fits {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("{text:?} is no host name: write one such as \"seedbox.example.org\", without http://")),
    }
}

pub(super) fn name(text: &str) -> Result<String, String> {
    // no more than the seedbox asks: what a client named must not keep its other changes out of the file
    let fits = (1..=limits::NAME_LENGTH).contains(&text.len()) && !text.contains(char::is_control);
    match fits {
        true => Ok(text.into()),
        false => Err(format!("{text:?} cannot be a name: not empty, no control characters, at most 255 bytes")),
    }
}

fn level(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.is_empty() => Ok(text.into()),
        _ => Err(format!("{text:?} is no level: write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_nothing_has_to_be_meant() {
        assert_eq!(Option::<Rate>::read(Raw::Text("unlimited")), Ok(None));
        assert_eq!(Rate::read(Raw::Text("10MiB/s")), Ok(Rate(10 << 20)));
        assert_eq!(Rate::read(Raw::Text("0 B/s")), Ok(Rate(0)));
        assert!(Rate::read(Raw::Text("0")).is_err_and(|error| error.contains("unlimited")));
        assert!(Option::<Rate>::read(Raw::Text("fast")).is_err_and(|error| error.contains("or \"unlimited\"")));
    }

    #[test]
    fn times_are_minutes_and_have_a_unit() {
        assert_eq!(minutes("90m"), Ok(90));
        assert_eq!(minutes("30d"), Ok(43_200));
        for bad in ["", "90", "m", "1.5h", "-1h", "4294967295d", "1y"] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_address_name_or_path_is_refused_with_an_example() {
        assert!(IpAddr::read(Raw::Text("[::1]")).is_ok() && IpAddr::read(Raw::Text("localhost")).is_err());
        assert!(device("wg0").is_ok() && device("a/b").is_err() && device("0123456789abcdef").is_err());
        assert!(place("~/x").is_err() && place("/srv/~x").is_ok() && place("").is_err());
        assert!(tracker_url("udp://t.example:1/announce").is_ok() && tracker_url("t.example").is_err());
        assert!(hook_url("https://u:p@example.org/").is_err() && hook_url("file:///etc/passwd").is_err());
        assert!(host_name("Box.example").is_ok() && host_name("http://x").is_err());
    }
}
