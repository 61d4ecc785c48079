"""Waits until transmission-rpc, qbittorrent-api and the daemon's own API show what is expected of a torrent's trackers."""

import json
import sys
import time
import urllib.request

import qbittorrentapi
from transmission_rpc import Client

port, token, torrent, expected = sys.argv[1:]
expected = json.loads(expected)
transmission = Client(host="127.0.0.1", port=int(port), username="sower", password=token)
qbittorrent = qbittorrentapi.Client(host="127.0.0.1", port=int(port), username="sower", password=token)
qbittorrent.auth_log_in()


def own():
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/torrents/{torrent}")
    request.add_header("Authorization", f"Bearer {token}")
    return json.load(urllib.request.urlopen(request))


def seen():
    by_transmission = transmission.get_torrent(torrent)
    by_qbittorrent = qbittorrent.torrents_info(torrent_hashes=torrent)[0]
    tracker = qbittorrent.torrents_trackers(torrent)[3]
    by_own = own()
    flags = [by_qbittorrent[f"has_{name}"] for name in ("tracker_error", "other_announce_error", "tracker_warning")]
    names = [name for name, flag in zip(("refused", "unreachable", "warned"), flags) if flag]
    return {
        "error": by_transmission.error,
        "error_string": by_transmission.error_string,
        "trouble": by_own["tracker_trouble"],
        "flags": names,
        "status": tracker.status,
        "message": tracker.msg,
        "own_message": by_own["tracker_message"] or "",
        "seeds": by_own["swarm_seeds"],
        "leechers": by_own["swarm_leechers"],
        "num_complete": by_qbittorrent.num_complete,
        "num_incomplete": by_qbittorrent.num_incomplete,
        "announce_in": qbittorrent.torrents_properties(torrent).reannounce,
        "announce_at": by_own["announce_at"],
    }


def differences(now):
    trouble, text = expected["trouble"], expected["text"]
    yield "error", now["error"] == expected["error"]
    yield "error_string", (text in now["error_string"]) if expected["error"] else now["error_string"] == ""
    yield "trouble", now["trouble"] == trouble
    yield "flags", now["flags"] == ([trouble] if trouble else [])
    yield "status", now["status"] == (2 if trouble in (None, "warned") else 4)
    yield "message", text in now["message"] and text in now["own_message"]
    yield "seeds", now["seeds"] == expected["seeds"]
    if expected["seeds"] is not None:
        yield "num_complete", now["num_complete"] == expected["seeds"]
    if "leechers" in expected:
        yield "leechers", now["leechers"] == now["num_incomplete"] == expected["leechers"]
    yield "announce", now["announce_in"] > 0 and abs(now["announce_at"] - time.time() - now["announce_in"]) < 10


end = time.monotonic() + 60
while True:
    now = seen()
    wrong = [name for name, holds in differences(now) if not holds]
    if not wrong:
        break
    assert time.monotonic() < end, f"{wrong}: {now}"
    time.sleep(0.1)
