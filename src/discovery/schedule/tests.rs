use super::*;

const V4: [bool; 2] = [true, false];
const BOTH: [bool; 2] = [true, true];
const HALF_HOUR: Duration = Duration::from_secs(1800);

/// A torrent's schedule with virtual time.
struct World {
    schedule: Schedule,
    rng: fastrand::Rng,
    now: Time,
}

impl World {
    fn new(reach: Reach, tiers: &[Vec<[bool; 2]>]) -> World {
        let mut rng = fastrand::Rng::with_seed(7);
        let schedule = Schedule::new(reach, tiers, Time(0), &mut rng);
        World { schedule, rng, now: Time(0) }
    }

    fn poll(&mut self) -> Option<Job> {
        self.schedule.poll(self.now)
    }

    /// The one job that is due.
    fn only(&mut self) -> Job {
        let job = self.poll().expect("an announce is due");
        assert_eq!(self.poll(), None, "only one is");
        job
    }

    fn reply(&mut self, job: Job) {
        self.schedule.handle_reply(job.endpoint, HALF_HOUR, None, self.now, &mut self.rng);
    }

    fn fail(&mut self, job: Job) {
        self.schedule.handle_failure(job.endpoint, Retry::Unsaid, self.now, &mut self.rng);
    }

    /// Sleeps until something is due; how long that was.
    fn sleep(&mut self) -> Duration {
        let wake = self.schedule.next_timeout(self.now).expect("something will be due");
        assert!(wake > self.now, "what is due now was polled");
        let slept = wake - self.now;
        self.now = wake;
        slept
    }
}

#[test]
fn events_come_in_order_and_completed_comes_once() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    let mut events = Vec::new();
    for round in 0..5 {
        let job = world.only();
        events.push(job.event);
        world.reply(job);
        if round == 1 {
            world.schedule.handle_completed(world.now);
        } else {
            let slept = world.sleep();
            assert!((HALF_HOUR..=HALF_HOUR.mul_f64(1.05)).contains(&slept), "{slept:?}");
        }
    }
    assert_eq!(events, [Event::Started, Event::Regular, Event::Completed, Event::Regular, Event::Regular]);
    let stops = world.schedule.stop();
    assert_eq!(stops.iter().map(|job| job.event).collect::<Vec<_>>(), [Event::Stopped]);
}

#[test]
fn completed_while_started_is_in_flight_follows_it_at_once() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    let job = world.only();
    world.schedule.handle_completed(world.now);
    world.reply(job);
    assert_eq!(world.only().event, Event::Completed);
}

#[test]
fn a_tracker_first_reached_after_completion_is_not_told_completed() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    let job = world.only();
    world.fail(job);
    world.schedule.handle_completed(world.now);
    world.sleep();
    let job = world.only();
    assert_eq!(job.event, Event::Started);
    world.reply(job);
    world.sleep();
    assert_eq!(world.only().event, Event::Regular);
}

#[test]
fn a_tier_is_shuffled_then_walked_and_who_answers_moves_to_the_front() {
    let firsts: std::collections::HashSet<usize> = (0..40)
        .map(|seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut schedule = Schedule::new(Reach::EachTier, &[vec![V4, V4, V4]], Time(0), &mut rng);
            schedule.poll(Time(0)).expect("due").endpoint.tracker
        })
        .collect();
    assert_eq!(firsts.len(), 3, "each tracker is first for some seeds");

    let mut world = World::new(Reach::EachTier, &[vec![V4, V4, V4]]);
    let (first, second) = {
        let first = world.only();
        world.fail(first);
        let second = world.only();
        world.reply(second);
        (first.endpoint.tracker, second.endpoint.tracker)
    };
    assert_ne!(first, second);
    assert_eq!(usize::from(world.schedule.order[0]), second);
    world.sleep();
    let again = world.only();
    assert_eq!(again.endpoint.tracker, second, "the one that works is kept");
    world.fail(again);
    assert_eq!(world.only().endpoint.tracker, first, "the next in the list is tried at once");
}

