//! Identities of files as few bytes: a seedbox has millions of files, and forty bytes for each would be half of its state.
//!
//! A byte of version, then for each file five numbers of seven bits a byte, the lowest first (LEB128): size; seconds of modification,
//! as the difference to the file before (folded, so that small negative ones are short too); nanoseconds; inode, likewise a
//! difference; device, likewise. Files that were made together take some twelve bytes.

use crate::limits;
use crate::storage::Identity;

const VERSION: u8 = 1;
const NOTHING: Identity = Identity { size: 0, modified: 0, modified_nanos: 0, inode: 0, device: 0 };

pub(super) fn encode(identities: &[Identity]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 16 * identities.len());
    out.push(VERSION);
    let mut before = NOTHING;
    for identity in identities {
        put(&mut out, identity.size);
        put(&mut out, folded(identity.modified.wrapping_sub(before.modified)));
        put(&mut out, folded(identity.modified_nanos));
        put(&mut out, folded(identity.inode.wrapping_sub(before.inode).cast_signed()));
        put(&mut out, folded(identity.device.wrapping_sub(before.device).cast_signed()));
        before = *identity;
    }
    out
}

/// `None` if these are no identities.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Identity>> {
    let (&VERSION, mut rest) = bytes.split_first()? else { return None };
    let mut identities = Vec::new();
    let mut before = NOTHING;
    while !rest.is_empty() {
        if identities.len() == limits::FILES {
            return None;
        }
        before = Identity {
            size: take(&mut rest)?,
            modified: before.modified.wrapping_add(unfolded(take(&mut rest)?)),
            modified_nanos: unfolded(take(&mut rest)?),
            inode: before.inode.wrapping_add(unfolded(take(&mut rest)?).cast_unsigned()),
            device: before.device.wrapping_add(unfolded(take(&mut rest)?).cast_unsigned()),
        };
        identities.push(before);
    }
    Some(identities)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        // the tenth byte has one bit of sixty-four left
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
fn folded(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unfolded(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn identities_survive_and_damage_never_panics(
            numbers in prop::collection::vec(any::<(u64, i64, i64, u64, u64)>(), 0..20),
            noise in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let identity = |(size, modified, modified_nanos, inode, device)| Identity { size, modified, modified_nanos, inode, device };
            let identities: Vec<Identity> = numbers.into_iter().map(identity).collect();
            let bytes = encode(&identities);
            prop_assert_eq!(decode(&bytes), Some(identities));
            let _ = decode(&[&[VERSION], &noise[..]].concat());
            let _ = decode(&bytes[..bytes.len() - 1]);
        }
    }

    #[test]
    fn files_that_were_made_together_take_few_bytes() {
        let file = |index: u64| Identity {
            size: 700_000_000 + index,
            modified: 1_790_000_000 + index.cast_signed(),
            modified_nanos: 123_456_789,
            inode: 52_000_000 + index,
            device: 64_769,
        };
        let files: Vec<Identity> = (0..1_000).map(file).collect();
        assert!(encode(&files).len() < 14 * files.len(), "{} bytes", encode(&files).len());
    }
}
