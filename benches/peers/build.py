"""What is built and installed before a measurement: all that needs the network or the compiler, before the namespace."""

import json
import os
import subprocess

import machine

# programs of this package, and the variables that name them to the program which is started again in the namespace
VARIABLES = {"sower": machine.BINARY, "http_load": machine.HTTP_LOAD}


def build(profile, *names):
    """Builds programs of this package, unless that was done before the namespace or by hand."""
    if os.environ.get(machine.INSIDE) or os.environ.get(machine.BINARY):
        return
    command = ["cargo", "build", "--locked", "--profile", profile]
    for name in names:
        command += ["--bin" if name == "sower" else "--bench", name]
    print("building sower", flush=True)
    run = subprocess.run([*command, "--message-format=json-render-diagnostics"], cwd=machine.ROOT, stdout=subprocess.PIPE)
    if run.returncode != 0:
        raise SystemExit("sower cannot be built")
    built = [json.loads(line) for line in run.stdout.splitlines()]
    for name in names:
        [path] = {a["executable"] for a in built if a.get("executable") and a["target"]["name"] == name}
        os.environ[VARIABLES[name]] = path


def install(others, wanted):
    """Installs what is missing of the other programs, if that is `wanted`; says what then still is."""
    if os.environ.get(machine.INSIDE):
        return
    for other in others:
        if other.missing() and wanted:
            subprocess.run(other.missing(), cwd=machine.ROOT, check=False)
        if other.missing():
            print(f"{other.label} is not installed, and will be shown as such: {' '.join(other.missing())}", flush=True)
