//! What happens to answers when heads are switched off: those with the highest scores, and as many random others.

use std::sync::Arc;

use loci_context::random::Random;
use loci_models::watch::{Ablation, Watch};
use serde::Serialize;

use super::copies::recall;
use super::heads::{HeadScore, Watched, answer, read};
use super::needles::Probe;
use crate::engine::Engine;
use crate::error::EngineError;

/// Heads as (layer, head).
pub type Heads = Vec<(usize, usize)>;

/// What switching heads off does to the probes that were answered with all heads.
#[derive(Clone, Debug, Serialize)]
pub struct Masking {
    /// How heads were switched off: while the answer was written, never while the prompt was read.
    pub ablation: &'static str,
    /// Heads switched off in each of the two groups.
    pub heads: usize,
    /// Probes asked again.
    pub probes: usize,
    /// Mean recall of the answers' words with all heads.
    pub recall: f64,
    /// The same without the heads of the highest scores.
    pub recall_without_top: f64,
    /// The same without as many random heads that are no retrieval heads.
    pub recall_without_random: f64,
    /// The heads of the highest scores.
    pub top: Heads,
    /// The random heads.
    pub random: Heads,
}

/// The `count` heads of the highest scores, and as many random ones that are neither among them nor score `threshold`.
///
/// # Errors
/// [`EngineError::Unsupported`] when the model does not have enough heads.
pub(super) fn groups(
    ranked: &[HeadScore],
    count: usize,
    threshold: f64,
    seed: u64,
) -> Result<(Heads, Heads), EngineError> {
    let name = |head: &HeadScore| (head.layer, head.head);
    let top: Heads = ranked.iter().take(count).map(name).collect();
    let others: Heads = ranked.iter().skip(count).filter(|head| head.score < threshold).map(name).collect();
    if count == 0 || others.len() < count {
        return Err(EngineError::Unsupported(format!(
            "{count} heads cannot be compared with as many others: of {} heads, {} are no retrieval heads and not among the {count}; use --mask {} or fewer",
            ranked.len(),
            others.len(),
            (ranked.len() / 4).max(1)
        )));
    }
    let mut random = Random::new(seed).some_of(&others, count);
    random.sort_unstable();
    Ok((top, random))
}

/// Asks the probes again, each three times from one reading of its prompt.
pub(super) fn run(
    engine: &Arc<Engine>,
    probes: &[Probe],
    (top, random): (Heads, Heads),
    ablation: Ablation,
    progress: &mut Watched<'_, '_>,
) -> Result<Masking, EngineError> {
    let mut sums = [0.0; 3];
    for probe in probes {
        let (prompt, _) = probe.prompt(engine)?;
        let Some(last) = prompt.tokens.last() else { continue };
        let session = read(engine, &prompt.tokens, progress.control)?;
        for (sum, ablated) in sums.iter_mut().zip([&Vec::new(), &top, &random]) {
            let mut session = session.fork()?;
            session.watch(Watch { ablated: ablated.clone(), ablation, ..Watch::default() })?;
            let text = answer(&mut session, *last, progress.control, &mut |_, _| {})?;
            *sum += recall(&text, &probe.answer);
        }
        progress.advance(probe.length);
    }
    let [recall, recall_without_top, recall_without_random] =
        sums.map(|sum| sum / probes.len().max(1) as f64);
    let ablation = match ablation {
        Ablation::ZeroQuery => "zero-query",
        Ablation::ZeroOutput => "zero-output",
    };
    Ok(Masking {
        ablation,
        heads: top.len(),
        probes: probes.len(),
        recall,
        recall_without_top,
        recall_without_random,
        top,
        random,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(scores: &[f64]) -> Vec<HeadScore> {
        let head = |(head, score): (usize, &f64)| HeadScore { layer: 0, head, score: *score, frequency: 0.0 };
        scores.iter().enumerate().map(head).collect()
    }

    #[test]
    fn random_heads_are_never_retrieval_heads_nor_among_the_top() {
        let ranked = ranked(&[0.9, 0.5, 0.3, 0.05, 0.02, 0.01, 0.0, 0.0]);
        for seed in 0..50 {
            let (top, random) = groups(&ranked, 2, 0.1, seed).unwrap();
            assert_eq!(top, [(0, 0), (0, 1)]);
            assert_eq!(random.len(), 2);
            assert!(random.iter().all(|(_, head)| *head >= 3), "{random:?}");
        }
        let (top, random) = groups(&ranked, 4, 0.1, 1).unwrap();
        assert!(top.iter().all(|head| !random.contains(head)));
    }

    #[test]
    fn too_many_heads_are_refused_with_a_number_that_would_do() {
        let error = groups(&ranked(&[0.5, 0.1, 0.0, 0.0]), 3, 0.1, 0).unwrap_err().to_string();
        assert!(error.contains("--mask 1"), "{error}");
        assert!(groups(&ranked(&[0.5, 0.0]), 0, 0.1, 0).is_err());
    }
}
