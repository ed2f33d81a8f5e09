//! Sizes in bytes as people type and read them.

/// Why a size was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a size; write bytes, or a number with KB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024), such as 256MiB"
)]
pub struct SizeError {
    /// What was typed.
    pub text: String,
}

const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    // The short forms mean powers of 1024, as in most tools for memory.
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
];

/// Reads `268435456`, `256MiB`, `1GB`, `1.5 GiB`, …; the case of the unit does not matter.
///
/// # Errors
/// [`SizeError`] when the text is not a positive size that fits the address space.
pub fn parse_bytes(text: &str) -> Result<usize, SizeError> {
    let refused = || SizeError { text: text.to_owned() };
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let factor =
        UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(refused)?;
    let bytes = if let Ok(whole) = number.parse::<u64>() {
        whole.checked_mul(factor).ok_or_else(refused)?
    } else {
        let value = number.parse::<f64>().map_err(|_| refused())? * factor as f64;
        // 2^53: up to here every whole number of bytes has its own f64.
        if !(value.is_finite() && value < 9_007_199_254_740_992.0) {
            return Err(refused());
        }
        value as u64
    };
    if bytes == 0 {
        return Err(refused());
    }
    usize::try_from(bytes).map_err(|_| refused())
}

/// `98.4 MB`-like text of a number of bytes, in powers of 1024: `93.8 MiB`.
pub fn show_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_decimal_and_binary_units() {
        for (text, bytes) in [
            ("1", 1),
            ("268435456", 268_435_456),
            ("256MiB", 268_435_456),
            ("256 mib", 268_435_456),
            ("1GB", 1_000_000_000),
            ("1.5KiB", 1536),
            ("2k", 2048),
            ("7B", 7),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_zero_and_overflow_are_refused() {
        for text in [
            "",
            "MiB",
            "0",
            "-1",
            "1.2.3MB",
            "5 parsecs",
            "99999999999999999999",
            "9e9",
            "20000000TiB",
            "0.1",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_binary_units() {
        assert_eq!(show_bytes(512), "512 B");
        assert_eq!(show_bytes(98_362_432), "93.8 MiB");
    }
}
