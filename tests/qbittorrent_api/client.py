"""Drives a daemon with qbittorrent-api: client.py SECTION CONFIG, where CONFIG is JSON of addresses, paths and hashes.

A section asserts what the client is told; what that did elsewhere is looked up by the Rust test.
"""

import json
import sys
import time

import qbittorrentapi
from qbittorrentapi import exceptions

section, config = sys.argv[1], json.loads(sys.argv[2])
client = qbittorrentapi.Client(
    host=config["host"],
    username="sower",
    password=config["token"],
    RAISE_NOTIMPLEMENTEDERROR_FOR_UNIMPLEMENTED_API_ENDPOINTS=True,
    RAISE_ERROR_FOR_UNSUPPORTED_QBITTORRENT_VERSIONS=True,
    REQUESTS_ARGS={"timeout": 60},
)
one, two = config["one"], config["two"]


def until(torrent_hash, *states):
    end = time.monotonic() + 60
    while True:
        torrents = client.torrents_info(torrent_hashes=torrent_hash)
        state = torrents[0].state if torrents else "gone"
        if state in states:
            return torrents[0] if torrents else None
        assert time.monotonic() < end, f"{state}, not {states}"
        time.sleep(0.05)


def named(torrent_hash, *names):
    """Files are renamed on the disk first, which takes its time."""
    end = time.monotonic() + 60
    while (found := [file.name for file in client.torrents_files(torrent_hash)]) != list(names):
        assert time.monotonic() < end, found
        time.sleep(0.05)


