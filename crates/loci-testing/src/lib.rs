//! What tests of several crates share: the real model's place, repeatable numbers, the pass-key text.

use std::path::PathBuf;

/// Environment variable that names the file of the real model, SmolLM2-135M-Instruct in Q4_1; `make test` sets it.
pub const MODEL_VARIABLE: &str = "LOCI_TEST_MODEL";

/// The file of the real model; `None`, with the reason on standard error, where no file is named.
pub fn real_model() -> Option<PathBuf> {
    let path = std::env::var_os(MODEL_VARIABLE).map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: {MODEL_VARIABLE} does not name a model file; `make test` sets it");
    }
    path
}

/// Environment variable that names the folder of the real sentence encoder, all-MiniLM-L6-v2; `make test` sets it.
pub const ENCODER_VARIABLE: &str = "LOCI_TEST_ENCODER";

/// The folder of the real sentence encoder; `None`, with the reason on standard error, where no folder is named.
pub fn real_encoder() -> Option<PathBuf> {
    let path = std::env::var_os(ENCODER_VARIABLE).map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: {ENCODER_VARIABLE} does not name an encoder's folder; `make test` sets it");
    }
    path
}

/// splitmix64, as `scripts/golden/layer_stream.py` has it: the same numbers in every language.
pub struct Numbers(u64);

impl Numbers {
    /// The numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in [-1, 1), exact in 16 bits.
    pub fn value(&mut self) -> f32 {
        // Eleven bits.
        let bits = u16::try_from(self.next() >> 53).unwrap_or(0);
        (f32::from(bits) - 1024.0) / 1024.0
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}

/// The standard pass-key text: a key of five digits between `before` and `after` repetitions of a filler of 24 or 25
/// tokens.
pub fn pass_key_text(key: u32, before: usize, after: usize) -> String {
    let filler =
        "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n";
    let needle = format!("The pass key is {key}. Remember it. {key} is the pass key.\n");
    filler.repeat(before) + &needle + &filler.repeat(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_repeat_and_stay_in_range() {
        let draw = || {
            let mut numbers = Numbers::new(7);
            (0..1000).map(|_| numbers.value()).collect::<Vec<f32>>()
        };
        assert_eq!(draw(), draw());
        assert!(draw().iter().all(|value| (-1.0..1.0).contains(value)));
        assert!((0..100).all(|seed| Numbers::new(seed).below(3) < 3));
    }

    #[test]
    fn the_key_stands_where_it_was_put() {
        let text = pass_key_text(12345, 2, 1);
        assert_eq!(text.lines().position(|line| line.contains("12345")), Some(2));
        assert_eq!(text.lines().count(), 4);
    }
}
