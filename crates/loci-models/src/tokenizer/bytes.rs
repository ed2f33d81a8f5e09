//! The table by which GPT-2 (Radford et al., 2019) writes bytes as printable characters in its vocabulary.
//!
//! Bytes that are printable in Latin-1 stand for themselves; the others, in order, are the characters from U+0100.

use std::sync::LazyLock;

const fn printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

static CHARS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut table = ['\0'; 256];
    let mut next = 0x100_u32;
    for byte in 0..=255_u8 {
        table[usize::from(byte)] = if printable(byte) {
            char::from(byte)
        } else {
            let symbol = char::from_u32(next).unwrap_or('\0');
            next += 1;
            symbol
        };
    }
    table
});

/// The character that stands for `byte`.
pub(super) fn char_of(byte: u8) -> char {
    CHARS[usize::from(byte)]
}

/// The bytes that `token` stands for; `None` when a character stands for no byte, as in `<|im_start|>` with a
/// space or an emoji in it.
pub(super) fn bytes_of(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte_of).collect()
}

fn byte_of(symbol: char) -> Option<u8> {
    match u8::try_from(u32::from(symbol)) {
        Ok(byte) if printable(byte) => Some(byte),
        Ok(_) => None,
        // Only 68 characters; the position among the unprintable bytes is the distance from U+0100.
        Err(_) => (0..=255_u8).filter(|byte| !printable(*byte)).find(|byte| char_of(*byte) == symbol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_and_known_ones_are_where_gpt2_put_them() {
        for byte in 0..=255_u8 {
            assert_eq!(byte_of(char_of(byte)), Some(byte));
        }
        assert_eq!(char_of(b' '), 'Ġ');
        assert_eq!(char_of(b'\n'), 'Ċ');
        assert_eq!(char_of(0xAD), 'Ń');
        assert_eq!(bytes_of("Ġé漢"), None);
    }
}
