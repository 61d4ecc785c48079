//! The address lists that the configuration names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::filter::{IpFilter, Lists};

use super::config::Filter;

/// All lists of `config` as one filter. A list that cannot be read is left out, loudly: the others hold all the same.
pub(super) fn read(config: &Filter, folder: &Path) -> Arc<IpFilter> {
    let mut lists = Lists::new();
    for path in config.files.iter().map(|place| place.below(folder)) {
        read_one(&mut lists, &path);
    }
    Arc::new(lists.into_filter())
}

fn read_one(lists: &mut Lists, path: &PathBuf) {
    let shown = path.display();
    let report = match File::open(path) {
        Ok(file) => lists.read(file).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match report {
        Ok(report) if report.bad == 0 => tracing::info!("{shown}: {} ranges of addresses are blocked", report.ranges),
        Ok(report) => {
            let first = report.first_bad.first().map_or(0, |(line, _)| *line);
            let (ranges, bad) = (report.ranges, report.bad);
            tracing::warn!(
                "{shown}: {ranges} ranges are blocked; {bad} lines say nothing known, the first is line {first}"
            );
        }
        Err(error) => {
            tracing::error!("{shown}: {error}; its addresses are not blocked until it is mended and read again")
        }
    }
}
