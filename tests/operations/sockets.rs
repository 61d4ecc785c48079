//! Sockets that a service manager opens, and those that it keeps while the daemon is started anew.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::daemon::{Home, Manager, Running, until};
use crate::program;

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

fn healthy(stream: &mut (impl Read + Write)) -> bool {
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.contains(" 200 ")
}

fn address(socket: &OwnedFd) -> Option<SocketAddr> {
    socket2::SockRef::from(socket).local_addr().ok()?.as_socket()
}

fn kept(manager: &Manager, name: &str) -> Vec<SocketAddr> {
    manager.kept.iter().filter(|(kept, _)| kept == name).filter_map(|(_, socket)| address(socket)).collect()
}

#[test]
fn it_listens_on_what_systemd_opened() {
    let Some(mut activate) = program("systemd-socket-activate") else { return };
    let home = Home::with("[network]\nport = 1\n[api]\nlisten = []\n");
    let (peers, api) = (free_address(), free_address());
    let unix = home.folder.path().join("unit.sock");
    activate.args(["--listen", &peers.to_string(), "--listen", &api.to_string(), "--listen"]).arg(&unix);
    activate
        .arg("--fdname=peers:api:api")
        .arg(env!("CARGO_BIN_EXE_sower"))
        .args(["daemon", "--state"])
        .arg(home.state());
    activate.stderr(std::process::Stdio::piped());
    let mut daemon = Running::start(activate);
    // the first connection starts it
    let mut stream = None;
    until("systemd listens", || {
        stream = TcpStream::connect(api).ok();
        stream.is_some()
    });
    assert!(healthy(&mut stream.expect("a connection")), "the connection that started it was answered");
    assert!(healthy(&mut UnixStream::connect(&unix).expect("the socket of the unit")));
    let totals = home.ask("GET", "/api/v1/totals", "").expect("the socket of the configuration is there too").1;
    assert!(totals.contains(&format!("\"port\":{}", peers.port())), "{totals}");
    assert!(TcpStream::connect(peers).is_ok());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
}

#[test]
fn who_connects_while_it_is_started_anew_waits_and_is_answered() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut daemon = manager.start(home.command());
    manager.hear("READY=1");
    let (api, peers) = (kept(&manager, "kept-api")[0], kept(&manager, "kept-peers")[0]);
    daemon.0.kill().expect("it runs");
    daemon.ended();
    let mut waiting = TcpStream::connect(api).expect("the socket is still there");
    let _peer = TcpStream::connect(("127.0.0.1", peers.port())).expect("the port for peers is still there");
    // the same configuration: any port, and the address of the API by name
    let mut command = home.bare();
    command.args(["--api", &api.to_string(), "--port", &peers.port().to_string()]);
    let mut daemon = manager.start(command);
    waiting.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    assert!(healthy(&mut waiting), "who connected in between was not answered");
    manager.hear("READY=1");
    assert_eq!(
        (kept(&manager, "kept-api"), kept(&manager, "kept-peers")),
        (vec![api], vec![peers]),
        "none more, none less"
    );
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
}

/// An API that was open to the network and is not meant to be any more must not stay so because a manager kept its socket.
#[test]
fn kept_sockets_that_the_configuration_no_longer_wants_are_closed() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut daemon = manager.start(home.command());
    manager.hear("READY=1");
    let (api, peers) = (kept(&manager, "kept-api")[0], kept(&manager, "kept-peers")[0]);
    daemon.0.kill().expect("it runs");
    daemon.ended();
    let elsewhere = free_address();
    let mut command = home.bare();
    command.args(["--api", &elsewhere.to_string(), "--listen", "127.0.0.1", "--port", "0"]);
    let mut daemon = manager.start(command);
    manager.hear("READY=1");
    assert_eq!(kept(&manager, "kept-api"), [elsewhere]);
    assert!(kept(&manager, "kept-peers").iter().all(|address| address.ip().is_loopback()));
    until("the old sockets are closed", || {
        TcpStream::connect(api).is_err() && TcpStream::connect(("127.0.0.1", peers.port())).is_err()
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
}

#[test]
fn a_socket_that_is_for_nobody_is_refused_with_what_to_write() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let high = rustix::io::fcntl_dupfd_cloexec(&listener, 20).expect("a descriptor");
    manager.kept.push(("sowerd.socket".into(), high));
    let output = manager.start(home.command()).output();
    assert!(output.contains("FileDescriptorName=peers"), "{output}");
}
