//! Which tokens of a prompt a model reads when a draft has looked through it first.

use loci_models::method::{ParameterError, Values};

use crate::keep::pool_largest;

/// How a prompt is shortened: the neighbourhoods of its most important tokens, until the budget is used.
///
/// Source: Galim et al., "Draft-based Approximate Inference for LLMs", 2025 (SpecPC). That tokens can be fixed is ours.
#[derive(Clone, Debug)]
pub struct Shortening {
    /// Tokens that stay.
    pub budget: usize,
    /// Last tokens of the prompt, which stay in any case.
    pub window: usize,
    /// Positions over which importance is pooled.
    pub pool: usize,
    /// Tokens around an important one, itself included, that stay with it.
    pub neighbours: usize,
    /// The parameter that sets `budget`, as errors name it.
    pub parameter: &'static str,
}

impl Shortening {
    /// From the parameters of a method that shortens prompts.
    pub(crate) fn new(values: &Values) -> Self {
        // A method that does more to what is left has other uses for the names `budget` and `window`.
        let (budget, window) = match values.size("prompt") {
            0 => ("budget", "window"),
            _ => ("prompt", "prompt_window"),
        };
        let parameter = budget;
        let [budget, window, pool, neighbours] =
            [budget, window, "pool", "neighbours"].map(|name| values.size(name));
        Self { budget, window, pool, neighbours, parameter }
    }

    /// Positions that stay, ascending: as many as the budget allows, or all. `importance` is a number for each token,
    /// where none is given it counts as 0; `fixed` says of each token whether it has to stay.
    ///
    /// # Errors
    /// [`ParameterError::Combination`] when the budget does not hold the tokens that have to stay.
    pub fn choose(&self, importance: &[f32], fixed: &[bool]) -> Result<Vec<usize>, ParameterError> {
        let length = fixed.len();
        if length <= self.budget {
            return Ok((0..length).collect());
        }
        let mut stays = fixed.to_vec();
        stays.iter_mut().rev().take(self.window).for_each(|stays| *stays = true);
        let mut count = stays.iter().filter(|stays| **stays).count();
        if count > self.budget {
            let name = self.parameter;
            return Err(ParameterError::Combination(format!(
                "of {length} tokens {count} have to stay (template, question and the last {}), but {name}={} holds fewer; use {name}={count} or more",
                self.window, self.budget
            )));
        }
        let mut scores = importance.to_vec();
        scores.resize(length, 0.0);
        let pooled = pool_largest(&scores, self.pool.max(1));
        let mut order: Vec<usize> = (0..length).collect();
        order.sort_by(|a, b| pooled[*b].total_cmp(&pooled[*a]).then(a.cmp(b)));
        let offsets = self.offsets();
        'tokens: for token in order.into_iter().take(self.budget) {
            for offset in &offsets {
                if count == self.budget {
                    break 'tokens;
                }
                let neighbour = token.saturating_add_signed(*offset).min(length - 1);
                if !std::mem::replace(&mut stays[neighbour], true) {
                    count += 1;
                }
            }
        }
        Ok((0..length).filter(|token| stays[*token]).collect())
    }

    /// From a token to its neighbours, the nearest first, of two alike the earlier one.
    fn offsets(&self) -> Vec<isize> {
        let count = self.neighbours.max(1).cast_signed();
        let mut offsets: Vec<isize> = (-((count - 1) / 2)..=count / 2).collect();
        offsets.sort_by_key(|offset| offset.abs());
        offsets
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shortening(budget: usize, window: usize, pool: usize, neighbours: usize) -> Shortening {
        Shortening { budget, window, pool, neighbours, parameter: "budget" }
    }

    #[test]
    fn neighbours_come_nearest_first() {
        assert_eq!(shortening(1, 1, 1, 1).offsets(), [0]);
        assert_eq!(shortening(1, 1, 1, 4).offsets(), [0, -1, 1, 2]);
        assert_eq!(shortening(1, 1, 1, 5).offsets(), [0, -1, 1, -2, 2]);
    }

    #[test]
    fn neighbourhoods_are_taken_until_the_budget_is_used() {
        let mut importance = [0.0; 12];
        (importance[5], importance[2]) = (0.9, 0.8);
        let free = [false; 12];
        // The window, then 5 with its neighbours, then 2 with the one that still fits.
        assert_eq!(shortening(7, 2, 1, 3).choose(&importance, &free).unwrap(), [1, 2, 4, 5, 6, 10, 11]);
        assert_eq!(shortening(12, 2, 1, 3).choose(&importance, &free).unwrap().len(), 12);
    }

    #[test]
    fn what_is_fixed_stays_and_must_fit() {
        let mut fixed = [false; 10];
        (fixed[0], fixed[7]) = (true, true);
        let importance = [0.0, 0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(shortening(4, 1, 1, 1).choose(&importance, &fixed).unwrap(), [0, 3, 7, 9]);
        let refused = shortening(2, 1, 1, 1).choose(&importance, &fixed).unwrap_err().to_string();
        assert!(refused.contains("budget=3"), "{refused}");
    }
}
