//! Asks the kernel over netlink: which qdiscs devices have (rtnetlink(7)), and what cards can do
//! (Documentation/networking/ethtool-netlink.rst). Needs no privilege and changes nothing.
//!
//! Messages are in the byte order of the machine, aligned to four bytes. Answers come from the kernel alone, and are still
//! read as if they came from anybody: each length is checked, and the number of reads is bounded.
#![expect(clippy::host_endian_bytes, reason = "netlink(7) is in the byte order of the machine")]

use std::io::{self, Read};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Subsystems, linux/netlink.h.
pub(super) const ROUTE: i32 = 0;
pub(super) const GENERIC: i32 = 16;
/// Asks for the whole table: NLM_F_REQUEST, with or without NLM_F_DUMP.
pub(super) const REQUEST: u16 = 1;
pub(super) const DUMP: u16 = 1 | 0x300;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
/// The kernel fills at most 32 KiB at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// Datagrams of one answer: a few hundred qdiscs fit each.
const READS: usize = 64;

/// One message of an answer, without its header.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) body: Vec<u8>,
}

/// Sends one request and reads its answer to the end.
pub(super) fn ask(subsystem: i32, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<Message>> {
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW.cloexec(), Some(Protocol::from(subsystem)))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let length = u32::try_from(HEADER + body.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut request = Vec::new();
    request.extend(length.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]); // sequence and sender: one request a socket
    request.extend(body);
    socket.send(&request)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut messages = Vec::new();
    for _ in 0..READS {
        let length = (&socket).read(&mut buffer)?;
        let ended = split(&buffer[..length], &mut messages)?;
        if ended || flags == REQUEST {
            return Ok(messages);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// The messages of one datagram; true at the end of a dump.
fn split(mut datagram: &[u8], messages: &mut Vec<Message>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(datagram, 0), u16_at(datagram, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(body) = datagram.get(HEADER..length) else { break };
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = u32_at(body, 0).map_or(0, u32::cast_signed);
                return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) };
            }
            _ => messages.push(Message { kind, body: body.to_vec() }),
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The attributes of a message or of a nest: kind without its flags, and value. Ends at the first that does not fit.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, kind) = (usize::from(u16_at(rest, 0)?), u16_at(rest, 2)?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & 0x3fff, value))
    })
}

/// The first attribute of a kind.
pub(super) fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

/// An attribute with a text.
pub(super) fn text_attribute(kind: u16, text: &str) -> Vec<u8> {
    let mut value = text.as_bytes().to_vec();
    value.push(0);
    packed(kind, &value)
}

/// An attribute that holds others.
pub(super) fn nest(kind: u16, inner: &[u8]) -> Vec<u8> {
    packed(kind | NESTED, inner)
}

fn packed(kind: u16, value: &[u8]) -> Vec<u8> {
    // names of devices and families have at most 16 bytes
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A text up to its closing NUL.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_read_again() {
        let inner = [text_attribute(1, "eth0"), packed(2, &7u32.to_ne_bytes())].concat();
        let bytes = [nest(1, &inner), text_attribute(3, "fq")].concat();
        let header = attribute(&bytes, 1).expect("the nest");
        assert_eq!(text(attribute(header, 1).expect("name")), "eth0");
        assert_eq!(u32_at(attribute(header, 2).expect("number"), 0), Some(7));
        assert_eq!(attributes(&bytes).count(), 2);
    }

    #[test]
    fn a_cut_answer_ends_early_and_harms_nobody() {
        let whole = [nest(1, &text_attribute(1, "eth0")), text_attribute(3, "fq")].concat();
        for length in 0..whole.len() {
            assert!(attributes(&whole[..length]).count() <= 2);
        }
        for bytes in [vec![0; 64], vec![0xff; 64], [4u32.to_ne_bytes(), [9; 4]].concat()] {
            assert_eq!(split(&bytes, &mut Vec::new()).ok(), Some(false), "{bytes:?}");
            assert!(attributes(&bytes).count() <= 16);
        }
    }

    #[test]
    fn an_error_is_told_from_an_acknowledgement() {
        let message = |code: i32| {
            let mut bytes = [20u32.to_ne_bytes().to_vec(), ERROR.to_ne_bytes().to_vec(), vec![0; 10]].concat();
            bytes.extend(code.to_ne_bytes());
            split(&bytes, &mut Vec::new())
        };
        assert!(message(0).expect("an acknowledgement"));
        assert_eq!(message(-1).expect_err("EPERM").raw_os_error(), Some(1));
        assert!(message(i32::MIN).is_err());
    }
}
