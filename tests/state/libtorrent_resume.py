"""Has libtorrent check torrents against data that is there, and writes its resume data beside copies of them.

libtorrent_resume.py DATA_FOLDER RESUME_FOLDER TORRENT...
"""

import pathlib
import shutil
import sys

import libtorrent

data, resume, *torrents = sys.argv[1:]
session = libtorrent.session(
    {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_mask": libtorrent.alert.category_t.all_categories,
    }
)


def wait_for(kind):
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, kind):
                return alert


for path in map(pathlib.Path, torrents):
    parameters = libtorrent.load_torrent_file(str(path))
    parameters.save_path = data
    torrent = session.add_torrent(parameters)
    wait_for(libtorrent.torrent_checked_alert)
    if path.stem == "many":
        torrent.rename_file(0, "many/sub/renamed.bin")
        wait_for(libtorrent.file_renamed_alert)
        torrent.set_upload_limit(5000)
    torrent.pause()
    torrent.unset_flags(libtorrent.torrent_flags.auto_managed)
    torrent.save_resume_data()
    alert = wait_for(libtorrent.save_resume_data_alert)
    pathlib.Path(resume, path.stem + ".resume").write_bytes(
        libtorrent.write_resume_data_buf(alert.params)
    )
    shutil.copy(path, resume)
