//! `loci bench`: reading and writing speed of methods at several lengths.

mod each;
mod flat;
mod memory;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loci_context::MethodSpec;
use loci_engine::layout::Prompt;
use loci_engine::session::{Session, per_second};
use loci_engine::shorten::shorten;
use loci_engine::{ContextOptions, ContextPlan, Control, Engine, EngineError};
use loci_kernels::tiles::RowType;
use loci_models::sampling::{Sampler, SamplerConfig};
use serde::{Deserialize, Serialize};

use crate::args::{Kv, ModelArgs, PartArgs, draft, methods};
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tokens per second while reading, and while writing after it.
    Speed(SpeedArgs),
    /// Whether writing stays as fast after long prompts as after short ones.
    Flat(flat::Args),
    /// How fast a large memory remembers and finds.
    Memory(memory::Args),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every measurement starts from an empty memory on the loaded model and reads pseudo-random \
tokens, the same ones each time, in chunks as `ask` does, the last 32 as a question and the last token alone. Writing feeds \
back the most probable token and never stops early. Shown are medians; ratios are to the first method at the same length. \
Rows are the bytes of keys and values once the prompt was read; peak is the largest resident size of the process while it \
read and wrote, the model included. Several methods are measured in a process each, one after the other, so that none sees \
what another left in memory."
)]
struct SpeedArgs {
    /// Prompt lengths in tokens.
    #[arg(long, value_delimiter = ',', default_value = "512,2048,8192", value_name = "N,N,…")]
    lengths: Vec<usize>,
    /// Methods, with parameters if wanted: full,inf-llm:window=2048,top_k=16,window; or all.
    #[arg(long, default_value = "full,inf-llm", value_name = "METHOD,METHOD,…")]
    methods: String,
    /// Measurements of each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
    /// Tokens written after each read; 0 for none.
    #[arg(long, default_value_t = 32)]
    decode: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// What the memories of all measurements have in common.
#[derive(Debug, clap::Args)]
struct MemoryArgs {
    #[command(flatten)]
    parts: PartArgs,
    /// Number format of keys and values.
    #[arg(long, value_enum, default_value = "i8")]
    kv: Kv,
    /// RAM for everything that grows with the input, such as 256MiB.
    #[arg(long, value_name = "SIZE", value_parser = loci_engine::size::parse_bytes)]
    budget: Option<usize>,
    /// Scores of the model's kv heads, for duo-attention: a gate file, as `loci inspect heads --gates` writes one.
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Who drafts, for methods that need a draft: a smaller model, or self [default: the model's first layers].
    #[arg(long, value_name = "MODEL")]
    draft: Option<String>,
}

impl MemoryArgs {
    fn context(&self, engine: &Arc<Engine>) -> Result<ContextOptions, CliError> {
        Ok(ContextOptions {
            row_type: self.kv.into(),
            budget: self.budget,
            heads: self.heads.clone(),
            draft: draft(self.draft.as_deref(), engine)?,
            ..ContextOptions::default()
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Output {
    model: String,
    threads: usize,
    isa: String,
    /// Number format of keys and values where a method names no own.
    kv: String,
    /// How long loading the model took, in the first process.
    load_seconds: f64,
    results: Vec<Measured>,
}

/// All repeats of one method at one length.
#[derive(Serialize, Deserialize)]
struct Measured {
    method: String,
    requested: String,
    /// Number format of keys and values.
    kv: String,
    length: usize,
    prefill_tokens_per_s: Vec<f64>,
    decode_tokens: usize,
    decode_tokens_per_s: Vec<f64>,
    /// Keys and values, once the prompt was read.
    row_bytes: usize,
    /// Everything that grows with the input, once the prompt was read.
    memory_bytes: usize,
    /// Largest resident size of the process while it read and wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak_rss_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    match &args.what {
        What::Speed(args) => speed(args, ui),
        What::Flat(args) => flat::run(args, ui),
        What::Memory(args) => memory::run(args, ui),
    }
}

fn speed(args: &SpeedArgs, ui: &Ui) -> Result<(), CliError> {
    let specs = methods(&args.methods, &args.memory.parts)?;
    if specs.is_empty() || args.lengths.is_empty() || args.lengths.contains(&0) {
        return Err(CliError::usage("give at least one method and lengths of at least 1"));
    }
    let output = match specs.as_slice() {
        [(text, spec)] => alone(args, text, spec, ui)?,
        several => each::measure(args, several, ui)?,
    };
    if args.json { print_json(&output) } else { print(&table(&output)) }
}

/// Measures one method, in this process.
fn alone(args: &SpeedArgs, text: &str, spec: &MethodSpec, ui: &Ui) -> Result<Output, CliError> {
    let started = Instant::now();
    let engine = args.model.open()?;
    let load_seconds = started.elapsed().as_secs_f64();
    let context = args.memory.context(&engine)?.for_method(spec.clone());
    let mut results = Vec::new();
    for &length in &args.lengths {
        ui.say(&format!("{text}, {length} tokens"));
        results.push(measure(&engine, args, text, &context, length)?);
    }
    Ok(Output {
        model: engine.name().to_owned(),
        threads: engine.pool().threads(),
        isa: engine.isa().name().to_owned(),
        kv: RowType::from(args.memory.kv).name().to_owned(),
        load_seconds,
        results,
    })
}

fn measure(
    engine: &Arc<Engine>,
    args: &SpeedArgs,
    requested: &str,
    options: &ContextOptions,
    length: usize,
) -> Result<Measured, CliError> {
    let mut measured = Measured {
        method: options.method.as_ref().map(MethodSpec::to_string).unwrap_or_default(),
        requested: requested.to_owned(),
        kv: options.rows().name().to_owned(),
        length,
        prefill_tokens_per_s: Vec::new(),
        decode_tokens: args.decode,
        decode_tokens_per_s: Vec::new(),
        row_bytes: 0,
        memory_bytes: 0,
        peak_rss_bytes: None,
        error: None,
    };
    let tokens = pseudo_random(engine.model().config().vocab, length);
    for _ in 0..args.repeats {
        match once(engine, args, options, &tokens) {
            Ok(round) => {
                measured.prefill_tokens_per_s.push(per_second(length, round.prefill));
                if args.decode > 0 {
                    measured.decode_tokens_per_s.push(per_second(args.decode, round.decode));
                }
                measured.row_bytes = round.row_bytes;
                measured.memory_bytes = round.memory_bytes;
                measured.peak_rss_bytes = measured.peak_rss_bytes.max(round.peak_rss_bytes);
            }
            Err(error @ EngineError::Interrupted { .. }) => return Err(error.into()),
            // A method that refuses a length is a result, not the end of the measurement.
            Err(error) => {
                measured.error = Some(error.to_string());
                measured.prefill_tokens_per_s.clear();
                measured.decode_tokens_per_s.clear();
                break;
            }
        }
    }
    Ok(measured)
}

struct Round {
    prefill: Duration,
    decode: Duration,
    row_bytes: usize,
    memory_bytes: usize,
    peak_rss_bytes: Option<u64>,
}

/// Tokens at the end of the prompt that ask about those before.
const QUESTION: usize = 32;

fn once(
    engine: &Arc<Engine>,
    args: &SpeedArgs,
    options: &ContextOptions,
    tokens: &[u32],
) -> Result<Round, EngineError> {
    let mut control = Control { stop: Some(stop_flag()), progress: None };
    // What was allocated for earlier methods may still be resident: then their peak is not this one's.
    let anew = loci_engine::system::restart_peak();
    let (mut session, prefill) = read(engine, options, tokens, args.decode, &mut control)?;
    let (row_bytes, memory_bytes) = (session.row_bytes(), session.memory_bytes());
    let mut sampler = Sampler::new(SamplerConfig::default())?;
    let started = Instant::now();
    write(&mut session, &mut sampler, args.decode, &control)?;
    let decode = started.elapsed();
    let peak_rss_bytes = loci_engine::system::peak_resident_bytes().filter(|_| anew);
    Ok(Round { prefill, decode, row_bytes, memory_bytes, peak_rss_bytes })
}

/// A session that has read `tokens` as a prompt, with room for `decode` more, and how long reading took.
fn read(
    engine: &Arc<Engine>,
    options: &ContextOptions,
    tokens: &[u32],
    decode: usize,
    control: &mut Control<'_>,
) -> Result<(Session, Duration), EngineError> {
    let plan: ContextPlan = options.plan(engine, tokens.len(), decode)?;
    let mut session = options.session(engine, &plan)?;
    let started = Instant::now();
    let prompt = shorten(engine, Prompt::of_tokens(tokens.to_vec()), options, &plan, control)?;
    // The question's last token is left for `read`, which makes the logits that writing begins with.
    let question = prompt.tokens.len().saturating_sub(QUESTION);
    let (before, last) = prompt.tokens.split_at(prompt.tokens.len().saturating_sub(1));
    session.read_context(before, question.min(before.len()), control)?;
    session.read(last, control)?;
    Ok((session, started.elapsed()))
}

/// Writes `count` tokens.
fn write(
    session: &mut Session,
    sampler: &mut Sampler,
    count: usize,
    control: &Control<'_>,
) -> Result<(), EngineError> {
    for done in 0..count {
        if control.stopped() {
            return Err(EngineError::Interrupted { done, total: count });
        }
        let token = session.draw(sampler)?;
        session.step(token)?;
    }
    Ok(())
}

/// Token ids below `vocab` from a linear congruential generator: speed does not depend on what they say.
fn pseudo_random(vocab: usize, length: usize) -> Vec<u32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((state >> 33) % vocab.max(1) as u64).unwrap_or(0)
        })
        .collect()
}

fn table(output: &Output) -> String {
    let mut text = format!(
        "{}, {} threads, {}, keys and values in {}; medians, tokens/s (ratio to the first method)\n",
        output.model,
        output.threads,
        output.isa,
        formats(&output.results)
    );
    let width = output.results.iter().map(|result| result.requested.len()).max().unwrap_or(0);
    let mut first: Option<&Measured> = None;
    for result in &output.results {
        if first.is_none_or(|first| first.length != result.length) {
            first = Some(result);
        }
        text.push_str(&format!("{:>8}  {:width$}  ", result.length, result.requested));
        match &result.error {
            Some(error) => text.push_str(&format!("refused: {error}\n")),
            None => text.push_str(&format!(
                "prefill {}  decode {}  rows {}  memory {}  peak {}\n",
                cell(&result.prefill_tokens_per_s, first.map(|first| first.prefill_tokens_per_s.as_slice())),
                cell(&result.decode_tokens_per_s, first.map(|first| first.decode_tokens_per_s.as_slice())),
                loci_engine::size::show_bytes(result.row_bytes as u64),
                loci_engine::size::show_bytes(result.memory_bytes as u64),
                result.peak_rss_bytes.map_or_else(|| "unknown".to_owned(), loci_engine::size::show_bytes),
            )),
        }
    }
    text
}

/// The number formats that were measured: behind a method's name where it has one of its own.
fn formats(results: &[Measured]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for result in results {
        if !names.contains(&result.kv.as_str()) {
            names.push(&result.kv);
        }
    }
    names.join(" and ")
}

fn cell(values: &[f64], first: Option<&[f64]>) -> String {
    let Some(own) = median(values) else { return format!("{:>15}", "-") };
    let ratio = first.and_then(median).filter(|base| *base > 0.0).map(|base| own / base);
    format!("{own:>8.1} ({})", ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}x")))
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        Some(upper)
    } else {
        Some((sorted.get(middle.checked_sub(1)?)? + upper) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn tokens_are_the_same_each_time_and_in_the_vocabulary() {
        let tokens = pseudo_random(100, 1000);
        assert_eq!(tokens, pseudo_random(100, 1000));
        assert!(tokens.iter().all(|token| *token < 100));
        assert!(tokens.iter().collect::<std::collections::BTreeSet<_>>().len() > 90);
    }
}
