//! Links as slow as the experiment says: network namespaces on a bridge, or nothing but the loopback device.

use std::fmt::Write;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// What slows the processes down.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Namespaces as root, limits otherwise
    Auto,
    /// A network namespace each, with a token bucket on its link (root, ip, tc)
    Namespaces,
    /// The loopback device and the programs' own upload limits
    Limits,
}

/// Where the processes live.
pub(super) enum Network {
    Namespaces(Namespaces),
    Loopback,
}

/// Bytes a second of a node's link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) up: u64,
    pub(super) down: u64,
}

impl Network {
    /// One place for each link, numbered from 0.
    pub(super) fn new(kind: Kind, links: &[Link]) -> anyhow::Result<Network> {
        let is_root = rustix::process::geteuid().is_root();
        match kind {
            Kind::Limits => Ok(Network::Loopback),
            Kind::Auto if !is_root => Ok(Network::Loopback),
            Kind::Namespaces if !is_root => bail!("only root makes network namespaces; --network limits does without"),
            Kind::Auto | Kind::Namespaces => Namespaces::new(links).map(Network::Namespaces),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Network::Namespaces(_) => "network namespaces with tc tbf",
            Network::Loopback => "one network, with upload limits of their own",
        }
    }

    /// Whether the links themselves are slow.
    pub(super) fn limits(&self) -> bool {
        matches!(self, Network::Namespaces(_))
    }

    pub(super) fn address(&self, node: usize) -> IpAddr {
        match self {
            Network::Namespaces(_) => address(node).into(),
            Network::Loopback => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// A program that will run in the place of `node`.
    pub(super) fn command(&self, node: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match self {
            Network::Loopback => Command::new(program),
            Network::Namespaces(namespaces) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &namespaces.name(node)]).arg(program);
                command
            }
        }
    }
}

fn address(node: usize) -> Ipv4Addr {
    let number = u32::try_from(node + 1).unwrap_or(u32::MAX) & 0xffff;
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 99, 0, 0).to_bits() | number)
}

/// A bridge in a namespace, and a namespace for each node; all gone when dropped.
pub(super) struct Namespaces {
    prefix: String,
    nodes: usize,
}

impl Namespaces {
    fn new(links: &[Link]) -> anyhow::Result<Namespaces> {
        let namespaces = Namespaces { prefix: format!("sower-lab-{}", std::process::id()), nodes: links.len() };
        let core = namespaces.core();
        let added: String = (0..links.len()).map(|node| format!("netns add {}\n", namespaces.name(node))).collect();
        ip(None, &format!("netns add {core}\n{added}"))?;
        let mut commands = String::from("link add br0 type bridge\nlink set br0 up\n");
        for node in 0..links.len() {
            let _ = writeln!(commands, "link add v{node} type veth peer name eth0 netns {}", namespaces.name(node));
            let _ = writeln!(commands, "link set v{node} master br0 up");
        }
        ip(Some(&core), &commands)?;
        for (node, link) in links.iter().enumerate() {
            let address = address(node);
            let commands = format!(
                "addr add {address}/16 dev eth0\nlink set eth0 up\nlink set lo up\nroute add default dev eth0\n"
            );
            ip(Some(&namespaces.name(node)), &commands)?;
            tbf(&namespaces.name(node), "eth0", link.up)?;
            tbf(&core, &format!("v{node}"), link.down)?;
        }
        Ok(namespaces)
    }

    fn core(&self) -> String {
        format!("{}-core", self.prefix)
    }

    fn name(&self, node: usize) -> String {
        format!("{}-{node}", self.prefix)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let names = (0..self.nodes).map(|node| self.name(node)).chain([self.core()]);
        for name in names {
            // those that were not made are not there
            let _ = Command::new("ip").args(["netns", "del", &name]).stderr(Stdio::null()).status();
        }
    }
}

/// Runs commands of ip(8), in a namespace.
fn ip(namespace: Option<&str>, commands: &str) -> anyhow::Result<()> {
    let mut command = Command::new("ip");
    if let Some(namespace) = namespace {
        command.args(["-n", namespace]);
    }
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start ip (iproute2); --network limits does without")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(commands.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip: {}; --network limits does without", said.trim());
    Ok(())
}

/// Limits what leaves a device to `rate` bytes a second.
fn tbf(namespace: &str, device: &str, rate: u64) -> anyhow::Result<()> {
    // a hundredth of a second of it, and no less than two large packets; a tenth of a second may wait
    let burst = (rate / 100).clamp(8 * 1024, 4 << 20);
    let waiting = (rate / 10).clamp(64 * 1024, 16 << 20);
    let (rate, burst, waiting) = (format!("{rate}bps"), burst.to_string(), waiting.to_string());
    let arguments = ["-n", namespace, "qdisc", "add", "dev", device, "root", "tbf", "rate", &rate, "burst", &burst];
    let output = Command::new("tc").args(arguments).args(["limit", &waiting]).output();
    let output = output.context("cannot start tc (iproute2); --network limits does without")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tc: {}; --network limits does without", said.trim());
    Ok(())
}
