//! A tracker that remembers what it was told, and the few lines of HTTP for it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers announces until the test ends.
pub(crate) struct Recorder {
    address: SocketAddr,
    queries: Arc<Mutex<Vec<String>>>,
}

/// Every peer that has announced, as it is named to others (BEP 23); `None`: nobody is.
type Peers = Option<Arc<Mutex<BTreeSet<[u8; 6]>>>>;

impl Recorder {
    /// Listens on a free port of `host`, and names nobody.
    pub(crate) fn start(host: &str) -> Self {
        Self::start_with(host, None)
    }

    /// Listens on a free port of `host`, and names everybody by IPv4.
    pub(crate) fn introducing(host: &str) -> Self {
        Self::start_with(host, Some(Arc::default()))
    }

    fn start_with(host: &str, peers: Peers) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let queries = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&queries);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sink, peers) = (Arc::clone(&sink), peers.clone());
                std::thread::spawn(move || answer(stream, &sink, &peers));
            }
        });
        Self { address, queries }
    }

    /// Its announce URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    /// One field of every announce so far, empty where it was missing.
    pub(crate) fn field(&self, name: &str) -> Vec<String> {
        let queries = self.queries.lock().expect("no panic while held");
        queries.iter().map(|query| value(query, name).unwrap_or_default().to_owned()).collect()
    }

    /// A number in the last announce of the peer at that port; `None`: it never announced, or without that.
    pub(crate) fn latest(&self, port: u16, name: &str) -> Option<u64> {
        let queries = self.queries.lock().expect("no panic while held");
        let port = port.to_string();
        let last = queries.iter().rev().find(|query| value(query, "port") == Some(&port))?;
        value(last, name)?.parse().ok()
    }
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn answer(mut stream: TcpStream, sink: &Mutex<Vec<String>>, peers: &Peers) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let query = request.split(['?', ' ']).nth(2).unwrap_or_default().to_owned();
        for header in lines.by_ref() {
            if header.is_empty() {
                break;
            }
        }
        let named = peers.as_ref().map(|peers| others(peers, &stream, &query)).unwrap_or_default();
        sink.lock().expect("no panic while held").push(query);
        let head = format!("d8:intervali1800e5:peers{}:", named.len());
        let body = [head.as_bytes(), &named, b"e"].concat();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    }
}

/// Adds the peer that announces, and names all that came before it.
fn others(peers: &Mutex<BTreeSet<[u8; 6]>>, stream: &TcpStream, query: &str) -> Vec<u8> {
    let mut peers = peers.lock().expect("no panic while held");
    let all = peers.iter().flatten().copied().collect();
    let port = value(query, "port").and_then(|port| port.parse::<u16>().ok());
    if let (Ok(IpAddr::V4(ip)), Some(port)) = (stream.peer_addr().map(|address| address.ip()), port) {
        let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
        peers.insert([a, b, c, d, high, low]);
    }
    all
}

/// The whole answer to a GET; bytes that are no UTF-8 are replaced.
pub(crate) fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
