//! Peers that break the protocol, by malice or by accident: the right answer to each, no crash, no growth, and a
//! well-behaved peer that downloads through it all.

mod cases;
mod raw;
#[path = "../clients/shared.rs"]
mod shared;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cases::{CONTACT, Case, LENGTHS, MESSAGES, PIECES, REQUESTS};
use content::{Content, info_hash, info_of};
use process::{Workspace, wait_for};
use raw::{BLOCK, Block, DATA, MODERN, PIECE, Peer, REQUEST, Target, assert_data, block_message};
use seeder::Seeder;
use shared::{content, process, program, seeder};

/// Rounds of the whole table that fill what is filled once: pools, buffers, tables.
const WARM_UP_ROUNDS: usize = 6;
/// Rounds after which the program must be what it was before them; they make some 5,000 connections.
const ROUNDS: usize = 30;
/// Of the seeder.
const REACTORS: usize = 2;
/// Anonymous memory that may come on top by those: what an allocator keeps (2 MiB were seen), less than a KiB a connection.
const GROWTH_KIB: u64 = 4 * 1024;

#[test]
fn hostile_peers_do_no_harm_on_io_uring_with_splice() {
    besiege("io_uring", "splice");
}

#[test]
fn hostile_peers_do_no_harm_on_io_uring_with_copy() {
    besiege("io_uring", "copy");
}

#[test]
fn hostile_peers_do_no_harm_on_epoll_with_splice() {
    besiege("epoll", "splice");
}

#[test]
fn hostile_peers_do_no_harm_on_epoll_with_copy() {
    besiege("epoll", "copy");
}

fn besiege(driver: &str, send: &str) {
    let workspace = Workspace::new();
    let (mut seeder, target) = start(&workspace, driver, send);
    let (done, copies) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // one for each reactor: what their receive buffers take is taken before the siege
        let bystanders = [(); REACTORS].map(|()| scope.spawn(|| download_until(&target, &done, &copies)));
        let late = scope.spawn(|| silent_contacts_are_closed(&target));
        let siege = catch_unwind(AssertUnwindSafe(|| {
            run_table(&target, WARM_UP_ROUNDS);
            let before = (descriptors(&seeder), anonymous_kib(&seeder));
            run_table(&target, ROUNDS);
            crowds_from_one_address_are_limited(&target);
            late.join().expect("the silent contacts");
            before
        }));
        let seen = copies.load(Ordering::Relaxed);
        wait_for("one more copy for a well-behaved peer, or its end", Duration::from_secs(60), || {
            let ended = bystanders.iter().any(std::thread::ScopedJoinHandle::is_finished);
            (copies.load(Ordering::Relaxed) > seen || ended).then_some(())
        });
        done.store(true, Ordering::Relaxed);
        for bystander in bystanders {
            bystander.join().expect("a well-behaved peer");
        }
        assert_no_growth(&seeder, siege.unwrap_or_else(|panic| resume_unwind(panic)));
    });
    assert!(seeder.interrupt().success());
}

fn start(workspace: &Workspace, driver: &str, send: &str) -> (Seeder, Target) {
    let source = workspace.folder("source");
    let mut arguments = Content::Single.write(&source);
    let reactors = REACTORS.to_string();
    arguments.extend(["--no-tracker", "--slots", "unlimited", "--reactors", &reactors].map(str::to_owned));
    arguments.extend(["--driver", driver, "--send", send].map(str::to_owned));
    let mut seeder = Seeder::start(workspace.path(), arguments);
    let served = seeder.serving(1).remove(0);
    let torrent = std::fs::read(&served.torrent).expect("the torrent file");
    let target = Target {
        seeder: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), served.port),
        info_hash: info_hash(&torrent),
        info: info_of(&torrent).to_vec(),
        data: std::fs::read(source.join(&served.name)).expect("the source"),
    };
    (seeder, target)
}

/// Runs every case `rounds` times, and panics with all that went wrong.
fn run_table(target: &Target, rounds: usize) {
    let table: Vec<&Case> = [CONTACT, LENGTHS, PIECES, REQUESTS, MESSAGES].into_iter().flatten().collect();
    let mut failures = Vec::new();
    for (name, exchange) in std::iter::repeat_n(&table, rounds).flatten() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| exchange(target))) {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            failures.push(format!("{name}: {}", text.unwrap_or_default()));
        }
    }
    assert!(failures.is_empty(), "{} wrong answers:\n{}", failures.len(), failures.join("\n"));
}

/// What every other client does: asks for all of it, some blocks at a time, over and over.
fn download_until(target: &Target, done: &AtomicBool, copies: &AtomicUsize) {
    let last = target.pieces() - 1;
    let mut blocks: Vec<Block> =
        (0..last).flat_map(|piece| (0..PIECE / BLOCK).map(move |number| (piece, number * BLOCK, BLOCK))).collect();
    blocks.push((last, 0, target.tail().min(BLOCK)));
    let mut peer = target.greeted(MODERN);
    peer.become_unchoked();
    while !done.load(Ordering::Relaxed) {
        for window in blocks.chunks(8) {
            window.iter().for_each(|block| peer.send(&block_message(REQUEST, *block)));
            for block in window {
                assert_data(target, *block, &peer.read_kind(DATA).expect("data for a well-behaved peer"));
            }
        }
        copies.fetch_add(1, Ordering::Relaxed);
    }
}

/// Contacts that say nothing, or half of a handshake, and then nothing more.
fn silent_contacts_are_closed(target: &Target) {
    let mut contacts: Vec<raw::Peer> = (0..20).map(|_| target.silent(67)).collect();
    for (number, contact) in contacts.iter_mut().enumerate() {
        contact.send(&target.handshake(MODERN)[..number * 3]);
        contact.stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    }
    contacts.iter_mut().for_each(Peer::assert_closed);
}

/// Of many connections from one address some are refused; other addresses do not suffer.
fn crowds_from_one_address_are_limited(target: &Target) {
    let mut crowd: Vec<Peer> = (0..300).map(|_| target.silent(68)).collect();
    crowd.iter_mut().for_each(|peer| peer.send(&target.handshake(MODERN)));
    target.greeted(MODERN).assert_welcome(target);
    let open = crowd.iter_mut().map(Peer::is_answered).filter(|answered| *answered).count();
    assert!((1..300).contains(&open), "{open} of 300 connections from one address are open");
}

fn assert_no_growth(seeder: &Seeder, before: (usize, u64)) {
    // pipes and maps of its pools may be opened at any time; connections are what must not stay
    wait_for("descriptors are closed", Duration::from_secs(30), || (descriptors(seeder) <= before.0 + 8).then_some(()));
    let after = anonymous_kib(seeder);
    assert!(after <= before.1 + GROWTH_KIB, "anonymous memory grew from {} to {after} KiB", before.1);
}

/// Open descriptors.
fn descriptors(seeder: &Seeder) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", seeder.id())).expect("a running process").count()
}

/// Memory of its own; pages of mapped files are not.
fn anonymous_kib(seeder: &Seeder) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", seeder.id())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a field of every process");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
