//! How much of a user's own text a method finds again: needles are planted in it and asked for, before it is trusted with
//! questions whose answers nobody knows.
//!
//! All needles of all depths are planted in one reading, and each question is asked of a fork of it: a text is read once
//! for each method and length, however many needles there are, and once for all methods that read as full attention does.

mod needles;

use std::sync::Arc;
use std::time::{Duration, Instant};

use loci_context::MethodSpec;
use serde::Serialize;

use crate::context::ContextOptions;
use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::generate::{GenerateOptions, generate};
use crate::layout::{Headings, Prompt, question_about};
use crate::readings::Readings;
use crate::session::{Control, per_second, shared};
use needles::{Needle, plant};

/// Tokens of text that there must be for each needle: closer together, they would be most of the text.
const TOKENS_PER_NEEDLE: usize = 40;
/// Tokens that an answer may take; a needle's number comes early or not at all.
const ANSWER: usize = 24;

/// What is probed.
#[derive(Clone, Debug)]
pub struct ProbeRequest<'a> {
    /// The user's text.
    pub text: &'a str,
    /// Methods.
    pub methods: Vec<MethodSpec>,
    /// Tokens of the text that are read, needles aside; empty: all of it.
    pub lengths: Vec<usize>,
    /// Depths at which needles stand, spread evenly over the text.
    pub depths: usize,
    /// Needles at each depth.
    pub needles: usize,
    /// Seed of names and numbers.
    pub seed: u64,
    /// Row type, schedule, budget; its method is not looked at.
    pub context: ContextOptions,
}

/// One method at one length.
#[derive(Clone, Debug, Serialize)]
pub struct Probed {
    /// The method with all its parameters.
    pub method: String,
    /// Tokens of the text.
    pub length: usize,
    /// Right answers at each depth, from the beginning to the end; empty when the method refused.
    pub right_by_depth: Vec<usize>,
    /// Right answers.
    pub right: usize,
    /// Questions.
    pub n: usize,
    /// Share of right answers.
    pub recall: f64,
    /// Its 95 % interval (Wilson).
    pub interval: (f64, f64),
    /// Tokens read per second.
    pub prefill_tokens_per_s: f64,
    /// Tokens written per second.
    pub decode_tokens_per_s: f64,
    /// Bytes in RAM of the memory after the text was read.
    pub memory_bytes: usize,
    /// Why it could not be probed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// The model.
    pub model: String,
    /// Seed of names and numbers.
    pub seed: u64,
    /// Depths, as shares of the text.
    pub depths: Vec<f64>,
    /// Each method at each length.
    pub results: Vec<Probed>,
    /// Which method to take at the longest length, and why; `None` when nothing was found by any.
    pub recommendation: Option<String>,
}

/// Plants, reads, asks and counts.
///
/// # Errors
/// [`EngineError::Unsupported`] for a text that is too short for its needles or lengths, [`EngineError::Interrupted`] when
/// the user stopped it. What a method refuses is told in its result.
pub fn probe(
    engine: &Arc<Engine>,
    request: &ProbeRequest<'_>,
    control: &mut Control<'_>,
) -> Result<ProbeReport, EngineError> {
    let count = request.depths * request.needles;
    if count == 0 || request.methods.is_empty() {
        return Err(EngineError::Nothing {
            what: "the list of methods, depths or needles".into(),
            purpose: "probe",
        });
    }
    let tokenizer = engine.tokenizer()?;
    let tokens = tokenizer.encode(request.text, loci_models::tokenizer::SpecialTokens::AsText, false)?;
    let lengths = if request.lengths.is_empty() { vec![tokens.len()] } else { request.lengths.clone() };
    for length in &lengths {
        if *length > tokens.len() {
            return Err(EngineError::Unsupported(format!(
                "the text has {} tokens, not {length}; give shorter --lengths or a longer text",
                tokens.len()
            )));
        }
        if *length < count * TOKENS_PER_NEEDLE {
            return Err(EngineError::Unsupported(format!(
                "{length} tokens are too short for {count} needles, which need {}; plant fewer with --depths and \
                 --needles, or give a longer text",
                count * TOKENS_PER_NEEDLE
            )));
        }
    }
    let depths: Vec<f64> =
        (0..request.depths).map(|depth| (depth as f64 + 0.5) / request.depths as f64).collect();
    let mut results = Vec::new();
    let readings = Readings::default();
    for length in lengths {
        let end = tokens.get(length - 1).map_or(request.text.len(), |token| token.end);
        let part = request.text.get(..end).unwrap_or(request.text);
        // Methods are compared on the same text.
        let (planted, needles) = plant(part, request.text, &depths, request.needles, request.seed);
        let document = [Document { name: "text".to_owned(), text: planted }];
        let prompts = needles
            .iter()
            .map(|needle| question_about(engine, &document, &needle.question, None, Headings::Never, false))
            .collect::<Result<Vec<_>, _>>()?;
        for method in &request.methods {
            let outcome = probe_one(engine, request, method, (&prompts, &needles), &readings, control);
            let mut probed = match outcome {
                Ok(probed) => probed,
                Err(error @ EngineError::Interrupted { .. }) => return Err(error),
                Err(error) => refused(method, error.to_string()),
            };
            probed.length = length;
            results.push(probed);
        }
    }
    let recommendation = recommend(&results);
    Ok(ProbeReport { model: engine.name().to_owned(), seed: request.seed, depths, results, recommendation })
}

