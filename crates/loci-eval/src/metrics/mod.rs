//! How good an answer is, as plain functions of texts.

/// Runs of digits in `text`, as they stand: whole numbers, so that 12 is not found in 120.
pub fn numbers(text: &str) -> Vec<&str> {
    text.split(|character: char| !character.is_ascii_digit()).filter(|run| !run.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_whole() {
        assert_eq!(super::numbers("12 of 120, 3.5"), ["12", "120", "3", "5"]);
        assert!(super::numbers("none").is_empty());
    }
}
