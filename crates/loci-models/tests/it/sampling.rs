//! The sampler as a caller sees it.

use std::collections::BTreeMap;

use loci_models::sampling::{
    Constraint, Sampler, SamplerConfig, SamplingError, TokenSet, greedy, log_prob, log_probs,
};
use proptest::prelude::*;

fn config() -> SamplerConfig {
    SamplerConfig { temperature: 1.0, seed: 7, ..SamplerConfig::default() }
}

fn draws(config: SamplerConfig, logits: &[f32], count: usize) -> Vec<u32> {
    let mut sampler = Sampler::new(config).unwrap();
    (0..count).map(|_| sampler.sample(&mut logits.to_vec(), &[]).unwrap()).collect()
}

#[test]
fn frequencies_follow_the_softmax_and_the_temperature() {
    let logits = [0.0, 1.0, 2.0, f32::NEG_INFINITY];
    for temperature in [0.5_f64, 1.0, 2.0] {
        let seen = draws(SamplerConfig { temperature: temperature as f32, ..config() }, &logits, 20_000);
        let total: f64 = (0..3).map(|id| (f64::from(logits[id]) / temperature).exp()).sum();
        for id in 0..3 {
            let expected = (f64::from(logits[id]) / temperature).exp() / total;
            let share = seen.iter().filter(|seen| **seen == id as u32).count() as f64 / 20_000.0;
            // Five standard deviations of a share of 20,000 draws.
            assert!((share - expected).abs() < 5.0 * (0.25_f64 / 20_000.0).sqrt(), "{share} {expected}");
        }
        assert!(!seen.contains(&3));
    }
}

#[test]
fn a_seed_is_a_sequence() {
    let logits: Vec<f32> = (0..50).map(|id| (id % 7) as f32 / 3.0).collect();
    let first = draws(config(), &logits, 12);
    assert_eq!(first, draws(config(), &logits, 12));
    assert_ne!(first, draws(SamplerConfig { seed: 8, ..config() }, &logits, 12));
    assert_eq!(first, [9, 9, 34, 37, 31, 19, 5, 41, 19, 48, 11, 20]);
}

#[test]
fn greedy_takes_the_lowest_id_of_equals() {
    assert_eq!(greedy(&[1.0, 3.0, 3.0]).unwrap(), 1);
    assert_eq!(draws(SamplerConfig::default(), &[0.0, -0.0], 1), [0]);
    assert_eq!(draws(SamplerConfig { top_k: 1, ..config() }, &[0.0, 5.0, 5.0], 3), [1, 1, 1]);
}

#[test]
fn filters_restrict_what_is_drawn() {
    let logits = [4.0, 3.0, 2.0, 1.0, 0.0];
    for (config, limit) in [
        (SamplerConfig { top_k: 2, ..config() }, 2),
        (SamplerConfig { top_p: 0.7, ..config() }, 2),
        (SamplerConfig { min_p: 0.3, ..config() }, 2),
        (SamplerConfig { temperature: 100.0, ..config() }, 5),
    ] {
        let seen = draws(config.clone(), &logits, 300);
        assert_eq!(seen.iter().max(), Some(&(limit - 1)), "{config:?}");
    }
}

#[test]
fn recent_tokens_are_penalised_within_the_window() {
    let penalty = SamplerConfig { repetition_penalty: 2.0, repetition_window: 1, ..SamplerConfig::default() };
    let mut sampler = Sampler::new(penalty).unwrap();
    assert_eq!(sampler.sample(&mut [3.0, 2.0], &[0]).unwrap(), 1);
    assert_eq!(sampler.sample(&mut [3.0, 2.0], &[0, 1]).unwrap(), 0);
}

