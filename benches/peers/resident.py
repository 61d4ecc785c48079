"""One daemon with many torrents, measured from outside, and what comes of all.

| figure | how |
|---|---|
| until it answers | from the start of the process to its first answer by its API, asked every 10 ms |
| until all seed | to the first list in which all torrents are seeding; looked at again as soon as it has answered, at most every 50 ms |
| private | `RssAnon` of /proc/PID/status once all have been announced, and at the end, after all lists |
| idle CPU | user and system time of the process (/proc/PID/stat) over a minute in which nothing is asked, once all have been announced: what is left are the announces of each interval |
| lists, deltas | the median of the calls over one kept connection, sent to last byte; a delta asks what changed since the delta before |
| another call meanwhile | the longest of the small calls on another connection while, for two seconds, one list after another is made |
"""

import os
import statistics
import threading
import time

import machine
from boxes import ALL
from program import Failed
from report import grid, label

BEGIN, END = "<!-- benches/peers/daemons: begin -->", "<!-- benches/peers/daemons: end -->"
START_SECONDS = 1800
TICK = os.sysconf("SC_CLK_TCK")


def measure(box, tracker, options):
    """Starts it, and measures everything."""
    began = time.monotonic()
    box.start()
    result = {"answers_seconds": wait_for(box, began, lambda: connected(box), 0.01)}
    count = box.many.count
    result["seeding_seconds"] = wait_for(box, began, lambda: box.seeding() == count, 0.05)
    result["announced_seconds"] = wait_for(box, began, lambda: not options.idle or tracker.peers() == count, 1)
    # what the last announces brought is taken in
    time.sleep(min(options.idle, 5))
    result["private_bytes"] = machine.private_bytes(box.process.pid)
    result["idle_cpu"] = idle(box.process.pid, options.idle) if options.idle else 0
    # servers close connections that nobody uses
    box.api = box.open()
    result["lists"] = {name: calls(f"list by {name}", call, options.calls) for name, call in box.lists.items()}
    result["deltas"] = {name: calls(f"delta by {name}", call, options.calls) for name, call in box.deltas.items()}
    result["meanwhile_seconds"] = meanwhile(box)
    result["private_after_bytes"] = machine.private_bytes(box.process.pid)
    return result


def connected(box):
    box.api = box.open()
    return True


def wait_for(box, began, condition, pause):
    while True:
        box.check_alive()
        try:
            if condition():
                return time.monotonic() - began
        except OSError:
            pass
        if time.monotonic() - began > START_SECONDS:
            raise Failed(f"not ready after {START_SECONDS} s")
        time.sleep(pause)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def idle(pid, seconds):
    """The share of a processor that it takes when nobody asks for anything."""
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)


def calls(what, call, count):
    """Seconds and bytes of a call, after one that is not counted."""
    times, size = [], 0
    for number in range(count + 1):
        began = time.perf_counter()
        try:
            answer = call()
        except OSError as error:
            raise Failed(f"{what}: {error}") from error
        if number:
            times.append(time.perf_counter() - began)
            size = len(answer)
        if hasattr(call, "read"):
            call.read(answer)
    return {"seconds": times, "bytes": size}


def meanwhile(box):
    """The longest of the small calls that are made while there are lists to be made."""
    other, ended, times = box.open(), threading.Event(), []

    def ask():
        while not ended.is_set():
            began = time.perf_counter()
            box.small(other)
            times.append(time.perf_counter() - began)
            time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            for call in box.lists.values():
                call()
    finally:
        ended.set()
        thread.join()
    return max(times)


def in_words(result):
    times = [
        f"{what} by {name} {statistics.median(call['seconds']) * 1000:.1f} ms"
        for what in ("lists", "deltas")
        for name, call in result[what].items()
    ]
    return (
        f"answers {result['answers_seconds']:.2f} s, all seed {result['seeding_seconds']:.2f} s, all announced "
        f"{result['announced_seconds']:.0f} s, private {result['private_bytes'] / 2**20:.0f} MiB, "
        f"{result['private_after_bytes'] / 2**20:.0f} after lists, idle {result['idle_cpu']:.2%}, {', '.join(times)}, "
        f"another call meanwhile {result['meanwhile_seconds'] * 1000:.0f} ms"
    )


def render(document):
    """The Markdown text of the whole measurement."""
    where, runs = document["machine"], document["runs"]
    rows = [[
        "daemon", "torrents", "s until it answers", "s until all seed", "private MiB, after lists", "idle, of a core",
        "all torrents: ms", "what changed: ms", "another call meanwhile: ms at most",
    ]]  # fmt: skip
    notes = []
    for box in ALL:
        for count in sorted({run["count"] for run in runs}):
            of = [run for run in runs if run["seeder"] == box.name and run["count"] == count]
            results = [run["result"] for run in of if "result" in run]
            failures = [run["error"] for run in of if "error" in run]
            if failures:
                notes.append(f"- {box.label}, {count:,} torrents: {len(failures)} of {len(of)} runs failed: {failures[0]}")
            if of:
                rows.append([label(document, box.name, ALL), f"{count:,}", *(cells(results) if results else ["failed", *["-"] * 6])])
    head = (
        f"{where['date']}, commit {where['commit']}; {where['processors']} processors, {where['cpu']}, {where['memory_gib']} GiB, "
        f"Linux {where['kernel']}; `{document['command']}`; medians of {document['rounds']} alternating rounds, of {document['calls']} calls each"
    )
    return "\n\n".join(part for part in (head, grid(rows), "\n".join(notes)) if part) + "\n"


def cells(results):
    def median(field, unit, digits):
        return f"{statistics.median(result[field] for result in results) / unit:.{digits}f}"

    def of_calls(what):
        names = results[0][what]
        each = {name: [second for result in results for second in result[what][name]["seconds"]] for name in names}
        return "; ".join(f"{name} {statistics.median(times) * 1000:.1f}" for name, times in each.items())

    return [
        median("answers_seconds", 1, 2), median("seeding_seconds", 1, 2),
        f"{median('private_bytes', 2**20, 0)}, {median('private_after_bytes', 2**20, 0)}", f"{median('idle_cpu', 0.01, 2)} %",
        of_calls("lists"), of_calls("deltas"), median("meanwhile_seconds", 0.001, 0),
    ]  # fmt: skip
