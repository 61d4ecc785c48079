"""What is sent: a file of random bytes on disk, and its torrent."""

import os
import subprocess

import probe

PAYLOAD_BYTES = 1 << 30


def make(scratch, sower, payload, name="payload.torrent", tracker="http://127.0.0.1:9/announce"):
    """Answers the torrent; what an earlier measurement left is used again.

    rTorrent loads no torrent without a tracker; nobody listens at the port named discard.
    """
    payload.parent.mkdir(parents=True, exist_ok=True)
    torrent = scratch / name
    if not payload.exists() or payload.stat().st_size != PAYLOAD_BYTES:
        print("making the payload", flush=True)
        with open(payload, "wb") as file:
            for _ in range(PAYLOAD_BYTES >> 20):
                file.write(os.urandom(1 << 20))
        for other in scratch.glob("*.torrent"):
            other.unlink()
    if not torrent.exists():
        create = [sower, "create", payload, "--piece-size", "256KiB", "-t", tracker, "-o", torrent]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
    return probe.Torrent(torrent)
