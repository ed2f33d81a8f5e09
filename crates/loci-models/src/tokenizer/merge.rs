//! The merge loop that byte-pair encoding and SentencePiece's BPE share (Sennrich, Haddow and Birch, "Neural
//! Machine Translation of Rare Words with Subword Units", 2016; Kudo and Richardson, "SentencePiece", 2018).
//!
//! A word starts as symbols; of all neighbours that may merge, the pair of the best rank does, the leftmost first,
//! until none may. Several pairs may share a rank: that is how equal SentencePiece scores are expressed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// A symbol that no pair contains.
pub(super) const NO_TOKEN: u32 = u32::MAX;
const NONE: u32 = u32::MAX;

/// Which pairs merge, in which order, into what.
#[derive(Debug, Default)]
pub(super) struct Merges {
    pairs: HashMap<(u32, u32), (u32, u32)>,
}

impl Merges {
    /// Adds a pair; a pair that is there already keeps its first, better rank.
    pub(super) fn add(&mut self, left: u32, right: u32, rank: u32, merged: u32) {
        self.pairs.entry((left, right)).or_insert((rank, merged));
    }

    fn get(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        self.pairs.get(&(left, right)).copied()
    }
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    id: u32,
    /// Bytes of the source text; `u32` because texts above 4 GiB are refused.
    bytes: u32,
    previous: u32,
    next: u32,
    /// Merged into its left neighbour.
    gone: bool,
}

/// A word being merged; kept between words to save allocations.
#[derive(Debug, Default)]
pub(super) struct Word {
    symbols: Vec<Symbol>,
    /// Smallest (rank, position) first; the ids tell whether the entry is still true.
    heap: BinaryHeap<Reverse<(u32, u32, u32, u32)>>,
}

impl Word {
    /// Appends a symbol that stands for `bytes` bytes of the text.
    pub(super) fn push(&mut self, id: u32, bytes: u32) {
        let at = self.symbols.len() as u32;
        if let Some(last) = self.symbols.last_mut() {
            last.next = at;
        }
        self.symbols.push(Symbol { id, bytes, previous: at.wrapping_sub(1), next: NONE, gone: false });
    }

    pub(super) fn len(&self) -> usize {
        self.symbols.len()
    }

    pub(super) fn clear(&mut self) {
        self.symbols.clear();
        self.heap.clear();
    }

    /// Merges until no pair may.
    pub(super) fn merge(&mut self, merges: &Merges) {
        for at in 1..self.symbols.len() as u32 {
            self.propose(merges, at - 1, at);
        }
        while let Some(Reverse((_, at, left_id, right_id))) = self.heap.pop() {
            let left = self.symbols[at as usize];
            if left.gone || left.id != left_id || left.next == NONE {
                continue;
            }
            let right = self.symbols[left.next as usize];
            if right.id != right_id {
                continue;
            }
            let Some((_, merged)) = merges.get(left_id, right_id) else { continue };
            self.symbols[left.next as usize].gone = true;
            let symbol = &mut self.symbols[at as usize];
            symbol.id = merged;
            symbol.bytes += right.bytes;
            symbol.next = right.next;
            if right.next != NONE {
                self.symbols[right.next as usize].previous = at;
                self.propose(merges, at, right.next);
            }
            if left.previous != NONE {
                self.propose(merges, left.previous, at);
            }
        }
    }

    fn propose(&mut self, merges: &Merges, left: u32, right: u32) {
        let (left_id, right_id) = (self.symbols[left as usize].id, self.symbols[right as usize].id);
        if left_id == NO_TOKEN || right_id == NO_TOKEN {
            return;
        }
        if let Some((rank, _)) = merges.get(left_id, right_id) {
            self.heap.push(Reverse((rank, left, left_id, right_id)));
        }
    }

    /// What is left: `(id, bytes)` in order.
    pub(super) fn symbols(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.symbols.iter().filter(|symbol| !symbol.gone).map(|symbol| (symbol.id, symbol.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word: find the best pair, merge its leftmost occurrence, start again.
    fn plain(merges: &Merges, mut symbols: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
        loop {
            let best = (1..symbols.len())
                .filter_map(|at| {
                    merges.get(symbols[at - 1].0, symbols[at].0).map(|(rank, id)| (rank, at, id))
                })
                .min();
            let Some((_, at, id)) = best else { return symbols };
            symbols[at - 1] = (id, symbols[at - 1].1 + symbols[at].1);
            symbols.remove(at);
        }
    }

    proptest! {
        #[test]
        fn the_heap_finds_what_the_definition_finds(
            pairs in prop::collection::vec((0_u32..12, 0_u32..12, 0_u32..6, 0_u32..12), 0..60),
            word in prop::collection::vec(0_u32..12, 0..40),
        ) {
            let mut merges = Merges::default();
            for (left, right, rank, merged) in pairs {
                merges.add(left, right, rank, merged);
            }
            let mut fast = Word::default();
            for id in &word {
                fast.push(*id, 1);
            }
            fast.merge(&merges);
            let symbols: Vec<_> = fast.symbols().collect();
            prop_assert_eq!(symbols, plain(&merges, word.into_iter().map(|id| (id, 1)).collect()));
        }
    }
}
