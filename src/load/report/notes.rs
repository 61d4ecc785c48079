//! What a figure means, in words, wherever the table alone would mislead.

use super::Summary;
use super::numbers::{Unit, grouped, printable};
use super::summary::{bytes_per_load_cpu_second, groups, spread};
use crate::load::{Limit, Machine, Mode, Outcome, ThreadUse};

/// Threads that are told of one by one.
const THREADS_SHOWN: usize = 8;
/// Names of rows in one sentence.
const NAMES_SHOWN: usize = 4;
/// A thread below this share of a core says nothing.
const IDLE: f64 = 0.02;

/// One note after the other, the gravest first.
pub(super) fn find(rows: &[Summary], outcomes: &[Outcome], machine: &Machine) -> Vec<String> {
    let groups = groups(outcomes);
    let mut notes: Vec<String> = rows.iter().filter_map(bad_pieces).collect();
    notes.extend(rows.iter().filter_map(nothing));
    notes.extend(rows.iter().zip(&groups).filter_map(|(row, rounds)| lower_bound(row, rounds, machine)));
    notes.extend(rows.iter().zip(&groups).filter_map(|(row, rounds)| room(row, rounds)));
    notes.extend(efficiency(rows, &groups));
    notes.extend(rows.iter().filter_map(errors));
    notes.extend(rows.iter().filter_map(verified));
    notes.extend(rows.iter().zip(&groups).filter_map(|(row, rounds)| threads(row, rounds)));
    if !machine.sower_optimised {
        notes.push("this program was built without optimisation: the load is slower than it could be".into());
    }
    notes
}

fn bad_pieces(row: &Summary) -> Option<String> {
    let all = row.pieces_bad.saturating_add(row.pieces_verified);
    let bad = format!("{} of {} pieces", grouped(row.pieces_bad), grouped(all));
    (row.pieces_bad > 0).then(|| format!("{}: BAD DATA: the SHA-1 of {bad} was wrong", name(row)))
}

fn nothing(row: &Summary) -> Option<String> {
    (row.bytes == 0).then(|| format!("{}: nothing was received", name(row)))
}

fn lower_bound(row: &Summary, rounds: &[&Outcome], machine: &Machine) -> Option<String> {
    if row.limit != Limit::Load {
        return None;
    }
    let rate = row.bytes_per_second.median;
    let unit = Unit::for_largest(rate);
    let busiest = busiest_share(rounds);
    let threads = rounds.iter().map(|run| run.load_threads.len()).max().unwrap_or(1);
    let remedy = if threads < machine.cores {
        format!("more --threads (it had {threads} on {} cores)", machine.cores)
    } else {
        "more cores, or a machine of its own".into()
    };
    Some(format!(
        "{}: a lower bound: {} {}/s is what the load could take (its busiest thread used {:.0} % of a core), the seeder may be faster. \
         Give the load {remedy}.",
        name(row),
        unit.show(rate),
        unit.name,
        100.0 * busiest
    ))
}

/// Where nothing is known of the other side: what this one would take. It is waiting that is not counted, so that the
/// figure is that of a thread which has no time to wait.
fn room(row: &Summary, rounds: &[&Outcome]) -> Option<String> {
    if row.limit != Limit::Elsewhere || rounds.iter().any(|run| run.seeder.is_some()) {
        return None;
    }
    let rate = spread(rounds, bytes_per_load_cpu_second)?.median;
    let unit = Unit::for_largest(rate);
    Some(format!(
        "{}: the load was not full: it took {} {} for each second of its processor time (its busiest thread used {:.0} % of a core)",
        name(row),
        unit.show(rate),
        unit.name,
        100.0 * busiest_share(rounds)
    ))
}

fn busiest_share(rounds: &[&Outcome]) -> f64 {
    let shares = rounds.iter().flat_map(|run| run.load_threads.iter().map(|thread| share(run, thread)));
    shares.fold(0.0, f64::max)
}

fn share(run: &Outcome, thread: &ThreadUse) -> f64 {
    if run.window.is_zero() { 0.0 } else { thread.cpu.as_secs_f64() / run.window.as_secs_f64() }
}

