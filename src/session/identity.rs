//! Who we are to peers and trackers.

use crate::ids::PeerId;

/// Name and version in extension handshakes.
pub const CLIENT: &str = concat!("sower ", env!("CARGO_PKG_VERSION"));
/// What HTTP servers see.
pub const USER_AGENT: &str = concat!("sower/", env!("CARGO_PKG_VERSION"));

/// `-SW`, the version, `-` (BEP 20) and twelve random characters that survive any URL.
pub fn fresh_peer_id(rng: &mut fastrand::Rng) -> PeerId {
    let version =
        concat!(env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH"));
    let mut id = *b"-SW0000-............";
    for (place, digit) in id[3..6].iter_mut().zip(version.bytes()) {
        *place = digit;
    }
    id[8..].fill_with(|| u8::try_from(rng.alphanumeric()).unwrap_or(b'x'));
    PeerId(id)
}

/// By which trackers know us again when our address changes (BEP 7).
pub fn fresh_key(rng: &mut fastrand::Rng) -> u32 {
    rng.u32(1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_id_names_the_program_and_its_version() {
        let id = fresh_peer_id(&mut fastrand::Rng::with_seed(1));
        assert_eq!(&id.0[..8], b"-SW0100-");
        assert!(id.0[8..].iter().all(u8::is_ascii_alphanumeric));
    }
}
