"""A real client: downloads a torrent of the daemon, or seeds it one.

peer.py get|seed TORRENT FOLDER ADDRESS PORT SECONDS

`get` ends with 0 once all is there and written, with 1 after so many seconds. `seed` goes on until then.
"""

import sys
import time

import libtorrent

deed, file, folder, address, port, seconds = sys.argv[1:]
session = libtorrent.session(
    {
        "listen_interfaces": "127.0.0.1:0",
        "allow_multiple_connections_per_ip": True,
        "alert_mask": libtorrent.alert.category_t.storage_notification,
        "min_reconnect_time": 1,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "in_enc_policy": 2,
        "out_enc_policy": 2,
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
    }
)
parameters = libtorrent.load_torrent_file(file)
parameters.save_path = folder
# its trackers are not its business
parameters.trackers = []
torrent = session.add_torrent(parameters)
end = time.monotonic() + float(seconds)
flushing = False
while time.monotonic() < end:
    # one that lost its peers before is to come back at once
    torrent.connect_peer((address, int(port)))
    session.wait_for_alert(100)
    alerts = session.pop_alerts()
    if deed == "get" and flushing and any(isinstance(alert, libtorrent.cache_flushed_alert) for alert in alerts):
        sys.exit(0)
    if deed == "get" and not flushing and torrent.status().is_seeding:
        torrent.flush_cache()
        flushing = True
sys.exit(1 if deed == "get" else 0)
