"""The seeders that are compared: how each is started, with the best settings known for it, and why these.

The same for all: one core, the same payload, the data known to be right before the measurement, TCP only, no DHT, no
local discovery, no peer exchange, no encryption, no tracker, no limit of rate, slots or connections, every source address
as welcome as any other.
"""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import machine
import probe
from program import APT_GET, Failed, Program

VENV_PYTHON = machine.ROOT / "tests/.venv/bin/python"
RQBIT = machine.ROOT / "target/competitors/bin/rqbit"
# rTorrent and Transmission hash a GiB in some seconds, and do so once: their second start knows the result
READY_SECONDS = 90
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Seeder(Program):
    """A program that serves the payload. Used as a context: started and ready inside, ended outside."""

    # requests in flight of each peer, and the seconds until all are served at full speed
    depth = 128
    warm_up = 2
    speaks_http = False

    def __init__(self, job, port, limit=None):
        self.job, self.port, self.limit = job, port, limit
        # kept from one start to the next, so that nothing is hashed twice
        self.home = job.scratch / "seeders" / self.name
        self.home.mkdir(parents=True, exist_ok=True)
        self.process = None

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        command = [str(part) for part in self.command()]
        self.log = self.home / "output.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.home,
                env={**self.environment(), "HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self._before_start,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _before_start(self):
        os.sched_setaffinity(0, {self.job.seeder_cpu})
        # where there is no namespace of processes that would do it
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # a Ctrl-C is for the program that starts it, which then ends it in order
        os.setsid()
        if self.limit:
            self.limit.join()

    def _wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        try:
            self.check_service(deadline)
        except (OSError, ValueError, probe.NotYet) as error:
            raise Failed(f"not ready after {READY_SECONDS} s: {error}") from None

    def check_service(self, deadline):
        probe.wait_until_complete(self.address, self.job.torrent, deadline, self.check_alive)
        # once for each: some let a new peer wait ten seconds
        if self.name not in self.job.served:
            probe.check_piece(self.address, self.job.torrent, len(self.job.torrent.hashes) // 2, deadline)
            self.job.served.add(self.name)

    def check_alive(self):
        code = self.process.poll()
        if code is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Failed(f"it ended with {code}: {' '.join(last)[:200]}")

    def pids(self):
        return [self.process.pid]

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class WebServer(Seeder):
    """One that sends the bare file by HTTP."""

    speaks_http = True

    @property
    def web_path(self):
        return f"/{self.job.torrent.name}"

    def check_service(self, deadline):
        import urllib.request

        url = f"http://127.0.0.1:{self.port}{self.web_path}"
        while True:
            self.check_alive()
            try:
                with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=5) as answer:
                    size = int(answer.headers["Content-Length"])
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        if size != self.job.torrent.size:
            raise ValueError(f"it offers {size} bytes")


class Sower(Seeder):
    name, label, program = "sower", "sower", "sower"
    options = ()

    @classmethod
    def path(cls):
        return os.environ[machine.BINARY]

    def command(self):
        return [
            self.path(), "seed", self.job.torrent.path, "--data", self.job.data, "--no-tracker", "--skip-check",
            "--port", self.port, "--slots", "unlimited", "--reactors", "1", "--congestion", machine.congestion(), "--json",
            *self.options,
        ]  # fmt: skip

    @classmethod
    def environment(cls):
        return {**super().environment(), "XDG_STATE_HOME": ""}

    def __enter__(self):
        os.environ["SOWER_STATE"] = str(self.home / "state")
        return super().__enter__()


class SowerEpoll(Sower):
    name, label = "sower-epoll", "sower `--driver epoll`"
    options = ("--driver", "epoll")


class SowerCopy(Sower):
    name, label = "sower-copy", "sower `--send copy`"
    options = ("--send", "copy")


class SowerHttp(WebServer, Sower):
    name, label = "sower-http", "sower `--web-seed` (HTTP, whole file)"
    options = ("--web-seed",)

    @property
    def web_path(self):
        return f"/{self.job.torrent.info_hash.hex()}/{self.job.torrent.name}"


class SowerZerocopy(Sower):
    """Only by name: SENDMSG_ZC always copies on loopback, and its completions come on top."""

    name, label = "sower-zerocopy", "sower `--send zerocopy`"
    options = ("--send", "zerocopy")


class Libtorrent(Seeder):
    """Settings and their reasons: libtorrent_seeder.py."""

    name, label, remedy = "libtorrent", "libtorrent", ("tests/run", "install")

    @classmethod
    def path(cls):
        probe_import = [VENV_PYTHON, "-c", "import libtorrent"]
        found = VENV_PYTHON.exists() and subprocess.run(probe_import, capture_output=True).returncode == 0
        return str(VENV_PYTHON) if found else None

    version_arguments = ("-c", "import libtorrent; print('libtorrent', libtorrent.__version__)")

    def command(self):
        script = pathlib.Path(__file__).with_name("libtorrent_seeder.py")
        settings = os.environ.get("SOWER_PEERS_LIBTORRENT", "").split()
        return [VENV_PYTHON, script, self.job.torrent.path, self.job.data, self.port, *settings]


class Rtorrent(Seeder):
    name, label, program, remedy = "rtorrent", "rTorrent", "rtorrent", (*APT_GET, "rtorrent")
    version_arguments = ("-h",)

    def command(self):
        session = self.home / "session"
        session.mkdir(exist_ok=True)
        config = self.home / "rtorrent.rc"
        config.write_text(f"""\
system.daemon.set = true
session.path.set = {session}
directory.default.set = {self.job.data}
network.port_range.set = {self.port}-{self.port}
network.port_random.set = no
network.bind_address.set = 127.0.0.1
network.listen.backlog.set = 4096
dht.mode.set = disable
protocol.pex.set = no
protocol.encryption.set = none
trackers.use_udp.set = no
# 0 is no limit; where it means "none at all", a number that is never reached
throttle.global_up.max_rate.set_kb = 0
throttle.max_uploads.global.set = 0
throttle.max_uploads.set = 20000
throttle.max_peers.normal.set = 20000
throttle.max_peers.seed.set = 20000
network.max_open_sockets.set = 20000
network.max_open_files.set = 512
# the size of the window of mapped pieces: all of the payload
pieces.memory.max.set = 4096M
# send and receive buffers stay with the kernel's own sizing: network.send_buffer.size is SO_SNDBUF, which
# net.core.wmem_max cuts to 208 KiB and which then grows no more
# no read-ahead and no look at whether pages are there: the payload is in memory
pieces.preload.type.set = 0
pieces.hash.on_completion.set = no
# without a terminal it takes no torrent as an argument
schedule2 = add, 0, 0, "load.start={self.job.torrent.path}"
""" + os.environ.get("SOWER_PEERS_RTORRENT", "").replace(";", "\n") + "\n")  # fmt: skip
        (session / "rtorrent.lock").unlink(missing_ok=True)
        return [self.path(), "-n", "-o", f"import={config}"]


class Qbittorrent(Seeder):
    name, label, program = "qbittorrent", "qBittorrent", "qbittorrent-nox"
    remedy = (*APT_GET, "qbittorrent-nox")

    def command(self):
        profile = self.home / "profile"
        config = profile / "qBittorrent/config/qBittorrent.conf"
        config.parent.mkdir(parents=True, exist_ok=True)
        session = {
            "BTProtocol": "TCP", "DHTEnabled": "false", "LSDEnabled": "false", "PeXEnabled": "false", "Encryption": 2,
            "Port": self.port, "Interface": "", "InterfaceAddress": "127.0.0.1", "DefaultSavePath": self.job.data,
            "TempPathEnabled": "false", "AddTrackersEnabled": "false", "QueueingSystemEnabled": "false",
            # -1: no limit
            "MaxConnections": -1, "MaxConnectionsPerTorrent": -1, "MaxUploads": -1, "MaxUploadsPerTorrent": -1,
            "MultiConnectionsPerIp": "true", "PeerTurnover": 0, "PeerTurnoverCutOff": 0, "SocketBacklogSize": 5000,
            # KiB, KiB, percent: the same as for libtorrent, which is its engine
            "SendBufferLowWatermark": 1024, "SendBufferWatermark": 4096, "SendBufferWatermarkFactor": 150,
            "AsyncIOThreadsCount": 8, "DiskQueueSize": 64 << 20, "FilePoolSize": 500, "SuggestMode": "false",
        }  # fmt: skip
        lines = "".join(f"Session\\{key}={value}\n" for key, value in session.items())
        config.write_text(
            "[LegalNotice]\nAccepted=true\n[Preferences]\nWebUI\\Enabled=false\n"
            f"[Application]\nFileLogger\\Enabled=false\n[BitTorrent]\n{lines}"
        )
        added = list(profile.glob("qBittorrent/data/BT_backup/*.fastresume"))
        add = [] if added else [f"--save-path={self.job.data}", "--skip-dialog=true", self.job.torrent.path]
        return [self.path(), f"--profile={profile}", *add]


class Transmission(Seeder):
    name, label, program = "transmission", "Transmission", "transmission-daemon"
    remedy = (*APT_GET, "transmission-daemon")
    # it drops requests beyond 512 in silence, and a connection that sent them waits for good
    depth = 128
    # it looks every 10 s at whom to unchoke
    warm_up = 12

    def command(self):
        config = self.home / "config"
        watched = self.home / "watched"
        for folder in (config, watched):
            folder.mkdir(parents=True, exist_ok=True)
        # what it finds in a watched folder it checks; what lies in its own it takes for checked
        if not list(config.glob("resume/*.resume")):
            shutil.copy(self.job.torrent.path, watched)
        settings = {
            "bind-address-ipv4": "127.0.0.1", "peer-port": self.port, "port-forwarding-enabled": False,
            "download-dir": str(self.job.data), "rpc-enabled": False, "dht-enabled": False, "lpd-enabled": False,
            "pex-enabled": False, "utp-enabled": False, "encryption": 0, "start-added-torrents": True,
            "peer-limit-global": 20000, "peer-limit-per-torrent": 20000, "upload-slots-per-torrent": 20000,
            "speed-limit-up-enabled": False, "speed-limit-down-enabled": False, "ratio-limit-enabled": False,
            "idle-seeding-limit-enabled": False, "seed-queue-enabled": False, "queue-stalled-enabled": False,
            "cache-size-mb": 64, "prefetch-enabled": False, "message-level": 2,
            "peer-congestion-algorithm": machine.congestion(), "peer-socket-tos": "default",
            "watch-dir": str(watched), "watch-dir-enabled": True, "blocklist-enabled": False, "scrape-paused-torrents-enabled": False,
        }  # fmt: skip
        (config / "settings.json").write_text(json.dumps(settings))
        return [self.path(), "--foreground", "--config-dir", config]


class Rqbit(Seeder):
    name, label = "rqbit", "rqbit"
    remedy = ("cargo", "install", "--locked", "rqbit", "--root", str(RQBIT.parents[1]))

    @classmethod
    def path(cls):
        return str(RQBIT) if RQBIT.exists() else shutil.which("rqbit")

    def command(self):
        # one runtime thread on the one core: more of them only take turns
        return [
            self.path(), "--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--single-thread-runtime",
            "--listen-port", self.port, "--listen-ip", "127.0.0.1", "--peer-limit", "20000",
            *os.environ.get("SOWER_PEERS_RQBIT", "").split(), "download", "--disable-http-api", "-o", self.job.data, "--overwrite", self.job.torrent.path,
        ]  # fmt: skip


class Nginx(WebServer):
    """The upper reference: the bare file by sendfile, nothing framed, nothing asked for block by block."""

    name, label, program, remedy = "nginx", "nginx (HTTP, whole file)", "nginx", (*APT_GET, "nginx")
    version_arguments = ("-v",)

    def command(self):
        config = self.home / "nginx.conf"
        temporary = "\n".join(
            f"  {kind}_temp_path {self.home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config.write_text(f"""\
daemon off;
# one process, so that all it does is counted
master_process off;
worker_processes 1;
worker_rlimit_nofile {machine.DESCRIPTORS};
pid {self.home}/nginx.pid;
error_log {self.home}/error.log;
events {{ use epoll; worker_connections 20000; multi_accept on; }}
http {{
  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
  access_log off;
  open_file_cache max=16 inactive=1h;
  keepalive_requests 1000000000;
  send_timeout 1h;
{temporary}
  server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.job.data}; }}
}}
""")
        return [self.path(), "-c", config, "-e", self.home / "error.log", "-p", self.home]


# in the order of the table
DEFAULT = [Sower, SowerEpoll, SowerCopy, Libtorrent, Qbittorrent, Rtorrent, Rqbit, Transmission, SowerHttp, Nginx]
ALL = [*DEFAULT, SowerZerocopy]
