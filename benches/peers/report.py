"""From runs to a table: medians with their extremes, what failed and why, where it was measured."""

import statistics

import machine
from seeders import ALL

BEGIN, END = "<!-- benches/peers: begin -->", "<!-- benches/peers: end -->"
# a note for each cell and more would be no table any more; all is in the JSON
NOTES_MAX = 30


def render(document):
    """The Markdown text of a whole measurement."""
    runs, where = document["runs"], document["machine"]
    parts = [
        f"{where['date']}, commit {where['commit']}; {where['processors']} processors, {where['cpu']}, "
        f"{where['memory_gib']} GiB, Linux {where['kernel']}; loopback, {where['congestion']}"
        + ("" if where["namespace"] else " (the system's: no root for a network namespace)")
        + f"; payload {document['payload_bytes'] / 2**30:g} GiB in memory, pieces of 256 KiB, seeder on one core, load on "
        f"another, everything received dropped in the kernel. `{document['command']}`"
    ]
    notes = []
    for section, table in (("throughput", throughput), ("limit", limit), ("scale", scale), ("cold", cold)):
        chosen = [run for run in runs if run["section"] == section]
        if chosen:
            parts.append(table(document, chosen, notes))
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes[:NOTES_MAX]))
    if document.get("interrupted"):
        parts.append("Interrupted: not all runs were made.")
    return "\n\n".join(parts) + "\n"


