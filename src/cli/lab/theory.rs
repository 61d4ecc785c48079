//! `sower lab theory`: the lower bounds, as a table, JSON or a picture.

use std::process::ExitCode;

use serde::Serialize;

use super::output::{self, number, table};
use super::setting::{self, Clients, Unit, describe};
use crate::lab::theory::{Bound, Limit, Setting};
use crate::picture::{Axis, COLORS, Content, Figure, Form, Panel, Series};

/// For which file, rates and clients.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    setting: setting::Flags,
    /// Numbers of clients, such as 30, 0..35, 0..1000:50 or 1,2,5
    #[arg(short = 'N', long, value_name = "N", default_value = "0..35")]
    clients: Clients,
    #[command(flatten)]
    output: output::Flags,
}

/// What the JSON holds.
#[derive(Serialize)]
struct Document {
    /// Of all times: `F/u`, what a client takes to upload the file once, or `s`.
    unit: &'static str,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    n: usize,
    d_cs: f64,
    d_p2p: f64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let (setting, unit) = args.setting.setting()?;
    let point = |&n: &usize| Point { n, d_cs: setting.client_server(n).time, d_p2p: setting.peer_to_peer(n).time };
    let document = Document { unit: unit.name(), points: args.clients.0.iter().map(point).collect() };
    output.write(
        &document,
        || format!("{}\n\n{}", describe(&setting, unit), rows(&setting, &args.clients.0, unit)),
        || figure(&setting, &args.clients.0, unit),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn rows(setting: &Setting, clients: &[usize], unit: Unit) -> String {
    let row = |&n: &usize| {
        let (alone, together) = (setting.client_server(n), setting.peer_to_peer(n));
        let cells = [number(alone.time), said(alone), number(together.time), said(together)];
        std::iter::once(n.to_string()).chain(cells).collect::<Vec<_>>()
    };
    let (alone, together) = (format!("D_cs, {}", unit.name()), format!("D_p2p, {}", unit.name()));
    table(&["N", &alone, "held by", &together, "held by"], &clients.iter().map(row).collect::<Vec<_>>())
}

fn said(bound: Bound) -> String {
    let words = match bound.limit {
        Limit::Server => "server's upload",
        Limit::Download => "slowest download",
        Limit::Everybody => "upload of all",
        Limit::Nothing => "-",
    };
    words.to_owned()
}

fn figure(setting: &Setting, clients: &[usize], unit: Unit) -> Figure {
    let content = Content::Curves {
        x: Axis { title: "clients N".into(), at_least: 1.0 },
        y: Axis { title: format!("minimum distribution time ({})", unit.name()), at_least: 0.0 },
        series: bounds(setting, clients),
    };
    Figure {
        title: "Time until everybody has the file".into(),
        subtitle: describe(setting, unit),
        panels: vec![Panel { title: "Lower bounds".into(), content }],
        notes: vec![
            "D_cs = max(N F / u_s, F / d_min)".into(),
            "D_p2p = max(F / u_s, F / d_min, N F / (u_s + sum of u_i))".into(),
        ],
    }
}

/// Both bounds, as every picture of the lab shows them.
pub(super) fn bounds(setting: &Setting, clients: &[usize]) -> Vec<Series> {
    let points = |bound: fn(&Setting, usize) -> Bound| {
        clients.iter().map(|&n| (n as f64, bound(setting, n).time)).collect::<Vec<_>>()
    };
    let series = |name: &str, color, points| Series { name: name.into(), color, form: Form::Line, points };
    vec![
        series("client-server, lower bound", COLORS[4], points(Setting::client_server)),
        series("peer-to-peer, lower bound", COLORS[0], points(Setting::peer_to_peer)),
    ]
}
