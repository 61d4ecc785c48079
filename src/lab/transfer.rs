//! Client-server distribution over the same network: a server that sends the whole file to each client.

use std::collections::HashMap;
use std::time::Duration;

use super::network::{Access, End, Event, Network, Parcel};
use crate::clock::Time;
use crate::limits;

/// Bytes of a request: a line and some headers.
const REQUEST: u32 = 200;

/// When each client has all `size` bytes, from the start. Clients come at the times given.
pub fn client_server(size: u64, server: Access, clients: &[(Access, Duration)]) -> Vec<Option<Duration>> {
    let mut network = Network::default();
    let server = network.add(server);
    for (number, (access, arrives)) in clients.iter().enumerate() {
        let client = network.add(*access);
        network.wake(client, Time::default() + *arrives, number as u64);
    }
    let mut open: HashMap<End, Transfer> = HashMap::new();
    let mut took = vec![None; clients.len()];
    let mut left = if size == 0 { 0 } else { clients.len() };
    while left > 0 {
        let Some((node, event)) = network.next_event() else { break };
        match event {
            Event::Timer(_) => {
                let end = network.dial(node, server);
                open.insert(end.other(), Transfer { client: node.0 - 1, to_send: size, to_come: size });
            }
            Event::Open(end) => network.send(end, Parcel::Plain(REQUEST)),
            // a request, or room for more of the answer
            Event::Arrived(end, _) | Event::Room(end) if node == server => {
                if let Some(transfer) = open.get_mut(&end) {
                    transfer.fill(&mut network, end);
                }
            }
            Event::Arrived(end, parcel) => {
                let Some(transfer) = open.get_mut(&end.other()) else { continue };
                transfer.to_come -= parcel.length();
                if transfer.to_come == 0 {
                    took[transfer.client] = Some(network.now().since(Time::default()));
                    left -= 1;
                }
            }
            _ => {}
        }
    }
    took
}

/// A file on its way to a client.
struct Transfer {
    client: usize,
    to_send: u64,
    to_come: u64,
}

impl Transfer {
    fn fill(&mut self, network: &mut Network, end: End) {
        while self.to_send > 0 && network.has_room(end) {
            let length = self.to_send.min(limits::BLOCK.into());
            network.send(end, Parcel::Plain(u32::try_from(length).unwrap_or(limits::BLOCK)));
            self.to_send -= length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1024;

    fn access(up_kib: u64, down_kib: u64) -> Access {
        Access { up: up_kib * KIB, down: down_kib * KIB, delay: Duration::from_millis(20) }
    }

    fn last(took: &[Option<Duration>]) -> f64 {
        took.iter().map(|took| took.expect("everybody is served").as_secs_f64()).fold(0.0, f64::max)
    }

    #[test]
    fn clients_share_the_servers_upload() {
        let clients = vec![(access(10, 100), Duration::ZERO); 30];
        let took = client_server(1_000 * KIB, access(100, 10), &clients);
        // 300 s by the bound
        assert!((300.0..301.0).contains(&last(&took)), "{}", last(&took));
    }

    #[test]
    fn a_slow_client_takes_its_own_time_and_nobody_waits_for_it() {
        let mut clients = vec![(access(10, 100), Duration::ZERO); 4];
        clients.push((access(10, 2), Duration::ZERO));
        let took = client_server(1_000 * KIB, access(100, 10), &clients);
        assert!((500.0..510.0).contains(&last(&took)), "{took:?}");
        assert!(last(&took[..4]) < 45.0, "{took:?}");
    }

    #[test]
    fn who_comes_later_finds_the_server_free() {
        let clients = [(access(10, 1_000), Duration::ZERO), (access(10, 1_000), Duration::from_secs(20))];
        let took = client_server(1_000 * KIB, access(100, 10), &clients);
        assert!((10.0..10.3).contains(&last(&took[..1])) && (30.0..30.3).contains(&last(&took[1..])), "{took:?}");
    }

    #[test]
    fn nothing_is_sent_to_nobody() {
        assert!(client_server(1, access(1, 1), &[]).is_empty());
        assert_eq!(client_server(0, access(1, 1), &[(access(1, 1), Duration::ZERO)]), [None]);
    }
}
