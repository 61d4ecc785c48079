"""Seeds one torrent with libtorrent until it is ended.

libtorrent_seeder.py TORRENT FOLDER PORT [NAME=VALUE...]: settings of libtorrent on top of those below
"""

import sys
import time

import libtorrent

torrent_path, folder, port, *changes = sys.argv[1:]

# its own preset for this very purpose, and what that leaves out
settings = dict(libtorrent.high_performance_seed())
settings.update(
    {
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
        # everybody is served: no limit of slots, none of connections, however many come from an address
        "unchoke_slots_limit": -1,
        "connections_limit": 20_000,
        "allow_multiple_connections_per_ip": True,
        "listen_queue_size": 5_000,
        # how much is read ahead for each socket; more than the preset's 3 MiB changed nothing
        "send_buffer_low_watermark": 1 << 20,
        "send_buffer_watermark": 4 << 20,
        "send_buffer_watermark_factor": 150,
        "max_queued_disk_bytes": 64 << 20,
        # "have" and "suggest" messages are work that serves nobody here
        "suggest_mode": 0,
        "alert_mask": 0,
    }
)
for change in changes:
    name, _, value = change.partition("=")
    settings[name] = int(value)
session = libtorrent.session(settings)
parameters = libtorrent.load_torrent_file(torrent_path)
parameters.save_path = folder
# not `seed_mode`: that would hash each piece when it is first asked for, in the middle of the measurement
parameters.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
torrent = session.add_torrent(parameters)
torrent.set_max_uploads(-1)
torrent.set_max_connections(-1)
while True:
    time.sleep(3600)
