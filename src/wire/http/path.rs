//! Percent-encoding (RFC 3986, 2.1).

use std::fmt::Write;

/// The bytes that `path` stands for; `None` if a percent sign is followed by anything but two hexadecimal digits. What
/// comes out may hold any byte: it is to be compared with names, never to be opened.
pub fn decode_path(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (digits, after) = after.split_first_chunk::<2>()?;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        decoded.push(u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()?);
        rest = after;
    }
    Some(decoded)
}

/// Appends `path` with every byte escaped that has a meaning in a URL or none.
pub fn encode_path(path: &[u8], out: &mut String) {
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("memory takes everything");
        }
    }
}
