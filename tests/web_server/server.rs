//! A running `sower seed --web-seed`, and a client of bare bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::content::Content;
use crate::process::Workspace;
use crate::seeder::{Seeder, Served};

/// No answer takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) seeder: Seeder,
    pub(crate) torrents: Vec<Served>,
    pub(crate) source: PathBuf,
    pub(crate) workspace: Workspace,
}

impl Server {
    /// Serves `contents`, the torrents in their order.
    pub(crate) fn start([driver, send]: [&str; 2], contents: &[Content], more: &[&str]) -> Server {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let mut arguments: Vec<String> = contents.iter().flat_map(|content| content.write(&source)).collect();
        let fixed = ["--web-seed", "--no-tracker", "--port", "0", "--external-ip", "127.0.0.1"];
        arguments.extend(fixed.iter().chain(more).map(|&argument| argument.to_owned()));
        arguments.extend(["--driver", driver, "--send", send].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let torrents = seeder.serving(contents.len());
        Server { seeder, torrents, source, workspace }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.torrents[0].port))
    }

    /// Path of a file of a torrent, which has its name in front.
    pub(crate) fn path(&self, torrent: usize, file: &str) -> String {
        format!("/{}/{}", self.torrents[torrent].info_hash, file.replace(' ', "%20"))
    }

    pub(crate) fn url(&self, torrent: usize, file: &str) -> String {
        format!("http://{}{}", self.address(), self.path(torrent, file))
    }

    /// What is to come of a file.
    pub(crate) fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.source.join(file)).expect("a file of the source")
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Client(BufReader::new(stream))
    }
}

/// All files below a folder, by their path from there.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(folder).expect("below").to_str().expect("ASCII").to_owned()),
            }
        }
    }
    files.sort();
    files
}

/// A connection.
pub(crate) struct Client(BufReader<TcpStream>);

/// An answer without its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn length(&self) -> usize {
        self.field("content-length").map_or(0, |length| length.parse().expect("digits"))
    }
}

impl Client {
    /// Sends; a connection that the server closed meanwhile is no error here. Whether it took all.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Reads the head of an answer; `None` at the end of the connection.
    pub(crate) fn head(&mut self) -> Option<Head> {
        let status = self.line()?;
        let status = status.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("no status line: {status:?}"));
        let status = status[..3].parse().expect("three digits");
        let mut fields = Vec::new();
        loop {
            let line = self.line().expect("a whole head");
            let Some((name, value)) = line.split_once(": ") else {
                assert!(line.is_empty(), "a field without a colon: {line:?}");
                return Some(Head { status, fields });
            };
            fields.push((name.to_owned(), value.to_owned()));
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no whole line: {line:?}")).to_owned()),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("no answer and no end: {error}"),
        }
    }

    /// Reads an answer whose body is as long as its head says.
    pub(crate) fn answer(&mut self) -> Option<(Head, Vec<u8>)> {
        let head = self.head()?;
        let mut body = vec![0; head.length()];
        self.0.read_exact(&mut body).expect("the whole body");
        Some((head, body))
    }

    /// Reads `count` bytes of a body.
    pub(crate) fn part(&mut self, count: usize) -> Vec<u8> {
        let mut part = vec![0; count];
        self.0.read_exact(&mut part).expect("bytes of the body");
        part
    }

    /// Waits until the server ends the connection.
    pub(crate) fn assert_ended(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest.escape_ascii().to_string(), "", "more than one answer"),
            Err(error) => assert!(is_end(&error), "no end: {error}"),
        }
    }

    pub(crate) fn hang_up(&mut self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
    }
}

fn is_end(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}
