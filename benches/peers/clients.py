"""The clients that are compared: how each downloads the payload from one seeder and says that it has all of it.

The same for all: one core, an empty folder, space taken as data comes, every piece checked, TCP only, no DHT, no local discovery, no
peer exchange, no encryption where that can be chosen, no limit of rate. Who can be told of a peer is told of the seeder; the others ask
the seeder's own tracker.
"""

import os
import pathlib
import shutil

import machine
from program import APT_GET, Program
from seeders import Libtorrent, Rqbit, Rtorrent, Sower


class Client(Program):
    """A program that downloads the payload."""

    # in a line of its output: everything is here, checked and written; None: it says so by the file `done`, or its end
    marker = None
    # it goes on to seed, and is told to end
    stays = False

    def __init__(self, job, number):
        self.job, self.port = job, next(job.ports)
        self.home = job.scratch / "clients" / f"{self.name}-{number}"
        shutil.rmtree(self.home, ignore_errors=True)
        self.downloads = self.home / "downloads"
        self.downloads.mkdir(parents=True)
        self.done = self.home / "done"

    def surroundings(self):
        """The environment of a run: a home that nobody used before."""
        return {**self.environment(), "HOME": str(self.home), "XDG_STATE_HOME": "", "SOWER_STATE": str(self.home / "state")}

    def command(self):
        raise NotImplementedError

    def hook(self):
        """A program that makes the file `done`."""
        path = self.home / "done.sh"
        path.write_text(f"#!/bin/sh\n: > '{self.done}'\n")
        path.chmod(0o755)
        return path


class SowerGet(Client):
    name, label = "sower", "sower"
    path, version = Sower.path, Sower.version
    marker = b'"event":"complete"'
    options = ()

    def command(self):
        return [
            self.path(), "get", self.job.torrent.path, "--output", self.downloads, "--peer", f"127.0.0.1:{self.job.seeder.port}",
            "--no-tracker", "--port", self.port, "--congestion", machine.congestion(), "--then", "exit", "--json", *self.options,
        ]  # fmt: skip


class SowerGetEpoll(SowerGet):
    name, label = "sower-epoll", "sower `--driver epoll`"
    options = ("--driver", "epoll")


class LibtorrentGet(Client):
    """Settings and their reasons: libtorrent_client.py. The start of Python is not counted."""

    name, label, remedy = "libtorrent", "libtorrent", Libtorrent.remedy
    path, version_arguments = Libtorrent.path, Libtorrent.version_arguments
    marker = b"complete"

    def command(self):
        script = pathlib.Path(__file__).with_name("libtorrent_client.py")
        settings = os.environ.get("SOWER_PEERS_LIBTORRENT", "").split()
        return [self.path(), script, self.job.torrent.path, self.downloads, self.port, self.job.seeder.port, *settings]


class RqbitGet(Client):
    name, label, remedy = "rqbit", "rqbit", Rqbit.remedy
    path = Rqbit.path

    def command(self):
        # one runtime thread on the one core: more of them only take turns
        return [
            self.path(), "--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--disable-trackers", "--single-thread-runtime",
            "--listen-port", self.port, "--listen-ip", "127.0.0.1", *os.environ.get("SOWER_PEERS_RQBIT", "").split(),
            "download", "--disable-http-api", "--exit-on-finish", "-o", self.downloads,
            "--initial-peers", f"127.0.0.1:{self.job.seeder.port}", self.job.torrent.path,
        ]  # fmt: skip


class RtorrentGet(Client):
    name, label, program, remedy = "rtorrent", "rTorrent", "rtorrent", Rtorrent.remedy
    version_arguments = Rtorrent.version_arguments
    stays = True

    def command(self):
        session = self.home / "session"
        session.mkdir()
        config = self.home / "rtorrent.rc"
        config.write_text(f"""\
system.daemon.set = true
session.path.set = {session}
directory.default.set = {self.downloads}
network.port_range.set = {self.port}-{self.port}
network.port_random.set = no
network.bind_address.set = 127.0.0.1
dht.mode.set = disable
protocol.pex.set = no
protocol.encryption.set = none
trackers.use_udp.set = no
throttle.global_down.max_rate.set_kb = 0
pieces.memory.max.set = 4096M
pieces.preload.type.set = 0
pieces.hash.on_completion.set = no
method.set_key = event.download.finished, done, "execute.nothrow={self.hook()}"
schedule2 = add, 0, 0, "load.start={self.job.tracked.path}"
""")
        return [self.path(), "-n", "-o", f"import={config}"]


class Aria2Get(Client):
    name, label, program, remedy = "aria2", "aria2", "aria2c", (*APT_GET, "aria2")

    def command(self):
        return [
            self.path(), "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
            "--enable-peer-exchange=false", "--listen-port", self.port, "--interface=127.0.0.1", "--file-allocation=none",
            "--disk-cache=32M", "--bt-min-crypto-level=plain", "--bt-require-crypto=false", "--seed-time=0", "--summary-interval=0",
            "--console-log-level=warn", "--on-bt-download-complete", self.hook(), "--dir", self.downloads, self.job.tracked.path,
        ]  # fmt: skip


class TransmissionGet(Client):
    name, label, program, remedy = "transmission", "transmission-cli", "transmission-cli", (*APT_GET, "transmission-cli")
    stays = True

    def command(self):
        return [
            self.path(), "--config-dir", self.home / "config", "--download-dir", self.downloads, "--port", self.port,
            "--no-portmap", "--encryption-tolerated", "--no-downlimit", "--finish", self.hook(), self.job.tracked.path,
        ]  # fmt: skip


# in the order of the table
ALL = [SowerGet, SowerGetEpoll, LibtorrentGet, RqbitGet, RtorrentGet, Aria2Get, TransmissionGet]
DEFAULT = ALL
