//! One figure of the choker changes, the rest stays: slots, and the length of rounds.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::{Args, mean, spread};
use crate::cli::lab::output::{number, table};
use crate::cli::lab::setting::describe;
use crate::lab::distribution::{Circumstances, Point, measure};
use crate::lab::swarm::PlanError;
use crate::lab::theory::whole;
use crate::picture::{Axis, COLORS, Content, Figure, Form, Panel, Series};
use crate::schedule::Periods;

const SLOTS: [u32; 10] = [1, 2, 3, 4, 5, 6, 8, 12, 20, 30];
/// Seconds of a round; a term is always three.
const ROUNDS: [f64; 7] = [2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0];
const CLIENTS: usize = 30;

#[derive(Serialize)]
struct Document {
    /// Of all times: `F/u`, what a client takes to upload the file once, or `s`.
    unit: &'static str,
    clients: usize,
    seed: u64,
    runs: u16,
    /// Lower bound.
    d_p2p: f64,
    points: Vec<Row>,
}

/// Means over the runs.
#[derive(Serialize)]
struct Row {
    /// Slots, or seconds of a round.
    value: f64,
    last: Option<f64>,
    mean: Option<f64>,
}

/// What changes.
struct Sweep {
    title: &'static str,
    axis: &'static str,
    values: Vec<f64>,
    with: fn(Circumstances, f64) -> Circumstances,
}

pub(super) fn slots(args: &Args) -> anyhow::Result<ExitCode> {
    let with = |circumstances: Circumstances, slots: f64| {
        let slots = u32::try_from(whole(slots)).unwrap_or(u32::MAX);
        Circumstances { slots, ..circumstances }
    };
    let values = SLOTS.map(f64::from).into();
    run(args, &Sweep { title: "Peers served at once", axis: "slots of each peer", values, with })
}

pub(super) fn periods(args: &Args) -> anyhow::Result<ExitCode> {
    let with = |circumstances: Circumstances, seconds: f64| {
        let round = Duration::from_secs_f64(seconds);
        Circumstances { periods: Periods { round, term: round * 3 }, ..circumstances }
    };
    run(args, &Sweep { title: "Length of rounds", axis: "seconds of a round", values: ROUNDS.into(), with })
}

fn run(args: &Args, sweep: &Sweep) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let (setting, scale) = args.setting.real()?;
    let clients = args.clients_or(CLIENTS);
    let seeds: Vec<u64> = args.seeds().collect();
    let work: Vec<(f64, u64)> =
        sweep.values.iter().flat_map(|&value| seeds.iter().map(move |&seed| (value, seed))).collect();
    let points = spread(&work, |&(value, seed)| {
        let circumstances = Circumstances { seed, ..args.circumstances.circumstances() };
        measure(&setting, &(sweep.with)(circumstances, value), clients)
    });
    let points = points.into_iter().collect::<Result<Vec<Point>, PlanError>>()?;
    let row = |(runs, &value): (&[Point], &f64)| Row {
        value,
        last: mean(runs.iter().filter_map(|point| point.p2p)).map(|time| scale.time(time)),
        mean: mean(runs.iter().filter_map(|point| point.p2p_mean)).map(|time| scale.time(time)),
    };
    let document = Document {
        unit: scale.unit.name(),
        clients,
        seed: args.circumstances.seed,
        runs: args.runs,
        d_p2p: scale.time(setting.peer_to_peer(clients).time),
        points: points.chunks(seeds.len()).zip(&sweep.values).map(row).collect(),
    };
    let conditions = format!(
        "{clients} clients, {}; {} runs from seed {}",
        describe(&setting, scale.unit),
        args.runs,
        document.seed
    );
    output.write(
        &document,
        || format!("{conditions}\n\n{}", rows(&document, sweep)),
        || figure(&document, sweep, &conditions),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn rows(document: &Document, sweep: &Sweep) -> String {
    let shown = |time: Option<f64>| time.map_or("-".to_owned(), number);
    let ratio = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{:.3}", time / document.d_p2p));
    let row = |row: &Row| vec![row.value.to_string(), shown(row.last), ratio(row.last), shown(row.mean)];
    let last = format!("last done, {}", document.unit);
    let mean = format!("mean, {}", document.unit);
    table(&[sweep.axis, &last, "of the bound", &mean], &document.points.iter().map(row).collect::<Vec<_>>())
}

fn figure(document: &Document, sweep: &Sweep, conditions: &str) -> Figure {
    let points = |pick: fn(&Row) -> Option<f64>| {
        document.points.iter().filter_map(|row| Some((row.value, pick(row)?))).collect::<Vec<_>>()
    };
    let most = sweep.values.iter().copied().fold(0.0, f64::max);
    let series = |name: &str, color, form, points| Series { name: name.into(), color, form, points };
    let content = Content::Curves {
        x: Axis { title: sweep.axis.into(), at_least: 0.0 },
        y: Axis { title: format!("time ({})", document.unit), at_least: 0.0 },
        series: vec![
            series("lower bound", COLORS[5], Form::Broken, vec![(0.0, document.d_p2p), (most, document.d_p2p)]),
            series("until the last has everything", COLORS[0], Form::Joined, points(|row| row.last)),
            series("mean of the peers", COLORS[1], Form::Joined, points(|row| row.mean)),
        ],
    };
    Figure {
        title: sweep.title.into(),
        subtitle: conditions.to_owned(),
        panels: vec![Panel { title: "Time until everybody has the file".into(), content }],
        notes: Vec::new(),
    }
}
