//! What the kernel says of a device over netlink: its qdiscs, offloads, rings and channels.

use super::super::facts::{Offloads, Qdisc, Sizes};
use super::netlink::{
    DUMP, GENERIC, Message, REQUEST, ROUTE, ask, attribute, attributes, nest, text, text_attribute, u16_at, u32_at,
};

// linux/rtnetlink.h
const NEW_QDISC: u16 = 36;
const GET_QDISC: u16 = 38;
const TC_MESSAGE: usize = 20;
const KIND: u16 = 1;
const AT_ROOT: u32 = 0xffff_ffff;
/// Classifiers of what comes in, which hang there beside the queues.
const INGRESS: u32 = 0xffff_fff1;

// linux/genetlink.h
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const GENERIC_HEADER: usize = 4;

// linux/ethtool_netlink.h
const FEATURES_GET: u8 = 11;
const RINGS_GET: u8 = 15;
const CHANNELS_GET: u8 = 17;

/// The ethtool family of generic netlink; kernels from 5.6 on have it.
#[derive(Debug)]
pub(super) struct Ethtool {
    family: u16,
}

impl Ethtool {
    pub(super) fn find() -> Option<Ethtool> {
        let request = [vec![GET_FAMILY, 1, 0, 0], text_attribute(FAMILY_NAME, "ethtool")].concat();
        let answer = ask(GENERIC, CONTROL, REQUEST, &request).ok()?;
        let body = answer.first()?.body.get(GENERIC_HEADER..)?;
        Some(Ethtool { family: u16_at(attribute(body, FAMILY_ID)?, 0)? })
    }

    fn get(&self, command: u8, device: &str) -> Option<Vec<u8>> {
        let header = nest(1, &text_attribute(2, device));
        let request = [vec![command, 1, 0, 0], header].concat();
        let answer = ask(GENERIC, self.family, REQUEST, &request).ok()?;
        Some(answer.into_iter().next()?.body.split_off(GENERIC_HEADER))
    }

    pub(super) fn offloads(&self, device: &str) -> Option<Offloads> {
        let answer = self.get(FEATURES_GET, device)?;
        Some(Offloads { on: features(&answer, 4)?, switchable: features(&answer, 2)? })
    }

    /// Places in the receiving ring.
    pub(super) fn rings(&self, device: &str) -> Option<Sizes> {
        sizes(&self.get(RINGS_GET, device)?, 6, 2)
    }

    /// Pairs of queues.
    pub(super) fn channels(&self, device: &str) -> Option<Sizes> {
        sizes(&self.get(CHANNELS_GET, device)?, 9, 5)
    }
}

/// ETHTOOL_A_FEATURES_ACTIVE is 4, _HW is 2: sets that list their members, the second with a mark on those that can be switched.
fn features(body: &[u8], set: u16) -> Option<Vec<String>> {
    let set = attribute(body, set)?;
    let bits = attribute(set, 3)?;
    let all = attribute(set, 1).is_some();
    let member = |bit: &[u8]| (all || attribute(bit, 3).is_some()).then(|| text(attribute(bit, 2).unwrap_or_default()));
    Some(attributes(bits).filter_map(|(_, bit)| member(bit)).collect())
}

fn sizes(body: &[u8], now: u16, most: u16) -> Option<Sizes> {
    let value = |kind| u32_at(attribute(body, kind)?, 0);
    Some(Sizes { now: value(now)?, most: value(most)? })
}

/// The qdiscs of the device with that index; `None` where the kernel does not tell.
pub(super) fn qdisc(index: u32) -> Option<Qdisc> {
    let answer = ask(ROUTE, GET_QDISC, DUMP, &[0; TC_MESSAGE]).ok()?;
    Some(qdisc_of(index, &answer))
}

fn qdisc_of(index: u32, answer: &[Message]) -> Qdisc {
    let mut found = Qdisc { root: "noqueue".to_owned(), leaves: Vec::new() };
    for message in answer.iter().filter(|message| message.kind == NEW_QDISC) {
        let body = &message.body;
        let (Some(device), Some(parent)) = (u32_at(body, 4), u32_at(body, 12)) else { continue };
        let Some(kind) = body.get(TC_MESSAGE..).and_then(|rest| attribute(rest, KIND)) else { continue };
        match parent {
            _ if device != index => {}
            AT_ROOT => found.root = text(kind),
            INGRESS => {}
            _ => found.leaves.push(text(kind)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qdisc_message(device: u32, parent: u32, kind: &str) -> Message {
        let mut body = vec![0; 4];
        [device, 0x8001_0000, parent, 0].iter().for_each(|number| body.extend(number.to_ne_bytes()));
        body.extend(text_attribute(KIND, kind));
        Message { kind: NEW_QDISC, body }
    }

    #[test]
    fn the_qdiscs_of_one_device_are_told_from_others() {
        let answer = [
            qdisc_message(1, AT_ROOT, "noqueue"),
            qdisc_message(2, AT_ROOT, "mq"),
            qdisc_message(2, 0x8001_0001, "fq"),
            qdisc_message(2, 0x8001_0002, "fq_codel"),
            qdisc_message(2, INGRESS, "clsact"),
        ];
        let leaves = vec!["fq".to_owned(), "fq_codel".to_owned()];
        assert_eq!(qdisc_of(2, &answer), Qdisc { root: "mq".into(), leaves });
        assert_eq!(qdisc_of(7, &answer).root, "noqueue");
    }

    #[test]
    fn features_that_are_on_are_named() {
        let bit = |name: &str| nest(1, &text_attribute(2, name));
        let bits = [bit("tx-scatter-gather"), bit("tx-tcp-segmentation")].concat();
        let set = [nest(1, &[]), nest(3, &bits)].concat();
        let body = nest(4, &set);
        assert_eq!(features(&body, 4), Some(vec!["tx-scatter-gather".into(), "tx-tcp-segmentation".into()]));
        assert_eq!(features(&body, 2), None);
        let marked = [bit("off"), nest(1, &[text_attribute(2, "on"), nest(3, &[])].concat())].concat();
        assert_eq!(features(&nest(2, &nest(3, &marked)), 2), Some(vec!["on".into()]));
    }
}
