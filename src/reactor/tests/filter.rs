//! Addresses that are blocked while the reactor runs.

use super::*;
use crate::filter::{IpFilter, Lists};

fn filter(list: &str) -> Arc<IpFilter> {
    let mut lists = Lists::new();
    lists.read(list.as_bytes()).expect("a list");
    Arc::new(lists.into_filter())
}

impl Seeder {
    /// A connection from 127.0.0.`last`.
    fn connect_from(&self, last: u8, content: &Content) -> io::Result<RawPeer> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).expect("an address of loopback");
        socket.connect(&self.address.into()).expect("it listens");
        RawPeer::greet(socket.into(), content.number)
    }
}

#[test]
fn a_filter_ends_and_refuses_connections_until_another_takes_its_place() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let mut seeder = Seeder::new(ring, &[&content]);
        let mut welcome = seeder.connect(&content);
        let mut blocked = seeder.connect_from(2, &content).expect("nobody is blocked yet");
        welcome.wait_for_slot();
        blocked.wait_for_slot();
        seeder.send(Command::Filter(filter("127.0.0.2-127.0.0.9")));
        assert!(blocked.hear(|_| ()).is_err(), "its connection is closed");
        assert!(seeder.connect_from(3, &content).is_err(), "nobody new is let in");
        seeder.download(&mut welcome, &content);
        seeder.send(Command::Filter(filter("# nobody")));
        let mut again = loop {
            // the mailbox is read soon after
            if let Ok(peer) = seeder.connect_from(2, &content) {
                break peer;
            }
        };
        again.wait_for_slot();
        seeder.download(&mut again, &content);
        assert!(seeder.end().totals.closed[Reason::Filtered as usize] >= 2);
    });
}
