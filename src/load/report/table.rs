//! The table. One list of columns; where the terminal is too narrow for all of them they go on below, each part with
//! its own names of the rows. A column that says nothing (nobody's memory is known, nothing was rejected) is left out.

use super::numbers::{Unit, grouped, microseconds, printable};
use super::{Latency, Spread, Summary};
use crate::load::{Limit, Mode, Order, Outcome};

const NOTHING: &str = "-";
/// Between two columns.
const GAP: usize = 2;
/// A longer name of a scenario is cut.
const NAME_MAX: usize = 24;

#[derive(Clone)]
struct Column {
    head: [String; 2],
    cells: Vec<String>,
    /// Names the row: repeated in each part of the table.
    key: bool,
}

impl Column {
    fn new(head: [&str; 2], cells: impl Iterator<Item = String>) -> Column {
        Column { head: head.map(str::to_owned), cells: cells.collect(), key: false }
    }

    fn key(head: [&str; 2], cells: impl Iterator<Item = String>) -> Column {
        Column { key: true, ..Column::new(head, cells) }
    }

    fn says_something(&self) -> bool {
        self.cells.iter().any(|cell| cell != NOTHING)
    }

    fn differs(&self) -> bool {
        self.cells.windows(2).any(|pair| pair[0] != pair[1])
    }

    fn width(&self) -> usize {
        self.head.iter().chain(&self.cells).map(|text| text.chars().count()).max().unwrap_or(0)
    }
}

/// The table of `rows`, which are those of `outcomes`.
pub(super) fn render(rows: &[Summary], outcomes: &[Outcome], columns: usize) -> String {
    if rows.is_empty() {
        return "nothing was measured\n".into();
    }
    let mut text = super::notes::wrapped(&heading(rows, outcomes), columns);
    for part in parts(&names(rows), [speed(rows), swarm(rows)], columns) {
        text.push('\n');
        for line in 0..2 {
            if part.iter().any(|column| !column.head[line].is_empty()) {
                push_line(&mut text, &part, |column| &column.head[line]);
            }
        }
        for row in 0..rows.len() {
            push_line(&mut text, &part, |column| &column.cells[row]);
        }
    }
    text
}

