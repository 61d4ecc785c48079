//! HTTP by hand, so that requests are exactly what a client sends, wrong ones included.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// Sends bytes, reads one response. It ends where it says, since not every server ends the connection.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Response {
    let mut socket = TcpStream::connect(address).expect("the server listens");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    // a refused body is not read to its end
    let _ = socket.write_all(request);
    let (mut bytes, mut buffer) = (Vec::new(), [0; 64 * 1024]);
    loop {
        if let Some(response) = parse(&bytes) {
            return response;
        }
        let count = socket.read(&mut buffer).unwrap_or(0);
        assert!(count > 0, "an end in the middle of: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// A response, once all of it is there.
fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("an ASCII head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let response = Response { status, head, body: bytes[end + 4..].to_vec() };
    let length: usize = response.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    (response.body.len() >= length).then_some(response)
}

/// A server and what every request to it has.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    /// Lines of the head, each with its line break.
    pub(crate) headers: String,
}

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Api {
        Api { address, headers: format!("Host: {address}\r\n") }
    }

    pub(crate) fn with(&self, header: &str) -> Api {
        Api { address: self.address, headers: format!("{}{header}\r\n", self.headers) }
    }

    /// Logs in and keeps the cookie.
    pub(crate) fn login(&self, user: &str, password: &str) -> Api {
        let response = self.post("auth/login", &[("username", user), ("password", password)]);
        assert_eq!((response.status, response.text()), (200, "Ok."));
        let cookie = response.header("set-cookie").expect("a cookie").split(';').next().expect("a pair");
        self.with(&format!("Cookie: {cookie}"))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, "", b"")
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        self.get(path).json()
    }

    pub(crate) fn post(&self, action: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.send("POST", action, "Content-Type: application/x-www-form-urlencoded\r\n", form.finish().as_bytes())
    }

    /// A POST that must be followed.
    pub(crate) fn order(&self, action: &str, fields: &[(&str, &str)]) {
        let response = self.post(action, fields);
        assert_eq!(response.status, 200, "{action} {fields:?}: {}", response.text());
    }

    /// A form in parts: fields, and files by field and name.
    pub(crate) fn upload(&self, action: &str, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Response {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend_from_slice(
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
            );
        }
        for (field, name, bytes) in files {
            let disposition = format!("form-data; name=\"{field}\"; filename=\"{name}\"");
            let head = format!(
                "--edge\r\nContent-Disposition: {disposition}\r\nContent-Type: application/x-bittorrent\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--edge--\r\n");
        self.send("POST", action, "Content-Type: multipart/form-data; boundary=edge\r\n", &body)
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Response {
        let (length, own) = (body.len(), &self.headers);
        let head = format!(
            "{method} /api/v2/{path} HTTP/1.1\r\n{own}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        exchange(self.address, &[head.as_bytes(), body].concat())
    }
}
