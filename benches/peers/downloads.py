"""One download, measured from outside, and what comes of many.

| figure | how |
|---|---|
| until complete | from the start of the process until it says that all pieces are checked and written |
| until ended | until the process is gone; what it does after that on the disk is the kernel's business |
| CPU | user and system time of the process and its children, all threads, from start to end (wait4(2)) |
| private | highest `RssAnon` of /proc/PID/status, looked at every 10 ms: memory that is no file's |
"""

import ctypes
import dataclasses
import os
import select
import shutil
import signal
import statistics
import subprocess
import time

import machine
from program import Failed
from report import grid, label, spread
from seeders import Sower

BEGIN, END = "<!-- benches/peers/get: begin -->", "<!-- benches/peers/get: end -->"
LOOK_SECONDS = 0.01
# transmission-cli takes twenty seconds on a quiet machine
PATIENCE_SECONDS = 90
# what is downloaded, and what the clients use themselves
TAKEN_BYTES = 3 << 29
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Source(Sower):
    """The seeder of all downloads, with a tracker for those who cannot be told of a peer."""

    name = "source"

    def __init__(self, job, port, tracker_port):
        super().__init__(job, port)
        self.tracker_port = tracker_port

    def command(self):
        return [
            self.path(), "seed", self.job.torrent.path, "--data", self.job.data, "--skip-check", "--port", self.port,
            "--tracker-port", self.tracker_port, "--external-ip", "127.0.0.1", "--slots", "unlimited", "--reactors", "1",
            "--congestion", machine.congestion(), "--json",
        ]  # fmt: skip


@dataclasses.dataclass
class Watched:
    """A process that downloads, and what was seen of it."""

    client: object
    process: subprocess.Popen
    began: float
    cpu_before: float = 0
    complete: float | None = None
    private: int = 0
    last: bytes = b""

    def watch(self):
        """Until it ends or has said that it is complete, or takes too long."""
        output = self.process.stdout
        os.set_blocking(output.fileno(), False)
        deadline = self.began + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            readable = select.select([output], [], [], LOOK_SECONDS)[0]
            now = time.monotonic()
            self._look(now)
            if readable:
                text = os.read(output.fileno(), 1 << 16)
                if not text:
                    return
                self._read(text, now)
            if self.complete and self.client.stays:
                return
        raise Failed(f"not complete after {PATIENCE_SECONDS} s: {last_line(self.last)}")

    def _look(self, now):
        try:
            self.private = max(self.private, machine.private_bytes(self.process.pid))
        except OSError:
            return
        if not self.complete and not self.client.marker and self.client.done.exists():
            self.complete = now

    def _read(self, text, now):
        self.last = (self.last + text)[-4096:]
        for line in text.splitlines():
            if line.startswith(b"began ") and not self.cpu_before:
                self.began, self.cpu_before = now, float(line.split()[1])
            elif self.client.marker and self.client.marker in line and not self.complete:
                self.complete = now


def download(job, client):
    """Runs a client on the core of the load; what was measured."""
    command = [str(part) for part in client.command()]
    process = subprocess.Popen(
        command, cwd=client.home, env=client.surroundings(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, bufsize=0, preexec_fn=lambda: before_start(job),
    )  # fmt: skip
    watched = Watched(client, process, time.monotonic())
    try:
        watched.watch()
        status, used = end(watched)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    ended = time.monotonic()
    if status != 0 and not client.stays:
        raise Failed(f"it ended with {status}: {last_line(watched.last)}")
    compare(job, client)
    return {
        "command": " ".join(command),
        "complete_seconds": (watched.complete or ended) - watched.began,
        "ended_seconds": ended - watched.began,
        "cpu_seconds": used.ru_utime + used.ru_stime - watched.cpu_before,
        "user_seconds": used.ru_utime, "system_seconds": used.ru_stime,
        "private_bytes": watched.private, "switches": [used.ru_nvcsw, used.ru_nivcsw], "faults": used.ru_minflt,
    }  # fmt: skip


def before_start(job):
    os.sched_setaffinity(0, {job.load_cpu})
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()


def end(watched):
    """Waits for the end, and asks for it where the client would go on to seed."""
    process = watched.process
    if watched.client.stays:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.002)


