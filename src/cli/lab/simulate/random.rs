//! A random swarm of the tests, replayed.

use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use super::Args;
use crate::cli::lab::output::table;
use crate::lab::swarm::{Fate, Outcome, Plan, random};
use crate::picture::Figure;

#[derive(Serialize)]
struct Document {
    seed: u64,
    size: u64,
    piece_length: u32,
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    manner: String,
    has: String,
    arrived: f64,
    took: Option<f64>,
    sent: u64,
    received: u64,
    bad_pieces: u32,
    banned: Vec<usize>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let output = args.output.open()?;
    let plan = random::plan(args.circumstances.seed);
    let outcome = match random::check(&plan) {
        Ok(outcome) => outcome,
        Err(broken) => bail!("seed {}: {broken}\n{plan:#?}", plan.seed),
    };
    let document = document(&plan, &outcome);
    output.write(&document, || rows(&document), || figure(&document))?;
    Ok(ExitCode::SUCCESS)
}

fn document(plan: &Plan, outcome: &Outcome) -> Document {
    let member = |(member, fate): (&crate::lab::swarm::Member, &Fate)| Member {
        manner: format!("{:?}", member.manner),
        has: format!("{:?}", member.has),
        arrived: fate.arrived.as_secs_f64(),
        took: fate.took.map(|took| took.as_secs_f64()),
        sent: fate.bytes.0,
        received: fate.bytes.1,
        bad_pieces: fate.bad_pieces,
        banned: fate.banned.iter().map(|node| node.0).collect(),
    };
    let members = plan.members.iter().zip(&outcome.fates).map(member).collect();
    Document { seed: plan.seed, size: plan.size, piece_length: plan.piece_length, members }
}

fn rows(document: &Document) -> String {
    let row = |(number, member): (usize, &Member)| {
        vec![
            number.to_string(),
            member.manner.clone(),
            member.has.clone(),
            member.took.map_or("-".to_owned(), |took| format!("{took:.1}")),
            member.sent.to_string(),
            member.received.to_string(),
            member.bad_pieces.to_string(),
            format!("{:?}", member.banned),
        ]
    };
    let heading = format!(
        "seed {}: {} bytes in pieces of {}; every rule was kept\n\n",
        document.seed, document.size, document.piece_length
    );
    let names = ["member", "manner", "has", "done after, s", "sent", "received", "bad pieces", "banned"];
    heading + &table(&names, &document.members.iter().enumerate().map(row).collect::<Vec<_>>())
}

fn figure(document: &Document) -> Figure {
    Figure {
        title: format!("Random swarm {}", document.seed),
        subtitle: "every rule was kept; the table says who did what".into(),
        panels: Vec::new(),
        notes: Vec::new(),
    }
}
