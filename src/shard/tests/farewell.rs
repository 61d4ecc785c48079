//! The end, in order: what was asked for is served, nothing else is, and everybody is told.

use super::*;

impl World {
    /// Connections whose streams may be ended, which is done.
    fn part(&mut self) -> Vec<PeerKey> {
        let ready = self.shard.next_partings();
        ready.iter().for_each(|key| self.shard.parted(*key));
        self.settle();
        ready
    }

    fn wind_down(&mut self) {
        self.shard.wind_down(self.now);
        self.settle();
    }
}

#[test]
fn who_speaks_fast_is_choked_at_once_and_its_requests_stand() {
    let mut world = World::new(Slots::Unlimited);
    let key = world.join(Reserved::OURS);
    world.say(key, &[Message::Interested]);
    world.ask(key, 2, 16_384);
    world.output.clear();
    world.wind_down();
    assert_eq!(world.heard(key), ["Choke"]);
    assert!(world.part().is_empty(), "it waits for two blocks");
    world.ask(key, 1, 1_024);
    assert!(world.heard(key).iter().all(|message| message.starts_with("Reject")), "a third is refused");
    assert_eq!(world.serve(), Some((key, 32_768)));
    assert_eq!(world.part(), [key]);
    assert!(world.part().is_empty(), "once");
    world.ask(key, 1, 1_024);
    assert!(world.heard(key).is_empty(), "nothing is said on a stream that was ended");
}

/// Without Fast a choke takes requests back: a client drops what comes after it.
#[test]
fn who_speaks_bep_3_alone_is_choked_after_what_it_waits_for() {
    let mut world = World::new(Slots::Unlimited);
    let key = world.leecher();
    world.ask(key, 2, 16_384);
    world.output.clear();
    world.wind_down();
    assert!(world.heard(key).is_empty());
    world.ask(key, 3, 1_024);
    assert_eq!(world.serve(), Some((key, 32_768)), "what it asks for now is not served");
    assert!(world.part().is_empty(), "it is told first");
    assert_eq!(world.heard(key), ["Choke"]);
    assert_eq!(world.part(), [key]);
    assert_eq!((world.shard.unchoked(), world.shard.totals().chokes), (0, 1));
}

#[test]
fn nothing_new_begins() {
    let mut world = World::new(Slots::Unlimited);
    let (idle, greeting) = (world.join(Reserved::OURS), world.accept());
    world.wind_down();
    assert_eq!(world.reason(greeting), Some(Reason::Stopped));
    assert_eq!(world.shard.accept(world.address(), world.now), Err(Reason::Stopped));
    assert_eq!(world.shard.dial(FIRST, world.address(), world.now), None);
    world.say(idle, &[Message::Interested]);
    world.pass(30);
    assert!(!world.is_served(idle), "no slot is given any more");
    assert_eq!(world.part(), [idle]);
    world.shard.close(idle, Reason::Ended);
    world.settle();
    assert_eq!(world.shard.connections(), 0);
}