/// What all rows have in common.
pub(super) fn heading(rows: &[Summary], outcomes: &[Outcome]) -> String {
    let shared = |figures: Vec<String>| figures.iter().all(|figure| *figure == figures[0]).then(|| figures[0].clone());
    let depth = shared(rows.iter().map(|row| row.depth.to_string()).collect());
    let rounds = shared(rows.iter().map(|row| row.rounds.to_string()).collect());
    let phrases = [
        shared(rows.iter().map(|row| mode(row.mode).to_owned()).collect()).map(|mode| format!("{mode} mode")),
        shared(rows.iter().map(|row| order(row.order).to_owned()).collect()).map(|order| format!("{order} pieces")),
        depth.map(|depth| format!("{depth} requests in flight for each active peer")),
        shared(outcomes.iter().map(|run| format!("{:.1} s measured", run.window.as_secs_f64())).collect()),
        rounds.filter(|rounds| rounds != "1").map(|rounds| format!("medians of {rounds} rounds")),
    ];
    phrases.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn names(rows: &[Summary]) -> Vec<Column> {
    let scenario = |row: &Summary| printable(&row.scenario).chars().take(NAME_MAX).collect();
    let mut columns = vec![Column::key(["", "scenario"], rows.iter().map(scenario))];
    let settings = [
        Column::key(["", "depth"], rows.iter().map(|row| row.depth.to_string())),
        Column::key(["", "mode"], rows.iter().map(|row| mode(row.mode).to_owned())),
        Column::key(["", "order"], rows.iter().map(|row| order(row.order).to_owned())),
    ];
    columns.extend(settings.into_iter().filter(Column::differs));
    columns
}

fn speed(rows: &[Summary]) -> Vec<Column> {
    let unit = Unit::for_largest(rows.iter().map(|row| row.bytes_per_second.median).max().unwrap_or(0));
    let cpu_rates = || rows.iter().filter_map(|row| row.bytes_per_cpu_second.map(|spread| spread.median));
    let cpu_unit = Unit::for_largest(cpu_rates().max().unwrap_or(0));
    let rate = |row: &Summary| {
        let bound = if row.limit == Limit::Load { "≥" } else { "" };
        format!("{bound}{}", unit.show(row.bytes_per_second.median))
    };
    let range = |row: &Summary| match (row.rounds, row.bytes_per_second) {
        (1, _) => NOTHING.to_owned(),
        (_, spread) => match (unit.show(spread.min), unit.show(spread.max)) {
            (min, max) if min == max => min,
            (min, max) => format!("{min}-{max}"),
        },
    };
    let cpu = |row: &Summary| shown(row.bytes_per_cpu_second, |bytes| cpu_unit.show(bytes));
    let latency = |pick: fn(&Latency) -> Spread<u64>| {
        rows.iter().map(move |row| shown(row.latency_us.as_ref().map(pick), microseconds))
    };
    let mut columns = vec![Column::new(["", "peers"], rows.iter().map(|row| row.peers.to_string()))];
    if rows.iter().any(|row| row.active_peers != row.peers) {
        columns.push(Column::new(["", "active"], rows.iter().map(|row| row.active_peers.to_string())));
    }
    columns.extend([
        Column::new(["", &format!("{}/s", unit.name)], rows.iter().map(rate)),
        Column::new(["min to", "max"], rows.iter().map(range)),
        Column::new([&format!("{} per", cpu_unit.name), "CPU-s"], rows.iter().map(cpu)),
        Column::new(["latency", "p50"], latency(|latency| latency.p50)),
        Column::new(["", "p99"], latency(|latency| latency.p99)),
        Column::new(["", "p99.9"], latency(|latency| latency.p99_9)),
    ]);
    columns
}

fn swarm(rows: &[Summary]) -> Vec<Column> {
    let count = |figure: fn(&Summary) -> u64| rows.iter().map(move |row| grouped(figure(row)));
    let fairness = |row: &Summary| row.fairness.map_or(NOTHING.to_owned(), |spread| format!("{:.3}", spread.median));
    let disk = |row: &Summary| row.disk_read_bytes.filter(|&bytes| bytes > 0).map_or(NOTHING.to_owned(), mebibytes);
    let mut columns = vec![
        Column::new(["limited", "by"], rows.iter().map(|row| limit(row.limit).to_owned())),
        Column::new(["unchoke", "p50"], rows.iter().map(|row| shown(row.unchoke_p50_us, microseconds))),
        Column::new(["", "fairness"], rows.iter().map(fairness)),
        Column::new(["private", "MiB"], rows.iter().map(|row| shown(row.private_bytes, mebibytes))),
        Column::new(["mapped", "MiB"], rows.iter().map(|row| shown(row.mapped_bytes, mebibytes))),
        Column::new(["from disk", "MiB"], rows.iter().map(disk)),
        Column::new(["", "chokes"], count(|row| row.chokes)),
    ];
    if rows.iter().any(|row| row.rejects > 0) {
        columns.push(Column::new(["", "rejects"], count(|row| row.rejects)));
    }
    columns.push(Column::new(["", "errors"], count(Summary::errors)));
    if rows.iter().any(|row| row.mode == Mode::Verify) {
        columns.push(Column::new(["pieces", "good"], count(|row| row.pieces_verified)));
        columns.push(Column::new(["pieces", "bad"], count(|row| row.pieces_bad)));
    }
    columns
}

fn shown(spread: Option<Spread<u64>>, show: impl Fn(u64) -> String) -> String {
    spread.map_or(NOTHING.to_owned(), |spread| show(spread.median))
}

fn mebibytes(bytes: u64) -> String {
    super::numbers::three_digits(bytes as f64 / f64::from(1 << 20))
}

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Discard => "discard",
        Mode::Copy => "copy",
        Mode::Verify => "verify",
    }
}

pub(super) fn order(order: Order) -> &'static str {
    match order {
        Order::Sequential => "sequential",
        Order::Random => "random",
    }
}

fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Seeder => "seeder",
        Limit::Load => "load",
        Limit::Elsewhere => "neither",
    }
}

/// The columns that say something: all beside each other where that fits `limit` characters, otherwise each group begins
/// a new part, and takes as many as it needs. A column too wide for any is a part of its own.
fn parts(keys: &[Column], groups: [Vec<Column>; 2], limit: usize) -> Vec<Vec<Column>> {
    let width_of_keys = keys.iter().map(|column| column.width() + GAP).sum::<usize>();
    let copy = || keys.iter().cloned();
    let mut groups = groups.map(|group| group.into_iter().filter(Column::says_something).collect::<Vec<_>>()).to_vec();
    let width_of_all = groups.iter().flatten().map(|column| column.width() + GAP).sum::<usize>();
    if width_of_keys + width_of_all <= limit.saturating_add(GAP) {
        groups = vec![groups.concat()];
    }
    let mut parts = Vec::new();
    for group in groups {
        let mut part: Vec<Column> = Vec::new();
        let mut width = width_of_keys;
        for column in group {
            if !part.is_empty() && width + column.width() > limit {
                parts.push(copy().chain(std::mem::take(&mut part)).collect());
                width = width_of_keys;
            }
            width += column.width() + GAP;
            part.push(column);
        }
        parts.push(copy().chain(part).collect());
    }
    parts
}

/// Names to the left, figures to the right.
fn push_line<'part>(text: &mut String, part: &'part [Column], cell: impl Fn(&'part Column) -> &'part String) {
    let mut line = String::new();
    for column in part {
        let (cell, width) = (cell(column), column.width());
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        if column.key {
            line.push_str(&format!("{cell:<width$}"));
        } else {
            line.push_str(&format!("{cell:>width$}"));
        }
    }
    text.push_str(line.trim_end());
    text.push('\n');
}
