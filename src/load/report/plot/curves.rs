//! Which runs lie on one line, and what is their x axis.

use super::super::Summary;
use crate::load::{Mode, Order};

/// All that is drawn.
pub(super) struct Picture<'rows> {
    /// Crowds of leechers that differ in number or depth alone.
    pub(super) curves: Vec<Curve<'rows>>,
    /// Runs of another kind.
    pub(super) others: Vec<&'rows Summary>,
    pub(super) x: X,
}

/// Runs on one line, in order of x.
pub(super) struct Curve<'rows> {
    /// What sets it apart from the others; empty if it is alone.
    pub(super) name: String,
    pub(super) rows: Vec<&'rows Summary>,
}

/// What the left panel's x axis counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum X {
    Peers,
    Depth,
}

impl X {
    pub(super) fn of(self, row: &Summary) -> f64 {
        (if self == X::Peers { row.peers } else { row.depth }) as f64
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            X::Peers => "peers",
            X::Depth => "requests in flight for each peer",
        }
    }
}

impl<'rows> Picture<'rows> {
    pub(super) fn of(rows: &'rows [Summary]) -> Picture<'rows> {
        let rows = || rows.iter().filter(|row| row.peers > 0);
        let (steady, others): (Vec<&Summary>, Vec<&Summary>) = rows().partition(|row| is_steady(row));
        let first_peers = steady.first().map(|row| row.peers);
        let x = match steady.iter().all(|row| Some(row.peers) == first_peers) && steady.len() > 1 {
            true => X::Depth,
            false => X::Peers,
        };
        Picture { curves: curves(steady, x), others, x }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.curves.is_empty() && self.others.is_empty()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &'rows Summary> {
        self.curves.iter().flat_map(|curve| curve.rows.iter().copied()).chain(self.others.iter().copied())
    }
}

/// Whether the name says no more than the number: `1 peer`, `50 peers`.
fn is_steady(row: &Summary) -> bool {
    let ending = if row.peers == 1 { "" } else { "s" };
    row.active_peers == row.peers && row.scenario == format!("{} peer{ending}", row.peers)
}

fn curves(rows: Vec<&Summary>, x: X) -> Vec<Curve<'_>> {
    let kind = |row: &Summary| (if x == X::Peers { row.depth } else { row.peers }, row.mode, row.order);
    let mut curves: Vec<(_, Vec<&Summary>)> = Vec::new();
    for row in rows {
        match curves.iter_mut().find(|(known, _)| *known == kind(row)) {
            Some((_, rows)) => rows.push(row),
            None => curves.push((kind(row), vec![row])),
        }
    }
    let shared =
        |same: fn(&(usize, Mode, Order)) -> String| curves.windows(2).all(|pair| same(&pair[0].0) == same(&pair[1].0));
    let (one_number, one_mode, one_order) = (
        shared(|kind| kind.0.to_string()),
        shared(|kind| format!("{:?}", kind.1)),
        shared(|kind| format!("{:?}", kind.2)),
    );
    let name = |(number, mode, order): (usize, Mode, Order)| {
        let number = if x == X::Peers { format!("depth {number}") } else { format!("{number} peers") };
        let parts = [
            (!one_number).then_some(number),
            (!one_mode).then(|| super::table::mode(mode).to_owned()),
            (!one_order).then(|| super::table::order(order).to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let mut named = Vec::new();
    for (kind, mut rows) in curves {
        rows.sort_by(|a, b| x.of(a).total_cmp(&x.of(b)));
        named.push(Curve { name: name(kind), rows });
    }
    named
}
