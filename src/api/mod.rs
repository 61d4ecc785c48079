//! What the daemon speaks: the Transmission RPC, the qBittorrent Web API, its own API, metrics, and the web page.
//!
//! Nothing here decides anything: front ends read [`View`](crate::session::seedbox::View)s and send orders to the
//! [`Seedbox`](crate::session::seedbox::Seedbox).
