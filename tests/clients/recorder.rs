//! A tracker that knows nobody and remembers what it was told, and the few lines of HTTP for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers announces until the test ends.
pub(crate) struct Recorder {
    address: SocketAddr,
    queries: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    /// Listens on a free port of `host`.
    pub(crate) fn start(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let queries = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&queries);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sink = Arc::clone(&sink);
                std::thread::spawn(move || answer(stream, &sink));
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
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn answer(mut stream: TcpStream, sink: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let query = request.split(['?', ' ']).nth(2).unwrap_or_default().to_owned();
        for header in lines.by_ref() {
            if header.is_empty() {
                break;
            }
        }
        sink.lock().expect("no panic while held").push(query);
        let body = "d8:intervali1800e5:peers0:e";
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    }
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