fn refused(method: &MethodSpec, error: String) -> Probed {
    Probed {
        method: method.to_string(),
        length: 0,
        right_by_depth: Vec::new(),
        right: 0,
        n: 0,
        recall: 0.0,
        interval: wilson(0, 0),
        prefill_tokens_per_s: 0.0,
        decode_tokens_per_s: 0.0,
        memory_bytes: 0,
        error: Some(error),
    }
}

fn probe_one(
    engine: &Arc<Engine>,
    request: &ProbeRequest<'_>,
    method: &MethodSpec,
    (prompts, needles): (&[Prompt], &[Needle]),
    readings: &Readings,
    control: &mut Control<'_>,
) -> Result<Probed, EngineError> {
    if method.shortening().is_some() {
        return Err(EngineError::Unsupported(format!(
            "{} reads other tokens for each question, so one reading does not serve them all; try it with loci ask",
            method.info().id
        )));
    }
    // The questions are told apart only behind the text, but a token may reach over the border.
    let shared = match prompts.split_first() {
        None => 0,
        Some((first, others)) => {
            let same = others.iter().map(|other| shared(&first.tokens, &other.tokens));
            same.chain([first.documents]).min().unwrap_or(0)
        }
    };
    let longest = prompts.iter().map(Prompt::len).max().unwrap_or(0);
    let options = request.context.for_method(method.clone());
    let plan = options.plan(engine, longest, ANSWER)?;
    let mut reading = options.session(engine, &plan)?;
    let started = Instant::now();
    let text = prompts.first().and_then(|prompt| prompt.tokens.get(..shared)).unwrap_or(&[]);
    let took = readings.read_context(&mut reading, text, control)?;
    let prefill_tokens_per_s = per_second(shared, took + started.elapsed());
    let memory_bytes = reading.memory_bytes();

    let mut right_by_depth = vec![0; request.depths];
    let (mut written, mut writing) = (0, Duration::ZERO);
    let write = GenerateOptions { max_tokens: ANSWER, ..GenerateOptions::default() };
    for (prompt, needle) in prompts.iter().zip(needles) {
        if control.stopped() {
            return Err(EngineError::Interrupted { done: shared, total: shared });
        }
        let mut session = reading.fork()?;
        let mut quiet = Control { stop: control.stop, progress: None };
        session.read(prompt.tokens.get(shared..).unwrap_or(&[]), &mut quiet)?;
        let answer =
            generate(&mut session, &write, &mut quiet, &mut |_| std::ops::ControlFlow::Continue(()))?;
        written += answer.tokens.len();
        writing += answer.elapsed;
        if let Some(right) = right_by_depth.get_mut(needle.depth) {
            *right += usize::from(needle.is_in(&answer.text));
        }
    }
    let (right, n) = (right_by_depth.iter().sum(), needles.len());
    Ok(Probed {
        method: plan.method.to_string(),
        length: 0,
        right_by_depth,
        right,
        n,
        recall: right as f64 / n as f64,
        interval: wilson(right, n),
        prefill_tokens_per_s,
        decode_tokens_per_s: per_second(written, writing),
        memory_bytes,
        error: None,
    })
}

/// The 95 % interval of a share, after Wilson.
fn wilson(right: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (z, n) = (1.959_964_f64, n as f64);
    let (share, spread) = (right as f64 / n, z * z / n);
    let middle = (share + spread / 2.0) / (1.0 + spread);
    let half = z * (share * (1.0 - share) / n + spread / (4.0 * n)).sqrt() / (1.0 + spread);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// The best recall at the longest length; of equal ones the method that reads faster.
fn recommend(results: &[Probed]) -> Option<String> {
    let length = results.iter().map(|result| result.length).max()?;
    let there: Vec<&Probed> =
        results.iter().filter(|result| result.length == length && result.right > 0).collect();
    let best = there.iter().max_by(|a, b| {
        a.right.cmp(&b.right).then(a.prefill_tokens_per_s.total_cmp(&b.prefill_tokens_per_s))
    })?;
    let alike: Vec<&str> = there
        .iter()
        .filter(|other| other.method != best.method && other.interval.1 >= best.interval.0)
        .map(|other| other.method.split(':').next().unwrap_or(""))
        .collect();
    let beside = if alike.is_empty() {
        String::new()
    } else {
        format!("; n is too small to tell it from {}", alike.join(", "))
    };
    Some(format!(
        "{}: {} of {} found at {length} tokens (95 % interval {:.0} to {:.0} %), {:.0} tokens/s read{beside}",
        best.method,
        best.right,
        best.n,
        100.0 * best.interval.0,
        100.0 * best.interval.1,
        best.prefill_tokens_per_s
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_wilson() {
        let (low, high) = wilson(8, 10);
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert!(wilson(10, 10).1 > 0.999_999);
    }

    #[test]
    fn recall_comes_first_and_speed_second() {
        let one = |id: &str, right, speed| Probed {
            right,
            n: 10,
            length: 5,
            interval: wilson(right, 10),
            prefill_tokens_per_s: speed,
            method: id.to_owned(),
            ..refused(&MethodSpec::parse("full").expect("it is registered"), String::new())
        };
        let said = recommend(&[one("a", 9, 1.0), one("b", 10, 2.0), one("c", 10, 3.0), one("d", 1, 9.0)]);
        let said = said.expect("something was found");
        assert!(said.starts_with("c: 10 of 10") && said.ends_with("from a, b"), "{said}");
        assert!(recommend(&[one("a", 0, 1.0)]).is_none());
    }
}
