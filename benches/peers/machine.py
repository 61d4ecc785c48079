"""This machine: its processors, its network namespace, its page cache, its control groups, and what it is called.

Nothing here changes a setting of the machine itself. Congestion control is a matter of the network namespace that the
whole program runs in; a namespace of processes around it makes the kernel end everything when the program ends.
"""

import ctypes
import datetime
import functools
import mmap
import os
import pathlib
import platform
import resource
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONGESTION = "cubic"
# set for the program that is started again in the namespace: that it is, and what was built before
INSIDE = "SOWER_PEERS_INSIDE"
BINARY = "SOWER_PEERS_BINARY"
HTTP_LOAD = "SOWER_PEERS_HTTP_LOAD"
SYSCTL = pathlib.Path("/proc/sys/net")
# a connection and a file for each of 10,000 peers, and some
DESCRIPTORS = 65_536
READ_CHUNK = 8 << 20


def enter_namespace():
    """Starts this program again as the first process of new network and process namespaces, where that is allowed."""
    if os.environ.get(INSIDE) or os.geteuid() != 0 or not shutil.which("unshare"):
        return
    command = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", "--propagation", "private"]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def set_up():
    """Network and limits of the namespace; where there is none, only what a process may change for itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except ValueError:
        # only who has CAP_SYS_RESOURCE goes beyond the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not os.environ.get(INSIDE):
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # a thousand connections at once are more than the queues of 128 and 4096 that some kernels give
    for name in ("core/somaxconn", "ipv4/tcp_max_syn_backlog"):
        try:
            (SYSCTL / name).write_text("65535")
        except OSError as error:
            print(f"cannot set {name} in the namespace: {error}", file=sys.stderr)
    # by route: as the namespace's default, only what the whole machine allows to everybody is accepted
    routes = subprocess.run(["ip", "route", "show", "table", "local"], capture_output=True, text=True, check=True)
    for route in routes.stdout.splitlines():
        if route.startswith("local"):
            change = ["ip", "route", "replace", *route.split(), "table", "local", "congctl", CONGESTION]
            subprocess.run(change, check=False)


def descriptors():
    """Files and sockets that a process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@functools.cache
def congestion():
    """What a connection of this network really uses on the seeder's side."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), source_address=("127.7.7.7", 0)):
            accepted = server.accept()[0]
            name = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            accepted.close()
    return name.split(b"\0")[0].decode()


def cores():
    """Two processors that share no core: for the seeder, for the load."""
    allowed = sorted(os.sched_getaffinity(0))
    siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{allowed[0]}/topology/thread_siblings_list")
    shared = _numbers(siblings.read_text()) if siblings.exists() else {allowed[0]}
    others = [cpu for cpu in allowed if cpu not in shared]
    if not others:
        raise SystemExit("two processor cores are needed: one for the seeder, one for the load")
    return allowed[0], others[0]


def _numbers(text):
    numbers = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def describe():
    """What a reader needs to know about where figures come from."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "kernel": platform.release(),
        "cpu": cpu,
        "processors": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "congestion": congestion(),
        "namespace": bool(os.environ.get(INSIDE)),
        "tcp_wmem": (SYSCTL / "ipv4/tcp_wmem").read_text().split(),
        "tcp_rmem": (SYSCTL / "ipv4/tcp_rmem").read_text().split(),
    }


def commit():
    def git(*arguments):
        command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.toml", "Cargo.lock")
        return git("rev-parse", "--short=10", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def private_bytes(pid):
    """Anonymous memory of a process: what is no file's."""
    with open(f"/proc/{pid}/status") as status:
        return next((int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon")), 0)


# The page cache. Some kernels drop what was not used for minutes, so it is filled and looked at before each run.

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def resident(path):
    """The share of a file that is in the page cache, 0 to 1 (mincore(2))."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
        if address in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "mmap")
        pages = -(-size // mmap.PAGESIZE)
        states = ctypes.create_string_buffer(pages)
        answer = _libc.mincore(address, size, states)
        _libc.munmap(address, size)
        if answer != 0:
            raise OSError(ctypes.get_errno(), "mincore")
    # only the lowest bit is defined
    return sum(states.raw.count(value) for value in range(1, 256, 2)) / pages


def read(path):
    """Reads a file through, so that it is in the page cache."""
    buffer = bytearray(READ_CHUNK)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def warm(path):
    """Fills the page cache with a file; answers the share of it that is there."""
    for _ in range(3):
        read(path)
        share = resident(path)
        if share == 1.0:
            break
    return share


def drop(path):
    """Takes a file out of the page cache; answers the share of it that is still there."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident(path)


def take_page_cache(folder, size):
    """Writes a file and removes it before it is on disk, so that memory for as much of page cache is free and warm. A virtual machine hands
    free memory back to its host, and then pays for each page that it uses again, several times what copying into it costs: a
    GiB of page cache took 0.27 s of processor time with memory just freed, and 1.21 s with other."""
    path = folder / "page-cache"
    with open(path, "wb", buffering=0) as file:
        step = bytes(256 << 10)
        for _ in range(size // len(step)):
            file.write(step)
    path.unlink()


class MemoryLimit:
    """A control group that limits the memory of a seeder, page cache included; version 2 or 1, whichever is there."""

    def __init__(self, size):
        self.size = size
        root = pathlib.Path("/sys/fs/cgroup")
        name = f"sower-peers-{os.getpid()}-{os.urandom(4).hex()}"
        if (root / "cgroup.controllers").exists():
            self.group, limit = root / name, "memory.max"
        else:
            self.group, limit = root / "memory" / name, "memory.limit_in_bytes"
        self.limit = limit

    def __enter__(self):
        self.group.mkdir()
        try:
            (self.group / self.limit).write_text(str(self.size))
        except OSError:
            self.group.rmdir()
            raise
        return self

    def join(self):
        """Puts the calling process into it; meant for a child before it becomes the seeder."""
        (self.group / "cgroup.procs").write_text("0")

    def __exit__(self, *_):
        # processes that were killed a moment ago may still be in it
        for _ in range(100):
            try:
                self.group.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.05)
        print(f"could not remove {self.group}", file=sys.stderr)
