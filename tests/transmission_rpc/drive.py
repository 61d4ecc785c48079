"""Drives a daemon with transmission-rpc: add, list, files, trackers, stop, start, verify, move, labels, limits, remove."""

import sys
import time

from transmission_rpc import Client, TransmissionError

port, token, first, second, data = sys.argv[1:]
client = Client(host="127.0.0.1", port=int(port), username="sower", password=token)


def until(what, ready):
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def torrent(name):
    return client.get_torrent(name)


def seeds(name):
    until(f"{name} to be seeded", lambda: torrent(name).status.seeding)


def refused(call):
    try:
        call()
    except TransmissionError as error:
        return str(error)
    raise AssertionError("it was not refused")


session = client.get_session()
assert (session.version, session.rpc_version, session.rpc_version_semver) == ("4.0.6 (sower)", 17, "5.3.0")
assert session.download_dir == data

# added from a file, with labels, paused and with choices of files; a second time; by magnet link
with open(f"{first}.torrent", "rb") as file:
    added = client.add_torrent(file, labels=["linux", "iso"], paused=True, files_unwanted=[1], priority_high=[0])
assert (added.hash_string, added.name) == (first, "first")
with open(f"{first}.torrent", "rb") as file:
    assert client.add_torrent(file).id == added.id
with open(f"{second}.torrent", "rb") as file:
    client.add_torrent(file, download_dir=data)
magnet = client.add_torrent(f"magnet:?xt=urn:btih:{'7' * 40}&dn=afar")
assert magnet.name == "afar"
assert refused(lambda: client.add_torrent(b"no torrent")) and refused(lambda: client.add_torrent("http://127.0.0.1:9/x"))

# listed with all fields, in three ways
torrents = {each.hash_string: each for each in client.get_torrents()}
assert torrents.keys() == {first, second, "7" * 40}
assert torrents["7" * 40].metadata_percent_complete == 0
recent, removed = client.get_recently_active_torrents()
assert len(recent) == 3 and removed == []
assert {each.name for each in client.get_torrents([first, torrents[second].id], ["name"])} == {"first", "second"}

# files and trackers
files = torrent(first).get_files()
assert [(each.name, each.size, each.selected, int(each.priority)) for each in files] == [
    ("first/a.bin", 100_000, True, 1),
    ("first/sub/b.bin", 70_000, False, 0),
]
client.change_torrent(first, files_wanted=[1], priority_low=[1])
assert [(each.selected, int(each.priority)) for each in torrent(first).get_files()] == [(True, 1), (True, -1)]
client.change_torrent(first, tracker_list=[["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"], ["udp://127.0.0.1:9"]])
assert [each.tier for each in torrent(first).trackers] == [0, 0, 1]
client.change_torrent(first, tracker_replace=[(1, "http://127.0.0.1:9/c")], tracker_remove=[2])
client.change_torrent(first, tracker_add=["http://127.0.0.1:9/d"])
assert [each.announce.rsplit("/", 1)[1] for each in torrent(first).trackers] == ["a", "c", "d"]
assert len(torrent(first).tracker_stats) == 3

# started, stopped, verified
assert torrent(first).status.stopped and torrent(first).labels == ["iso", "linux"]
client.start_torrent(first)
seeds(first)
seeds(second)
assert torrent(first).percent_done == 1 and torrent(first).left_until_done == 0
assert all(each.completed == each.size for each in torrent(first).get_files())
client.stop_torrent([first, second])
assert torrent(first).status.stopped and torrent(second).status.stopped
client.verify_torrent(first)
client.start_torrent_now(first)
seeds(first)
client.reannounce_torrent(first)

# labels and limits, of one torrent and of all
client.change_torrent(first, labels=["other"], upload_limit=70, upload_limited=True, seed_ratio_mode=1, seed_ratio_limit=1.5)
client.change_torrent([first, second], seed_idle_mode=1, seed_idle_limit=90, peer_limit=20, queue_position=0)
changed = torrent(first)
assert (changed.labels, changed.upload_limit, changed.upload_limited) == (["other"], 70, True)
assert (changed.seed_ratio_mode, changed.seed_ratio_limit, changed.seed_idle_limit) == (1, 1.5, 90)
assert torrent(second).peer_limit == 20 and {torrent(first).queue_position, torrent(second).queue_position} == {0, 1}
client.queue_bottom(first)
assert torrent(first).queue_position == 2
client.set_session(speed_limit_up=900, speed_limit_up_enabled=True, seed_queue_size=7, seed_queue_enabled=True)
session = client.get_session()
assert (session.speed_limit_up, session.speed_limit_up_enabled, session.seed_queue_size) == (900, True, 7)
client.set_session(speed_limit_up_enabled=False, seed_queue_enabled=False)
assert "dht-enabled" in refused(lambda: client.set_session(dht_enabled=True, speed_limit_up_enabled=True))
assert not client.get_session().speed_limit_up_enabled, "refused as a whole"
assert client.free_space(data) > 0

# renamed, moved
assert client.rename_torrent_path(first, "first", "renamed")[1] == "renamed"
assert torrent(first).name == "renamed" and torrent(first).get_files()[0].name == "renamed/a.bin"
seeds(first)
client.rename_torrent_path(first, "renamed", "first")
seeds(first)
client.move_torrent_data(first, f"{data}/moved")
until("the move", lambda: torrent(first).download_dir == f"{data}/moved" and torrent(first).status.seeding)
assert "outside" in refused(lambda: client.move_torrent_data(first, "/etc"))

# removed, without data and with it
client.remove_torrent([first, magnet.id])
client.remove_torrent(second, delete_data=True)
assert client.get_torrents() == []
assert set(client.get_recently_active_torrents()[1]) == {added.id, magnet.id, torrents[second].id}
