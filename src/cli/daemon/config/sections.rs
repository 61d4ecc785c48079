//! The manual: every key, its default, and what it is for. The doc comments are the text of the generated file.

use std::net::{IpAddr, SocketAddr};

use crate::reactor::congestion::CongestionChoice;
use crate::reactor::driver::DriverChoice;
use crate::reactor::sockets::Dscp;
use crate::schedule::Slots;
use crate::session::seedbox::{LimitAction, RateSchedule};
use crate::session::webhooks::EventKind;
use crate::transmit::SendMode;

use super::key::{Key, Section, When, section};
use super::load::Reader;
use super::value::{
    Count, Day, Device, HookUrl, HostName, Level, Minutes, Name, PerAddress, Place, Port, Rate, Ratio, Reactors,
    Seconds, Size, TrackerChoiceOrNone, TrackerUrl, UnsentLimit,
};
use super::words::LogFormat;

section! {
    /// Where peers connect, and how they are spoken to.
    Network = "network" {
        /// Addresses on which peers are listened for. "::" is all of this host, IPv4 included.
        [Restart] listen: Vec<IpAddr> = ["::"],
        /// Port for peers; "auto" is 6881, or the next one up to 6889 that is free. Name one if a router or firewall lets it in.
        [Restart] port: Option<Port> = "auto",
        /// The one network interface to use, such as "wg0": for peers, the embedded tracker and announces. While it is gone nothing
        /// leaves by another. "" is all.
        [Restart] bind_device: Option<Device> = "",
        /// Addresses at which peers reach this host, one of each family at most. [] is those of its interfaces.
        [Restart] external: Vec<IpAddr> = [],
        /// Connections in all. The limit of open files (LimitNOFILE of a service) bounds it too.
        [Live] connections: Count = 8192,
        /// Connections from one address (IPv6: one /64).
        [Restart] connections_per_address: PerAddress = 64,
        /// Connections of one torrent.
        [Live] connections_per_torrent: Option<Count> = "unlimited",
        /// At the end, how long peers may take to be sent what they have asked for, such as "5s"; then they are cut off. "0s" cuts them
        /// off at once, as a second signal does.
        [Live] stop_grace: Seconds = "5s",
        /// At a restart by SIGUSR2, how long peers that are connected are served on by the daemon before. The rates of `limits` hold for
        /// each of the two.
        [Live] restart_grace: Seconds = "60s",
        /// TCP congestion control of peers, such as "cubic" or "bbr". "auto" is the system's, but cubic instead of bbr on short paths.
        [Restart] congestion: CongestionChoice = "auto",
        /// Mark of packets to peers: "cs1", "le", "af11", or a number from 0 to 63.
        [Restart] dscp: Option<Dscp> = "none",
        /// Bytes that the kernel may hold for each peer beyond what is on its way, such as "512KiB". For hosts whose slow peers fill
        /// tcp_mem; "system" is what net.ipv4.tcp_notsent_lowat says.
        [Restart] unsent_limit: Option<UnsentLimit> = "system",
        /// How payload leaves: "splice" without a copy, "copy" with one, "zerocopy" for real network cards. "auto" takes what works.
        [Restart] send: SendMode = "auto",
        /// How the kernel is driven: "io_uring" or "epoll". "auto" is io_uring where it is allowed.
        [Restart] driver: DriverChoice = "auto",
        /// Threads that serve peers. "auto" is one, which is enough for 100 Gbit/s; downloads need one, what is complete is seeded by any number.
        [Restart] reactors: Option<Reactors> = "auto",
        /// Also serves complete files of public torrents by HTTP, on the port for peers, at /INFO-HASH/PATH.
        [Restart] web_seed: bool = false,
    }
}

section! {
    /// Where content lies. Relative paths are below the state folder.
    Folders = "folders" {
        /// Where content goes that nobody names a folder for.
        [Live] download: Place = "downloads",
        /// Where it is until it is complete; "" is in its place from the start.
        [Live] incomplete: Option<Place> = "",
        /// Further folders that content may be in, with all below them. A client can name no folder outside of these, download and
        /// incomplete.
        [Live] roots: Vec<Place> = [],
        /// Torrent files that appear in these are added.
        [Live] watch: Vec<Place> = [],
    }
}

section! {
    /// Payload, bytes a second: such as "10MiB/s", "800KiB/s" or "100Mbit/s", for all torrents together; "unlimited" is no limit.
    Limits = "limits" {
        /// What may be sent.
        [Live] upload: Option<Rate> = "unlimited",
        /// What may be received.
        [Live] download: Option<Rate> = "unlimited",
        /// What may be sent while the alternative limits hold.
        [Live] alternative_upload: Option<Rate> = "unlimited",
        /// What may be received while the alternative limits hold.
        [Live] alternative_download: Option<Rate> = "unlimited",
        /// The alternative limits hold now. With a schedule, it decides.
        [Live] alternative: bool = false,
        /// When the alternative limits hold, in local time: "mon-fri 08:00-17:30", "sat,sun 10:00-22:00", "daily 22:00-06:00" (until the
        /// next morning). "never" is without a schedule.
        [Live] schedule: Option<RateSchedule> = "never",
        /// What may be sent to each peer.
        [Restart] peer: Option<Rate> = "unlimited",
        /// Peers served at once: "auto" as many as the link feeds, "unlimited", or a number for each torrent, one of them optimistic.
        [Restart] slots: Slots = "auto",
    }
}

