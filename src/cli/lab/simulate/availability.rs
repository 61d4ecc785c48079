//! Copies of pieces over time, by the order in which they are fetched, and by how the seed shows them.

use std::process::ExitCode;

use serde::Serialize;

use super::{Args, mean, spread};
use crate::cli::lab::output::{number, table};
use crate::cli::units::Rate;
use crate::lab::availability::{Copies, Crowd};
use crate::lab::swarm::PlanError;
use crate::lab::theory::whole;
use crate::picture::{Axis, COLORS, Content, Figure, Form, Panel, Series};
use crate::schedule::picker::Order;

/// An order, whether the seed shows its pieces one by one, and what that is called.
type Way = (Order, bool, &'static str);

const ORDERS: [Way; 3] = [
    (Order::RarestFirst, false, "rarest first"),
    (Order::Random, false, "random"),
    (Order::Sequential, false, "sequential"),
];
const SHOWN: [Way; 2] = [(Order::RarestFirst, false, "shown at once"), (Order::RarestFirst, true, "shown one by one")];

#[derive(Serialize)]
struct Document {
    seed: u64,
    runs: u16,
    ways: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    way: &'static str,
    /// Means over the runs, seconds.
    second_copy: Option<f64>,
    everybody: Option<f64>,
    /// Copies of the file that the seed had sent by the second copy.
    seed_sent: Option<f64>,
    first_run: Copies,
}

pub(super) fn orders(args: &Args) -> anyhow::Result<ExitCode> {
    run(args, &ORDERS)
}

pub(super) fn super_seed(args: &Args) -> anyhow::Result<ExitCode> {
    run(args, &SHOWN)
}

fn run(args: &Args, ways: &[Way]) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let crowd = crowd(args)?;
    let seeds: Vec<u64> = args.seeds().collect();
    let work: Vec<(Way, u64)> = ways.iter().flat_map(|way| seeds.iter().map(move |&seed| (*way, seed))).collect();
    let copies = spread(&work, |&((order, shows, _), seed)| Crowd { seed, ..crowd.clone() }.run(order, shows));
    let copies = copies.into_iter().collect::<Result<Vec<Copies>, PlanError>>()?;
    let row = |(runs, (.., way)): (&[Copies], &Way)| {
        Some(Row {
            way,
            second_copy: mean(runs.iter().filter_map(|run| run.second_copy)),
            everybody: mean(runs.iter().filter_map(|run| run.everybody)),
            seed_sent: mean(runs.iter().filter_map(|run| run.seed_sent)),
            first_run: runs.first().cloned()?,
        })
    };
    let ways = copies.chunks(seeds.len()).zip(ways).filter_map(row).collect();
    let document = Document { seed: crowd.seed, runs: args.runs, ways };
    let conditions = format!(
        "{} downloaders with {}, a seed with {}, {} slots, {} runs from seed {}",
        crowd.downloaders,
        Rate(crowd.up.1),
        Rate(crowd.up.0),
        crowd.slots,
        args.runs,
        crowd.seed
    );
    output.write(
        &document,
        || format!("{conditions}\n\n{}", rows(&document.ways)),
        || figure(&document, &conditions),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn crowd(args: &Args) -> anyhow::Result<Crowd> {
    let circumstances = args.circumstances.circumstances();
    let usual = Crowd::usual(circumstances.seed);
    let usual = Crowd { slots: circumstances.slots, downloaders: args.clients_or(usual.downloaders), ..usual };
    let Some((setting, _)) = args.setting.given()? else { return Ok(usual) };
    Ok(Crowd {
        size: whole(setting.file),
        piece_length: circumstances.piece_length,
        up: (whole(setting.server_up), whole(setting.up_of(0))),
        ..usual
    })
}

fn rows(ways: &[Row]) -> String {
    let shown = |time: Option<f64>| time.map_or("-".to_owned(), number);
    let row = |row: &Row| {
        let sent = row.seed_sent.map_or("-".to_owned(), |copies| format!("{copies:.2}"));
        vec![row.way.to_owned(), shown(row.second_copy), sent, shown(row.everybody)]
    };
    let names = ["pieces", "second copy of the last, s", "copies sent by the seed until then", "everybody done, s"];
    table(&names, &ways.iter().map(row).collect::<Vec<_>>())
}

fn figure(document: &Document, conditions: &str) -> Figure {
    let panel = |title: &str, y: &str, pick: fn(&(f64, u32, f64)) -> f64| {
        let series = document.ways.iter().zip(COLORS).map(|(row, color)| Series {
            name: row.way.to_owned(),
            color,
            form: Form::Line,
            points: row.first_run.over_time.iter().map(|point| (point.0, pick(point))).collect(),
        });
        let axis = |title: &str| Axis { title: title.into(), at_least: 0.0 };
        let content = Content::Curves { x: axis("seconds"), y: axis(y), series: series.collect() };
        Panel { title: title.into(), content }
    };
    Figure {
        title: "Copies of pieces over time".into(),
        subtitle: conditions.to_owned(),
        panels: vec![
            panel("Copies of the rarest piece", "members that have it", |point| f64::from(point.1)),
            panel("Copies of a piece on average", "members that have it", |point| point.2),
        ],
        notes: vec!["The first run. The seed counts: with one copy, the file is lost if the seed goes.".into()],
    }
}
