"""What is measured: which seeder, how many peers, warm or cold, in which order; every run is kept, failed ones with why.

A run is a dictionary: `section`, `seeder`, `case`, `round`, and either `result` (a run of `sower bench --json`) or `error`.
"""

import json
import subprocess
import time

import machine
from seeders import Failed, Libtorrent, Rtorrent, Sower

# connections are made and closed one after the other: what a client does afterwards is not the next run's business
SETTLE_SECONDS = 0.5
# a cold run: the memory of the seeder, page cache included, and how long it is measured
COLD_MEMORY = 256 << 20
COLD_SECONDS = 8
COLD_SEEDERS = [Sower, Libtorrent, Rtorrent]
LOAD_PEERS = [1, 50]
SCALE_PEERS = 10_000
SCALE_ACTIVE = 100


class Job:
    """What all runs share: files, processors, programs, and the list of runs."""

    def __init__(self, scratch, programs, options):
        self.scratch, self.programs, self.options = scratch, programs, options
        self.seeder_cpu, self.load_cpu = machine.cores()
        self.data = scratch / "data"
        self.payload = self.data / "payload.bin"
        self.torrent = None
        self.runs, self.served = [], set()
        self.done, self.planned, self.started = 0, 0, time.monotonic()
        self.ports = iter(range(options.port, options.port + 1000))

    def record(self, section, seeder, case, number, **outcome):
        run = {"section": section, "seeder": seeder.name, "case": case, "round": number, **outcome}
        self.runs.append(run)
        self.done += 1
        elapsed = time.monotonic() - self.started
        left = elapsed / self.done * (self.planned - self.done)
        print(f"[{self.done}/{self.planned}, {left / 60:4.1f} min left] {seeder.name}, {case}: {in_words(run)}", flush=True)


def in_words(run):
    if "error" in run:
        return f"FAILED: {run['error']}"
    result = run["result"]
    words = f"{result['bytes_per_second'] / 1e9:.2f} GB/s, limit: {result['limit']}"
    if result["seeder"]:
        words += f", private {result['seeder']['private_bytes'] / 2**20:.1f} MiB"
    if run["section"] == "cold":
        words += f", read/sent {result['seeder']['disk_read_bytes'] / result['bytes']:.2f}"
    elif run["resident_before"] < 1:
        words += f", only {run['resident_before']:.0%} of the payload was in memory"
    return words


def throughput(job, seeders):
    """Each seeder with each number of peers, round after round; every second round in the other order."""
    for number in range(job.options.rounds):
        for seeder in seeders if number % 2 == 0 else reversed(seeders):
            cases = [(f"{peers} peers", load(peers)) for peers in job.options.peers]
            series(job, "throughput", seeder, cases, number)


def scale(job, seeders):
    """Silent connections must cost little: a hundred active peers, alone and among ten thousand."""
    crowd = min(SCALE_PEERS, machine.descriptors() - 1000)
    cases = [
        (f"{SCALE_ACTIVE} peers", load(SCALE_ACTIVE)),
        (f"{SCALE_ACTIVE} of {crowd} peers", load(crowd, "--active", SCALE_ACTIVE)),
    ]
    for number in range(min(job.options.rounds, 2)):
        for seeder in seeders:
            series(job, "scale", seeder, cases, number)


def cold(job, seeders):
    """Content not in memory and larger than the memory that the seeder gets."""
    cases = [
        ("1 peer, in order", load(1, "--order", "sequential")),
        ("50 peers, at random", load(50, "--order", "random")),
    ]
    for seeder in seeders:
        for case, options in cases:
            # one start each: the second would begin with what the first left in memory
            series(job, "cold", seeder, [(case, options)], 0)


class ReadyMade:
    """No seeder: messages made before, which `sower bench --calibrate` sends to itself."""

    name = label = "ready-made"


def limit(job, _seeders):
    """What the load itself takes: the figures of all other runs are below that."""
    for peers in LOAD_PEERS:
        job.record("limit", ReadyMade, f"{peers} peers", 0, **calibrated(job, peers))


