//! Small trackers that record what they hear and answer what a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// One announce, as an HTTP tracker heard it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) target: String,
    pub(crate) headers: String,
    pub(crate) from: SocketAddr,
}

impl Heard {
    /// Value of a query parameter.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

pub(crate) struct HttpTracker {
    pub(crate) address: SocketAddr,
    heard: mpsc::Receiver<Heard>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) busiest: Arc<AtomicUsize>,
}

type Answer = dyn Fn(&Heard) -> Option<Vec<u8>> + Send + Sync;

/// A response with status 200.
pub(crate) fn ok(body: &[u8]) -> Option<Vec<u8>> {
    Some([format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat())
}

/// A body that ends with this is the last thing that its connection carries; the client is not told.
pub(crate) const LAST: &[u8] = b"10:zzzzz_lasti1ee";

/// A plain answer of a tracker.
pub(crate) const PLAIN: &[u8] = b"d8:completei1e10:incompletei2e8:intervali1800e5:peers6:\x0a\0\0\x01\0\x50e";

impl HttpTracker {
    /// Answers with what `answer` returns: bytes of a whole response; `None` keeps silent and the connection open.
    pub(crate) fn start(answer: impl Fn(&Heard) -> Option<Vec<u8>> + Send + Sync + 'static) -> HttpTracker {
        HttpTracker::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), answer)
    }

    pub(crate) fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Heard) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> HttpTracker {
        let listener = TcpListener::bind(address).expect("a loopback port");
        let (sender, heard) = mpsc::channel();
        let tracker = HttpTracker {
            address: listener.local_addr().expect("bound"),
            heard,
            connections: Arc::default(),
            busiest: Arc::default(),
        };
        let (connections, busiest, busy) =
            (Arc::clone(&tracker.connections), Arc::clone(&tracker.busiest), Arc::new(AtomicUsize::new(0)));
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (sender, answer, busy, busiest) =
                    (sender.clone(), Arc::clone(&answer), Arc::clone(&busy), Arc::clone(&busiest));
                std::thread::spawn(move || serve(&stream, &sender, &*answer, &busy, &busiest));
            }
        });
        tracker
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    /// The next announce that arrives.
    pub(crate) async fn heard(&self) -> Heard {
        super::in_time("an announce", async {
            loop {
                match self.heard.try_recv() {
                    Ok(heard) => return heard,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
        .await
    }

    pub(crate) fn heard_nothing_else(&self) -> bool {
        self.heard.try_recv().is_err()
    }
}

fn serve(
    stream: &TcpStream,
    sender: &mpsc::Sender<Heard>,
    answer: &Answer,
    busy: &AtomicUsize,
    busiest: &AtomicUsize,
) -> Option<()> {
    let from = stream.peer_addr().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let target = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
        let headers = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty());
        let headers = headers.collect::<Vec<_>>().join("\n").to_lowercase();
        let heard = Heard { target, headers, from };
        busiest.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let response = answer(&heard);
        busy.fetch_sub(1, Ordering::SeqCst);
        let _ = sender.send(heard);
        if let Some(response) = response {
            let mut stream = stream;
            stream.write_all(&response).ok()?;
            if response.ends_with(LAST) {
                return stream.shutdown(std::net::Shutdown::Both).ok();
            }
        }
    }
}

/// A UDP tracker: `answer` gets every datagram and says what goes back.
pub(crate) struct UdpTracker {
    pub(crate) address: SocketAddr,
    pub(crate) heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl UdpTracker {
    pub(crate) fn start(
        address: IpAddr,
        mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
    ) -> UdpTracker {
        let socket = UdpSocket::bind((address, 0)).expect("a loopback port");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let tracker = UdpTracker { address: socket.local_addr().expect("bound"), heard: Arc::clone(&heard) };
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let datagram = &buffer[..length];
                heard.lock().expect("unpoisoned").push(datagram.to_vec());
                if let Some(reply) = answer(datagram) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        tracker
    }

    pub(crate) fn url(&self) -> String {
        format!("udp://{}", self.address)
    }

    /// Datagrams of one action so far.
    pub(crate) fn heard(&self, action: u8) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().expect("unpoisoned");
        heard.iter().filter(|datagram| datagram[11] == action).cloned().collect()
    }
}

/// What an honest UDP tracker answers: a connection id, or an interval of 1800 s and one IPv4 peer.
pub(crate) fn honest(datagram: &[u8]) -> Vec<u8> {
    let transaction = &datagram[12..16];
    match datagram[11] {
        0 => [&[0, 0, 0, 0], transaction, &[7; 8]].concat(),
        _ => [&[0, 0, 0, 1], transaction, &[0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 1], &[10, 0, 0, 1, 0, 80]].concat(),
    }
}

/// A loopback port at which nothing listens, and nothing else will.
pub(crate) struct ClosedPort {
    pub(crate) address: SocketAddr,
    _bound: socket2::Socket,
}

impl ClosedPort {
    pub(crate) fn new() -> ClosedPort {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a loopback port");
        let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
        ClosedPort { address, _bound: socket }
    }
}
