"""Many torrents of sparse files, and what each program would have kept of them: complete, seeded, nothing to be checked.

A torrent is one file of 1,200 pieces of 8 MiB, all zeros, so that its hashes are right and its 10 GB take no space. The trackers
of all are the same.
"""

import hashlib
import os
import shutil
import time

PIECE = 8 << 20
PIECES = 1200
SIZE = PIECE * PIECES


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


class Many:
    """Makes `count` files in `folder`/data; remembers names, info-hashes and torrent files."""

    def __init__(self, folder, count, announce):
        self.folder, self.count, self.announce = folder, count, announce
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        zeros = hashlib.sha1(bytes(PIECE)).digest() * PIECES
        self.torrents = []
        for number in range(count):
            name = f"content-{number:06}.bin"
            with open(self.data / name, "wb") as file:
                file.truncate(SIZE)
            info = {"name": name, "length": SIZE, "piece length": PIECE, "pieces": zeros}
            self.torrents.append((name, hashlib.sha1(bencode(info)).digest(), info))

    def file(self, info):
        return bencode({"announce": self.announce, "info": info})

    def as_qbittorrent(self, backup):
        """The folder BT_backup: HASH.torrent and HASH.fastresume."""
        backup.mkdir(parents=True)
        now = int(time.time())
        for name, info_hash, info in self.torrents:
            resume = {
                "file-format": "libtorrent resume file", "file-version": 1, "info-hash": info_hash, "name": name,
                "save_path": str(self.data), "pieces": b"\1" * PIECES, "trackers": [[self.announce]], "paused": 0, "auto_managed": 0,
                "seed_mode": 0, "upload_mode": 0, "added_time": now, "completed_time": now, "finished_time": 1, "seeding_time": 1,
                "active_time": 1, "total_uploaded": 0, "total_downloaded": 0, "max_connections": -1, "max_uploads": -1,
                "upload_rate_limit": -1, "download_rate_limit": -1, "qBt-savePath": str(self.data), "qBt-ratioLimit": -2000,
                "qBt-seedingTimeLimit": -2, "qBt-category": "", "qBt-tags": [], "qBt-name": "", "qBt-seedStatus": 1,
                "qBt-contentLayout": "Original", "qBt-firstLastPiecePriority": 0,
            }  # fmt: skip
            (backup / f"{info_hash.hex()}.torrent").write_bytes(self.file(info))
            (backup / f"{info_hash.hex()}.fastresume").write_bytes(bencode(resume))

    def as_transmission(self, config):
        """The folders torrents and resume: HASH.torrent and HASH.resume."""
        for folder in ("torrents", "resume"):
            (config / folder).mkdir(parents=True)
        now = int(time.time()) + 1
        for name, info_hash, info in self.torrents:
            resume = {
                "name": name, "destination": str(self.data), "added-date": now, "done-date": now, "activity-date": now, "paused": 0,
                "downloaded": 0, "uploaded": 0, "corrupt": 0, "seeding-time-seconds": 1, "downloading-time-seconds": 0, "dnd": [0],
                "priority": [0], "bandwidth-priority": 0, "max-peers": 50,
                "progress": {"blocks": "all", "have": "all", "time-checked": [now]},
            }  # fmt: skip
            (config / "torrents" / f"{info_hash.hex()}.torrent").write_bytes(self.file(info))
            (config / "resume" / f"{info_hash.hex()}.resume").write_bytes(bencode(resume))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def space_needed(count):
    """Bytes on disk: of each a torrent file for two programs at once, a file's entry, resume data, and what a database adds."""
    return count * 120_000


def free(folder):
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize
