//! The textbook's curves, measured.

use std::process::ExitCode;

use serde::Serialize;

use super::{Args, spread};
use crate::cli::lab::output::{number, table};
use crate::cli::lab::setting::{Clients, Scale, describe};
use crate::cli::lab::theory::bounds;
use crate::lab::distribution::{Point, measure};
use crate::lab::swarm::PlanError;
use crate::lab::theory::Setting;
use crate::picture::{Axis, COLORS, Content, Figure, Form, Panel, Series};

/// Numbers of clients that show the curves in a few seconds.
const CLIENTS: &str = "1,2,5,10,15,20,25,30,35";

#[derive(Serialize)]
struct Document {
    /// Of all times: `F/u`, what a client takes to upload the file once, or `s`.
    unit: &'static str,
    seed: u64,
    points: Vec<Point>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let (setting, scale) = args.setting.real()?;
    let circumstances = args.circumstances.circumstances();
    let clients = match &args.clients {
        Some(clients) => clients.clone(),
        None => CLIENTS.parse::<Clients>().map_err(anyhow::Error::msg)?,
    };
    let points = spread(&clients.0, |&n| measure(&setting, &circumstances, n));
    let points = points.into_iter().map(|point| point.map(|point| scaled(&point, scale)));
    let points = points.collect::<Result<Vec<Point>, PlanError>>()?;
    let document = Document { unit: scale.unit.name(), seed: circumstances.seed, points };
    let conditions = format!("{}; {}", describe(&setting, scale.unit), args.circumstances.describe());
    output.write(
        &document,
        || format!("{conditions}\n\n{}", rows(&document.points, scale)),
        || figure(&setting, &document.points, scale, &conditions),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn scaled(point: &Point, scale: Scale) -> Point {
    let time = |seconds: f64| scale.time(seconds);
    Point {
        n: point.n,
        d_cs: time(point.d_cs),
        d_p2p: time(point.d_p2p),
        cs: point.cs.map(time),
        p2p: point.p2p.map(time),
        p2p_mean: point.p2p_mean.map(time),
        seed_share: (point.seed_share * 1e6).round() / 1e6,
    }
}

fn rows(points: &[Point], scale: Scale) -> String {
    let shown = |time: Option<f64>| time.map_or("-".to_owned(), number);
    let ratio = |time: Option<f64>, bound: f64| {
        time.filter(|_| bound > 0.0).map_or("-".to_owned(), |time| format!("{:.3}", time / bound))
    };
    let row = |point: &Point| {
        vec![
            point.n.to_string(),
            shown(point.cs),
            number(point.d_cs),
            ratio(point.cs, point.d_cs),
            shown(point.p2p),
            number(point.d_p2p),
            ratio(point.p2p, point.d_p2p),
            shown(point.p2p_mean),
            format!("{:.0} %", point.seed_share * 100.0),
        ]
    };
    let heading =
        format!("times in {}; p2p: until the last had everything, mean: until a peer had\n", scale.unit.name());
    let names = ["N", "server", "bound", "ratio", "p2p", "bound", "ratio", "mean", "sent by seed"];
    heading + &table(&names, &points.iter().map(row).collect::<Vec<_>>())
}

fn figure(setting: &Setting, points: &[Point], scale: Scale, conditions: &str) -> Figure {
    let most = points.iter().map(|point| point.n).max().unwrap_or(0);
    let steps: Vec<usize> = (0..=most).step_by(most.div_ceil(200).max(1)).collect();
    let mut series = bounds(setting, &steps);
    for point in series.iter_mut().flat_map(|series| &mut series.points) {
        point.1 = scale.time(point.1);
    }
    let measured = |name: &str, color, form, time: fn(&Point) -> Option<f64>| Series {
        name: name.into(),
        color,
        form,
        points: points.iter().filter_map(|point| Some((point.n as f64, time(point)?))).collect(),
    };
    series.push(measured("client-server, simulated", COLORS[4], Form::Hollow, |point| point.cs));
    series.push(measured("peer-to-peer, simulated", COLORS[0], Form::Points, |point| point.p2p));
    let content = Content::Curves {
        x: Axis { title: "clients N".into(), at_least: 1.0 },
        y: Axis { title: format!("time until everybody has the file ({})", scale.unit.name()), at_least: 0.0 },
        series,
    };
    Figure {
        title: "Time until everybody has the file".into(),
        subtitle: describe(setting, scale.unit),
        panels: vec![Panel { title: "Simulated, beside the lower bounds".into(), content }],
        notes: vec![
            conditions.to_owned(),
            "D_cs = max(N F / u_s, F / d_min), D_p2p = max(F / u_s, F / d_min, N F / (u_s + sum of u_i))".into(),
        ],
    }
}
