//! The documents of a reading in cells: what of each is still held, and how much attention it got.

use std::ops::Range;

use loci_engine::Reading;
use loci_models::memory::TokenEvidence;

use crate::openai::{Cell, ContextMap};
use crate::worker::Looked;

/// A cell, in tokens of the prompt and bytes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellTokens {
    pub(super) tokens: Range<usize>,
    document: usize,
    bytes: Range<usize>,
}

/// The documents in about `wanted` cells of as many tokens each; a cell ends where its document does.
pub(super) fn cells(reading: &Reading, wanted: usize) -> Vec<CellTokens> {
    let sources = &reading.prefix().sources;
    let first = sources.iter().position(Option::is_some);
    let last = sources.iter().rposition(Option::is_some);
    let (Some(first), Some(last), 1..) = (first, last, wanted) else { return Vec::new() };
    let size = (last + 1 - first).div_ceil(wanted);
    let mut cells: Vec<CellTokens> = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let Some(source) = source else { continue };
        match cells.last_mut() {
            Some(cell) if cell.document == source.document && cell.tokens.len() < size => {
                cell.tokens.end = at + 1;
                cell.bytes.end = cell.bytes.end.max(source.bytes.end);
            }
            _ => cells.push(CellTokens {
                tokens: at..at + 1,
                document: source.document,
                bytes: source.bytes.clone(),
            }),
        }
    }
    cells
}

/// The cells with what `looked` says of them.
pub(super) fn map(cells: &[CellTokens], looked: &Looked) -> ContextMap {
    let cells = cells.iter().zip(&looked.held).map(|(cell, held)| Cell {
        document: cell.document,
        start: cell.bytes.start,
        end: cell.bytes.end,
        held: *held,
        mass: mass(&cell.tokens, &looked.evidence),
    });
    ContextMap { cells: cells.collect() }
}

/// The attention that `tokens` got: of ranges that reach beyond, their share of tokens.
fn mass(tokens: &Range<usize>, evidence: &[TokenEvidence]) -> f32 {
    let shares = evidence.iter().map(|found| {
        let common = found.tokens.end.min(tokens.end).saturating_sub(found.tokens.start.max(tokens.start));
        found.mass * common as f32 / found.tokens.len().max(1) as f32
    });
    shares.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_is_shared_out_by_tokens() {
        let evidence =
            [TokenEvidence { tokens: 0..10, mass: 0.5 }, TokenEvidence { tokens: 20..22, mass: 0.25 }];
        assert_eq!(mass(&(0..5), &evidence), 0.25);
        assert_eq!(mass(&(5..21), &evidence), 0.375);
        assert_eq!(mass(&(30..40), &evidence), 0.0);
    }
}