section! {
    /// When a torrent was seeded enough. What a torrent has of its own goes before these.
    Seeding = "seeding" {
        /// Bytes sent for each byte of a torrent, such as 2.0.
        [Live] ratio: Option<Ratio> = "unlimited",
        /// Time of seeding, such as "30d", "48h" or "90m".
        [Live] time: Option<Minutes> = "unlimited",
        /// Time of seeding without a byte sent.
        [Live] idle: Option<Minutes> = "unlimited",
        /// What is done then: "pause", "remove", "remove-with-data", "super-seed".
        [Live] action: LimitAction = "pause",
        /// Shows the pieces of complete torrents one by one as long as there is no other seed (BEP 16).
        [Restart] super_seed: bool = false,
    }
}

section! {
    /// How many torrents run at once. Others wait for their turn.
    Queue = "queue" {
        /// Torrents start when they are added.
        [Live] start_added: bool = true,
        /// Downloads that run at once.
        [Live] downloads: Option<Count> = "unlimited",
        /// Torrents that are seeded at once.
        [Live] seeds: Option<Count> = "unlimited",
        /// Both together.
        [Live] active: Option<Count> = "unlimited",
        /// Checks of data against hashes. One keeps a disk busy.
        [Live] checks: Count = 1,
    }
}

section! {
    /// Traffic of a month, payload sent and received together.
    Budget = "budget" {
        /// What may be used of it, such as "20TB".
        [Live] month: Option<Size> = "unlimited",
        /// Day on which it begins anew, 1 to 28.
        [Live] day: Day = 1,
        /// What is left is spread over the days that are left; otherwise it is used as it comes.
        [Live] paced: bool = true,
    }
}

section! {
    /// Trackers beside those of the torrents.
    Trackers = "trackers" {
        /// URLs of trackers that public torrents are announced to as well. Private ones never are.
        [Live] added: Vec<TrackerUrl> = [],
        /// A tracker of our own for all torrents here: "off", "auto" on port 6969 or another that is free, or a port.
        [Restart] embedded: TrackerChoiceOrNone = "off",
    }
}

section! {
    /// Who is not spoken to.
    Filter = "filter" {
        /// Files with lists of addresses, in any of three forms: p2p ("name:first-last"), dat ("first - last , level , name"), and
        /// networks ("198.51.100.0/24"), a line each. Read again at a reload.
        [Live] files: Vec<Place> = [],
    }
}

section! {
    /// Tags that can be chosen. Torrents may have others.
    Tags = "tags" {
        /// The names of tags.
        [Live] names: Vec<Name> = [],
    }
}

section! {
    /// Programs that drive the daemon: Transmission's RPC, qBittorrent's Web API, our own API, the web page. Whoever connects needs the
    /// password in the file "token" of the state folder, as user "sower". It goes over the network as it is: put a proxy with TLS in front, or
    /// use an SSH tunnel.
    Api = "api" {
        /// Addresses of the APIs and the page. [] is none.
        [Restart] listen: Vec<SocketAddr> = ["127.0.0.1:9091"],
        /// Unix socket for programs of the same user, who need no password; "" is none.
        [Restart] socket: Option<Place> = "api.sock",
        /// Names that browsers and programs may use for this host beside localhost and the addresses above, such as
        /// "seedbox.example.org" of a proxy; pages of these names may use the API too. Others are refused: a stranger's page may have
        /// pointed its name here (DNS rebinding).
        [Restart] hosts: Vec<HostName> = [],
        /// /metrics answers without the password, for a Prometheus that cannot be given one.
        [Restart] metrics_open: bool = false,
        /// /metrics has series of each torrent: with thousands of torrents, tens of thousands of series.
        [Restart] metrics_per_torrent: bool = false,
    }
}

section! {
    /// What is written to standard error.
    Log = "log" {
        /// "text" or "json", an object a line.
        [Restart] format: LogFormat = "text",
        /// "error", "warn", "info", "debug" or "trace"; for parts of the program: "info,sower::discovery=debug".
        [Live] level: Level = "info",
        /// Lines from one place in the program within ten seconds. What is beyond is counted and told in one line.
        [Restart] burst: Count = 20,
    }
}

section! {
    /// Programs elsewhere that are told what happens, by POST of JSON. Nothing is run on this host.
    Webhooks = "webhooks" {
        /// Where they are.
        [Live] urls: Vec<HookUrl> = [],
        /// What they are told of: "added", "completed", "failed", "removed".
        [Live] events: Vec<EventKind> = ["added", "completed", "failed", "removed"],
        /// File with a secret that signs them: the header X-Sower-Signature is then "sha256=" and the HMAC-SHA256 of the body in
        /// hexadecimal digits. "" is without a signature.
        [Live] secret_file: Option<Place> = "",
        /// URLs may lead to private addresses: this host, its network. Otherwise whoever may write a URL here could reach what
        /// trusts this host.
        [Live] private_targets: bool = false,
    }
}
