//! Text from strangers on its way to a terminal or a program.

use std::fmt;

/// Bytes of a name or comment, shown so that a terminal does nothing but print them: control characters, and the
/// marks that turn the direction of writing, are escaped (`\n`, `\u{1b}`), and so are bytes that are not UTF-8
/// (`\xff`). For people: programs that want the exact name read the JSON.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if is_unsafe(letter) {
                    write!(f, "{}", letter.escape_default())?;
                } else {
                    write!(f, "{letter}")?;
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// JSON whose strings hold no control character in the raw: JSON itself asks that only below U+0020, but a terminal
/// also obeys U+0080 to U+009F.
pub fn json_for_terminal(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_unsafe(letter) && letter != '\n' {
            safe.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            safe.push(letter);
        }
    }
    safe
}

fn is_unsafe(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let shown = Printable("é\x1b[2J\n\u{9b}\u{202e}".as_bytes()).to_string();
        assert_eq!(shown, r"é\u{1b}[2J\n\u{9b}\u{202e}");
        assert_eq!(Printable(b"caf\xe9.txt").to_string(), r"caf\xe9.txt");
        let json = json_for_terminal("{\n\"\u{9b}\u{7f}\": \"\u{202e}é\"}");
        assert_eq!(json, "{\n\"\\u009b\\u007f\": \"\\u202eé\"}");
    }
}
