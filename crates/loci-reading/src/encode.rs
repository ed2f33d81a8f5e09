//! What turns texts into vectors, so that they can be ranked by meaning.

use loci_engine::embedder::LongTexts;
use loci_engine::{Embedder, EngineError};

/// Turns texts into vectors of length 1, whose inner product is their cosine.
pub trait TextEncoder: std::fmt::Debug + Send + Sync {
    /// How reports call it.
    fn name(&self) -> &str;

    /// Numbers in a vector.
    fn dimension(&self) -> usize;

    /// The vector of each text, in their order: `dimension` numbers of length 1; a text without a direction may get the zero
    /// vector. A text's vector is the same in any company.
    ///
    /// # Errors
    /// [`EngineError`] when a text cannot be read; then no text gets a vector.
    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError>;
}

/// Texts that are longer than the encoder reads at once are read in windows, whose vectors are averaged.
impl TextEncoder for Embedder {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn dimension(&self) -> usize {
        Self::dimension(self)
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let normalises = self.normalises();
        let embeddings = self.embed(texts, LongTexts::Windows)?;
        let unit = |mut vector: Vec<f32>| {
            if !normalises {
                normalise(&mut vector);
            }
            vector
        };
        Ok(embeddings.into_iter().map(|embedding| unit(embedding.vector)).collect())
    }
}

/// Scales a vector to length 1; one without a direction stays.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|number| f64::from(*number) * f64::from(*number)).sum::<f64>().sqrt();
    if length > 0.0 {
        for number in vector {
            *number = (f64::from(*number) / length) as f32;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use loci_kernels::Pool;

    use super::*;

    /// An encoder for tests that knows which words mean the same: each group of them is one direction.
    #[derive(Debug, Default)]
    pub(crate) struct Groups {
        /// Texts that were encoded.
        pub(crate) encoded: AtomicUsize,
    }

    const GROUPS: &[&[&str]] = &[&["cat", "kitten", "猫"], &["rate", "interest", "bank"], &["sea", "whale"]];

    impl TextEncoder for Groups {
        fn name(&self) -> &str {
            "groups"
        }

        fn dimension(&self) -> usize {
            GROUPS.len() + 1
        }

        fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
            self.encoded.fetch_add(texts.len(), Ordering::Relaxed);
            let vector = |text: &&str| {
                let words = crate::tokens::words(text);
                let count =
                    |group: &&[&str]| words.iter().filter(|word| group.contains(&word.as_str())).count();
                let mut vector: Vec<f32> = GROUPS.iter().map(|group| count(group) as f32).collect();
                vector.push(0.1);
                normalise(&mut vector);
                vector
            };
            Ok(texts.iter().map(vector).collect())
        }
    }

    fn fixture(name: &str) -> Embedder {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loci-models/tests/fixtures").join(name);
        Embedder::open(&path, name, Arc::new(Pool::new(1))).unwrap()
    }

    #[test]
    fn vectors_have_length_one_whatever_the_encoder_does() {
        let long = "memory palace ".repeat(40);
        let mut own = Vec::new();
        for name in ["bert-mean", "bert-cls"] {
            let encoder = fixture(name);
            own.push(encoder.normalises());
            let encoder: &dyn TextEncoder = &encoder;
            let vectors = encoder.encode(&["the memory palace", &long, ""]).unwrap();
            assert_eq!((encoder.name(), vectors.len()), (name, 3));
            for vector in vectors {
                let length: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
                assert_eq!(vector.len(), encoder.dimension());
                assert!((length - 1.0).abs() < 1e-5, "{name}: {length}");
            }
        }
        assert!(own.contains(&false), "one of them leaves vectors as they are");
    }

    #[test]
    fn no_direction_stays_none() {
        let mut nothing = [0.0, 0.0];
        normalise(&mut nothing);
        assert_eq!(nothing, [0.0, 0.0]);
        let mut some = [3.0, -4.0];
        normalise(&mut some);
        assert_eq!(some, [0.6, -0.8]);
    }
}
