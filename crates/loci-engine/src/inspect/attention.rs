//! What was read while an answer was written, layer by layer.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::ask::{Answer, AskRequest, Listener, ask_and_look};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::figures::{Heat, Mark};
use crate::layout::Prompt;

/// Columns of the figure and of the table, at most.
const COLUMNS: usize = 190;

/// Blocks that are named, at most.
const NAMED: usize = 12;

/// A block, or as many tokens where the method has none.
#[derive(Clone, Debug, Serialize)]
pub struct BlockRead {
    /// Its tokens in the prompt.
    pub tokens: Range<usize>,
    /// Its share of the attention, averaged over the layers that count.
    pub mass: f32,
}

/// A place that was pointed at.
#[derive(Clone, Debug, Serialize)]
pub struct Marked {
    /// The text.
    pub text: String,
    /// Where it stands in the prompt, in tokens.
    pub tokens: Range<usize>,
    /// Its share of the attention, averaged over the layers that count.
    pub mass: f32,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct AttentionReport {
    /// The answer with its evidence.
    pub answer: Answer,
    /// Tokens of the prompt.
    pub tokens: usize,
    /// Tokens of a column.
    pub bucket: usize,
    /// `[layers][columns]`: shares of each layer's attention while the answer was written. A row's rest went to the answer
    /// itself.
    pub layers: Vec<Vec<f64>>,
    /// Where the documents stand in the prompt.
    pub documents: Range<usize>,
    /// Places that were pointed at.
    pub marks: Vec<Marked>,
    /// The method's blocks that were read most, or ranges of 16 tokens where it has none.
    pub blocks: Vec<BlockRead>,
}

/// Answers as [`ask`](crate::ask::ask) does and reports what each layer attended to. `mark` is a text whose places in the
/// documents are pointed at.
///
/// # Errors
/// As [`ask`](crate::ask::ask); [`EngineError::Unsupported`] when the documents do not hold `mark`.
pub fn look(
    engine: &Arc<Engine>,
    request: &AskRequest<'_>,
    mark: Option<&str>,
    listener: Listener<'_>,
) -> Result<AttentionReport, EngineError> {
    if let Some(mark) = mark.filter(|mark| {
        mark.is_empty() || !request.documents.iter().any(|document| document.text.contains(mark))
    }) {
        return Err(EngineError::Unsupported(format!(
            "the text {mark:?} stands in none of the documents; give --mark a part of them, letter by letter"
        )));
    }
    let looked = ask_and_look(engine, request, true, listener)?;
    let tokens = looked.prompt.len();
    let bucket = tokens.div_ceil(COLUMNS).next_multiple_of(4).max(4);
    let layers = looked.layers.iter().map(|row| columns(row, tokens, bucket)).collect();
    let marks = mark.map(|mark| places(mark, request, &looked.prompt, &looked.layers)).unwrap_or_default();
    let blocks = if looked.blocks.is_empty() {
        (0..tokens).step_by(16).map(|start| start..(start + 16).min(tokens)).collect()
    } else {
        looked.blocks
    };
    let start = looked.prompt.sources.iter().position(Option::is_some).unwrap_or(0);
    Ok(AttentionReport {
        tokens,
        bucket,
        layers,
        documents: start..looked.prompt.documents,
        marks,
        blocks: read_most(&looked.layers, blocks),
        answer: looked.answer,
    })
}

/// Sums of each `bucket` of the first `tokens` numbers.
fn columns(row: &[f32], tokens: usize, bucket: usize) -> Vec<f64> {
    let row = row.get(..tokens.min(row.len())).unwrap_or(&[]);
    let mut columns: Vec<f64> =
        row.chunks(bucket).map(|part| part.iter().map(|share| f64::from(*share)).sum()).collect();
    columns.resize(tokens.div_ceil(bucket), 0.0);
    columns
}

/// The share of the attention that `tokens` got, averaged over the layers; layers none of whose heads have weight say nothing.
fn mass(layers: &[Vec<f32>], tokens: &Range<usize>) -> f32 {
    let counted = layers.iter().filter(|row| row.iter().any(|share| *share > 0.0)).count().max(1);
    let of = |row: &Vec<f32>| {
        row.get(tokens.start.min(row.len())..tokens.end.min(row.len())).unwrap_or(&[]).iter().sum::<f32>()
    };
    layers.iter().map(of).sum::<f32>() / counted as f32
}

/// The blocks with the most mass, heaviest first.
fn read_most(layers: &[Vec<f32>], blocks: Vec<Range<usize>>) -> Vec<BlockRead> {
    let mut read: Vec<BlockRead> =
        blocks.into_iter().map(|tokens| BlockRead { mass: mass(layers, &tokens), tokens }).collect();
    read.retain(|block| block.mass > 0.0);
    read.sort_by(|a, b| b.mass.total_cmp(&a.mass));
    read.truncate(NAMED);
    read
}

/// Where `mark` stands in the prompt, and what it got of the attention.
fn places(mark: &str, request: &AskRequest<'_>, prompt: &Prompt, layers: &[Vec<f32>]) -> Vec<Marked> {
    let mut places = Vec::new();
    for (index, document) in request.documents.iter().enumerate() {
        for (start, text) in document.text.match_indices(mark) {
            let inside = |source: &Option<crate::layout::Source>| {
                source.as_ref().is_some_and(|source| {
                    source.document == index
                        && source.bytes.start < start + text.len()
                        && start < source.bytes.end
                })
            };
            let first = prompt.sources.iter().position(inside);
            let last = prompt.sources.iter().rposition(inside);
            if let Some((first, last)) = first.zip(last) {
                let tokens = first..last + 1;
                places.push(Marked { text: text.to_owned(), mass: mass(layers, &tokens), tokens });
            }
        }
    }
    places
}

impl AttentionReport {
    /// Position along the prompt, layers upwards, mass as colour.
    pub fn figure(&self) -> String {
        let marks: Vec<Mark> = self
            .marks
            .iter()
            .map(|mark| Mark {
                at: mark.tokens.start as f64..mark.tokens.end as f64,
                name: mark.text.chars().take(40).collect(),
            })
            .collect();
        // The first tokens take most of the attention of most layers; without them the others could not be told apart.
        let mut shares: Vec<f64> =
            self.layers.iter().flatten().copied().filter(|share| *share > 0.0).collect();
        shares.sort_by(f64::total_cmp);
        let most = shares.get(shares.len() * 995 / 1000).copied();
        let method = self.answer.method.split(':').next().unwrap_or("");
        Heat {
            title: "What was attended to while answering",
            below: &format!(
                "{}, {method}, {} tokens in columns of {}; colours end at {:.3}, the first tokens may have more",
                self.answer.model,
                self.tokens,
                self.bucket,
                most.unwrap_or(0.0)
            ),
            rows: &self.layers,
            range: 0.0..(self.layers.first().map_or(1, Vec::len) * self.bucket) as f64,
            x: "position in the prompt (tokens)",
            y: "layer",
            colours: "share of the layer's attention",
            most,
            spread: true,
            marks: &marks,
        }
        .svg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_the_mass_of_the_prompt() {
        assert_eq!(columns(&[0.25, 0.25, 0.125, 0.375], 3, 2), [0.5, 0.125]);
        assert_eq!(columns(&[], 5, 2), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn blocks_are_named_by_their_mass_over_all_layers() {
        let layers = [vec![0.5, 0.0, 0.25, 0.25], vec![0.0, 0.0, 0.5, 0.25]];
        let read = read_most(&layers, vec![0..1, 1..2, 2..9]);
        assert_eq!(read.len(), 2, "what was not read is not named");
        assert_eq!((read[0].tokens.clone(), read[0].mass), (2..9, 0.625));
        assert_eq!((read[1].tokens.clone(), read[1].mass), (0..1, 0.25));
    }
}
