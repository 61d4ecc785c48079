//! Giving the `info` dictionary to peers that came with a magnet link (BEP 9).

use crate::limits;
use crate::wire::Message;
use crate::wire::extension::MetadataMessage;

use super::connection::{Peer, Torrent};
use super::reason::Reason;

impl Peer {
    /// Answers a metadata message of the peer.
    pub(super) fn metadata(&mut self, payload: &[u8], torrent: &Torrent, out: &mut Vec<u8>) -> Result<(), Reason> {
        let message = MetadataMessage::decode(payload).map_err(|_| Reason::BadExtension)?;
        let (Some(MetadataMessage::Request { piece }), Some(id)) = (message, self.metadata_id) else {
            return Ok(());
        };
        let from = usize::try_from(piece).expect("u32 fits usize").saturating_mul(limits::METADATA_PIECE);
        let data = torrent.info.get(from..).filter(|rest| !rest.is_empty() && !torrent.private);
        let data = data.map(|rest| &rest[..rest.len().min(limits::METADATA_PIECE)]);
        // each piece once, and once again after a loss: more is an attempt to make us work
        let pieces = torrent.info.len().div_ceil(limits::METADATA_PIECE);
        let budget = u32::try_from(pieces).unwrap_or(u32::MAX).saturating_mul(2);
        let room = out.len() <= limits::CONTROL_BUFFER / 2;
        let answer = match data.filter(|_| self.metadata_sent < budget && room) {
            Some(data) => {
                self.metadata_sent += 1;
                let total = u32::try_from(torrent.info.len()).expect("bounded by limits::TORRENT_FILE");
                MetadataMessage::Data { piece, total, data }.encode()
            }
            None => MetadataMessage::Reject { piece }.encode(),
        };
        Message::Extended { id, payload: &answer }.encode(out);
        Ok(())
    }
}
