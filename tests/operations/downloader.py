"""Downloads one torrent from one peer with libtorrent, and tells how it goes in a line of JSON ten times a second.

downloader.py TORRENT SAVE_FOLDER PORT
"""

import json
import sys

import libtorrent

torrent_file, save_folder, port = sys.argv[1:]
session = libtorrent.session(
    {
        "listen_interfaces": "127.0.0.1:0",
        "outgoing_interfaces": "127.0.0.1",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "in_enc_policy": libtorrent.enc_policy.disabled,
        "out_enc_policy": libtorrent.enc_policy.disabled,
        "alert_mask": libtorrent.alert.category_t.peer_notification
        | libtorrent.alert.category_t.connect_notification
        | libtorrent.alert.category_t.error_notification,
    }
)
parameters = libtorrent.load_torrent_file(torrent_file)
parameters.save_path = save_folder
parameters.trackers = []
torrent = session.add_torrent(parameters)
connections, ends = 0, []
while True:
    session.wait_for_alert(100)
    for alert in session.pop_alerts():
        if isinstance(alert, libtorrent.peer_connect_alert):
            connections += 1
        if isinstance(alert, libtorrent.peer_disconnected_alert):
            ends.append(alert.error.message())
    status = torrent.status()
    peers = torrent.get_peer_info()
    if not peers and not connections:
        torrent.connect_peer(("127.0.0.1", int(port)))
    state = {
        "received": status.total_payload_download,
        "done": status.is_seeding,
        "connections": connections,
        "ends": ends,
        "peers": [peer.pid.to_bytes().hex() for peer in peers],
    }
    print(json.dumps(state), flush=True)
