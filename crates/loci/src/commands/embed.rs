//! `loci embed TEXT…`: the vectors of texts.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use loci_engine::Embedder;
use loci_engine::embedder::{EncoderError, LongTexts};
use loci_engine::error::EngineError;
use loci_engine::model_store::{DEFAULT_ENCODER, resolve};
use serde::Serialize;

use crate::args::pool;
use crate::error::CliError;
use crate::ui::print_json;

/// Texts whose vectors are computed and printed together, so that a long file does not wait for its end.
const TOGETHER: usize = 64;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Texts.
    #[arg(required_unless_present = "file", value_name = "TEXT")]
    texts: Vec<String>,
    /// File with a text a line; - is standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with = "texts")]
    file: Option<PathBuf>,
    /// Read a text that is too long in windows and average their vectors by tokens, instead of refusing it.
    #[arg(long)]
    windows: bool,
    /// A sentence encoder: a name of the catalogue (see `loci pull --list`), or a folder as sentence-transformers writes it.
    #[arg(short, long, value_name = "MODEL", default_value = DEFAULT_ENCODER)]
    model: String,
    /// Threads that compute [default: all processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    /// Which text, from 0.
    index: usize,
    text: &'a str,
    /// Tokens read, with those that stand around the text or each of its windows.
    tokens: usize,
    windows: usize,
    embedding: Vec<f32>,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let lines: Box<dyn Iterator<Item = Result<String, CliError>>> = match &args.file {
        None => Box::new(args.texts.iter().cloned().map(Ok)),
        Some(path) => lines(path)?,
    };
    let embedder = Embedder::open(&resolve(&args.model)?, &args.model, pool(args.threads)?)?;
    let long = if args.windows { LongTexts::Windows } else { LongTexts::Refuse };
    let mut first = 0;
    let mut lines = lines.peekable();
    while lines.peek().is_some() {
        let texts = lines.by_ref().take(TOGETHER).collect::<Result<Vec<_>, _>>()?;
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embeddings = embedder.embed(&borrowed, long).map_err(|error| explain(error, first))?;
        for (offset, (text, embedding)) in borrowed.iter().zip(embeddings).enumerate() {
            print_json(&Line {
                index: first + offset,
                text,
                tokens: embedding.tokens,
                windows: embedding.windows,
                embedding: embedding.vector,
            })?;
        }
        first += texts.len();
    }
    Ok(())
}

/// The lines of a file, read as they are needed.
fn lines(path: &Path) -> Result<Box<dyn Iterator<Item = Result<String, CliError>>>, CliError> {
    let standard_input = path == Path::new("-");
    let reader: Box<dyn BufRead> = match standard_input {
        true => Box::new(std::io::stdin().lock()),
        false => {
            let wrong = |error| CliError::failed(format!("{}: cannot be read: {error}", path.display()));
            Box::new(BufReader::new(std::fs::File::open(path).map_err(wrong)?))
        }
    };
    let name = if standard_input { "standard input".to_owned() } else { path.display().to_string() };
    Ok(Box::new(reader.lines().enumerate().map(move |(number, line)| {
        line.map_err(|error| CliError::failed(format!("{name}, line {}: {error}", number + 1)))
    })))
}

/// Texts before `first` were printed already; an index counts from the first of all, and the way out is a flag here.
fn explain(error: EngineError, first: usize) -> CliError {
    match error {
        EngineError::Encoder(EncoderError::TooLong { index, tokens, limit }) => CliError::failed(format!(
            "text {} has {tokens} tokens, more than the {limit} that the encoder reads at once; cut it, or add --windows \
             to have it read in windows whose vectors are averaged",
            first + index
        )),
        EngineError::Encoder(EncoderError::Tokenizer { index, source }) => {
            CliError::failed(EncoderError::Tokenizer { index: first + index, source })
        }
        EngineError::Encoder(EncoderError::NotFinite { index }) => {
            CliError::failed(EncoderError::NotFinite { index: first + index })
        }
        other => other.into(),
    }
}
