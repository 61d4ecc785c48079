"""Everything at once, then a look at what is left.

Five hundred torrents. Three programs change them through the three APIs, real downloaders come and go and compare every byte, and the
daemon is killed and started again and again. In the end every torrent is seeded, every download was right, the three APIs agree,
and what was sent is what the downloaders got, but for the seconds that a kill may cost.

    soak.py SOWER SEED SECONDS
"""

import base64
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import libtorrent
import qbittorrentapi
import transmission_rpc

PIECE = 32 * 1024
TORRENTS = 500
# only others have these: the daemon downloads them
FOREIGN = 10


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


class Torrent:
    def __init__(self, number, rng, folder):
        self.name = "content-%03d" % number
        self.bytes = rng.randbytes(rng.randrange(1, 8 * PIECE))
        pieces = b"".join(
            hashlib.sha1(self.bytes[at : at + PIECE]).digest() for at in range(0, len(self.bytes), PIECE)
        )
        info = {
            b"name": self.name.encode(),
            b"length": len(self.bytes),
            b"piece length": PIECE,
            b"pieces": pieces,
        }
        self.file = bencode({b"info": info})
        self.hash = hashlib.sha1(bencode(info)).hexdigest()
        if folder:
            with open(os.path.join(folder, self.name), "wb") as out:
                out.write(self.bytes)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    def __init__(self, sower, folder):
        self.sower = sower
        self.state = os.path.join(folder, "state")
        self.data = os.path.join(folder, "data")
        os.makedirs(self.data)
        self.api, self.port = free_port(), free_port()
        self.process = None
        self.kills = 0
        self.log = open(os.path.join(folder, "log"), "ab")

    def start(self):
        command = [self.sower, "daemon", "--state", self.state, "--api", "127.0.0.1:%d" % self.api]
        command += ["--port", str(self.port), "--downloads", self.data]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        for _ in range(600):
            try:
                return self.get("/api/v1/totals")
            except (OSError, http.client.HTTPException):
                if self.process.poll() is not None:
                    raise RuntimeError("the daemon ended: see its log") from None
                time.sleep(0.05)
        raise RuntimeError("the daemon does not answer")

    def token(self):
        with open(os.path.join(self.state, "token")) as file:
            return file.read().strip()

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=30)
        headers = {"Authorization": "Bearer " + self.token(), "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    def get(self, path):
        status, text = self.request("GET", path)
        if status != 200:
            raise RuntimeError("%s: %d %s" % (path, status, text[:200]))
        return json.loads(text)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


class Own:
    """The daemon's own API."""

    def __init__(self, daemon):
        self.daemon = daemon

    def ask(self, method, path, body=None, fine=(200, 201, 202, 204, 404, 409)):
        status, text = self.daemon.request(method, path, body)
        if status not in fine:
            raise RuntimeError("%s %s: %d %s" % (method, path, status, text[:300]))

    def add(self, torrent):
        body = {"torrent": base64.b64encode(torrent.file).decode(), "folder": self.daemon.data}
        self.ask("POST", "/api/v1/torrents", body)

    def remove(self, torrent):
        self.ask("DELETE", "/api/v1/torrents/" + torrent.hash)

    def stop(self, torrent):
        self.ask("POST", "/api/v1/torrents/%s/stop" % torrent.hash)

    def start(self, torrent):
        self.ask("POST", "/api/v1/torrents/%s/start" % torrent.hash)

    def verify(self, torrent):
        self.ask("POST", "/api/v1/torrents/%s/verify" % torrent.hash)

    def limit(self, torrent, rate):
        self.ask("PATCH", "/api/v1/torrents/" + torrent.hash, {"upload_limit": rate})

    def label(self, torrent, label):
        self.ask("PATCH", "/api/v1/torrents/" + torrent.hash, {"tags": [label]})


class Transmission:
    def __init__(self, daemon):
        self.daemon = daemon
        self.client = transmission_rpc.Client(
            host="127.0.0.1", port=daemon.api, username="sower", password=daemon.token()
        )

    def add(self, torrent):
        self.client.add_torrent(torrent.file, download_dir=self.daemon.data)

    def remove(self, torrent):
        self.client.remove_torrent(torrent.hash)

    def stop(self, torrent):
        self.client.stop_torrent(torrent.hash)

    def start(self, torrent):
        self.client.start_torrent(torrent.hash)

    def verify(self, torrent):
        self.client.verify_torrent(torrent.hash)

    def limit(self, torrent, rate):
        self.client.change_torrent(torrent.hash, upload_limited=rate is not None, upload_limit=(rate or 0) // 1000)

    def label(self, torrent, label):
        self.client.change_torrent(torrent.hash, labels=[label])


class QBittorrent:
    def __init__(self, daemon):
        self.daemon = daemon
        self.client = qbittorrentapi.Client(
            host="http://127.0.0.1:%d" % daemon.api, username="sower", password=daemon.token()
        )

    def add(self, torrent):
        self.client.torrents_add(torrent_files=torrent.file, save_path=self.daemon.data)

    def remove(self, torrent):
        self.client.torrents_delete(delete_files=False, torrent_hashes=torrent.hash)

    def stop(self, torrent):
        self.client.torrents_stop(torrent_hashes=torrent.hash)

    def start(self, torrent):
        self.client.torrents_start(torrent_hashes=torrent.hash)

    def verify(self, torrent):
        self.client.torrents_recheck(torrent_hashes=torrent.hash)

    def limit(self, torrent, rate):
        self.client.torrents_set_upload_limit(limit=rate or 0, torrent_hashes=torrent.hash)

    def label(self, torrent, label):
        self.client.torrents_add_tags(tags=label, torrent_hashes=torrent.hash)


def parameters(torrent, folder):
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(libtorrent.bdecode(torrent.file))
    parameters.save_path = folder
    return parameters


# what a client raises while the daemon is down, or for a torrent that another has just removed
PASSING = (
    OSError,
    http.client.HTTPException,
    transmission_rpc.TransmissionError,
    qbittorrentapi.APIError,
    KeyError,
)


class Soak:
    def __init__(self, sower, seed, seconds):
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="sower-soak-")
        self.daemon = Daemon(sower, self.folder)
        self.torrents = [Torrent(number, self.rng, self.daemon.data) for number in range(TORRENTS)]
        self.seeds = os.path.join(self.folder, "seeds")
        os.makedirs(self.seeds)
        self.foreign = [Torrent(TORRENTS + number, self.rng, self.seeds) for number in range(FOREIGN)]
        self.seconds = seconds
        self.stop = threading.Event()
        self.received = 0
        self.downloads = 0
        self.operations = 0
        self.errors = []
        self.lock = threading.Lock()

    def run(self):
        self.daemon.start()
        clients = [Own(self.daemon), Transmission(self.daemon), QBittorrent(self.daemon)]
        for number, torrent in enumerate(self.torrents + self.foreign):
            clients[number % 3].add(torrent)
        self.wait_until_seeding(self.torrents)
        threads = [threading.Thread(target=self.disturb, args=(kind, self.rng.random())) for kind in (Own, Transmission, QBittorrent)]
        threads += [threading.Thread(target=self.download, args=(self.rng.random(),)) for _ in range(2)]
        seeder = threading.Thread(target=self.seed, daemon=True)
        for thread in [*threads, seeder]:
            thread.start()
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and not self.errors:
            time.sleep(self.rng.uniform(5, 9))
            self.daemon.kill()
            self.daemon.start()
        self.stop.set()
        for thread in threads:
            thread.join()
        assert not self.errors, self.errors[:3]
        self.look()

    def disturb(self, kind, seed):
        rng, client = random.Random(seed), None
        while not self.stop.is_set():
            torrent = rng.choice(self.torrents)
            deed = rng.choice(["stop", "start", "start", "verify", "limit", "limit", "label", "remove"])
            try:
                client = client or kind(self.daemon)
                if deed == "remove":
                    client.remove(torrent)
                    client.add(torrent)
                elif deed == "limit":
                    client.limit(torrent, rng.choice([None, 200_000, 1_000_000]))
                elif deed == "label":
                    client.label(torrent, rng.choice(["red", "green", "blue"]))
                else:
                    getattr(client, deed)(torrent)
                self.operations += 1
            except PASSING:
                client = None
                time.sleep(0.2)
            except Exception as error:  # anything else is a failure of the soak
                self.errors.append("%s %s: %r" % (kind.__name__, deed, error))
                return

    def session(self):
        settings = {
            "listen_interfaces": "127.0.0.1:0",
            "allow_multiple_connections_per_ip": True,
            "alert_mask": libtorrent.alert.category_t.storage_notification,
            # a daemon that was killed is back at once
            "min_reconnect_time": 1,
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "in_enc_policy": 2,
            "out_enc_policy": 2,
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
        }
        return libtorrent.session(settings)

    def download(self, seed):
        """Downloads one torrent after another, and compares each with the truth."""
        rng, session = random.Random(seed), self.session()
        while not self.stop.is_set():
            torrent = rng.choice(self.torrents)
            folder = tempfile.mkdtemp(dir=self.folder)
            handle = session.add_torrent(parameters(torrent, folder))
            begun = time.monotonic()
            while not handle.status().is_seeding and time.monotonic() < begun + 4 and not self.stop.is_set():
                handle.connect_peer(("127.0.0.1", self.daemon.port))
                time.sleep(0.05)
            status = handle.status()
            if status.is_seeding:
                self.flush(session, handle)
            session.remove_torrent(handle)
            with self.lock:
                self.received += status.total_payload_download
            if status.is_seeding:
                with open(os.path.join(folder, torrent.name), "rb") as file:
                    if file.read() != torrent.bytes:
                        self.errors.append(torrent.name + " was downloaded wrong")
                self.downloads += 1
            shutil.rmtree(folder, ignore_errors=True)

    def flush(self, session, handle):
        """What is complete need not be written yet."""
        handle.flush_cache()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            session.wait_for_alert(500)
            if any(isinstance(alert, libtorrent.cache_flushed_alert) for alert in session.pop_alerts()):
                return
        self.errors.append("libtorrent does not flush")

    def seed(self):
        """Seeds what the daemon does not have."""
        session, handles = self.session(), []
        for torrent in self.foreign:
            handles.append(session.add_torrent(parameters(torrent, self.seeds)))
        while True:
            for handle in handles:
                handle.connect_peer(("127.0.0.1", self.daemon.port))
            time.sleep(0.5)

    def wait_until_seeding(self, torrents, seconds=90):
        end = time.monotonic() + seconds
        while True:
            rows = {row["hash"]: row for row in self.daemon.get("/api/v1/torrents")["torrents"]}
            missing = [torrent for torrent in torrents if rows.get(torrent.hash, {}).get("activity") != "seeding"]
            if not missing:
                return rows
            if time.monotonic() > end:
                raise RuntimeError("not seeded: %r" % [(one.name, rows.get(one.hash)) for one in missing[:3]])
            time.sleep(0.2)

    def look(self):
        """Everything there, everything seeded, everybody of one opinion."""
        own = Own(self.daemon)
        for torrent in self.torrents:
            own.add(torrent)
            own.start(torrent)
        rows = self.wait_until_seeding(self.torrents + self.foreign)
        time.sleep(2)
        rows = {row["hash"]: row for row in self.daemon.get("/api/v1/torrents")["torrents"]}
        assert len(rows) == TORRENTS + FOREIGN, len(rows)
        for torrent in self.foreign:
            with open(os.path.join(self.daemon.data, torrent.name), "rb") as file:
                assert file.read() == torrent.bytes, torrent.name
        transmission = {row.hash_string: row for row in Transmission(self.daemon).client.get_torrents()}
        qbittorrent = {row.hash: row for row in QBittorrent(self.daemon).client.torrents_info()}
        for hash, row in rows.items():
            sent = row["uploaded"], transmission[hash].uploaded_ever, qbittorrent[hash].uploaded
            assert len(set(sent)) == 1, (hash, sent)
        totals = self.daemon.get("/api/v1/totals")
        # removed torrents count in the totals alone
        assert totals["uploaded"] >= sum(row["uploaded"] for row in rows.values()), totals
        # a kill may cost what was sent in the seconds before it
        lost = self.received - totals["uploaded"]
        assert lost <= self.received * 0.75 and -lost <= TORRENTS * PIECE, (self.received, totals)
        assert self.downloads > 20 and self.operations > 100, (self.downloads, self.operations)
        before = {hash: row["uploaded"] for hash, row in rows.items()}
        assert self.daemon.end() == 0
        self.daemon.start()
        rows = self.wait_until_seeding(self.torrents + self.foreign)
        after = {hash: row["uploaded"] for hash, row in rows.items()}
        assert before == after, [(hash, before[hash], after[hash]) for hash in before if before[hash] != after[hash]][:3]
        self.daemon.end()
        print(
            "%d kills, %d changes, %d downloads, %d bytes received, %d counted"
            % (self.daemon.kills, self.operations, self.downloads, self.received, totals["uploaded"])
        )


def main():
    soak = Soak(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    try:
        soak.run()
    except BaseException:
        print(open(os.path.join(soak.folder, "log")).read()[-4000:], file=sys.stderr)
        raise
    finally:
        soak.stop.set()
        if soak.daemon.process and soak.daemon.process.poll() is None:
            soak.daemon.kill()
        shutil.rmtree(soak.folder, ignore_errors=True)


main()
