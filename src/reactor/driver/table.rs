//! What a driver keeps for each connection, found by token, and the 64 bits by which the kernel names it.

use std::io;

use super::interface::Token;

/// One place per slot; what is in it belongs to one generation.
pub(super) struct Table<T> {
    places: Vec<Option<(u32, T)>>,
}

impl<T> Table<T> {
    pub(super) fn with_capacity(connections: usize) -> Table<T> {
        Table { places: Vec::with_capacity(connections) }
    }

    /// The same slot must have been emptied, whatever its generation.
    pub(super) fn insert(&mut self, token: Token, value: T) -> io::Result<()> {
        if token.slot >= Token::SLOTS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "slot beyond 2^24"));
        }
        let index = token.slot as usize;
        if index >= self.places.len() {
            self.places.resize_with(index + 1, || None);
        }
        if self.places[index].is_some() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "slot is taken"));
        }
        self.places[index] = Some((token.generation, value));
        Ok(())
    }

    pub(super) fn get(&mut self, token: Token) -> Option<&mut T> {
        match self.places.get_mut(token.slot as usize)? {
            Some((generation, value)) if *generation == token.generation => Some(value),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<T> {
        self.get(token)?;
        self.places[token.slot as usize].take().map(|(_, value)| value)
    }
}

/// Packs 8 bits of kind, 24 of slot, 32 of generation.
pub(super) fn pack(kind: u8, token: Token) -> u64 {
    debug_assert!(token.slot < Token::SLOTS, "checked when the token entered the table");
    u64::from(kind) << 56 | u64::from(token.slot) << 32 | u64::from(token.generation)
}

/// The same for a token that is not in the table yet.
pub(super) fn pack_checked(kind: u8, token: Token) -> io::Result<u64> {
    match token.slot < Token::SLOTS {
        true => Ok(pack(kind, token)),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "slot beyond 2^24")),
    }
}

/// The reverse of [`pack`].
#[expect(clippy::cast_possible_truncation, reason = "each part is masked to its width")]
pub(super) fn unpack(data: u64) -> (u8, Token) {
    let slot = (data >> 32) as u32 & (Token::SLOTS - 1);
    ((data >> 56) as u8, Token { slot, generation: data as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn token(slot: u32, generation: u32) -> Token {
        Token { slot, generation }
    }

    #[test]
    fn packing_keeps_kind_slot_and_generation() {
        for kind in [0, 1, 127, 255] {
            for slot in [0, 1, 0x00ab_cdef, Token::SLOTS - 1] {
                for generation in [0, 1, u32::MAX] {
                    let name = token(slot, generation);
                    assert_eq!(unpack(pack(kind, name)), (kind, name));
                }
            }
        }
    }

    #[test]
    fn a_place_answers_to_its_generation_only() {
        let mut table = Table::with_capacity(0);
        table.insert(token(3, 1), 'a').expect("free");
        assert_eq!(table.get(token(3, 1)), Some(&mut 'a'));
        assert_eq!(table.get(token(3, 2)), None);
        assert_eq!(table.get(token(4, 1)), None);
        assert_eq!(table.remove(token(3, 0)), None);
        assert!(table.insert(token(3, 2), 'b').is_err(), "still taken by generation 1");
        assert_eq!(table.remove(token(3, 1)), Some('a'));
        table.insert(token(3, 2), 'b').expect("free again");
        assert!(table.insert(token(Token::SLOTS, 0), 'c').is_err());
    }
}
