//! The qBittorrent Web API of a real `sower daemon`: with the real client `qbittorrent-api`, with requests as other clients send them,
//! with hostile ones, and beside the real qbittorrent-nox. What a request did is looked up another way: on the disk, after a restart, by
//! a download.

mod beside_qbittorrent;
mod client;
mod clients;
mod daemon;
mod hostile;
mod http;
mod sync;
mod torrents;
