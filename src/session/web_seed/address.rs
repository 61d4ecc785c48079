//! Where the files of a torrent are on a web seed (BEP 19).

use std::os::unix::ffi::OsStrExt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::Url;

use crate::ids::FileIndex;
use crate::limits;
use crate::metainfo::Metainfo;

/// RFC 3986: everything but the unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL of a web seed.
#[derive(Clone, Debug)]
pub(super) struct Address(Url);

impl Address {
    /// Reads a URL; `None` if it is not one that can be fetched by HTTP.
    pub(super) fn parse(url: &str) -> Option<Address> {
        let mut parsed = Url::parse(url).ok().filter(|_| url.len() <= limits::URL_LENGTH)?;
        parsed.set_fragment(None);
        let http = matches!(parsed.scheme(), "http" | "https");
        parsed.host_str().filter(|_| http)?;
        Some(Address(parsed))
    }

    /// Host and port, for people.
    pub(super) fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Where `file` is. A folder holds the torrent under its name; a single file is what the URL names, unless that is
    /// a folder too.
    pub(super) fn of_file(&self, metainfo: &Metainfo, file: FileIndex) -> Option<Url> {
        let file = metainfo.files().get(usize::try_from(file.0).ok()?)?;
        let path = self.0.path();
        if metainfo.is_single_file() && !path.ends_with('/') {
            return Some(self.0.clone());
        }
        let mut path = path.trim_end_matches('/').to_owned();
        for name in metainfo.download_path(file).iter() {
            path.push('/');
            path.extend(percent_encode(name.as_bytes(), ENCODED));
        }
        let mut url = self.0.clone();
        url.set_path(&path);
        Some(url)
    }
}

/// The web seeds of a torrent that can be used, in its order, at most [`limits::WEB_SEEDS`].
pub fn usable(metainfo: &Metainfo) -> Vec<String> {
    let http = metainfo.web_seeds().iter().filter(|url| Address::parse(url).is_some());
    http.take(limits::WEB_SEEDS).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One piece; a file without path components is a single one.
    fn torrent(name: &str, paths: &[&[&str]]) -> Metainfo {
        let string = |text: &str| format!("{}:{text}", text.len());
        let list = |path: &&[&str]| {
            let names: String = path.iter().map(|name| string(name)).collect();
            format!("d6:lengthi5e4:pathl{names}ee")
        };
        let files: String = paths.iter().map(list).collect();
        let content = if paths.is_empty() { "6:lengthi5e".to_owned() } else { format!("5:filesl{files}e") };
        let hash = "x".repeat(20);
        let info = format!("d{content}4:name{}12:piece lengthi16384e6:pieces20:{hash}e", string(name));
        Metainfo::from_info(info.as_bytes(), Vec::new()).expect("valid")
    }

    fn urls(base: &str, metainfo: &Metainfo) -> Vec<String> {
        let address = Address::parse(base).expect("HTTP");
        let files = (0..).map(FileIndex).take(metainfo.files().len());
        files.map(|file| address.of_file(metainfo, file).expect("a file").to_string()).collect()
    }

    #[test]
    fn a_single_file_is_the_url_or_in_the_folder_that_it_names() {
        let film = torrent("a film.mkv", &[]);
        assert_eq!(urls("http://mirror.example/other.bin?key=1#top", &film), ["http://mirror.example/other.bin?key=1"]);
        assert_eq!(urls("http://mirror.example:81/pub/", &film), ["http://mirror.example:81/pub/a%20film.mkv"]);
        assert_eq!(urls("https://mirror.example", &film), ["https://mirror.example/a%20film.mkv"]);
    }

    #[test]
    fn the_files_of_a_folder_are_under_its_name_escaped_part_by_part() {
        let odd = torrent("set #1", &[&["a", "100%?.txt"], &["%2e%2e", "é;=&+"]]);
        let wanted = [
            "http://m.example/pub/set%20%231/a/100%25%3F.txt",
            "http://m.example/pub/set%20%231/%252e%252e/%C3%A9%3B%3D%26%2B",
        ];
        assert_eq!(urls("http://m.example/pub/", &odd), wanted);
        assert_eq!(urls("http://m.example/pub", &odd), wanted);
        let signed = wanted.map(|url| format!("{url}?key=1"));
        assert_eq!(urls("http://m.example/pub/?key=1", &odd), signed);
    }

    #[test]
    fn only_so_many_urls_of_http_are_used() {
        let film = torrent("film", &[]);
        let mut all = vec!["ftp://m.example/".to_owned(), "udp://m".to_owned(), "nonsense".to_owned()];
        all.extend((0..100).map(|number| format!("http://m{number}.example/")));
        let used = usable(&film.with_web_seeds(all));
        assert_eq!((used.len(), used[0].as_str()), (limits::WEB_SEEDS, "http://m0.example/"));
    }
}
