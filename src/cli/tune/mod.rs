//! `sower tune`: what on this machine holds upload back, why, and the command that changes it. Changes nothing itself.
//!
//! Collectors read the machine into [`facts::Facts`], judges turn facts into findings, the report prints them. `sower seed`
//! says at its start what [`holdbacks`] finds by the same judges.

mod collect;
mod facts;
mod finding;
mod judge;
mod report;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::text::json_for_terminal;
use collect::{Asking, Tree};
use finding::Verdict;

/// Arguments of `sower tune`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when it could look, whatever it found; 1 when it could not; 2 wrong usage.

Run it as the user, and in the container or service, that sower runs as: limits are theirs.")]
pub(super) struct Args {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Network device that uploads leave by [default: that of the default route].
    #[arg(long, value_name = "IFACE")]
    device: Option<String>,
    /// The content, or the folder where it lies.
    #[arg(long, value_name = "DATA", default_value = ".")]
    path: PathBuf,
}

/// Looks and prints.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let machine = Tree::new("/");
    if let Some(device) = args.device.as_deref().filter(|device| !collect::has_device(&machine, device)) {
        anyhow::bail!("there is no network device {device:?}; see: ls /sys/class/net");
    }
    let data = args.path.canonicalize().with_context(|| format!("cannot look at {}", args.path.display()))?;
    let mut facts = collect::facts(&machine, args.device.as_deref(), Some(&data), Asking::Kernel);
    anyhow::ensure!(!facts.kernel.is_empty(), "cannot look: /proc is not there");
    collect::try_ring(&mut facts);
    let findings = judge::all(&facts);
    let said = if args.json {
        let json = serde_json::to_string_pretty(&report::json(&facts, &findings)).context("cannot write JSON")?;
        json_for_terminal(&json) + "\n"
    } else {
        report::text(&facts, &findings)
    };
    let mut out = io::stdout().lock();
    out.write_all(said.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What holds upload back, in a line each: for the start of `sower seed`, which has tried io_uring already. `congestion`: what
/// connections to far peers are set to.
pub(super) fn holdbacks(congestion: &str, device: Option<&str>, data: Option<&Path>) -> Vec<String> {
    let data = data.and_then(|data| data.canonicalize().ok());
    let mut facts = collect::facts(&Tree::new("/"), device, data.as_deref(), Asking::Kernel);
    congestion.clone_into(&mut facts.congestion);
    let findings = judge::all(&facts).into_iter().filter(|finding| finding.verdict == Verdict::HoldsBack);
    findings.map(|finding| format!("{}: {} (sower tune says more)", finding.name, finding.state)).collect()
}