#[test]
fn bad_logits_and_parameters_are_refused() {
    let mut sampler = Sampler::new(config()).unwrap();
    let bad = sampler.sample(&mut [0.0, f32::NAN], &[]).unwrap_err();
    assert!(matches!(bad, SamplingError::BadLogit { id: 1, .. }));
    assert!(matches!(greedy(&[f32::INFINITY]), Err(SamplingError::BadLogit { .. })));
    assert_eq!(sampler.sample(&mut [f32::NEG_INFINITY], &[]), Err(SamplingError::NothingAllowed));
    assert_eq!(sampler.sample(&mut [], &[]), Err(SamplingError::NothingAllowed));
    for (name, bad) in [
        ("temperature", SamplerConfig { temperature: -0.1, ..config() }),
        ("temperature", SamplerConfig { temperature: f32::NAN, ..config() }),
        ("top_p", SamplerConfig { top_p: 0.0, ..config() }),
        ("top_p", SamplerConfig { top_p: 1.1, ..config() }),
        ("min_p", SamplerConfig { min_p: -1.0, ..config() }),
        ("repetition_penalty", SamplerConfig { repetition_penalty: 0.0, ..config() }),
        ("frequency_penalty", SamplerConfig { frequency_penalty: 2.5, ..config() }),
        ("presence_penalty", SamplerConfig { presence_penalty: f32::NAN, ..config() }),
    ] {
        let error = Sampler::new(bad).unwrap_err();
        assert!(matches!(error, SamplingError::Parameter { name: found, .. } if found == name), "{error}");
    }
    let bad = SamplerConfig { logit_bias: BTreeMap::from([(0, f32::INFINITY)]), ..config() };
    assert!(matches!(Sampler::new(bad).unwrap_err(), SamplingError::Bias { id: 0, .. }));
}

#[test]
fn log_probabilities_are_those_of_the_softmax() {
    let logits = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY];
    assert!((log_prob(&logits, 1).unwrap() - (2.0_f32 / 3.0).ln()).abs() < 1e-6);
    assert_eq!(log_prob(&logits, 2).unwrap(), f32::NEG_INFINITY);
    assert_eq!(log_prob(&logits, 3), Err(SamplingError::NoSuchToken { id: 3, size: 3 }));
    assert!((log_prob(&[1e4, 1e4], 0).unwrap() + 2.0_f32.ln()).abs() < 1e-6);
}

