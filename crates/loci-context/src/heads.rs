//! Scores of a model's heads: how much each reads from afar.

use loci_models::memory::AttentionShape;

/// One score for each kv head of each layer, between 0 (looks at the first and newest tokens only) and 1.
///
/// Learned gates (DuoAttention) or measured retrieval scores; which, the maker of the table knows.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadScores {
    /// `[layers][kv_heads]`
    scores: Vec<Vec<f64>>,
}

/// Why a table of scores was refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HeadScoresError {
    /// Rows or columns do not fit the model.
    #[error(
        "the table of head scores has {found}, the model has {layers} layers of {kv_heads} kv heads; use one that was made for this model"
    )]
    Shape {
        /// What was found.
        found: String,
        /// Layers of the model.
        layers: usize,
        /// Kv heads of a layer.
        kv_heads: usize,
    },
    /// A score is no number.
    #[error(
        "the score of layer {layer}, kv head {head} is {value:?}; scores are numbers, usually from 0 to 1"
    )]
    Number {
        /// Layer.
        layer: usize,
        /// Kv head.
        head: usize,
        /// What was found.
        value: String,
    },
}

impl HeadScores {
    /// Takes `[layers][kv_heads]`.
    ///
    /// # Errors
    /// [`HeadScoresError`] when the table does not fit `shape` or holds something else than finite numbers.
    pub fn new(scores: Vec<Vec<f64>>, shape: AttentionShape) -> Result<Self, HeadScoresError> {
        let wrong =
            |found: String| HeadScoresError::Shape { found, layers: shape.layers, kv_heads: shape.kv_heads };
        if scores.len() != shape.layers {
            return Err(wrong(format!("{} rows", scores.len())));
        }
        for (layer, row) in scores.iter().enumerate() {
            if row.len() != shape.kv_heads {
                return Err(wrong(format!("{} numbers in row {layer}", row.len())));
            }
            if let Some(head) = row.iter().position(|score| !score.is_finite()) {
                return Err(HeadScoresError::Number { layer, head, value: row[head].to_string() });
            }
        }
        Ok(Self { scores })
    }

    /// Reads the published form of DuoAttention's gates, `full_attention_heads.tsv`: a line a layer, numbers separated
    /// by tabs or blanks.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn parse(text: &str, shape: AttentionShape) -> Result<Self, HeadScoresError> {
        let mut scores = Vec::new();
        for (layer, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            let number = |(head, word): (usize, &str)| {
                word.parse::<f64>().map_err(|_| HeadScoresError::Number {
                    layer,
                    head,
                    value: word.to_owned(),
                })
            };
            scores.push(line.split_whitespace().enumerate().map(number).collect::<Result<Vec<_>, _>>()?);
        }
        Self::new(scores, shape)
    }

    /// The form that [`parse`](Self::parse) reads, with all digits.
    pub fn text(&self) -> String {
        let row = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join("\t") + "\n";
        self.scores.iter().map(row).collect()
    }

    /// Which heads keep everything when a share `sparsity` of all heads does not: those whose clipped score is at or
    /// above that quantile over the whole model (linear interpolation). Equal scores: the earlier head ranks lower.
    /// At 0 or below all do, at 1 or above none.
    ///
    /// Source: Xiao et al., "DuoAttention", 2024.
    pub fn full_heads(&self, sparsity: f64) -> Vec<Vec<bool>> {
        let width = self.scores.first().map_or(0, Vec::len);
        let flat: Vec<f64> = self.scores.iter().flatten().map(|score| score.clamp(0.0, 1.0)).collect();
        let mut order: Vec<usize> = (0..flat.len()).collect();
        order.sort_by(|a, b| flat[*a].total_cmp(&flat[*b]).then(a.cmp(b)));
        // With ties broken by rank, a head is at or above the quantile when its rank is.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let dropped = match sparsity {
            share if share <= 0.0 => 0,
            share if share >= 1.0 => flat.len(),
            share => (share * (flat.len().max(1) - 1) as f64).ceil() as usize,
        };
        let mut full = vec![false; flat.len()];
        for head in &order[dropped.min(order.len())..] {
            full[*head] = true;
        }
        full.chunks(width.max(1)).map(<[bool]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };

    #[test]
    fn the_published_form_is_read() {
        let scores = HeadScores::parse("0.25\t1.000e+00\n0.0 0.5\n", SHAPE).unwrap();
        assert_eq!(scores.full_heads(0.5), [[false, true], [false, true]]);
        assert_eq!(scores.full_heads(0.0), [[true, true], [true, true]]);
        assert_eq!(scores.full_heads(1.0), [[false, false], [false, false]]);
        let odd = HeadScores::new(vec![vec![0.1 + 0.2, 1e-300], vec![1.0 / 3.0, -0.0]], SHAPE).unwrap();
        assert_eq!(HeadScores::parse(&odd.text(), SHAPE).unwrap(), odd);
    }

    #[test]
    fn the_number_of_full_heads_follows_the_formula() {
        let shape = AttentionShape { layers: 10, heads: 9, kv_heads: 9, head_dim: 16 };
        let table = (0..10).map(|layer| (0..9).map(|head| f64::from(layer * 9 + head) / 90.0).collect());
        let scores = HeadScores::new(table.collect(), shape).unwrap();
        for (sparsity, dropped) in [(0.5, 45), (0.25, 23), (0.75, 67), (0.01, 1)] {
            let full = scores.full_heads(sparsity).iter().flatten().filter(|full| **full).count();
            assert_eq!(full, 90 - dropped, "sparsity {sparsity}");
        }
        // Beyond 0 and 1 scores are alike, and of those the earlier head goes first.
        let clipped = HeadScores::new(vec![vec![1.5, 1.2], vec![1.1, 0.0]], SHAPE).unwrap();
        assert_eq!(clipped.full_heads(0.5), [[false, true], [true, false]]);
        let equal = HeadScores::new(vec![vec![0.5; 9]; 10], shape).unwrap();
        assert_eq!(equal.full_heads(0.5).iter().flatten().filter(|full| **full).count(), 45);
    }

    #[test]
    fn a_table_that_does_not_fit_is_refused() {
        assert!(matches!(HeadScores::parse("1 1\n", SHAPE), Err(HeadScoresError::Shape { .. })));
        assert!(matches!(HeadScores::parse("1 1\n1\n", SHAPE), Err(HeadScoresError::Shape { .. })));
        let outcome = HeadScores::parse("1 1\n1 x\n", SHAPE);
        assert!(matches!(outcome, Err(HeadScoresError::Number { layer: 1, head: 1, .. })));
        assert!(matches!(HeadScores::parse("1 NaN\n1 1\n", SHAPE), Err(HeadScoresError::Number { .. })));
    }
}
