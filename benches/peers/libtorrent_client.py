"""Downloads one torrent from one peer with libtorrent, says `began` and `complete`, and ends.

libtorrent_client.py TORRENT FOLDER PORT PEER_PORT [NAME=VALUE...]: settings of libtorrent on top of those below
"""

import sys
import time

import libtorrent

torrent_path, folder, port, peer_port, *changes = sys.argv[1:]

settings = {
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    # 2: no encryption, neither way
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    # as much in flight as the seeder lets wait; the default is 500
    "max_out_request_queue": 2_000,
    "request_queue_time": 3,
    "max_queued_disk_bytes": 64 << 20,
    # one thread that writes and one that hashes: on one core more of them only take turns
    "aio_threads": 1,
    "hashing_threads": 1,
    "alert_mask": libtorrent.alert.category_t.status_notification,
}
for change in changes:
    name, _, value = change.partition("=")
    settings[name] = int(value)
# the interpreter's own start is not libtorrent's: what it took of the processor is told and not counted
print(f"began {time.process_time():.6f}", flush=True)
session = libtorrent.session(settings)
parameters = libtorrent.load_torrent_file(torrent_path)
parameters.save_path = folder
parameters.trackers = []
parameters.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
torrent = session.add_torrent(parameters)
torrent.connect_peer(("127.0.0.1", int(peer_port)))
finished = False
while not finished:
    session.wait_for_alert(1_000)
    finished = any(isinstance(alert, libtorrent.torrent_finished_alert) for alert in session.pop_alerts())
print("complete", flush=True)
