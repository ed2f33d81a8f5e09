//! `loci inspect heads`: which heads copy facts from the context.

use std::path::PathBuf;

use clap::ValueEnum;
use loci_engine::inspect::copies::Mode;
use loci_engine::inspect::heads::{HeadsReport, HeadsRequest, measure};
use loci_engine::inspect::needles::Haystack;
use loci_engine::inspect::table::{THRESHOLD, keep};
use loci_engine::{Control, documents};
use loci_models::watch::Ablation;

use super::{write, write_both};
use crate::args::ModelArgs;
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "How: each probe hides a sentence (a code or a password of somebody) in plain text and asks for it. While \
the model answers, a head copies a token when it looks most at the place in that sentence where the token stands; its score \
is the share of the answer's tokens that it copied. Only probes that are answered count. Scores are kept for the model's \
file, and `loci ask` then weighs its evidence by the heads that score 0.1 or more."
)]
pub(super) struct Args {
    /// Tokens of the probes.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [256, 512, 1024, 2048])]
    lengths: Vec<usize>,
    /// Where needles stand, in percent of the text.
    #[arg(long, value_name = "PERCENT,…", value_delimiter = ',', default_values_t = [10.0, 30.0, 50.0, 70.0, 90.0])]
    depths: Vec<f64>,
    /// Needles for each length and depth.
    #[arg(long, value_name = "N", default_value_t = 4)]
    probes: usize,
    /// Decides needles, text and the random heads: same seed, same probes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How copies are counted.
    #[arg(long, value_enum, default_value = "paper")]
    mode: WhichMode,
    /// Hide the needles in this text instead of made-up sentences.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Ask again with the K best heads switched off, and with K random others.
    #[arg(long, value_name = "K")]
    mask: Option<usize>,
    /// How heads are switched off: they average what they see, or give nothing.
    #[arg(long, value_enum, default_value = "zero-query", requires = "mask")]
    ablation: WhichAblation,
    /// Write heads.json and heads.svg into this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write the scores of kv heads as a gate file, for --heads of other commands.
    #[arg(long, value_name = "FILE.tsv")]
    gates: Option<PathBuf>,
    /// Do not keep the scores for `loci ask`.
    #[arg(long)]
    no_keep: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhichMode {
    /// Each token of the answer once: at most 1.
    Paper,
    /// Each copy, as the published code counts: repetitions add up.
    Official,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhichAblation {
    ZeroQuery,
    ZeroOutput,
}

impl Args {
    fn request(&self) -> Result<HeadsRequest, CliError> {
        Ok(HeadsRequest {
            lengths: self.lengths.clone(),
            depths: self.depths.clone(),
            probes: self.probes,
            seed: self.seed,
            mode: match self.mode {
                WhichMode::Paper => Mode::Paper,
                WhichMode::Official => Mode::Official,
            },
            haystack: match &self.text {
                Some(path) => Haystack::of_text(&documents::read(path)?.text)?,
                None => Haystack::default(),
            },
            mask: self.mask.map(|count| {
                let ablation = match self.ablation {
                    WhichAblation::ZeroQuery => Ablation::ZeroQuery,
                    WhichAblation::ZeroOutput => Ablation::ZeroOutput,
                };
                (count, ablation)
            }),
            threshold: THRESHOLD,
        })
    }

    /// The command again, without files: what made a table.
    fn made_by(&self) -> String {
        let list = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let lengths: Vec<String> = self.lengths.iter().map(usize::to_string).collect();
        let mode = if matches!(self.mode, WhichMode::Paper) { "paper" } else { "official" };
        let text = if self.text.is_some() { " --text FILE" } else { "" };
        format!(
            "loci inspect heads --lengths {} --depths {} --probes {} --seed {} --mode {mode}{text}",
            lengths.join(","),
            list(&self.depths),
            self.probes,
            self.seed
        )
    }
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let request = args.request()?;
    let engine = args.model.open()?;
    let mut bar = ui.reading("asking");
    let mut update = |progress| bar.update(progress);
    let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let report = measure(&engine, &request, &mut control)?;
    let table = report.table(&args.made_by());
    if !args.no_keep {
        match keep(&engine, &table)? {
            Some(path) => ui.say(&format!("kept in {}", path.display())),
            None => ui.say("not kept: the model is in no file, or there is no folder for caches"),
        }
    }
    if let Some(path) = &args.gates {
        write(ui, path, &table.gates(engine.model().shape()))?;
    }
    if let Some(folder) = &args.out {
        write_both(ui, folder, "heads", &report, &report.figure())?;
    }
    if args.json { print_json(&report) } else { print(&shown(&report)) }
}

/// The report for people.
fn shown(report: &HeadsReport) -> String {
    const ROWS: usize = 20;
    let heads: usize = report.scores.iter().map(Vec::len).sum();
    let mut text = format!("{} of {} probes answered", report.accepted, report.total);
    for (length, accepted, total) in &report.by_length {
        text.push_str(&format!("; {accepted}/{total} of {length} tokens"));
    }
    text.push_str(&format!(
        "\n{} of {heads} heads score {} or more\n\nlayer head  score  copied in\n",
        report.retrieval_heads.len(),
        report.threshold
    ));
    for head in report.ranked().iter().take(ROWS).filter(|head| head.score > 0.0) {
        let often = 100.0 * head.frequency;
        text.push_str(&format!(
            "{:5} {:4}  {:.3}  {often:4.0}% of probes\n",
            head.layer, head.head, head.score
        ));
    }
    if let Some(masking) = &report.masking {
        text.push_str(&format!(
            "\nrecall of the answer, {} probes, {}:\n  all heads {:.3}\n  without the best {} {:.3}\n  without {} random others {:.3}\n",
            masking.probes,
            masking.ablation,
            masking.recall,
            masking.heads,
            masking.recall_without_top,
            masking.heads,
            masking.recall_without_random
        ));
    }
    text
}
