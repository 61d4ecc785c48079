//! Which peers had a part in a bad piece, until a good copy shows whose.

use std::collections::BTreeMap;

use crate::ids::PeerKey;

/// Bad copies of one piece that are remembered. Each later one comes from a single peer, who is proved bad by it, so more than
/// one with several senders needs peers that leave in the middle.
const COPIES: usize = 4;

/// A bad copy: by block, who sent it and its digest.
#[derive(Clone, Debug)]
struct Copy {
    senders: Box<[PeerKey]>,
    digests: Box<[u64]>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Blame {
    pieces: BTreeMap<u32, Vec<Copy>>,
}

impl Blame {
    pub(super) fn remembers(&self, piece: u32) -> bool {
        self.pieces.contains_key(&piece)
    }

    pub(super) fn suspects(&self, piece: u32, key: PeerKey) -> bool {
        self.pieces.get(&piece).is_some_and(|copies| copies.iter().any(|copy| copy.senders.contains(&key)))
    }

    pub(super) fn remember(&mut self, piece: u32, senders: Box<[PeerKey]>, digests: &[u64]) {
        let copies = self.pieces.entry(piece).or_default();
        if copies.len() == COPIES {
            copies.remove(0);
        }
        copies.push(Copy { senders, digests: digests.into() });
    }

    /// A good copy has these digests: who sent other blocks before, each once.
    pub(super) fn settle(&mut self, piece: u32, digests: &[u64]) -> Vec<PeerKey> {
        let mut guilty = Vec::new();
        for copy in self.pieces.remove(&piece).unwrap_or_default() {
            for ((bad, good), sender) in copy.digests.iter().zip(digests).zip(&copy.senders) {
                if bad != good && !guilty.contains(sender) {
                    guilty.push(*sender);
                }
            }
        }
        guilty
    }
}
