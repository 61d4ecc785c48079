//! Who trades with whom: finish times against upload rates, and who sent how much to whom.

use std::process::ExitCode;

use serde::Serialize;

use super::{Args, mean, spread};
use crate::cli::lab::output::{number, table};
use crate::cli::units::Rate;
use crate::lab::swarm::PlanError;
use crate::lab::theory::whole;
use crate::lab::trading::{Market, Trader, Trades};
use crate::picture::{Axis, COLORS, Content, Figure, Form, Matrix, Panel, Series};

#[derive(Serialize)]
struct Document {
    seed: u64,
    runs: u16,
    /// Means over the runs; times in seconds, rates in bytes a second.
    traders: Vec<Row>,
    /// The first run.
    first_run: Trades,
}

#[derive(Serialize)]
struct Row {
    up: u64,
    took: Option<f64>,
    partners: f64,
    from_seed: f64,
    /// Runs in which nobody took longer.
    slowest_in: usize,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let seeds: Vec<u64> = args.seeds().collect();
    let market = market(args)?;
    let runs = spread(&seeds, |&seed| Market { seed, ..market.clone() }.run());
    let runs = runs.into_iter().collect::<Result<Vec<Trades>, PlanError>>()?;
    let Some(first_run) = runs.first().cloned() else { return Ok(ExitCode::SUCCESS) };
    let traders = (0..first_run.traders.len()).map(|number| row(&runs, number)).collect();
    let document = Document { seed: market.seed, runs: args.runs, traders, first_run };
    let conditions = format!(
        "{} downloaders, a seed with {}, {} slots, {} runs from seed {}",
        document.traders.len(),
        Rate(market.seed_up),
        market.slots,
        args.runs,
        market.seed
    );
    output.write(
        &document,
        || format!("{conditions}\n\n{}", rows(&document.traders)),
        || figure(&document, &conditions),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The usual one, or what the flags say.
fn market(args: &Args) -> anyhow::Result<Market> {
    let circumstances = args.circumstances.circumstances();
    let usual = Market {
        slots: circumstances.slots,
        free_riders: args.free_riders.into(),
        ..Market::usual(circumstances.seed)
    };
    let Some((setting, clients)) = args.setting.given()? else { return Ok(usual) };
    let clients = args.clients_or(clients.max(9));
    Ok(Market {
        size: whole(setting.file),
        piece_length: circumstances.piece_length,
        seed_up: whole(setting.server_up),
        up: (0..clients).map(|client| whole(setting.up_of(client))).collect(),
        ..usual
    })
}

fn row(runs: &[Trades], number: usize) -> Row {
    let of = |run: &'_ Trades| run.traders[number].clone();
    let last = |run: &Trades| run.traders.iter().filter_map(|trader| trader.took).fold(0.0, f64::max);
    Row {
        up: runs.first().map_or(0, |run| of(run).up),
        took: mean(runs.iter().filter_map(|run| of(run).took)),
        partners: mean(runs.iter().map(|run| of(run).partners)).unwrap_or(0.0),
        from_seed: mean(runs.iter().map(|run| of(run).from_seed as f64)).unwrap_or(0.0),
        slowest_in: runs.iter().filter(|run| of(run).took.is_none_or(|took| took >= last(run))).count(),
    }
}

fn name(up: u64, number: usize) -> String {
    if up == 0 { "free rider".to_owned() } else { format!("{number}: {}K", up / 1024) }
}

fn rows(traders: &[Row]) -> String {
    let row = |(number, trader): (usize, &Row)| {
        vec![
            name(trader.up, number + 1),
            trader.took.map_or("-".to_owned(), number_of_seconds),
            format!("{:.2}", trader.partners),
            format!("{:.1}", trader.from_seed / 1024.0 / 1024.0),
            trader.slowest_in.to_string(),
        ]
    };
    let names = ["upload", "done after, s", "partners' rate, 1 = by chance", "from the seed, MiB", "slowest in runs"];
    table(&names, &traders.iter().enumerate().map(row).collect::<Vec<_>>())
}

fn number_of_seconds(seconds: f64) -> String {
    number(seconds)
}

fn figure(document: &Document, conditions: &str) -> Figure {
    let points = |pick: fn(&Row) -> Option<f64>| {
        let known = |row: &Row| Some((row.up as f64 / 1024.0, pick(row)?));
        document.traders.iter().filter_map(known).collect::<Vec<_>>()
    };
    let series = |name: &str, color, form, points| Series { name: name.into(), color, form, points };
    let axis = |title: &str| Axis { title: title.into(), at_least: 0.0 };
    let times = Content::Curves {
        x: axis("upload rate, KiB/s (0: a free rider)"),
        y: axis("seconds until it had everything"),
        series: vec![series("a downloader, mean of the runs", COLORS[0], Form::Points, points(|row| row.took))],
    };
    let parts = &document.first_run.parts;
    let shown = [(0, "How it begins"), (parts.len().saturating_sub(1), "What it comes to")];
    let matrices = shown.into_iter().filter_map(|(part, title)| {
        Some(Panel {
            title: title.into(),
            content: Content::Matrix(matrix(parts.get(part)?, &document.first_run.traders)),
        })
    });
    let times = Panel { title: "What upload earns".into(), content: times };
    Figure {
        title: "Tit for tat".into(),
        subtitle: conditions.to_owned(),
        panels: matrices.chain([times]).collect(),
        notes: vec![
            "Shades: bytes from each (row) to each (column), of the first run, in its first and its last third until somebody had everything."
                .into(),
        ],
    }
}

fn matrix(bytes: &[Vec<u64>], traders: &[Trader]) -> Matrix {
    let names: Vec<String> = traders.iter().enumerate().map(|(n, trader)| name(trader.up, n + 1)).collect();
    let short = |(n, trader): (usize, &Trader)| if trader.up == 0 { "rider".to_owned() } else { (n + 1).to_string() };
    Matrix {
        columns: traders.iter().enumerate().map(short).collect(),
        rows: names,
        rows_title: "from".into(),
        columns_title: "to".into(),
        values_title: "the darker, the more bytes".into(),
        values: bytes.iter().map(|row| row.iter().map(|&bytes| bytes as f64).collect()).collect(),
    }
}
