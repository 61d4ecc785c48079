//! Messages of the extension protocol: its handshake (BEP 10, with `reqq`, BEP 21 `upload_only`) and metadata (BEP 9).

use std::net::IpAddr;

use crate::bencode::{self, Encoder, Value};

/// Message id under which peers send us metadata messages.
pub const METADATA: u8 = 2;

/// What a peer said in its extension handshake; fields that it did not send keep their defaults.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExtensionHandshake {
    /// Id under which it takes metadata messages (BEP 9).
    pub metadata_id: Option<u8>,
    /// Bytes of metadata that it has; not held against any bound.
    pub metadata_size: Option<u64>,
    /// Requests that it queues (`reqq`).
    pub request_queue: Option<u32>,
    /// It wants nothing (BEP 21).
    pub upload_only: Option<bool>,
    /// Port that it listens on (`p`).
    pub port: Option<u16>,
    /// Client name and version (`v`), printable and short.
    pub client: Option<String>,
}

/// The payload is not what the extension says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed extension message")]
pub struct Malformed;

impl ExtensionHandshake {
    /// Reads the payload of message 20, id 0. Unknown keys and values of other types are passed over, as BEP 10 asks.
    pub fn decode(payload: &[u8]) -> Result<ExtensionHandshake, Malformed> {
        let value = bencode::decode(payload, bencode::Bounds::MESSAGE).map_err(|_| Malformed)?;
        let dict = value.as_dict().ok_or(Malformed)?;
        let number = |key: &[u8]| dict.get(key).and_then(Value::as_integer);
        let ids = dict.get(b"m").and_then(Value::as_dict);
        let metadata_id = ids.and_then(|ids| ids.get(b"ut_metadata")).and_then(Value::as_integer);
        Ok(ExtensionHandshake {
            metadata_id: metadata_id.and_then(|id| u8::try_from(id).ok()).filter(|&id| id != 0),
            metadata_size: number(b"metadata_size").and_then(|size| u64::try_from(size).ok()).filter(|&size| size != 0),
            request_queue: number(b"reqq").and_then(|count| u32::try_from(count).ok()),
            upload_only: number(b"upload_only").map(|flag| flag != 0),
            port: number(b"p").and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0),
            client: dict.get(b"v").and_then(Value::as_bytes).map(printable),
        })
    }
}

/// At most 64 characters, controls replaced: it goes to terminals and pages.
fn printable(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What we do about metadata (BEP 9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metadata {
    /// Neither give nor take it.
    None,
    /// We have none yet and take it.
    Wanted,
    /// We give it; so many bytes.
    Given(usize),
}

/// What we say in our extension handshake.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// Client name and version.
    pub client: &'a str,
    /// Port that we listen on; 0 if we do not.
    pub port: u16,
    /// What we do about metadata.
    pub metadata: Metadata,
    /// Requests that we queue.
    pub request_queue: usize,
    /// We want nothing.
    pub upload_only: bool,
    /// The address we see the peer at.
    pub your_address: IpAddr,
}

impl Ours<'_> {
    /// The payload of message 20, id 0.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.dict(|dict| {
            dict.key(b"m").dict(|ids| {
                if self.metadata != Metadata::None {
                    ids.key(b"ut_metadata").integer(i64::from(METADATA));
                }
            });
            if let Metadata::Given(size) = self.metadata {
                dict.key(b"metadata_size").integer(i64::try_from(size).unwrap_or(i64::MAX));
            }
            if self.port != 0 {
                dict.key(b"p").integer(i64::from(self.port));
            }
            dict.key(b"reqq").integer(i64::try_from(self.request_queue).unwrap_or(i64::MAX));
            dict.key(b"upload_only").integer(i64::from(self.upload_only));
            dict.key(b"v").bytes(self.client.as_bytes());
            match self.your_address {
                IpAddr::V4(address) => dict.key(b"yourip").bytes(&address.octets()),
                IpAddr::V6(address) => dict.key(b"yourip").bytes(&address.octets()),
            }
        });
        out.finish()
    }
}

/// A metadata message (BEP 9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataMessage<'a> {
    /// Asks for a piece of 16 KiB.
    Request {
        /// Which.
        piece: u32,
    },
    /// Brings one.
    Data {
        /// Which.
        piece: u32,
        /// Bytes of the whole.
        total: u32,
        /// The bytes; the last piece is shorter.
        data: &'a [u8],
    },
    /// Refuses one.
    Reject {
        /// Which.
        piece: u32,
    },
}

