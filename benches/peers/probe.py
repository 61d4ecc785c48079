"""A small leecher that asks one question: is there a seeder at that port that has everything and serves it right?

Every seeder is put to it before it is measured, so that no figure is that of a check still running or of wrong bytes.
"""

import hashlib
import os
import random
import socket
import struct
import time

BLOCK = 16 * 1024
CHOKE, UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = 0, 1, 2, 4, 5, 6, 7


class Torrent:
    """What a torrent file of a single file says."""

    def __init__(self, path):
        data = open(path, "rb").read()
        self.path = os.path.abspath(path)
        top, spans = _decode(data, 0)[0], {}
        _decode(data, 0, spans)
        start, end = spans[b"info"]
        info = top[b"info"]
        self.info_hash = hashlib.sha1(data[start:end]).digest()
        self.name = info[b"name"].decode()
        self.size = info[b"length"]
        self.piece_size = info[b"piece length"]
        self.hashes = [info[b"pieces"][at : at + 20] for at in range(0, len(info[b"pieces"]), 20)]


def _decode(data, at, spans=None):
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind == b"l":
        items, at = [], at + 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at)
            items.append(item)
        return items, at + 1
    if kind == b"d":
        items, at = {}, at + 1
        while data[at : at + 1] != b"e":
            key, start = _decode(data, at)
            items[key], at = _decode(data, start)
            if spans is not None:
                spans[key] = (start, at)
        return items, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end], end


class NotYet(Exception):
    """The seeder is not ready; why."""


def wait_until_complete(address, torrent, deadline, check_alive):
    """Asks again and again until the seeder says that it has every piece."""
    why = "it was never asked"
    while time.monotonic() < deadline:
        check_alive()
        try:
            with _Peer(address, torrent) as peer:
                peer.see_bitfield()
                return
        except (OSError, NotYet) as error:
            why = str(error)
        time.sleep(0.2)
    raise TimeoutError(f"not complete in time: {why}")


def check_piece(address, torrent, piece, deadline):
    """Downloads one piece and compares its SHA-1. Asks once more where a client lets nobody in so soon."""
    while True:
        try:
            with _Peer(address, torrent, timeout=max(deadline - time.monotonic(), 0.1)) as peer:
                peer.see_bitfield()
                digest = hashlib.sha1(peer.piece(piece)).digest()
            break
        except (OSError, NotYet):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    if digest != torrent.hashes[piece]:
        raise ValueError(f"piece {piece} is not that of the torrent")


class _Peer:
    def __init__(self, address, torrent, timeout=5.0):
        self.torrent = torrent
        # an address and a peer id of its own each time: clients turn away who seems to be here already
        source = f"127.{random.randint(200, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}"
        self.socket = socket.create_connection(address, timeout=timeout, source_address=(source, 0))
        peer_id = b"-PB0001-" + os.urandom(6).hex().encode()
        try:
            self.socket.sendall(b"\x13BitTorrent protocol" + bytes(8) + torrent.info_hash + peer_id)
            if self._exactly(68)[28:48] != torrent.info_hash:
                raise NotYet("a handshake for another torrent")
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise NotYet("it ended the connection")
            data += part
        return bytes(data)

    def _message(self):
        length = struct.unpack(">I", self._exactly(4))[0]
        if length > 1 << 20:
            raise NotYet(f"a message of {length} bytes")
        body = self._exactly(length)
        return (body[0], body[1:]) if body else (None, b"")

    def see_bitfield(self):
        """Returns when the seeder has told of every piece, be it by a bitfield or one by one."""
        have, count = set(), len(self.torrent.hashes)
        while len(have) < count:
            try:
                kind, body = self._message()
            except TimeoutError:
                raise NotYet(f"it has {len(have)} of {count} pieces") from None
            if kind == BITFIELD:
                have.update(at for at in range(count) if body[at // 8] >> (7 - at % 8) & 1)
                if len(have) < count:
                    raise NotYet(f"it has {len(have)} of {count} pieces")
            elif kind == HAVE:
                have.add(struct.unpack(">I", body)[0])

    def piece(self, piece):
        size = min(self.torrent.piece_size, self.torrent.size - piece * self.torrent.piece_size)
        self.socket.sendall(struct.pack(">IB", 1, INTERESTED))
        while self._message()[0] != UNCHOKE:
            pass
        data = bytearray(size)
        blocks = range(0, size, BLOCK)
        for begin in blocks:
            self.socket.sendall(struct.pack(">IBIII", 13, REQUEST, piece, begin, min(BLOCK, size - begin)))
        missing = set(blocks)
        while missing:
            kind, body = self._message()
            if kind == PIECE and struct.unpack(">I", body[:4])[0] == piece:
                begin = struct.unpack(">I", body[4:8])[0]
                data[begin : begin + len(body) - 8] = body[8:]
                missing.discard(begin)
        return bytes(data)