def compare(job, client):
    path = client.downloads / job.torrent.name
    if not path.exists() or subprocess.run(["cmp", "--silent", path, job.payload]).returncode != 0:
        raise Failed("what it has downloaded is not the payload")


def last_line(text):
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def run(job, clients):
    """All clients, round after round; every second round in the other order."""
    for number in range(job.options.rounds):
        for client in clients if number % 2 == 0 else reversed(clients):
            outcome = one(job, client, number)
            job.runs.append({"section": "get", "seeder": client.name, "round": number, **outcome})
            print(f"round {number + 1} of {job.options.rounds}, {client.name}: {in_words(outcome)}", flush=True)
            time.sleep(job.options.pause)


def one(job, client, number):
    if client.missing():
        return {"error": f"not installed: {' '.join(client.missing())}"}
    client = client(job, number)
    try:
        share = machine.warm(job.payload)
        job.seeder.check_alive()
        machine.take_page_cache(client.home, TAKEN_BYTES)
        return {"result": download(job, client), "resident_before": share}
    except (Failed, OSError) as error:
        return {"error": str(error)}
    finally:
        # what it has not written yet is dropped with the file, what it has is nobody else's business
        shutil.rmtree(client.home, ignore_errors=True)
        os.sync()


def in_words(outcome):
    if "error" in outcome:
        return f"FAILED: {outcome['error']}"
    result = outcome["result"]
    return (
        f"complete {result['complete_seconds']:.2f} s, ended {result['ended_seconds']:.2f} s, "
        f"CPU {result['cpu_seconds']:.2f} s ({result['user_seconds']:.2f} user), private {result['private_bytes'] / 2**20:.1f} MiB, "
        f"{sum(result['switches'])} switches"
    )


def render(document, clients):
    """The Markdown text of the whole measurement."""
    where, runs = document["machine"], document["runs"]
    of = {client.name: [run for run in runs if run["seeder"] == client.name] for client in clients}
    fields = [("complete_seconds", 1, 2), ("ended_seconds", 1, 2), ("cpu_seconds", 1, 2), ("private_bytes", 2**20, 1)]
    rows = [["client", "seconds until complete", "until ended", "CPU seconds", "private MiB"]]
    notes = []
    for client in clients:
        results = [run["result"] for run in of[client.name] if "result" in run]
        failures = [run["error"] for run in of[client.name] if "error" in run]
        if failures:
            notes.append(f"- {client.label}: {len(failures)} of {len(of[client.name])} runs failed: {failures[0]}")
        cells = [spread([result[field] for result in results], unit, digits) for field, unit, digits in fields]
        rows.append([label(document, client.name, clients), *(cells if results else ["failed", "-", "-", "-"])])
    head = (
        f"{where['date']}, commit {where['commit']}; {where['processors']} processors, {where['cpu']}, {where['memory_gib']} GiB, "
        f"Linux {where['kernel']}; loopback, {where['congestion']}; {document['payload_bytes'] / 2**30:g} GiB in pieces of 256 KiB from one "
        f"`sower seed` on one core, client on another, to disk; medians (least to most) of {document['rounds']} alternating rounds, content "
        f"compared after each. `{document['command']}`"
    )
    parts = [head, grid(rows), ratios(of), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def ratios(of):
    """What the issue asks for: at most 0.6 of the best others' time, by medians."""
    def median(name, field):
        values = [run["result"][field] for run in of.get(name, []) if "result" in run]
        return statistics.median(values) if values else None

    words = []
    for other in ("rqbit", "libtorrent"):
        pairs = [(median("sower", field), median(other, field)) for field in ("complete_seconds", "cpu_seconds")]
        if all(ours and theirs for ours, theirs in pairs):
            wall, cpu = (ours / theirs for ours, theirs in pairs)
            words.append(f"{wall:.2f} of the time and {cpu:.2f} of the CPU time of {other}")
    return f"sower takes {', '.join(words)}." if words else ""
