"""Downloads one torrent with libtorrent, says so by a file, and seeds until it is interrupted.

libtorrent_client.py TORRENT_OR_MAGNET SAVE_FOLDER ADDRESS PORT DONE_FILE
"""

import pathlib
import signal
import sys
import threading

import libtorrent

link, save_folder, address, port, done_file = sys.argv[1:]
host = f"[{address}]" if ":" in address else address
session = libtorrent.session(
    {
        "listen_interfaces": f"{host}:{port}",
        "outgoing_interfaces": address,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "alert_mask": libtorrent.alert.category_t.all_categories
        & ~libtorrent.alert.category_t.block_progress_notification
        & ~libtorrent.alert.category_t.picker_log_notification
        & ~libtorrent.alert.category_t.stats_notification,
    }
)
parameters = (
    libtorrent.parse_magnet_uri(link)
    if link.startswith("magnet:")
    else libtorrent.load_torrent_file(link)
)
parameters.save_path = save_folder
torrent = session.add_torrent(parameters)
done = False
stop = threading.Event()
signal.signal(signal.SIGINT, lambda *_: stop.set())
while not stop.is_set():
    session.wait_for_alert(200)
    for alert in session.pop_alerts():
        print(type(alert).__name__, alert, flush=True)
    if not done and torrent.status().is_seeding:
        torrent.flush_cache()
        done = True
        pathlib.Path(done_file).touch()
session.pause()
session.wait_for_alert(2000)
# its end waits until the trackers were told
del torrent, session
