//! The peer protocol read from an async stream: what comes is framed, and never more is held than one message and what
//! came with it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::{self, Bounds, Handshake, HandshakeError, Message, WireError};

/// Bytes that one read makes room for.
const READ: usize = 32 * 1024;

/// Why there is no further message.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The other end closed.
    #[error("closed")]
    Closed,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no handshake.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// What came is no message.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// The incoming half of a connection. Its futures may be dropped at any point; nothing that was read is lost.
pub(super) struct Messages<R> {
    stream: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been handed out.
    used: usize,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    pub(super) fn new(stream: R) -> Messages<R> {
        Messages { stream, buffer: Vec::new(), used: 0 }
    }

    /// The other end's handshake; the first thing to read.
    pub(super) async fn handshake(&mut self) -> Result<Handshake, ReadError> {
        loop {
            if let Some(handshake) = Handshake::decode(&self.buffer)? {
                self.used = Handshake::LENGTH;
                return Ok(handshake);
            }
            self.fill().await?;
        }
    }

    /// The next message, whose length meets the bound that `bounds` finds for what came so far.
    pub(super) async fn next(&mut self, bounds: impl Fn(&[u8]) -> Bounds) -> Result<Message<'_>, ReadError> {
        let (start, bound) = loop {
            let input = &self.buffer[self.used..];
            let bound = bounds(input);
            if let Some((_, length)) = wire::decode(input, bound)? {
                let start = self.used;
                self.used += length;
                break (start, bound);
            }
            self.fill().await?;
        };
        // found above; the borrow could not leave the loop
        wire::decode(&self.buffer[start..], bound)?.map(|(message, _)| message).ok_or(ReadError::Closed)
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.drain(..std::mem::take(&mut self.used));
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ReadError::Closed),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{InfoHash, PeerId, PieceIndex};
    use crate::wire::Reserved;
    use tokio::io::AsyncWriteExt;

    const BOUNDS: Bounds = Bounds { bitfield: 3, block: 16 };

    /// What `bytes`, cut into writes of `cut`, are read as.
    async fn read(bytes: Vec<u8>, cut: usize) -> Result<Vec<String>, ReadError> {
        let (mut ours, theirs) = tokio::io::duplex(64);
        let writer = tokio::spawn(async move {
            for part in bytes.chunks(cut) {
                let _ = ours.write_all(part).await;
            }
        });
        let mut messages = Messages::new(theirs);
        let mut seen = vec![format!("{:?}", messages.handshake().await?)];
        loop {
            match messages.next(|_| BOUNDS).await {
                Ok(message) => seen.push(format!("{message:?}")),
                Err(ReadError::Closed) => break,
                Err(error) => return Err(error),
            }
        }
        writer.await.expect("a task");
        Ok(seen)
    }

    #[tokio::test]
    async fn messages_are_the_same_however_the_stream_is_cut() {
        let hello = Handshake { reserved: Reserved::OURS, info_hash: InfoHash([1; 20]), peer_id: PeerId([2; 20]) };
        let (mut bytes, mut said) = (Vec::new(), vec![format!("{hello:?}")]);
        hello.encode(&mut bytes);
        let data = [7; 16];
        let messages = [
            Message::Bitfield(&[1, 2, 3]),
            Message::KeepAlive,
            Message::Piece { piece: PieceIndex(1), begin: 2, data: &data },
            Message::Extended { id: 0, payload: b"de" },
        ];
        for message in messages {
            message.encode(&mut bytes);
            said.push(format!("{message:?}"));
        }
        for cut in 1..80 {
            assert_eq!(read(bytes.clone(), cut).await.expect("valid"), said);
        }
        // a message that does not end is none
        assert_eq!(read(bytes[..bytes.len() - 1].to_vec(), 7).await.expect("valid"), said[..said.len() - 1]);
        bytes.extend([0, 0, 0, 2, 0]);
        assert!(matches!(read(bytes, 3).await, Err(ReadError::Wire(_))));
        assert!(matches!(read(b"GET / HTTP/1.1".to_vec(), 3).await, Err(ReadError::Handshake(_))));
    }
}