def throughput(document, runs, notes):
    """A row for each seeder, a column for each number of peers, then what the processor and the memory gave."""
    cases = list(dict.fromkeys(run["case"] for run in runs))
    most = cases[-1]
    middle = cases[len(cases) // 2]
    rows = [
        ["seeder", *(f"GB/s, {peers(case)}" for case in cases), f"GB per CPU-second, {peers(middle)}",
         f"private MiB, {peers(most)}"]
    ]  # fmt: skip
    for name in names(runs):
        own = [run for run in runs if run["seeder"] == name]
        of = {case: [run for run in own if run["case"] == case] for case in cases}
        cells = [gigabytes(label(document, name), case, of[case], notes) for case in cases]
        efficiency = [run["result"]["bytes_per_cpu_second"] or 0 for run in of[middle] if "result" in run]
        private = [run["result"]["seeder"]["private_bytes"] for run in of[most] if "result" in run]
        rows.append([label(document, name), *cells, spread(efficiency, 1e9, 2), spread(private, 2**20, 1)])
    legend = (
        "Medians (least to most). A `*` marks figures that are lower bounds, because the core of the load was full; GB per "
        "CPU-second compares only where the seeder's own core was. Private: anonymous memory."
    )
    return f"{grid(rows)}\n\n{legend}"


def limit(document, runs, notes):
    rows = [["the load itself", "GB/s", "GB for each second of its processor time"]]
    for run in runs:
        if "error" in run:
            notes.append(f"the load itself, {peers(run['case'])}: {run['error']}")
            continue
        result = run["result"]
        figures = (result["bytes_per_second"], result["bytes_per_load_cpu_second"] or 0)
        rows.append([peers(run["case"]), *(f"{figure / 1e9:.1f}" for figure in figures)])
    return (
        "The load itself, on its one core, with ready-made messages that the other core sends. Where the first figure is the lower one "
        f"the sender was full, not the load; the second one is what a full core of the load takes:\n\n{grid(rows)}"
    )


def scale(document, runs, notes):
    cases = list(dict.fromkeys(run["case"] for run in runs))
    rows = [["seeder", *(f"GB/s, {peers(case)}" for case in cases), "of the rate", "private KiB for each silent peer"]]
    for name in names(runs):
        of = {case: [run for run in runs if run["seeder"] == name and run["case"] == case] for case in cases}
        cells = [gigabytes(label(document, name), case, of[case], notes) for case in cases]
        alone, crowd = ([run["result"] for run in of[case] if "result" in run] for case in cases)
        share = memory = "-"
        if alone and crowd:
            rate, private = (
                [statistics.median(field(result) for result in results) for results in (alone, crowd)]
                for field in (lambda result: result["bytes_per_second"], lambda result: result["seeder"]["private_bytes"])
            )
            share = f"{rate[1] / rate[0]:.2f}"
            silent = crowd[0]["peers"] - alone[0]["peers"]
            memory = f"{(private[1] - private[0]) / silent / 1024:.2f}"
        rows.append([label(document, name), *cells, share, memory])
    return f"A hundred active peers, alone and among silent ones:\n\n{grid(rows)}"


def cold(document, runs, notes):
    cases = list(dict.fromkeys(run["case"] for run in runs))
    rows = [["seeder", *(f"{case}: GB/s, bytes read / sent" for case in cases)]]
    for name in names(runs):
        cells = []
        for case in cases:
            run = next(run for run in runs if run["seeder"] == name and run["case"] == case)
            if "error" in run:
                cells.append("failed")
                notes.append(f"{label(document, name)}, cold, {case}: {run['error']}")
                continue
            result = run["result"]
            ratio = result["seeder"]["disk_read_bytes"] / result["bytes"] if result["bytes"] else 0
            cells.append(f"{result['bytes_per_second'] / 1e9:.2f}, {ratio:.2f}")
        rows.append([label(document, name), *cells])
    limit = document["cold_memory_bytes"] / 2**20
    return f"Cold: the payload is on disk, the seeder and its page cache have {limit:g} MiB:\n\n{grid(rows)}"


def names(runs):
    """In the order of the table, not in that of the rounds."""
    measured = {run["seeder"] for run in runs}
    return [seeder.name for seeder in ALL if seeder.name in measured]


def label(document, name, programs=ALL):
    text = next(program.label for program in programs if program.name == name)
    version = document["versions"].get(name, "").split()
    numbers = [word for word in version if any(c.isdigit() for c in word) and "." in word]
    number = numbers[0].split("/")[-1].lstrip("v").rstrip(".,") if numbers else ""
    return text if name.startswith("sower") or not number else f"{text} {number}"


def peers(case):
    number, _, rest = case.partition(" ")
    return f"{int(number):,} {'peer' if number == '1' else rest}"


def gigabytes(name, case, runs, notes):
    results = [run["result"] for run in runs if "result" in run]
    failures = list(dict.fromkeys(run["error"] for run in runs if "error" in run))
    for failure in failures:
        count = sum(run.get("error") == failure for run in runs)
        notes.append(f"{name}, {peers(case)}: {count} of {len(runs)} runs failed: {failure}")
    dry = [run for run in runs if "result" in run and run["section"] != "cold" and run["resident_before"] < 1]
    if dry:
        notes.append(f"{name}, {peers(case)}: in {len(dry)} runs not all of the payload was in memory")
    starved = [result for result in results if result["bytes_of_active_peers"]["min"] == 0]
    if starved:
        notes.append(f"{name}, {peers(case)}: in {len(starved)} of {len(results)} runs some peers got nothing within the time")
    lost = [result for result in results if result["disconnects"] or result["protocol_errors"]]
    if lost:
        first = lost[0]["first_error"] or "no reason given"
        notes.append(f"{name}, {peers(case)}: in {len(lost)} of {len(results)} runs connections were lost: {first}")
    if not results:
        return "failed"
    mark = "*" if sum(result["limit"] == "load" for result in results) * 2 > len(results) else ""
    return spread([result["bytes_per_second"] for result in results], 1e9, 2) + mark


def spread(values, unit, digits):
    if not values:
        return "-"
    low, middle, high = (f"{value / unit:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def grid(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def write_readme(text, markers=(BEGIN, END)):
    """Puts the text between the markers of README.md."""
    path = machine.ROOT / "README.md"
    readme = path.read_text()
    before, begin, rest = readme.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not begin or not end:
        raise SystemExit(f"README.md lacks the lines {' and '.join(markers)}")
    path.write_text(f"{before}{begin}\n{text}{end}{after}")