/// Over loopback the receive path runs on whichever side has time, so work that one side saves the other does.
fn efficiency(rows: &[Summary], groups: &[Vec<&Outcome>]) -> Option<String> {
    let had_time = |run: &&Outcome| run.seeder.is_some() && run.bytes > 0 && !run.is_seeder_full();
    let rows = rows.iter().zip(groups).filter(|(_, rounds)| rounds.iter().any(had_time));
    let unsure: Vec<String> = rows.map(|(row, _)| name(row)).collect();
    let mut names: Vec<String> = unsure.iter().take(NAMES_SHOWN).cloned().collect();
    if unsure.len() > NAMES_SHOWN {
        names.push(format!("{} more", unsure.len() - NAMES_SHOWN));
    }
    (!unsure.is_empty()).then(|| {
        format!(
            "{}: no core of the seeder was full. Compare bytes per CPU-second only between runs that the seeder limits: over \
             loopback the side with time to spare does work of the other.",
            names.join(", ")
        )
    })
}

fn errors(row: &Summary) -> Option<String> {
    let parts = [
        (row.disconnects, "connections failed or were closed by the seeder"),
        (row.protocol_errors, "messages broke the protocol"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    let first = row.first_error.as_ref().map(|error| printable(error));
    match (parts.is_empty(), first) {
        (true, None) => None,
        (true, Some(first)) => Some(format!("{}: {first}", name(row))),
        (false, None) => Some(format!("{}: {}", name(row), parts.join(", "))),
        (false, Some(first)) => Some(format!("{}: {}; the first: {first}", name(row), parts.join(", "))),
    }
}

fn verified(row: &Summary) -> Option<String> {
    if row.mode != Mode::Verify || row.pieces_bad > 0 || row.bytes == 0 {
        return None;
    }
    let unit = Unit::for_largest(row.bytes);
    Some(format!(
        "{}: {} pieces verified of {} {} received, none bad",
        name(row),
        grouped(row.pieces_verified),
        unit.show(row.bytes),
        unit.name
    ))
}

/// Each thread by itself, where a side has several that work. Of several rounds the one with the median rate.
fn threads(row: &Summary, rounds: &[&Outcome]) -> Option<String> {
    let mut by_rate = rounds.to_vec();
    by_rate.sort_by_key(|run| super::summary::bytes_per_second(run));
    let run = by_rate.get(by_rate.len().saturating_sub(1) / 2)?;
    let of_seeder = run.seeder.as_ref().map_or(&[][..], |seeder| &seeder.threads);
    let sides = [("seeder", working(run, of_seeder)), ("load", working(run, &run.load_threads))];
    if sides.iter().all(|(_, threads)| threads.len() < 2) {
        return None;
    }
    let told: Vec<String> = sides
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(side, list)| format!("{side} {}", told(list)))
        .collect();
    Some(format!("{}: share of a core: {}", name(row), told.join("; ")))
}

fn working(run: &Outcome, threads: &[ThreadUse]) -> Vec<(String, f64)> {
    let mut shares: Vec<(String, f64)> = threads
        .iter()
        .map(|thread| (printable(&thread.name), share(run, thread)))
        .filter(|(_, share)| *share >= IDLE)
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

fn told(threads: &[(String, f64)]) -> String {
    let one = |(name, share): &(String, f64)| format!("{name} {:.0} %", 100.0 * share);
    let mut list: Vec<String> = threads.iter().take(THREADS_SHOWN).map(one).collect();
    if let Some(rest) = threads.get(THREADS_SHOWN..).filter(|rest| !rest.is_empty()) {
        let sum: f64 = rest.iter().map(|(_, share)| share).sum();
        list.push(format!("{} more {:.0} %", rest.len(), 100.0 * sum));
    }
    list.join(", ")
}

fn name(row: &Summary) -> String {
    printable(&row.scenario)
}

/// In lines of at most `columns` characters, the later ones indented; a longer word stays whole.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > columns {
            out.push_str("\n  ");
            width = 2;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
    out
}
