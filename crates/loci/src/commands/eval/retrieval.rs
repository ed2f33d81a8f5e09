//! `loci eval retrieval`: how well evidence is found.

use std::path::PathBuf;

use loci_eval::datasets::long_mem_eval_retrieval::{self as long_mem_eval, Granularity, SUBSETS};

use crate::error::CliError;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sessions or rounds of each question are ranked by BM25 (k1 1.5, b 0.75; pieces between spaces, as the \
published scorer cuts them). recall_all: all evidence is among the first k; recall_any: some is; nDCG with places 1 and 2 \
weighing the same. Questions that cannot be answered, and those whose evidence the user did not say, are left out and \
counted. Ranked rounds are scored as rounds and as the sessions they lead to."
)]
pub(crate) struct RetrievalArgs {
    /// The data set.
    #[arg(value_enum)]
    data_set: Searched,
    /// Folder with data sets in their published formats.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Part of the data set: s and m have long histories, oracle the evidence alone.
    #[arg(long, value_name = "PART", default_value = "s", value_parser = clap::builder::PossibleValuesParser::new(SUBSETS))]
    subset: String,
    /// What is ranked.
    #[arg(long, value_enum, default_value = "round")]
    granularity: Unit,
    /// How many of the first count.
    #[arg(long, value_delimiter = ',', value_name = "K,K,…", default_value = "5,10", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: Vec<u32>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Data sets that say what the evidence is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Searched {
    /// LongMemEval.
    LongMemEval,
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

pub(crate) fn run(args: &RetrievalArgs) -> Result<(), CliError> {
    let top: Vec<usize> = args.top.iter().map(|k| *k as usize).collect();
    let report = match args.data_set {
        Searched::LongMemEval => {
            long_mem_eval::measure(&args.data, &args.subset, args.granularity.into(), &top)?
        }
    };
    if args.json { print_json(&report) } else { print(&long_mem_eval::table(&report)) }
}