#[test]
fn reach_says_how_many_trackers_are_used_at_a_time() {
    let tiers = [vec![V4, V4], vec![V4, V4]];
    for (reach, expected) in [(Reach::OneTracker, 1), (Reach::EachTier, 2), (Reach::EveryTracker, 4)] {
        let mut world = World::new(reach, &tiers);
        let jobs: Vec<Job> = std::iter::from_fn(|| world.poll()).collect();
        assert_eq!(jobs.len(), expected, "{reach:?}");
    }
}

#[test]
fn one_tracker_goes_down_the_tiers_and_comes_back_up() {
    let mut world = World::new(Reach::OneTracker, &[vec![V4], vec![V4]]);
    let job = world.only();
    assert_eq!(job.endpoint.tracker, 0);
    world.fail(job);
    let job = world.only();
    assert_eq!(job.endpoint.tracker, 1);
    world.reply(job);
    assert!(world.sleep() < Duration::from_secs(60), "the first tier is tried again after its back-off");
    let job = world.only();
    assert_eq!(job.endpoint.tracker, 0);
    world.reply(job);
    world.sleep();
    assert_eq!(world.only().endpoint.tracker, 0);
    let stopped: Vec<usize> = world.schedule.stop().iter().map(|job| job.endpoint.tracker).collect();
    assert_eq!(stopped, [0, 1], "both know us");
}

#[test]
fn a_family_that_fails_does_not_fail_the_tracker() {
    let mut world = World::new(Reach::EachTier, &[vec![BOTH, BOTH]]);
    let v4 = world.poll().expect("IPv4 is due");
    let v6 = world.only();
    assert_eq!((v4.endpoint.family, v6.endpoint.family), (Family::V4, Family::V6));
    world.fail(v6);
    world.reply(v4);
    world.sleep();
    let retried = world.only();
    assert_eq!((retried.endpoint, retried.event), (v6.endpoint, Event::Started));
    world.fail(retried);
    assert_eq!(world.schedule.stop().len(), 1, "only IPv4 was ever started");
}

#[test]
fn a_tracker_whose_families_all_fail_is_left_for_the_next() {
    let mut world = World::new(Reach::EachTier, &[vec![BOTH, BOTH]]);
    let v4 = world.poll().expect("IPv4 is due");
    let v6 = world.only();
    world.schedule.handle_absent(v6.endpoint, world.now);
    assert_eq!(world.poll(), None, "IPv4 is still in flight");
    world.fail(v4);
    let next = world.poll().expect("the other tracker is due");
    assert_ne!(next.endpoint.tracker, v4.endpoint.tracker);
}

#[test]
fn back_off_doubles_up_to_an_hour_and_starts_over_after_an_answer() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    for round in 0..12u32 {
        let job = world.only();
        world.fail(job);
        let nominal = Duration::from_secs((30u64 << round.min(10)).min(3600));
        let slept = world.sleep();
        assert!(slept >= nominal.mul_f64(0.74) && slept <= nominal.mul_f64(1.26), "{round}: {slept:?}");
    }
    let job = world.only();
    world.reply(job);
    world.sleep();
    let job = world.only();
    world.fail(job);
    assert!(world.sleep() < Duration::from_secs(40));
}

#[test]
fn intervals_of_hostile_trackers_are_bounded() {
    for (interval, min, low, high) in [
        (0, None, 60, 63),
        (1 << 31, None, 7200, 7560),
        (u64::MAX, Some(u64::MAX), 7200, 7560),
        (300, Some(900), 900, 945),
        (300, Some(0), 300, 315),
    ] {
        let mut world = World::new(Reach::EachTier, &[vec![V4]]);
        let job = world.only();
        let min = min.map(Duration::from_secs);
        world.schedule.handle_reply(job.endpoint, Duration::from_secs(interval), min, world.now, &mut world.rng);
        let slept = world.sleep().as_secs();
        assert!((low..=high).contains(&slept), "interval {interval}: slept {slept}");
    }
}

