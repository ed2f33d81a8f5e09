//! The filters, each a few lines.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::SamplingError;

/// A token that may be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) id: u32,
    pub(super) logit: f32,
    /// Share of the total, not normalised again after filtering.
    pub(super) probability: f64,
}

impl Eq for Candidate {}

/// The better candidate is the greater: larger logit, then lower id.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zeros of both signs are equal logits.
        (self.logit + 0.0).total_cmp(&(other.logit + 0.0)).then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Makes recent tokens less likely; each once, however often it occurred.
pub(super) fn penalise(logits: &mut [f32], history: &[u32], penalty: f32, window: usize) {
    if penalty == 1.0 {
        return;
    }
    let recent: BTreeSet<_> = history.iter().rev().take(window).collect();
    for id in recent {
        if let Some(logit) = logits.get_mut(*id as usize).filter(|logit| logit.is_finite()) {
            let penalised = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            // An overflow must neither forbid nor force a token.
            *logit = penalised.clamp(f32::MIN, f32::MAX);
        }
    }
}

/// Adds to the logit of token `id` what is finite; minus infinity stays.
fn add(logits: &mut [f32], id: u32, amount: f32) {
    if let Some(logit) = logits.get_mut(id as usize).filter(|logit| logit.is_finite()) {
        *logit = (*logit + amount).clamp(f32::MIN, f32::MAX);
    }
}

/// Makes tokens less likely by how often they were drawn, and by whether they were.
pub(super) fn penalise_drawn(logits: &mut [f32], drawn: &BTreeMap<u32, u32>, frequency: f32, presence: f32) {
    if frequency == 0.0 && presence == 0.0 {
        return;
    }
    for (id, count) in drawn {
        add(logits, *id, -(frequency * *count as f32 + presence));
    }
}

/// Adds the biases.
///
/// # Errors
/// [`SamplingError::NoSuchToken`] for a bias of a token outside the logits.
pub(super) fn bias(logits: &mut [f32], biases: &BTreeMap<u32, f32>) -> Result<(), SamplingError> {
    let size = logits.len();
    for (&id, amount) in biases {
        if id as usize >= size {
            return Err(SamplingError::NoSuchToken { id, size });
        }
        add(logits, id, *amount);
    }
    Ok(())
}

/// Keeps the `k` best.
pub(super) fn top_k(candidates: &mut Vec<Candidate>, k: usize) {
    if k < candidates.len() {
        candidates.select_nth_unstable_by(k, |a, b| b.cmp(a));
        candidates.truncate(k);
        // Selection leaves an order that depends on its implementation; the draw must not.
        candidates.sort_unstable_by_key(|candidate| candidate.id);
    }
}

/// Sets the probabilities: softmax of logit / temperature.
pub(super) fn probabilities(candidates: &mut [Candidate], temperature: f32) {
    let best = candidates.iter().map(|candidate| candidate.logit).fold(f32::NEG_INFINITY, f32::max);
    for candidate in candidates.iter_mut() {
        let distance = f64::from(candidate.logit) - f64::from(best);
        candidate.probability = (distance / f64::from(temperature)).exp();
    }
    let total: f64 = candidates.iter().map(|candidate| candidate.probability).sum();
    for candidate in candidates.iter_mut() {
        candidate.probability /= total;
    }
}

/// Keeps the best until their probabilities reach `p`; best first afterwards.
pub(super) fn top_p(candidates: &mut Vec<Candidate>, p: f32) {
    let total: f64 = candidates.iter().map(|candidate| candidate.probability).sum();
    // A heap finds the few best of a large vocabulary without sorting it.
    let mut heap = BinaryHeap::from(std::mem::take(candidates));
    let mut mass = 0.0;
    while let Some(best) = heap.pop() {
        mass += best.probability;
        candidates.push(best);
        if mass >= f64::from(p) * total {
            break;
        }
    }
}

/// Keeps what is at least `p` times as probable as the best.
pub(super) fn min_p(candidates: &mut Vec<Candidate>, p: f32) {
    let best = candidates.iter().map(|candidate| candidate.probability).fold(0.0, f64::max);
    candidates.retain(|candidate| candidate.probability >= best * f64::from(p));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(logits: &[f32]) -> Vec<Candidate> {
        let list = logits.iter().enumerate();
        let mut list: Vec<_> =
            list.map(|(id, logit)| Candidate { id: id as u32, logit: *logit, probability: 0.0 }).collect();
        probabilities(&mut list, 1.0);
        list
    }

    fn ids(candidates: &[Candidate]) -> Vec<u32> {
        let mut ids: Vec<_> = candidates.iter().map(|candidate| candidate.id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn top_k_keeps_the_lower_id_of_equals() {
        let mut list = made(&[1.0, 2.0, 2.0, 2.0, 0.0]);
        top_k(&mut list, 2);
        assert_eq!(ids(&list), [1, 2]);
    }

    #[test]
    fn top_p_keeps_just_enough() {
        // Probabilities 0.5, 0.25, 0.25.
        let logits = [0.5_f32.ln(), 0.25_f32.ln(), 0.25_f32.ln()];
        for (p, kept) in [(0.1, vec![0]), (0.49, vec![0]), (0.6, vec![0, 1]), (0.9, vec![0, 1, 2])] {
            let mut list = made(&logits);
            top_p(&mut list, p);
            assert_eq!(ids(&list), kept, "p {p}");
        }
    }

    #[test]
    fn min_p_compares_with_the_best() {
        let mut list = made(&[0.6_f32.ln(), 0.31_f32.ln(), 0.09_f32.ln()]);
        min_p(&mut list, 0.5);
        assert_eq!(ids(&list), [0, 1]);
    }

    #[test]
    fn the_penalty_works_on_both_signs_and_once() {
        let mut logits = [2.0, -2.0, 3.0];
        penalise(&mut logits, &[2, 0, 0, 1, 99], 2.0, 4);
        assert_eq!(logits, [1.0, -4.0, 3.0]);
    }

    #[test]
    fn penalties_of_drawn_tokens_count_and_forbidden_ones_stay_forbidden() {
        let mut logits = [1.0, 1.0, f32::NEG_INFINITY];
        let drawn = BTreeMap::from([(0, 3), (2, 1), (7, 1)]);
        penalise_drawn(&mut logits, &drawn, 0.5, 0.25);
        assert_eq!(logits, [1.0 - 1.75, 1.0, f32::NEG_INFINITY]);
        bias(&mut logits, &BTreeMap::from([(1, 100.0), (2, 100.0)])).unwrap();
        assert_eq!(logits, [-0.75, 101.0, f32::NEG_INFINITY]);
        let error = bias(&mut logits, &BTreeMap::from([(3, 1.0)])).unwrap_err();
        assert_eq!(error, SamplingError::NoSuchToken { id: 3, size: 3 });
    }
}