def refused(error, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except error:
        return
    raise AssertionError(f"{call} was followed")


def login():
    client.auth_log_in()
    assert client.is_logged_in
    assert client.app.version == "v5.1.4" and client.app.web_api_version == "2.11.4"
    assert client.app.build_info.platform == "linux"
    assert client.app.default_save_path == config["downloads"]
    assert any(interface.name == "lo" for interface in client.app_network_interface_list())
    assert "127.0.0.1" in client.app_network_interface_address_list("lo")
    lines = client.log.main()
    assert any("API" in line.message and line.type == 1 and line.timestamp > 0 for line in lines), lines
    newest = lines[-1].id
    assert all(line.id > newest for line in client.log.main(last_known_id=newest)) and client.log.peers() == []
    client.auth_log_out()
    wrong = qbittorrentapi.Client(host=config["host"], username="sower", password="wrong")
    refused(exceptions.LoginFailed, wrong.auth_log_in)


def add():
    answer = client.torrents_add(
        torrent_files=[config["one_file"]],
        category="films",
        tags=["a", "b"],
        is_stopped=True,
        upload_limit=5000,
        ratio_limit=2.5,
        seeding_time_limit=60,
        is_sequential_download=True,
    )
    assert answer == "Ok.", answer
    with open(config["two_file"], "rb") as file:
        assert client.torrents_add(torrent_files={"two": file}, save_path=config["elsewhere"]) == "Ok."
    assert client.torrents_add(torrent_files=config["two_file"]) == "Fails."
    torrent = until(one, "stoppedUP", "stoppedDL")
    assert (torrent.category, torrent.tags, torrent.up_limit) == ("films", "a, b", 5000)
    assert (torrent.ratio_limit, torrent.seeding_time_limit, torrent.seq_dl) == (2.5, 60, True)
    assert until(two, "stalledUP").save_path == config["elsewhere"]
    refused(exceptions.UnsupportedMediaType415Error, client.torrents_add, torrent_files=b"no torrent")


def listed():
    def hashes(**named):
        return [torrent.hash for torrent in client.torrents_info(**named)]

    assert hashes() == [one, two]
    assert hashes(status_filter="stopped") == [one] and hashes(status_filter="seeding") == [two]
    assert hashes(category="films") == [one] and hashes(category="") == [two]
    assert hashes(tag="b") == [one] and hashes(tag="") == [two]
    assert hashes(sort="name", reverse=True, limit=1) == [two] and hashes(offset=1) == [two]
    assert hashes(torrent_hashes=[two, "f" * 40]) == [two]
    assert client.torrents_info(torrent_hashes=one, include_trackers=True)[0]["trackers"][0]["url"] == config["tracker"]
    assert client.torrents_count() == 2
    properties = client.torrents_properties(one)
    assert (properties.hash, properties.comment, properties.total_size) == (one, "a comment", config["one_size"])
    files = client.torrents_files(one)
    assert [(file.index, file.name, file.priority) for file in files] == [(0, "one/one.bin", 1), (1, "one/sub/two.bin", 1)]
    assert files[0].is_seed is not None and list(files[1].piece_range) == [3, 4]
    assert [file.name for file in client.torrents_files(two)] == ["two.bin"]
    assert client.torrents_trackers(one)[-1].url == config["tracker"]
    assert client.torrents_webseeds(one) == []
    assert set(client.torrents_piece_states(two)) == {2}
    assert len(client.torrents_piece_hashes(two)) == len(client.torrents_piece_states(two))
    refused(exceptions.NotFound404Error, client.torrents_properties, "0" * 40)


def run():
    client.torrents_recheck(one)
    client.torrents_start(one)
    until(one, "stalledUP")
    client.torrents_stop([one, two])
    until(one, "stoppedUP")
    until(two, "stoppedUP")
    client.torrents_resume("all")
    until(one, "stalledUP")
    until(two, "stalledUP")
    client.torrents_set_force_start(enable=True, torrent_hashes=two)
    assert until(two, "forcedUP").force_start is True
    client.torrents_set_force_start(enable=False, torrent_hashes=two)
    until(two, "stalledUP")
    client.torrents_reannounce("all")
    answer = client.torrents_add_peers(peers=["127.0.0.1:9", "nonsense"], torrent_hashes=one)
    assert answer[one] == {"added": 1, "failed": 1}
    refused(exceptions.Conflict409Error, client.transfer_ban_peers, peers="127.0.0.1:9")


def organise():
    client.torrents_create_category(name="tv", save_path=config["tv"])
    refused(exceptions.Conflict409Error, client.torrents_create_category, name="tv")
    client.torrents_edit_category(name="films", save_path=config["films"])
    assert client.torrents_categories()["tv"].savePath == config["tv"]
    client.torrents_set_category(category="tv", torrent_hashes=two)
    refused(exceptions.Conflict409Error, client.torrents_set_category, category="nowhere", torrent_hashes=two)
    client.torrents_add_tags(tags=["x", "y"], torrent_hashes=[one, two])
    client.torrents_remove_tags(tags="x", torrent_hashes=one)
    client.torrents_create_tags("unused")
    client.torrents_delete_tags("b")
    assert client.torrents_tags() == ["a", "synced", "unused", "x", "y"]
    torrents = {torrent.hash: torrent for torrent in client.torrents_info()}
    assert (torrents[one].tags, torrents[two].tags, torrents[two].category) == ("a, synced, y", "x, y", "tv")
    client.torrents_remove_categories("tv")
    assert client.torrents_info(torrent_hashes=two)[0].category == ""


def limit():
    client.torrents_set_upload_limit(limit=1_000_000, torrent_hashes=[one, two])
    client.torrents_set_download_limit(limit=2_000_000, torrent_hashes=one)
    assert client.torrents_upload_limit([one, two]) == {one: 1_000_000, two: 1_000_000}
    assert client.torrents_download_limit([one, two]) == {one: 2_000_000, two: 0}
    client.torrents_set_share_limits(
        ratio_limit=-1, seeding_time_limit=100, inactive_seeding_time_limit=-2, torrent_hashes=one
    )
    torrent = client.torrents_info(torrent_hashes=one)[0]
    limits = (torrent.ratio_limit, torrent.max_ratio, torrent.seeding_time_limit, torrent.inactive_seeding_time_limit)
    assert limits == (-1, -1, 100, -2), limits
    client.transfer_set_upload_limit(3_000_000)
    client.transfer_set_download_limit(0)
    assert (client.transfer_upload_limit(), client.transfer_download_limit()) == (3_000_000, 0)
    client.transfer_set_speed_limits_mode(True)
    assert client.transfer_speed_limits_mode() == "1"
    client.transfer_set_upload_limit(4_000_000)
    client.transfer_set_speed_limits_mode(False)
    preferences = client.app_preferences()
    assert (preferences.up_limit, preferences.alt_up_limit) == (3_000_000, 4_000_000)
    client.app_set_preferences({"max_ratio_enabled": True, "max_ratio": 9, "add_stopped_enabled": False})
    assert client.app_preferences().max_ratio == 9 and client.torrents_info(torrent_hashes=two)[0].max_ratio == 9
    refused(exceptions.Conflict409Error, client.app_set_preferences, {"autorun_enabled": True})
    client.torrents_file_priority(torrent_hash=one, file_ids=[1], priority=0)
    assert [file.priority for file in client.torrents_files(one)] == [1, 0]
    client.torrents_file_priority(torrent_hash=one, file_ids=[0, 1], priority=6)
    assert [file.priority for file in client.torrents_files(one)] == [6, 6]


def rename():
    client.torrents_rename(torrent_hash=one, new_torrent_name="a name")
    assert until(one, "stalledUP").name == "a name"
    client.torrents_rename_file(torrent_hash=one, old_path="one/sub/two.bin", new_path="one/sub/2.bin")
    named(one, "one/one.bin", "one/sub/2.bin")
    until(one, "stalledUP")
    client.torrents_rename_folder(torrent_hash=one, old_path="one", new_path="uno")
    named(one, "uno/one.bin", "uno/sub/2.bin")
    until(one, "stalledUP")


def move():
    client.torrents_set_location(location=config["moved"], torrent_hashes=two)
    end = time.monotonic() + 60
    while until(two, "stalledUP", "moving").save_path != config["moved"]:
        assert time.monotonic() < end
    until(two, "stalledUP")
    refused(exceptions.Forbidden403Error, client.torrents_set_location, location="/etc", torrent_hashes=two)


def export():
    with open(config["exported"], "wb") as file:
        file.write(client.torrents_export(two))


def sync():
    assert client.sync_maindata().full_update is True
    data = client.sync.maindata.delta()
    assert set(data.torrents) == {one, two} and config["tracker"] in data.trackers
    assert data.server_state.total_peer_connections >= 0
    client.torrents_add_tags(tags="synced", torrent_hashes=one)
    told = client.sync.maindata.delta()
    assert list(told.tags) == ["synced"] and "synced" in told.torrents[one].tags and "name" not in told.torrents[one]
    assert client.sync_torrent_peers(torrent_hash=one).peers == {}


def remove():
    client.torrents_delete(delete_files=False, torrent_hashes=one)
    client.torrents_delete(delete_files=True, torrent_hashes=two)
    until(one, "gone")
    until(two, "gone")
    assert one in client.sync.maindata.delta().get("torrents", {}) or client.torrents_count() == 0


def link():
    assert client.torrents_add(urls=[config["link"]], is_stopped=True) == "Ok."
    assert client.torrents_info()[0].hash == config["link_hash"]


def shutdown():
    client.app_shutdown()


if section != "login":
    client.auth_log_in()
globals()[section]()