#[test]
fn a_wish_respects_the_min_interval_only() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    let job = world.only();
    let min = Some(Duration::from_secs(600));
    world.schedule.handle_reply(job.endpoint, HALF_HOUR, min, world.now, &mut world.rng);
    let possible = |endpoint: Endpoint| endpoint.family == Family::V4;
    world.schedule.handle_wish(world.now, possible);
    assert_eq!(world.sleep(), Duration::from_secs(600));
    let job = world.only();
    world.schedule.handle_failure(job.endpoint, Retry::Never, world.now, &mut world.rng);
    assert_eq!(world.schedule.next_timeout(world.now), None, "the tracker said never");
    world.schedule.handle_wish(world.now, possible);
    assert_eq!(world.only().endpoint.family, Family::V4, "the operator knows better");
}

#[test]
fn retry_in_is_respected_if_it_is_longer_than_the_back_off() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    let job = world.only();
    world.schedule.handle_failure(job.endpoint, Retry::After(Duration::from_secs(600)), world.now, &mut world.rng);
    assert_eq!(world.sleep(), Duration::from_secs(600));
}

#[test]
fn a_started_that_may_have_arrived_is_stopped_too() {
    let mut world = World::new(Reach::EachTier, &[vec![V4], vec![V4]]);
    let first = world.poll().expect("due");
    let second = world.only();
    world.fail(second);
    let stops = world.schedule.stop();
    assert_eq!(stops.iter().map(|job| job.endpoint).collect::<Vec<_>>(), [first.endpoint]);
}

#[test]
fn trackers_that_stay_go_on_as_they_were_and_new_ones_are_started() {
    let mut world = World::new(Reach::EachTier, &[vec![V4], vec![V4]]);
    let (first, second) = (world.poll().expect("due"), world.only());
    world.reply(first);
    world.reply(second);
    let leaving: Vec<Job> = world.schedule.parting(0).collect();
    assert_eq!(leaving, [Job { event: Event::Stopped, ..first }]);
    // the second comes to the front, with another one behind it and one in a tier of its own
    world.schedule.set_trackers(&[vec![V4, V4], vec![V4]], &[Some(1), None, None], world.now, &mut world.rng);
    let new = world.only();
    assert_eq!((new.endpoint.tracker, new.event), (2, Event::Started), "what stands for one that works is not asked");
    world.reply(new);
    world.sleep();
    let job = world.poll().expect("due");
    assert_eq!(job.event, Event::Regular);
    let mut stopped: Vec<usize> = world.schedule.stop().iter().map(|job| job.endpoint.tracker).collect();
    stopped.sort_unstable();
    assert_eq!(stopped, [0, 2]);
}

#[test]
fn what_has_not_left_is_recalled_and_nobody_is_told_stopped_for_it() {
    let mut world = World::new(Reach::EachTier, &[vec![V4]]);
    let job = world.only();
    assert_eq!(world.schedule.in_flight(job.endpoint), Some(Event::Started));
    world.schedule.recall(job.endpoint);
    assert_eq!(world.schedule.clone().stop(), []);
    assert_eq!(world.only(), job);
}

#[test]
fn no_sequence_of_outcomes_announces_more_often_than_once_in_twenty_seconds() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let reach = *rng.choice(&[Reach::OneTracker, Reach::EachTier, Reach::EveryTracker]).expect("three");
        let tiers: Vec<Vec<[bool; 2]>> = (0..rng.usize(1..4)).map(|_| vec![BOTH; rng.usize(1..4)]).collect();
        let mut schedule = Schedule::new(reach, &tiers, Time(0), &mut rng);
        let mut now = Time(0);
        let mut last = std::collections::HashMap::new();
        for _ in 0..200 {
            while let Some(job) = schedule.poll(now) {
                if let Some(before) = last.insert(job.endpoint, now) {
                    assert!(now - before >= Duration::from_secs(20), "seed {seed}: {job:?}");
                }
                match rng.u8(0..4) {
                    0 => schedule.handle_failure(job.endpoint, Retry::Unsaid, now, &mut rng),
                    1 => schedule.handle_absent(job.endpoint, now),
                    _ => schedule.handle_reply(job.endpoint, Duration::ZERO, None, now, &mut rng),
                }
            }
            let Some(next) = schedule.next_timeout(now) else { break };
            assert!(next > now, "seed {seed}: a wake-up without work would spin");
            now = next;
        }
    }
}