impl<'a> MetadataMessage<'a> {
    /// Reads the payload of message 20 under our [`METADATA`] id; `None` for kinds that BEP 9 tells us to pass over.
    pub fn decode(payload: &'a [u8]) -> Result<Option<MetadataMessage<'a>>, Malformed> {
        let (value, end) = bencode::decode_prefix(payload, bencode::Bounds::MESSAGE).map_err(|_| Malformed)?;
        let dict = value.as_dict().ok_or(Malformed)?;
        let number = |key: &[u8]| dict.get(key).and_then(Value::as_integer);
        let piece = || number(b"piece").and_then(|piece| u32::try_from(piece).ok()).ok_or(Malformed);
        Ok(match number(b"msg_type").ok_or(Malformed)? {
            0 => Some(MetadataMessage::Request { piece: piece()? }),
            1 => {
                let total = number(b"total_size").and_then(|size| u32::try_from(size).ok()).ok_or(Malformed)?;
                Some(MetadataMessage::Data { piece: piece()?, total, data: &payload[end..] })
            }
            2 => Some(MetadataMessage::Reject { piece: piece()? }),
            _ => None,
        })
    }

    /// The payload of message 20 for a peer.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        let (kind, piece, total, data): (i64, u32, Option<u32>, &[u8]) = match *self {
            MetadataMessage::Request { piece } => (0, piece, None, &[]),
            MetadataMessage::Data { piece, total, data } => (1, piece, Some(total), data),
            MetadataMessage::Reject { piece } => (2, piece, None, &[]),
        };
        out.dict(|dict| {
            dict.key(b"msg_type").integer(kind);
            dict.key(b"piece").integer(i64::from(piece));
            if let Some(total) = total {
                dict.key(b"total_size").integer(i64::from(total));
            }
        });
        out.raw(data);
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_handshake_says_what_peers_read() {
        let ours = Ours {
            client: "sower 1",
            port: 6881,
            metadata: Metadata::Given(31_235),
            request_queue: 2_000,
            upload_only: true,
            your_address: IpAddr::from([10, 0, 0, 1]),
        };
        let read = ExtensionHandshake::decode(&ours.encode()).expect("valid");
        assert_eq!(read.metadata_id, Some(METADATA));
        assert_eq!(read.metadata_size, Some(31_235));
        assert_eq!(read.upload_only, Some(true));
        assert_eq!(read.port, Some(6881));
        assert_eq!(read.client.as_deref(), Some("sower 1"));
        assert_eq!(read.request_queue, Some(2_000));
    }

    #[test]
    fn who_wants_metadata_names_the_id_for_it_and_no_size() {
        let mut ours = Ours {
            client: "sower 1",
            port: 0,
            metadata: Metadata::Wanted,
            request_queue: 1,
            upload_only: false,
            your_address: IpAddr::from([10, 0, 0, 1]),
        };
        let read = ExtensionHandshake::decode(&ours.encode()).expect("valid");
        assert_eq!((read.metadata_id, read.metadata_size), (Some(METADATA), None));
        ours.metadata = Metadata::None;
        let read = ExtensionHandshake::decode(&ours.encode()).expect("valid");
        assert_eq!((read.metadata_id, read.metadata_size), (None, None));
    }

    #[test]
    fn a_handshake_with_odd_values_is_read_as_far_as_it_makes_sense() {
        let odd = b"d1:md11:ut_metadatai0ee13:metadata_sizei-1e1:pi70000e4:reqqi-1e1:v5:a\x1b[2Je";
        let read = ExtensionHandshake::decode(odd).expect("a dictionary");
        assert_eq!(read, ExtensionHandshake { client: Some("a?[2J".to_owned()), ..Default::default() });
        assert_eq!(ExtensionHandshake::decode(b"le"), Err(Malformed));
    }

    #[test]
    fn metadata_messages_are_read_back() {
        for message in [
            MetadataMessage::Request { piece: 3 },
            MetadataMessage::Data { piece: 0, total: 9, data: b"d1:ai1eee" },
            MetadataMessage::Reject { piece: 1 },
        ] {
            assert_eq!(MetadataMessage::decode(&message.encode()), Ok(Some(message)));
        }
        assert_eq!(MetadataMessage::decode(b"d8:msg_typei9e5:piecei0ee"), Ok(None));
        assert_eq!(MetadataMessage::decode(b"d8:msg_typei0e5:piecei-1ee"), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_decoders_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = ExtensionHandshake::decode(&bytes);
            let _ = MetadataMessage::decode(&bytes);
        }
    }
}