#[test]
fn drawn_tokens_are_penalised_and_the_prompt_is_not() {
    let logits = [1.0, 0.75, 0.0];
    let run = |config: SamplerConfig| {
        let mut sampler = Sampler::new(config).unwrap();
        (0..4).map(|_| sampler.sample(&mut logits.to_vec(), &[0, 0, 0]).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(run(SamplerConfig::default()), [0, 0, 0, 0]);
    // By 0.5 a time: 1, 0.75 -> 0.5, 0.75 -> 0.5, 0.25 -> 0, 0.25.
    assert_eq!(run(SamplerConfig { frequency_penalty: 0.5, ..SamplerConfig::default() }), [0, 1, 0, 1]);
    // Once: 1, 0.75, 0 -> -1, 0.75, 0 -> -1, -1.25, 0 -> -1, -1.25, -2.
    assert_eq!(run(SamplerConfig { presence_penalty: 2.0, ..SamplerConfig::default() }), [0, 1, 2, 0]);
    let logit_bias = BTreeMap::from([(2, 100.0)]);
    assert_eq!(run(SamplerConfig { logit_bias, ..SamplerConfig::default() }), [2, 2, 2, 2]);
    let logit_bias = BTreeMap::from([(0, -100.0)]);
    assert_eq!(run(SamplerConfig { logit_bias, ..SamplerConfig::default() }), [1, 1, 1, 1]);
}

#[test]
fn log_probabilities_are_those_of_the_model() {
    let logits = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 0.0];
    let found = log_probs(&logits, 3, 3).unwrap();
    assert!((found.drawn.log_prob - 0.25_f32.ln()).abs() < 1e-6);
    assert_eq!(found.top.iter().map(|token| token.id).collect::<Vec<_>>(), [1, 0, 3]);
    assert!((found.top[0].log_prob - 0.5_f32.ln()).abs() < 1e-6);
    assert!(log_probs(&logits, 0, 0).unwrap().top.is_empty());
    assert_eq!(log_probs(&logits, 0, 9).unwrap().top.len(), 4);
    assert_eq!(log_probs(&logits, 4, 1).unwrap_err(), SamplingError::NoSuchToken { id: 4, size: 4 });
}

/// `0 1 0 1 …`, up to `limit` tokens, ending behind a 1.
#[derive(Clone, Debug)]
struct Alternating {
    seen: u32,
    limit: u32,
}

impl Constraint for Alternating {
    fn allowed(&mut self) -> Result<TokenSet, SamplingError> {
        let mut set = TokenSet::new(2);
        set.insert(self.seen % 2);
        Ok(set)
    }

    fn accept(&mut self, token: u32) -> Result<(), SamplingError> {
        assert_eq!(token, self.seen % 2);
        self.seen += 1;
        Ok(())
    }

    fn may_end(&mut self) -> Result<bool, SamplingError> {
        Ok(self.seen > 0 && self.seen.is_multiple_of(2))
    }

    fn is_complete(&self) -> bool {
        self.seen == self.limit
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

#[test]
fn a_constraint_decides_what_is_drawn_and_where_it_ends() {
    // The model would end at once, then say 2 for ever.
    let logits = [0.0, 0.0, 3.0, 9.0];
    let sampler = |ends: &[u32]| {
        let constraint = Box::new(Alternating { seen: 0, limit: 4 });
        Sampler::new(SamplerConfig::default()).unwrap().with_constraint(constraint, ends)
    };
    let mut with_end = sampler(&[3]);
    let drawn: Vec<_> = (0..3).map(|_| with_end.sample(&mut logits.to_vec(), &[]).unwrap()).collect();
    assert_eq!(drawn, [0, 1, 3]);
    let mut without = sampler(&[]);
    let mut other = without.clone();
    for token in [0, 1, 0, 1] {
        assert!(!without.is_complete());
        assert_eq!(without.sample(&mut logits.to_vec(), &[]).unwrap(), token);
    }
    assert!(without.is_complete());
    assert_eq!(without.sample(&mut logits.to_vec(), &[]), Err(SamplingError::NothingAllowed));
    // A bias cannot force what is forbidden, and a copy goes its own way.
    assert_eq!(other.sample(&mut [0.0, 99.0, 99.0, 99.0], &[]).unwrap(), 0);
}

proptest! {
    #[test]
    fn any_valid_configuration_draws_an_allowed_token(
        mut logits in prop::collection::vec(prop_oneof![-1e30_f32..1e30, Just(f32::NEG_INFINITY), Just(0.0)], 0..40),
        history in prop::collection::vec(0_u32..60, 0..10),
        temperature in prop_oneof![Just(0.0_f32), 1e-30_f32..1e30],
        top_k in 0_usize..50,
        top_p in 0.001_f32..=1.0,
        min_p in 0.0_f32..=1.0,
        repetition_penalty in 0.5_f32..2.0,
        penalty in -2.0_f32..=2.0,
        seed: u64,
    ) {
        let given = logits.clone();
        let logit_bias = (!logits.is_empty()).then_some((0, 50.0 * penalty)).into_iter().collect();
        let config =
            SamplerConfig {
                temperature, top_k, top_p, min_p, repetition_penalty, repetition_window: 4, seed,
                frequency_penalty: -penalty, presence_penalty: penalty, logit_bias,
            };
        match Sampler::new(config).unwrap().sample(&mut logits, &history) {
            Ok(id) => prop_assert!(given[id as usize] > f32::NEG_INFINITY),
            Err(error) => {
                prop_assert_eq!(error, SamplingError::NothingAllowed);
                prop_assert!(given.iter().all(|logit| *logit == f32::NEG_INFINITY));
            }
        }
    }
}
