//! `sower tracker`: the tracker on its own.

use std::io::{self, Write};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::ids::InfoHash;
use crate::tracker::{Config, Tracker, TrackerHandle};

use super::show::read_torrent;

/// How to run it, and for which torrents.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// TCP and UDP port; 0 picks one that is free
    #[arg(long, value_name = "N", default_value_t = 6969)]
    port: u16,
    /// Serve every torrent that somebody announces
    #[arg(long)]
    open: bool,
    /// Serve this torrent: a .torrent file, or an info-hash as 40 hexadecimal digits; may be repeated
    #[arg(long = "torrent", value_name = "FILE|HASH", required_unless_present = "open")]
    torrents: Vec<String>,
    /// Seconds between two announces of a client
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    interval: u32,
    /// Address that others reach this host at; clients on this host are listed there. Once for IPv4, once for IPv6
    #[arg(long = "external-ip", value_name = "ADDRESS")]
    external: Vec<IpAddr>,
    /// Listen on this address only; may be repeated [default: all addresses]
    #[arg(long, value_name = "ADDRESS")]
    bind: Vec<IpAddr>,
    /// Threads for each of HTTP and UDP
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let torrents = args.torrents.iter().map(|text| info_hash(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("cannot start")?;
    runtime.block_on(async {
        // before anything is printed: a caller may end us as soon as it has read that
        let (mut interrupted, mut ended) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let tracker = Tracker::start(Config {
            device: None,
            bind: args.bind.clone(),
            port: args.port,
            open: args.open,
            interval: Duration::from_secs(args.interval.into()),
            external: args.external.clone(),
            http_threads: args.threads.into(),
            udp_threads: args.threads.into(),
        })?;
        for &torrent in &torrents {
            tracker.add_torrent(torrent, None)?;
        }
        announce_start(&args, torrents.len(), &tracker).context("cannot write")?;
        tokio::select! { _ = interrupted.recv() => {}, _ = ended.recv() => {} }
        tracker.stop();
        Ok(ExitCode::SUCCESS)
    })
}

/// A torrent named by its file or by its info-hash.
fn info_hash(text: &str) -> anyhow::Result<InfoHash> {
    match InfoHash::from_hex(text) {
        Some(hash) => Ok(hash),
        None => Ok(read_torrent(Path::new(text))?.info_hash()),
    }
}

fn announce_start(args: &Args, torrents: usize, tracker: &TrackerHandle) -> io::Result<()> {
    let port = tracker.port();
    let host = match args.external.first().or(args.bind.first()) {
        Some(address) if !address.is_unspecified() => *address,
        _ => outgoing_address().unwrap_or(IpAddr::from([127, 0, 0, 1])),
    };
    let host = match host {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let serves = match (args.open, torrents) {
        (true, _) => "every torrent".to_owned(),
        (false, 1) => "1 torrent".to_owned(),
        (false, count) => format!("{count} torrents"),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "Tracker of {serves} on TCP and UDP port {port}; Ctrl-C ends it")?;
    writeln!(out, "  announce    http://{host}:{port}/announce")?;
    writeln!(out, "              udp://{host}:{port}/announce")?;
    writeln!(out, "  statistics  http://{host}:{port}/stats")?;
    out.flush()
}

/// The address that this host sends from when it talks to the outside. Connecting a datagram socket sends nothing; it
/// only asks the routing table.
fn outgoing_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}
