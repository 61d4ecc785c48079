//! Limits. The protocol has each in two: a value, and whether it holds. Here a limit that does not hold has no value; switched on
//! without one it gets that of `defaults`.

use crate::session::seedbox::{Choice, LimitChange, LimitChoice};

use super::arguments::{Arguments, KILOBYTE};
use super::defaults;
use super::envelope::Fault;

/// What becomes of a limit that is `current`; `None`: nothing is said of it.
pub(super) fn switched<T: Copy>(
    current: Option<T>,
    value: Option<T>,
    on: Option<bool>,
    default: T,
) -> Option<Option<T>> {
    if value.is_none() && on.is_none() {
        return None;
    }
    let on = on.unwrap_or(current.is_some());
    Some(on.then(|| value.or(current).unwrap_or(default)))
}

/// A ratio that makes sense.
pub(super) fn ratio(arguments: &Arguments, name: &str) -> Result<Option<f64>, Fault> {
    match arguments.real(name)? {
        Some(ratio) if ratio.is_nan() || ratio < 0.0 => Err(Fault(format!("{name}: a ratio is at least 0"))),
        ratio => Ok(ratio),
    }
}

/// What a request says of the limits of torrents.
#[derive(Default, Debug)]
pub(super) struct Wishes {
    upload: (Option<u64>, Option<bool>),
    download: (Option<u64>, Option<bool>),
    ratio: (Option<f64>, Option<Mode>),
    idle: (Option<u32>, Option<Mode>),
    peers: Option<u32>,
}

/// Whose limit holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Global,
    Own,
    None,
}

impl Wishes {
    /// Reads them.
    pub(super) fn parse(arguments: &Arguments) -> Result<Wishes, Fault> {
        Ok(Wishes {
            upload: (arguments.rate("uploadLimit")?, arguments.flag("uploadLimited")?),
            download: (arguments.rate("downloadLimit")?, arguments.flag("downloadLimited")?),
            ratio: (ratio(arguments, "seedRatioLimit")?, mode(arguments, "seedRatioMode")?),
            idle: (arguments.count("seedIdleLimit")?, mode(arguments, "seedIdleMode")?),
            peers: peer_limit(arguments)?,
        })
    }

    /// What changes of a torrent with this choice.
    pub(super) fn change(&self, choice: &Choice) -> LimitChange {
        let rate = |current, (value, on)| switched(current, value, on, defaults::RATE * KILOBYTE);
        LimitChange {
            upload: rate(choice.upload_limit, self.upload),
            download: rate(choice.download_limit, self.download),
            ratio: own(choice.ratio_limit, self.ratio, defaults::RATIO),
            seeding: None,
            action: None,
            idle: own(choice.idle_limit, self.idle, defaults::IDLE_MINUTES),
            peers: self.peers.map(Some),
        }
    }
}

/// `peer-limit`.
pub(super) fn peer_limit(arguments: &Arguments) -> Result<Option<u32>, Fault> {
    match arguments.count("peer-limit")? {
        Some(0) => Err(Fault::new("peer-limit: at least 1; stop a torrent that is to have no peers")),
        limit => Ok(limit),
    }
}

fn mode(arguments: &Arguments, name: &str) -> Result<Option<Mode>, Fault> {
    match arguments.integer(name)? {
        None => Ok(None),
        Some(0) => Ok(Some(Mode::Global)),
        Some(1) => Ok(Some(Mode::Own)),
        Some(2) => Ok(Some(Mode::None)),
        Some(_) => Err(Fault(format!("{name}: 0 (as everywhere), 1 (its own) or 2 (none) is expected"))),
    }
}

fn own<T: Copy>(
    current: LimitChoice<T>,
    (value, mode): (Option<T>, Option<Mode>),
    default: T,
) -> Option<LimitChoice<T>> {
    if value.is_none() && mode.is_none() {
        return None;
    }
    let (stored, now) = match current {
        LimitChoice::At(limit) => (Some(limit), Mode::Own),
        LimitChoice::Global => (None, Mode::Global),
        LimitChoice::Unlimited => (None, Mode::None),
    };
    Some(match mode.unwrap_or(now) {
        Mode::Global => LimitChoice::Global,
        Mode::None => LimitChoice::Unlimited,
        Mode::Own => LimitChoice::At(value.or(stored).unwrap_or(default)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(choice: &Choice, arguments: Value) -> Result<LimitChange, Fault> {
        let arguments = Arguments::new(arguments.as_object().expect("an object").clone());
        Ok(Wishes::parse(&arguments)?.change(choice))
    }

    #[test]
    fn a_value_holds_only_while_its_limit_is_on() {
        let (off, on) = (Choice::default(), Choice { upload_limit: Some(7_000), ..Choice::default() });
        let upload = |choice, arguments| change(choice, arguments).expect("limits").upload;
        assert_eq!(upload(&off, json!({"uploadLimit": 50, "uploadLimited": true})), Some(Some(50_000)));
        assert_eq!(upload(&off, json!({"uploadLimit": 50})), Some(None), "it is off and stays so");
        assert_eq!(upload(&on, json!({"uploadLimit": 50})), Some(Some(50_000)));
        assert_eq!(upload(&on, json!({"uploadLimited": false})), Some(None));
        assert_eq!(upload(&on, json!({"uploadLimited": true})), Some(Some(7_000)));
        assert_eq!(upload(&off, json!({"uploadLimited": true})), Some(Some(100_000)));
        assert_eq!(upload(&on, json!({"labels": []})), None);
    }

    #[test]
    fn modes_choose_between_everywhere_own_and_none() {
        let (global, own) = (Choice::default(), Choice { ratio_limit: LimitChoice::At(3.0), ..Choice::default() });
        let ratio = |choice, arguments| change(choice, arguments).map(|change| change.ratio);
        assert_eq!(ratio(&own, json!({"seedRatioMode": 0})), Ok(Some(LimitChoice::Global)));
        assert_eq!(ratio(&own, json!({"seedRatioMode": 2})), Ok(Some(LimitChoice::Unlimited)));
        assert_eq!(ratio(&own, json!({"seedRatioLimit": 1})), Ok(Some(LimitChoice::At(1.0))));
        assert_eq!(ratio(&global, json!({"seedRatioLimit": 1})), Ok(Some(LimitChoice::Global)));
        assert_eq!(ratio(&global, json!({"seedRatioMode": 1, "seedRatioLimit": 1.5})), Ok(Some(LimitChoice::At(1.5))));
        assert!(ratio(&own, json!({"seedRatioMode": 3})).is_err());
        assert!(ratio(&own, json!({"seedRatioLimit": -1})).is_err());
        assert!(change(&own, json!({"peer-limit": 0})).is_err());
    }
}
