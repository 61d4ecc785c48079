//! A plain HTTP client that shows everything as it came.
#![allow(dead_code, reason = "tests of the API and of its security need different parts")]

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// `error.kind` of a refusal, which always has a message too.
    pub(crate) fn kind(&self) -> String {
        let error = &self.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        error["kind"].as_str().expect("a kind").to_owned()
    }

    /// The value of a header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// Sends one request on a connection of its own and reads all that comes.
pub(crate) fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Reply {
    try_ask(address, head, body).unwrap_or_else(|error| panic!("{head}: {error}"))
}

/// `head` has neither `Host` nor an end.
pub(crate) fn try_ask(address: SocketAddr, head: &str, body: &[u8]) -> io::Result<Reply> {
    let head = format!("{head}\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    send(address, &[head.as_bytes(), body].concat())
}

/// Sends these bytes and reads all that comes.
pub(crate) fn send(address: SocketAddr, request: &[u8]) -> io::Result<Reply> {
    let mut stream = connect(address)?;
    // who refuses need not read all of it
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let ended = read_all(&mut stream, &mut answer);
    match (ended, parse(&answer)) {
        (_, Some(reply)) => Ok(reply),
        (Err(error), None) => Err(error),
        (Ok(()), None) => Err(io::Error::other(format!("no answer but {:?}", String::from_utf8_lossy(&answer)))),
    }
}

/// To the end, but of a stream without an end only its head.
fn read_all(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..length]);
        let endless = parse(answer).is_some_and(|reply| reply.header("content-type") == "text/event-stream");
        if length == 0 || endless {
            return Ok(());
        }
    }
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Reply { status, head, body: answer[end + 4..].to_vec() })
}