def calibrated(job, peers):
    command = [
        job.programs["sower"], "bench", "--calibrate", "--peers", peers, "--duration", job.options.duration,
        "--seeder-cpus", job.seeder_cpu, "--load-cpus", job.load_cpu, "--json",
    ]  # fmt: skip
    command = [str(part) for part in command]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if run.returncode != 0:
        return {"error": last_line(run.stderr)}
    return {"command": " ".join(command), "result": json.loads(run.stdout)["runs"][0], "resident_before": 1}


def load(peers, *options):
    return ["--peers", str(peers), *map(str, options)]


def series(job, section, seeder, cases, number):
    """One start of a seeder, and a run for each case; a seeder that fails is started again for the next case."""
    running = None
    try:
        for case, options in cases:
            try:
                if running is None:
                    running = start(job, section, seeder)
                job.record(section, seeder, case, number, **one(job, section, running, options))
            except (Failed, OSError) as error:
                job.record(section, seeder, case, number, error=str(error))
                stop(running)
                running = None
                if not seeder.path():
                    break
            time.sleep(SETTLE_SECONDS)
    finally:
        stop(running)


def start(job, section, seeder):
    if seeder.missing():
        raise Failed(f"not installed: {' '.join(seeder.missing())}")
    if section == "throughput" or section == "scale":
        machine.warm(job.payload)
        return seeder(job, next(job.ports)).__enter__()
    machine.drop(job.payload)
    limit = machine.MemoryLimit(COLD_MEMORY).__enter__()
    try:
        running = seeder(job, next(job.ports), limit).__enter__()
    except BaseException:
        limit.__exit__()
        raise
    return running


def stop(running):
    if running is None:
        return
    running.__exit__()
    if running.limit:
        running.limit.__exit__()


def one(job, section, seeder, options):
    """One run of the load against a seeder that is ready."""
    before = machine.drop(job.payload) if section == "cold" else machine.warm(job.payload)
    seconds = COLD_SECONDS if section == "cold" else job.options.duration
    if job.options.quick:
        seconds = min(seconds, 2)
    command = http(job, seeder, options, seconds) if seeder.speaks_http else bench(job, seeder, options, seconds)
    # the load waits 15 s and 4 ms a peer for handshakes; what takes much longer than that hangs
    patience = 60 + seeder.warm_up + seconds + int(options[1]) / 200
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        raise Failed(f"no result after {patience:.0f} s") from None
    if run.returncode != 0:
        seeder.check_alive()
        raise Failed(last_line(run.stderr))
    result = json.loads(run.stdout)["runs"][0]
    after = machine.resident(job.payload)
    return {"command": " ".join(command), "result": result, "resident_before": before, "resident_after": after}


def bench(job, seeder, options, seconds):
    command = [
        job.programs["sower"], "bench", "--target", f"127.0.0.1:{seeder.port}", "--torrent", job.torrent.path,
        "--pid", seeder.process.pid, "--mode", "discard", "--depth", seeder.depth, "--warm-up", seeder.warm_up,
        "--duration", seconds, "--threads", 1, "--load-cpus", job.load_cpu, "--json", *options,
    ]  # fmt: skip
    return [str(part) for part in command]


def http(job, seeder, options, seconds):
    command = [
        job.programs["http_load"], f"127.0.0.1:{seeder.port}", seeder.web_path, options[1], seeder.warm_up, seconds,
        seeder.process.pid, job.load_cpu,
    ]  # fmt: skip
    return [str(part) for part in command]


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    panic = [at for at, line in enumerate(lines) if "panicked at" in line]
    lines = lines[: panic[0] + 2] if panic else lines
    return lines[-1].removeprefix("sower: ").removeprefix("error: ")[:300] if lines else "it failed without a word"


def versions(seeders):
    return {seeder.name: seeder.version() for seeder in seeders if not seeder.missing()}


def plan(job, sections, seeders):
    """How many runs there will be."""
    counts = {
        "throughput": job.options.rounds * len(job.options.peers) * len(seeders["throughput"]),
        "scale": 2 * min(job.options.rounds, 2) * len(seeders["scale"]),
        "cold": 2 * len(seeders["cold"]),
        "limit": len(LOAD_PEERS),
    }
    job.planned = sum(counts[section] for section in sections)
