//! Where a text falls apart best: communities in the graph of its keys (EM-LLM).

use std::ops::Range;

use loci_kernels::Isa;
use loci_kernels::vector::dot;

/// What makes a cut in two a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Weight inside the two sides beyond what their degrees would give by chance; large is good.
    Modularity,
    /// Weight between the sides, as a share of the weight inside the lesser one; small is good. As the paper's authors
    /// compute it: the other side counts with all weight that is not inside this one, and the better side speaks.
    Conductance,
}

/// Weights between the tokens of a text, still being added up.
#[derive(Clone, Debug)]
pub struct Weights {
    tokens: usize,
    /// `[tokens + 1, tokens + 1]`: the first row and column stay 0.
    cells: Vec<f64>,
}

impl Weights {
    /// No weight between any of `tokens` tokens.
    pub fn new(tokens: usize) -> Self {
        Self { tokens, cells: vec![0.0; (tokens + 1) * (tokens + 1)] }
    }

    /// Bytes for `tokens` tokens.
    pub const fn bytes(tokens: usize) -> usize {
        (tokens + 1) * (tokens + 1) * size_of::<f64>()
    }

    /// Adds to the weight from one token to another.
    pub fn add(&mut self, from: usize, to: usize, weight: f64) {
        self.cells[(from + 1) * (self.tokens + 1) + to + 1] += weight;
    }

    /// Adds the products of all pairs of `keys` `[tokens, head_dim]`.
    pub fn add_products(&mut self, isa: Isa, head_dim: usize, keys: &[f32]) {
        for (from, key) in keys.chunks_exact(head_dim).enumerate() {
            for (ahead, other) in keys[from * head_dim..].chunks_exact(head_dim).enumerate() {
                let weight = f64::from(dot(isa, key, other));
                self.add(from, from + ahead, weight);
                if ahead > 0 {
                    self.add(from + ahead, from, weight);
                }
            }
        }
    }

    /// The graph with these weights.
    pub fn graph(mut self) -> Graph {
        let width = self.tokens + 1;
        for row in 1..width {
            let mut sum = 0.0;
            for column in 1..width {
                sum += self.cells[row * width + column];
                self.cells[row * width + column] = sum + self.cells[(row - 1) * width + column];
            }
        }
        Graph { tokens: self.tokens, sums: self.cells }
    }
}

/// Weights between the tokens of a text, held as sums over all rectangles that begin at the origin: so the weight
/// inside any rectangle costs four reads, and so does each candidate for a cut.
#[derive(Clone, Debug)]
pub struct Graph {
    tokens: usize,
    sums: Vec<f64>,
}

impl Graph {
    /// Tokens.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Weight from the tokens `from` to the tokens `to`.
    fn weight(&self, from: &Range<usize>, to: &Range<usize>) -> f64 {
        let at = |row: usize, column: usize| self.sums[row * (self.tokens + 1) + column];
        at(from.end, to.end) - at(from.start, to.end) - at(from.end, to.start) + at(from.start, to.start)
    }

    /// Modularity of the tokens of `window`, cut in two before token `cut`; 0 where there is no weight above 0.
    ///
    /// `Q = 1/4m * sum over both sides of (weight inside - degree^2 / 2m)`, with `2m` the weight of the window and a
    /// side's degree its weight to the whole window.
    pub fn modularity(&self, window: &Range<usize>, cut: usize) -> f64 {
        let total = self.weight(window, window);
        if total <= 0.0 {
            return 0.0;
        }
        let side = |tokens: Range<usize>| {
            let degree = self.weight(&tokens, window);
            self.weight(&tokens, &tokens) - degree * degree / total
        };
        (side(window.start..cut) + side(cut..window.end)) / (2.0 * total)
    }

