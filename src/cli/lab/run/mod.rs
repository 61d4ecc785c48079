//! `sower lab run`: the same experiment with real processes on this machine.
//!
//! As root each process gets a network namespace whose link is as slow as the experiment says (`tc tbf`); otherwise all
//! of them share the loopback device, and each limits its own upload.

mod client;
mod network;
mod process;
mod swarm;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{bail, ensure};
use serde::Serialize;

use super::output::{self, number, table};
use super::setting::{self, Clients, Scale, describe};
use super::theory::bounds;
use crate::cli::signals::cancelled_by_signals;
use crate::lab::theory::Setting;
use crate::picture::{Axis, COLORS, Content, Figure, Form, Panel, Series};
use client::Client;
use network::Kind;
use swarm::Experiment;

/// Which processes, and how fast their links are.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Rates of links count everything, headers too; --upload-limit, without root, counts payload. Without --size, a file of 16 MiB,
clients that upload 512 KiB/s, and a server ten times as fast.")]
pub(super) struct Args {
    #[command(flatten)]
    setting: setting::Flags,
    /// Numbers of clients, such as 10, 0..30:5 or 1,2,5
    #[arg(short = 'N', long, value_name = "N", default_value = "1,2,5,10")]
    clients: Clients,
    /// Which program the clients of the swarm are; the server is always sower
    #[arg(long, value_enum, default_value = "sower")]
    client: Client,
    /// What slows them down
    #[arg(long, value_enum, default_value = "auto")]
    network: Kind,
    #[command(flatten)]
    output: output::Flags,
}

/// Clients of one run: each is a process, and some are large.
const CLIENTS: usize = 60;
/// What is distributed unless told otherwise.
const SIZE: f64 = 16.0 * 1024.0 * 1024.0;
const UP: f64 = 512.0 * 1024.0;

#[derive(Serialize)]
struct Document {
    /// Of all times.
    unit: &'static str,
    client: String,
    network: String,
    points: Vec<Point>,
}

/// What was measured for a number of clients, in seconds.
#[derive(Serialize)]
struct Point {
    n: usize,
    d_cs: f64,
    d_p2p: f64,
    /// Until the last client of the server had everything, and until the last peer had.
    cs: f64,
    p2p: f64,
    p2p_mean: f64,
}

/// Exit codes: 0 measured, 1 not, 2 wrong usage, 130 interrupted.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let setting = match args.setting.given()? {
        Some((setting, _)) => setting,
        None => Setting { file: SIZE, server_up: 10.0 * UP, up: vec![UP], down: vec![10.0 * UP] },
    };
    let most = args.clients.0.last().copied().unwrap_or(0);
    ensure!(most <= CLIENTS, "at most {CLIENTS} clients run here; simulate takes more");
    let cancel = cancelled_by_signals()?;
    let measured = measure(args, &setting, &cancel);
    let (points, network) = match measured {
        Err(error) if cancel.load(Ordering::Relaxed) => {
            eprintln!("sower: ended early: {error}");
            return Ok(ExitCode::from(130));
        }
        measured => measured?,
    };
    let document = Document { unit: "s", client: args.client.to_string(), network, points };
    let conditions =
        format!("{}; {} in {}", describe(&setting, Scale::SECONDS.unit), document.client, document.network);
    output.write(
        &document,
        || format!("{conditions}\n\n{}", rows(&document.points)),
        || figure(&setting, &document, &conditions),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn measure(args: &Args, setting: &Setting, cancel: &AtomicBool) -> anyhow::Result<(Vec<Point>, String)> {
    let clients: Vec<usize> = args.clients.0.iter().copied().filter(|&n| n > 0).collect();
    let most = clients.iter().copied().max().unwrap_or(0);
    let experiment = Experiment::new(setting, args.client, args.network, most, cancel)?;
    let mut points = Vec::new();
    for n in clients {
        let cs = experiment.client_server(n)?;
        let p2p = experiment.peer_to_peer(n)?;
        if p2p.is_empty() || cs.is_empty() {
            bail!("nobody finished");
        }
        let last = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
        points.push(Point {
            n,
            d_cs: setting.client_server(n).time,
            d_p2p: setting.peer_to_peer(n).time,
            cs: last(&cs),
            p2p: last(&p2p),
            p2p_mean: p2p.iter().sum::<f64>() / p2p.len() as f64,
        });
    }
    Ok((points, experiment.network().to_owned()))
}

fn rows(points: &[Point]) -> String {
    let row = |point: &Point| {
        vec![
            point.n.to_string(),
            number(point.cs),
            number(point.d_cs),
            format!("{:.2}", point.cs / point.d_cs),
            number(point.p2p),
            number(point.d_p2p),
            format!("{:.2}", point.p2p / point.d_p2p),
            number(point.p2p_mean),
        ]
    };
    let names = ["N", "server, s", "bound", "ratio", "p2p, s", "bound", "ratio", "mean"];
    table(&names, &points.iter().map(row).collect::<Vec<_>>())
}

fn figure(setting: &Setting, document: &Document, conditions: &str) -> Figure {
    let most = document.points.iter().map(|point| point.n).max().unwrap_or(0);
    let mut series = bounds(setting, &(0..=most).collect::<Vec<_>>());
    let measured = |name: &str, color, form, time: fn(&Point) -> f64| Series {
        name: name.into(),
        color,
        form,
        points: document.points.iter().map(|point| (point.n as f64, time(point))).collect(),
    };
    series.push(measured("client-server, measured", COLORS[4], Form::Hollow, |point| point.cs));
    series.push(measured("peer-to-peer, measured", COLORS[0], Form::Points, |point| point.p2p));
    let content = Content::Curves {
        x: Axis { title: "clients N".into(), at_least: 1.0 },
        y: Axis { title: "time until everybody has the file (s)".into(), at_least: 0.0 },
        series,
    };
    Figure {
        title: "Time until everybody has the file".into(),
        subtitle: conditions.to_owned(),
        panels: vec![Panel { title: "Real processes, beside the lower bounds".into(), content }],
        notes: vec!["The server and the seed are sower, clients of the server are curl.".into()],
    }
}
