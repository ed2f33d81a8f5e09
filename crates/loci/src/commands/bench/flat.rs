//! `loci bench flat`: writing speed by the length of what was read.

use std::time::Instant;

use loci_engine::session::per_second;
use loci_engine::{Control, EngineError};
use loci_models::sampling::{Sampler, SamplerConfig};
use serde::Serialize;

use super::{MemoryArgs, median, pseudo_random, read, write};
use crate::args::{ModelArgs, methods};
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "All prompts (pseudo-random tokens) are read first and held at the same time; then tokens are written after \
each of them in turn, a few at a time, so that whatever else the machine does slows all lengths alike. Shown are medians over \
the turns; ratios are to the first length, turn by turn."
)]
pub(crate) struct Args {
    /// Prompt lengths in tokens.
    #[arg(long, value_delimiter = ',', default_value = "4000,32000", value_name = "N,N,…")]
    lengths: Vec<usize>,
    /// The method, with parameters if wanted.
    #[arg(long, default_value = "inf-llm")]
    method: String,
    /// Tokens written after each prompt in each turn; the first one, after which the caches hold the right rows, does not count.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(2..))]
    tokens: u16,
    /// Turns that count; one more is written before them.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    turns: u16,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Serialize)]
struct Output<'a> {
    model: &'a str,
    threads: usize,
    isa: &'static str,
    kv: &'static str,
    method: String,
    tokens_a_turn: u16,
    results: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    length: usize,
    /// One number a turn.
    decode_tokens_per_s: Vec<f64>,
    /// To the first length in the same turn; median.
    ratio: f64,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let specs = methods(&args.method, &args.memory.parts)?;
    let [(_, spec)] = specs.as_slice() else { return Err(CliError::usage("give one method")) };
    if args.lengths.is_empty() || args.lengths.contains(&0) {
        return Err(CliError::usage("give lengths of at least 1"));
    }
    let engine = args.model.open()?;
    let options = args.memory.context(&engine)?.for_method(spec.clone());
    let (count, turns) = (usize::from(args.tokens), usize::from(args.turns));
    let mut control = Control { stop: Some(stop_flag()), progress: None };
    let mut sessions = Vec::new();
    for &length in &args.lengths {
        ui.say(&format!("{spec}, {length} tokens"));
        let tokens = pseudo_random(engine.model().config().vocab, length);
        sessions.push(read(&engine, &options, &tokens, (turns + 1) * count, &mut control)?.0);
    }
    let mut sampler = Sampler::new(SamplerConfig::default()).map_err(EngineError::from)?;
    let mut speeds = vec![Vec::with_capacity(turns); sessions.len()];
    for turn in 0..=turns {
        for (session, speeds) in sessions.iter_mut().zip(&mut speeds) {
            // The caches hold what the session before this one read.
            write(session, &mut sampler, 1, &control)?;
            let started = Instant::now();
            write(session, &mut sampler, count - 1, &control)?;
            if turn > 0 {
                speeds.push(per_second(count - 1, started.elapsed()));
            }
        }
    }
    let base = speeds.first().cloned().unwrap_or_default();
    let results = args.lengths.iter().zip(speeds).map(|(&length, decode_tokens_per_s)| {
        let ratios: Vec<f64> = decode_tokens_per_s.iter().zip(&base).map(|(own, base)| own / base).collect();
        Measured { length, ratio: median(&ratios).unwrap_or(0.0), decode_tokens_per_s }
    });
    let output = Output {
        model: engine.name(),
        threads: engine.pool().threads(),
        isa: engine.isa().name(),
        kv: options.rows().name(),
        method: spec.to_string(),
        tokens_a_turn: args.tokens,
        results: results.collect(),
    };
    if args.json { print_json(&output) } else { print(&table(&output)) }
}

fn table(output: &Output<'_>) -> String {
    let mut text = format!(
        "{}, {}, {} threads, {}, keys and values in {}; medians, tokens/s (ratio to the first length)\n",
        output.model, output.method, output.threads, output.isa, output.kv
    );
    for result in &output.results {
        let speed = median(&result.decode_tokens_per_s).unwrap_or(0.0);
        text.push_str(&format!("{:>8}  decode {speed:>8.1} ({:.2}x)\n", result.length, result.ratio));
    }
    text
}
