//! Torrent files that are bad or odd, each with the error or value that it must give; files that were damaged at random;
//! and the same torrents as seen by programs that others wrote.

mod torrent_files {
    mod bad;
    mod draft;
    mod odd;
    mod others;
    mod properties;
    mod show;
}
