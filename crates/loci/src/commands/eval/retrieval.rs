//! `loci eval retrieval`: how well evidence is found.

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use loci_eval::datasets::long_bench_retrieval::{self as long_bench, PART_NAMES};
use loci_eval::datasets::long_mem_eval_retrieval::{self as long_mem_eval, Granularity, SUBSETS};
use loci_eval::datasets::retrieval::{Expansions, Retriever, Search, Source, found_table};
use loci_reading::expand;

use crate::error::CliError;
use crate::kit::KitArgs;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "long-mem-eval: sessions or rounds of each question are ranked, scored as the published scorer does. \
recall_all: all evidence is among the first k; recall_any: some is; nDCG with places 1 and 2 weighing the same. Questions that \
cannot be answered, and those whose evidence the user did not say, are left out and counted. Ranked rounds are scored as rounds \
and as the sessions they lead to. Files of the sample form (conversation) are measured by a protocol of our own: rounds of all \
records are one haystack, and what is sought are rounds of the question's record; that is not comparable with published figures.\n\n\
long-bench: the passages of each question's context are ranked; sought is the paragraph that the answer names \
(passage_retrieval), or passages that hold an answer string (questions over passages, and multifieldqa cut into passages of 100 \
words).\n\nExpansions of keys (--expand) are made by rule, not by a model, unless --expansions gives a file."
)]
pub(crate) struct RetrievalArgs {
    /// The data set.
    #[arg(value_enum)]
    data_set: Searched,
    /// Folder with data sets in their published formats.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Part of long-mem-eval: s and m have long histories, oracle the evidence alone; all pools files of the sample form
    /// [default: s].
    #[arg(long, value_name = "PART", value_parser = PossibleValuesParser::new(SUBSETS))]
    subset: Option<String>,
    /// What is ranked in long-mem-eval [default: round].
    #[arg(long, value_enum)]
    granularity: Option<Unit>,
    /// Tasks of long-bench [default: all that are in the folder].
    #[arg(long, value_name = "PART,PART,…", value_delimiter = ',', value_parser = PossibleValuesParser::new(PART_NAMES))]
    parts: Vec<String>,
    /// How many of the first count [default: 5,10 for long-mem-eval, 1,3,5,10 for long-bench].
    #[arg(long, value_delimiter = ',', value_name = "K,K,…", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: Vec<u32>,
    /// What ranks; several are compared with the first [default: bm25 for long-mem-eval, words for long-bench].
    #[arg(long, value_enum, value_name = "RETRIEVER,…", value_delimiter = ',')]
    by: Vec<By>,
    #[command(flatten)]
    kit: KitArgs,
    /// What keys are expanded by; several are compared with the first [default: none, and what --expansions gives].
    #[arg(long, value_enum, value_name = "EXPANSION,…", value_delimiter = ',')]
    expand: Vec<Expand>,
    /// How an expansion enters the index.
    #[arg(long, value_enum, value_name = "JOIN,…", value_delimiter = ',', default_value = "merge")]
    join: Vec<Join>,
    /// JSON lines with expansions made elsewhere, as by a model: key (a text, or its BLAKE3 hash) and expansion.
    #[arg(long, value_name = "FILE")]
    expansions: Option<PathBuf>,
    /// Leave out items whose expansion is empty, as the code published with LongMemEval does: for comparison only.
    #[arg(long)]
    official_empty: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Data sets that say what the evidence is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Searched {
    /// LongMemEval.
    LongMemEval,
    /// LongBench: passage retrieval, and questions over passages.
    LongBench,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Unit {
    /// Whole chats.
    Session,
    /// A message of the user and the reply.
    Round,
}

impl From<Unit> for Granularity {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Session => Self::Session,
            Unit::Round => Self::Round,
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum By {
    /// BM25 over pieces between spaces, as LongMemEval's scorer has it.
    Bm25,
    /// BM25 over words in lower case.
    Words,
    /// The inner product of an encoder's vectors.
    Meaning,
    /// bm25 and meaning, fused by ranks.
    Fused,
    /// words and meaning, fused by ranks.
    FusedWords,
}

impl From<By> for Retriever {
    fn from(by: By) -> Self {
        match by {
            By::Bm25 => Self::Bm25,
            By::Words => Self::Words,
            By::Meaning => Self::Meaning,
            By::Fused => Self::Fused,
            By::FusedWords => Self::FusedWords,
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Expand {
    /// Keys stay as they are.
    None,
    /// Sentences in which a user tells of himself, by rule (long-mem-eval).
    Facts,
    /// The ten most telling words by tf-idf, by rule.
    Keyphrases,
    /// The first line of a passage (long-bench).
    Title,
}

impl From<Expand> for Source {
    fn from(expand: Expand) -> Self {
        match expand {
            Expand::None => Self::None,
            Expand::Facts => Self::Facts,
            Expand::Keyphrases => Self::Keyphrases,
            Expand::Title => Self::Title,
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Join {
    /// In front of the key.
    Merge,
    /// As an entry of its own beside the key.
    Separate,
    /// In place of the key.
    Replace,
}

impl From<Join> for expand::Join {
    fn from(join: Join) -> Self {
        match join {
            Join::Merge => Self::Merge,
            Join::Separate => Self::Separate,
            Join::Replace => Self::Replace,
        }
    }
}

/// `given`, or `otherwise` where nothing was.
fn or<A: Copy + Into<B>, B>(given: &[A], otherwise: &[A]) -> Vec<B> {
    let chosen = if given.is_empty() { otherwise } else { given };
    chosen.iter().map(|one| (*one).into()).collect()
}

impl RetrievalArgs {
    /// What is compared.
    fn search(&self, default: By) -> Result<Search, CliError> {
        let by: Vec<Retriever> = or(&self.by, &[default]);
        let encoder = self.kit.encoder(by.iter().any(|by| by.needs_encoder()))?;
        let mut expand: Vec<Source> = or(&self.expand, &[Expand::None]);
        if let Some(path) = &self.expansions {
            expand.push(Source::Given(Arc::new(Expansions::open(path)?)));
        }
        let when_empty = match self.official_empty {
            true => expand::WhenEmpty::Drop,
            false => expand::WhenEmpty::Keep,
        };
        Ok(Search { by, encoder, expand, join: or(&self.join, &[Join::Merge]), when_empty })
    }

    fn top(&self, default: &[u32]) -> Vec<usize> {
        let top = if self.top.is_empty() { default } else { &self.top };
        top.iter().map(|k| *k as usize).collect()
    }
}

pub(crate) fn run(args: &RetrievalArgs) -> Result<(), CliError> {
    match args.data_set {
        Searched::LongMemEval => {
            if !args.parts.is_empty() {
                return Err(CliError::usage(
                    "--parts is for long-bench; a part of long-mem-eval is named with --subset",
                ));
            }
            let subset = args.subset.as_deref().unwrap_or("s");
            let granularity = args.granularity.unwrap_or(Unit::Round).into();
            let search = args.search(By::Bm25)?;
            let measured =
                long_mem_eval::measure(&args.data, subset, granularity, &args.top(&[5, 10]), &search)?;
            if args.json { print_json(&measured) } else { print(&long_mem_eval::table(&measured)) }
        }
        Searched::LongBench => {
            if args.subset.is_some() || args.granularity.is_some() {
                return Err(CliError::usage(
                    "--subset and --granularity are for long-mem-eval; tasks of long-bench are named with --parts",
                ));
            }
            let search = args.search(By::Words)?;
            let report = long_bench::measure(&args.data, &args.parts, &args.top(&[1, 3, 5, 10]), &search)?;
            if args.json { print_json(&report) } else { print(&found_table(&report)) }
        }
    }
}
