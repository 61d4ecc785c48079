//! HTTPS trackers. Whom the system trusts is part of a process's environment, so each case runs this binary again with
//! another `SSL_CERT_FILE`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sower::discovery::{Announcer, Config};

use super::servers::{HttpTracker, PLAIN, ok};
use super::{config, error_of, found, torrent};

/// Set for the second run: port of the HTTPS tracker and of the HTTP tracker.
const PORTS: &str = "SOWER_TEST_TRACKER_PORTS";

/// Serves [`PLAIN`] over TLS with a certificate for `tracker.example`; returns its authority in PEM, and the port.
fn start(authority: &str) -> (String, u16) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, authority);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(vec!["tracker.example".to_owned()]).expect("a name");
    let certificate = names.signed_by(&key, &authority).expect("signed");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .expect("a usable key");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::new(config.clone())).expect("a session");
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut head = [0; 4096];
            if tls.read(&mut head).is_ok_and(|length| length > 0) {
                let _ = tls.write_all(&ok(PLAIN).expect("a response"));
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    (authority.pem(), port)
}

/// Runs the test `case` of this binary with `roots` as the system's authorities.
fn run(case: &str, roots: &str, ports: [u16; 2]) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, roots).expect("a file in it");
    let output = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--ignored", "--exact", case, "--nocapture"])
        .env("SSL_CERT_FILE", &file)
        .env("SSL_CERT_DIR", folder.path().join("none"))
        .env(PORTS, format!("{} {}", ports[0], ports[1]))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn ports() -> [u16; 2] {
    let text = std::env::var(PORTS).expect("run by `https_trackers_are_trusted_as_the_system_says`");
    let (https, http) = text.split_once(' ').expect("two ports");
    [https, http].map(|port| port.parse().expect("a port"))
}

fn named(name: &str, port: u16) -> (Config, String) {
    let names = vec![(name.to_owned(), vec![Ipv4Addr::LOCALHOST.into()])];
    (Config { names, ..config(5001) }, format!("https://{name}:{port}/announce"))
}

#[test]
fn https_trackers_are_trusted_as_the_system_says() {
    let (authority, port) = start("the tracker's");
    let (stranger, _) = start("a stranger's");
    let http = HttpTracker::start(|_| ok(PLAIN));
    let ports = [port, http.address.port()];
    run("tls::case_trusted", &authority, ports);
    run("tls::case_untrusted", &stranger, ports);
    run("tls::case_no_authorities", "", ports);
}

#[tokio::test]
#[ignore = "run by https_trackers_are_trusted_as_the_system_says"]
async fn case_trusted() {
    let (config, tracker) = named("tracker.example", ports()[0]);
    let (announcer, mut peers) = Announcer::start(config);
    announcer.add(torrent(&[&[&tracker]], 0)).await;
    assert_eq!(found(&mut peers).await.peers.len(), 1);
    let (config, tracker) = named("other.example", ports()[0]);
    let error = error_of(config, &tracker).await;
    assert!(error.contains("certificate is for another name"), "{error}");
}

#[tokio::test]
#[ignore = "run by https_trackers_are_trusted_as_the_system_says"]
async fn case_untrusted() {
    let (config, tracker) = named("tracker.example", ports()[0]);
    let error = error_of(config, &tracker).await;
    assert!(error.contains("signed by nobody that this system trusts"), "{error}");
}

#[tokio::test]
#[ignore = "run by https_trackers_are_trusted_as_the_system_says"]
async fn case_no_authorities() {
    let [https, http] = ports();
    let (config, tracker) = named("tracker.example", https);
    let error = error_of(config.clone(), &tracker).await;
    assert!(error.contains("install the package ca-certificates"), "{error}");
    let (announcer, mut peers) = Announcer::start(config);
    announcer.add(torrent(&[&[&format!("http://127.0.0.1:{http}/announce")]], 0)).await;
    assert_eq!(found(&mut peers).await.peers.len(), 1, "HTTP works without");
}
