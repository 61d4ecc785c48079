//! Attacks on the daemon, each written out and carried out against a real one.
//!
//! Whoever has the token is the owner. Everybody else is one of these: a web page that the owner has open in the same browser, another
//! host that can reach the port, another user of this host, somebody who reads logs, whoever made a torrent file. And even the
//! owner's own programs, which do have the token, may not leave the folders that the configuration names.

#[path = "../api/http.rs"]
mod http;
#[path = "../api/scene.rs"]
mod scene;

mod bounds;
mod guesses;
mod hooks;
mod pages;
mod paths;
mod secrets;