    /// Conductance of the tokens of `window`, cut in two before token `cut`; see [`Metric::Conductance`].
    pub fn conductance(&self, window: &Range<usize>, cut: usize) -> f64 {
        let total = self.weight(window, window);
        let (left, right) = (window.start..cut, cut..window.end);
        let between = self.weight(&left, &right);
        let side = |tokens: &Range<usize>| {
            let inside = self.weight(tokens, tokens);
            let lesser = inside.min(total - inside);
            between / if lesser == 0.0 { 1e-15 } else { lesser }
        };
        side(&left).min(side(&right))
    }

    /// How good a cut is; larger is better.
    fn score(&self, metric: Metric, window: &Range<usize>, cut: usize) -> f64 {
        match metric {
            Metric::Modularity => self.modularity(window, cut),
            Metric::Conductance => -self.conductance(window, cut),
        }
    }

    /// Moves the `boundaries` of events (ascending; each the first token of one) to where the text falls apart best.
    ///
    /// Tokens before `offset` are there for context: an event began at token 0, and no boundary is moved before
    /// `offset`. Boundaries less than `min_size` behind the one before them are dropped first. Then each is replaced by
    /// the best of the tokens that lie before it and at least `min_size` behind the boundary before it; where there are
    /// none, or the window around has no weight above 0, it stays.
    pub fn refine(&self, metric: Metric, min_size: usize, offset: usize, boundaries: &[usize]) -> Vec<usize> {
        let mut kept: Vec<usize> = Vec::with_capacity(boundaries.len());
        for boundary in boundaries {
            let close = match kept.last() {
                Some(before) => boundary - before < min_size,
                None => offset > 0 && *boundary < min_size,
            };
            if !close {
                kept.push(*boundary);
            }
        }
        let mut before = 0;
        for boundary in &mut kept {
            *boundary = self.best(metric, min_size, offset, before, *boundary);
            before = *boundary;
        }
        kept
    }

    /// The best place for one boundary, `before` being the one before it.
    fn best(&self, metric: Metric, min_size: usize, offset: usize, before: usize, boundary: usize) -> usize {
        let half = boundary.saturating_sub(before) / 2;
        let window = before.saturating_sub(half)..(boundary + half).min(self.tokens);
        let first = before.max(offset) + min_size;
        if self.weight(&window, &window) <= 0.0 {
            return boundary;
        }
        let mut best = (f64::NEG_INFINITY, boundary);
        for cut in first..boundary {
            let score = self.score(metric, &window, cut);
            if score > best.0 {
                best = (score, cut);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups of tokens, each alike inside and unlike the other.
    fn two_topics(border: usize, tokens: usize) -> Graph {
        let mut weights = Weights::new(tokens);
        for from in 0..tokens {
            for to in 0..tokens {
                let alike = (from < border) == (to < border);
                weights.add(from, to, if alike { 1.0 } else { 0.1 });
            }
        }
        weights.graph()
    }

    #[test]
    fn a_boundary_moves_to_where_the_topic_changes() {
        let graph = two_topics(10, 30);
        for metric in [Metric::Modularity, Metric::Conductance] {
            assert_eq!(graph.refine(metric, 2, 0, &[14]), [10]);
            // Not before the offset and the least size, not where there is no room.
            assert_eq!(graph.refine(metric, 2, 9, &[14]), [11]);
            assert_eq!(graph.refine(metric, 2, 0, &[2]), [2]);
        }
    }

    #[test]
    fn close_boundaries_are_dropped() {
        let graph = Weights::new(30).graph();
        let refine = |offset, boundaries: &[usize]| graph.refine(Metric::Modularity, 4, offset, boundaries);
        assert_eq!(refine(0, &[2, 5, 6, 9, 10, 20]), [2, 6, 10, 20]);
        assert_eq!(refine(3, &[3, 6, 20]), [6, 20]);
    }

    #[test]
    fn weights_below_zero_leave_boundaries_where_they_are() {
        let mut weights = Weights::new(20);
        for token in 0..20 {
            weights.add(token, token, -1.0);
        }
        let graph = weights.graph();
        assert_eq!(graph.refine(Metric::Conductance, 3, 0, &[8, 15]), [8, 15]);
        assert!(graph.modularity(&(0..20), 7).abs() < 1e-12);
    }
}
