"""The daemons that are compared: how each is started with many torrents, and how it is asked through its own API.

The same for all: complete torrents, which it remembers as checked; TCP only, no DHT, no local discovery, no peer exchange, no queue
and no limit; all processors; one tracker on this host.
"""

import base64
import json
import os
import shutil
import subprocess

import seeders
from calls import Api
from program import Failed

# what transmission-remote asks for its list
FIELDS = [
    "addedDate", "error", "errorString", "eta", "id", "isFinished", "leftUntilDone", "name", "peersGettingFromUs",
    "peersSendingToUs", "rateDownload", "rateUpload", "sizeWhenDone", "status", "uploadRatio",
]  # fmt: skip
SEEDING = 6
QBITTORRENT_SEEDS = {"uploading", "stalledUP", "forcedUP"}
OWN_FIELDS = [
    "hash", "name", "size", "activity", "message", "left", "progress", "ratio", "upload_rate", "download_rate", "unchoked", "senders",
    "uploaded", "added_at", "completed_at",
]  # fmt: skip


class Box:
    """A daemon with many torrents.

    `open` connects and makes a `small` call, which it answers as soon as it answers anything; `lists` and `deltas` are calls by the
    name of the API.
    """

    def __init__(self, home, many, ports):
        self.home, self.many = home, many
        self.port, self.api_port = next(ports), next(ports)
        self.home.mkdir(parents=True)
        self.process = None

    def prepare(self):
        """Puts the torrents where the daemon finds them at its start."""

    def start(self):
        self.log = open(self.home / "output.log", "ab")
        command = [str(part) for part in self.command()]
        self.process = subprocess.Popen(
            command, cwd=self.home, env={**self.environment(), "HOME": str(self.home)}, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=os.setsid,
        )  # fmt: skip

    def check_alive(self):
        if self.process.poll() is not None:
            last = (self.home / "output.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise Failed(f"it ended with {self.process.returncode}: {' '.join(last)[:200]}")

    def stop(self, seconds):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Sower(Box, seeders.Sower):
    def prepare(self):
        backup = self.home / "BT_backup"
        self.many.as_qbittorrent(backup)
        self.state = self.home / "state"
        take_over = [self.path(), "import", "--state", self.state, "--from", "qbittorrent", backup]
        imported = subprocess.run(take_over, capture_output=True, text=True)
        if imported.returncode != 0:
            raise Failed(f"sower import: {imported.stderr.strip()[-200:]}")
        shutil.rmtree(backup)

    def command(self):
        return [
            self.path(), "daemon", "--state", self.state, "--api", f"127.0.0.1:{self.api_port}", "--port", self.port,
            "--root", self.many.data, "--listen", "127.0.0.1",
        ]  # fmt: skip

    def open(self):
        token = (self.state / "token").read_text().strip()
        basic = base64.b64encode(f"sower:{token}".encode()).decode()
        return self.small(Api(self.api_port, {"Authorization": f"Basic {basic}"}))

    @staticmethod
    def small(api):
        api.get("/api/v1/totals")
        return api

    def seeding(self):
        return _seeding(self.api)

    @property
    def lists(self):
        return {
            "own API": lambda: self.api.get("/api/v1/torrents?fields=" + ",".join(OWN_FIELDS)),
            "Transmission RPC": lambda: self.api.rpc("torrent-get", {"fields": FIELDS}),
            "qBittorrent API, all fields": lambda: self.api.get("/api/v2/torrents/info"),
        }

    @property
    def deltas(self):
        return {
            "own API": Since(self.api, "/api/v1/torrents?since=", "revision"),
            "Transmission RPC": lambda: self.api.rpc("torrent-get", {"ids": "recently-active", "fields": FIELDS}),
            "qBittorrent API": Since(self.api, "/api/v2/sync/maindata?rid=", "rid"),
        }


class Transmission(Box, seeders.Transmission):
    def prepare(self):
        config = self.home / "config"
        self.many.as_transmission(config)
        settings = {
            "bind-address-ipv4": "127.0.0.1", "peer-port": self.port, "port-forwarding-enabled": False,
            "download-dir": str(self.many.data), "rpc-enabled": True, "rpc-port": self.api_port, "rpc-bind-address": "127.0.0.1",
            "rpc-whitelist-enabled": False, "dht-enabled": False, "lpd-enabled": False, "pex-enabled": False, "utp-enabled": False,
            "peer-limit-global": 8192, "ratio-limit-enabled": False, "idle-seeding-limit-enabled": False,
            "seed-queue-enabled": False, "queue-stalled-enabled": False, "message-level": 1, "blocklist-enabled": False,
        }  # fmt: skip
        (config / "settings.json").write_text(json.dumps(settings))

    def command(self):
        return [self.path(), "--foreground", "--config-dir", self.home / "config"]

    def open(self):
        return self.small(Api(self.api_port, {}))

    @staticmethod
    def small(api):
        api.rpc("session-get", {"fields": ["version"]})
        return api

    def seeding(self):
        return _seeding(self.api)

    @property
    def lists(self):
        return {"Transmission RPC": lambda: self.api.rpc("torrent-get", {"fields": FIELDS})}

    @property
    def deltas(self):
        return {"Transmission RPC": lambda: self.api.rpc("torrent-get", {"ids": "recently-active", "fields": FIELDS})}


class Qbittorrent(Box, seeders.Qbittorrent):
    def prepare(self):
        profile = self.home / "profile/qBittorrent"
        self.many.as_qbittorrent(profile / "data/BT_backup")
        session = {
            "BTProtocol": "TCP", "DHTEnabled": "false", "LSDEnabled": "false", "PeXEnabled": "false", "Port": self.port,
            "InterfaceAddress": "127.0.0.1", "DefaultSavePath": self.many.data, "TempPathEnabled": "false",
            "QueueingSystemEnabled": "false", "MaxConnections": 8192,
        }  # fmt: skip
        lines = "".join(f"Session\\{key}={value}\n" for key, value in session.items())
        config = profile / "config/qBittorrent.conf"
        config.parent.mkdir(parents=True)
        config.write_text(
            "[LegalNotice]\nAccepted=true\n[Preferences]\nWebUI\\Enabled=true\nWebUI\\Address=127.0.0.1\n"
            f"WebUI\\LocalHostAuth=false\nWebUI\\Port={self.api_port}\n[Application]\nFileLogger\\Enabled=false\n[BitTorrent]\n{lines}"
        )

    def command(self):
        return [self.path(), f"--profile={self.home / 'profile'}"]

    def open(self):
        return self.small(Api(self.api_port, {}))

    @staticmethod
    def small(api):
        api.get("/api/v2/app/version")
        return api

    def seeding(self):
        return sum(row["state"] in QBITTORRENT_SEEDS for row in json.loads(self.api.get("/api/v2/torrents/info")))

    @property
    def lists(self):
        return {"qBittorrent API, all fields": lambda: self.api.get("/api/v2/torrents/info")}

    @property
    def deltas(self):
        return {"qBittorrent API": Since(self.api, "/api/v2/sync/maindata?rid=", "rid")}


def _seeding(api):
    rows = json.loads(api.rpc("torrent-get", {"fields": ["status"]}))["arguments"]["torrents"]
    return sum(row["status"] == SEEDING for row in rows)


class Since:
    """What changed since the call before, by the number that it answered."""

    def __init__(self, api, path, key):
        self.api, self.path, self.key = api, path, key
        self.number = 0

    def __call__(self):
        return self.api.get(f"{self.path}{self.number}")

    def read(self, answer):
        self.number = json.loads(answer)[self.key]


# in the order of the table
ALL = [Sower, Transmission, Qbittorrent]
