//! `loci tokenize FILE`: the tokens of a text.

use std::path::PathBuf;

use loci_engine::documents;
use loci_models::tokenizer::SpecialTokens;
use serde::Serialize;

use crate::args::ModelArgs;
use crate::error::CliError;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File to cut into tokens; - is standard input.
    file: PathBuf,
    /// Print the number of tokens alone.
    #[arg(long, conflicts_with = "json")]
    count: bool,
    /// Print one JSON object with the token ids.
    #[arg(long)]
    json: bool,
    /// Take texts such as <|im_end|> for the special tokens of that name.
    #[arg(long)]
    special: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Serialize)]
struct Output {
    tokens: Vec<u32>,
    count: usize,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let document = documents::read(&args.file)?;
    let engine = args.model.open()?;
    let tokenizer = engine.tokenizer()?;
    let special = if args.special { SpecialTokens::Parse } else { SpecialTokens::AsText };
    let tokens = tokenizer
        .encode(&document.text, special, tokenizer.adds_bos())
        .map_err(loci_engine::EngineError::from)?;
    if args.count {
        return print(&format!("{}\n", tokens.len()));
    }
    if args.json {
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        return print_json(&Output { count: ids.len(), tokens: ids });
    }
    let mut text = String::new();
    for token in tokens {
        // A character may be several tokens; such a token is shown by its bytes' place alone.
        let shown = document.text.get(token.start..token.end).unwrap_or("");
        text.push_str(&format!("{}\t{}\t{}\t{shown:?}\n", token.id, token.start, token.end));
    }
    print(&text)
}
