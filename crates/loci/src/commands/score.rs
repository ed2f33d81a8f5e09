//! `loci score FILE`: how well a model predicts a text.

use std::path::PathBuf;
use std::sync::Arc;

use loci_engine::divergence::{Divergence, DivergenceOptions, divergence};
use loci_engine::documents;
use loci_engine::score::{ScoreOptions, score};
use loci_engine::{Control, Engine};
use serde::Serialize;

use crate::args::{ContextArgs, ModelArgs, method};
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is scored: the text becomes tokens once (with a beginning token only if the model's \
own setting adds one). With --n-ctx N it is cut into windows of N tokens without overlap, the last one shorter, \
and each is read from an empty memory; without it, the text is one window. In each window every token from position \
--from on is scored given all tokens before it in the window; the first has none before it and is never scored. \
nll is the mean negative log-likelihood in nats, perplexity its exponential. To compare with llama-perplexity -c N, \
which scores the second half of each whole window: --n-ctx N --from N/2+1, on a text of whole windows.\n\n\
With --against METHOD the text is read with both methods, its first --prompt-tokens tokens as a prompt, at whose end \
methods may drop what was not looked at, and the others token by token. Shown is the mean Kullback-Leibler divergence of \
the method's distributions from the other's, KL(other || method) over the whole vocabulary, in nats a token."
)]
pub(crate) struct Args {
    /// File to score; - is standard input.
    file: PathBuf,
    /// Cut the text into windows of N tokens.
    #[arg(long, value_name = "N", value_parser = positive)]
    n_ctx: Option<usize>,
    /// First position of each window that is scored.
    #[arg(long, value_name = "POSITION", default_value_t = 1)]
    from: usize,
    /// Read at most N tokens of the text.
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<usize>,
    /// Compare next-token distributions with those of another method, such as full.
    #[arg(long, value_name = "METHOD", requires = "prompt_tokens", conflicts_with_all = ["n_ctx", "from", "per_token"])]
    against: Option<String>,
    /// Tokens that are read as a prompt before anything is compared.
    #[arg(long, value_name = "N", value_parser = positive, requires = "against")]
    prompt_tokens: Option<usize>,
    /// Show every token.
    #[arg(long)]
    per_token: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    score: &'a loci_engine::score::Score,
    kv: &'static str,
}

#[derive(Serialize)]
struct Compared<'a> {
    #[serde(flatten)]
    divergence: &'a Divergence,
    kv: &'static str,
}

fn compare(
    engine: &Arc<Engine>,
    text: &str,
    options: &DivergenceOptions,
    json: bool,
    ui: &Ui,
) -> Result<(), CliError> {
    let mut bar = ui.reading("reading");
    let mut update = |progress| bar.update(progress);
    let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let found = divergence(engine, text, options, &mut control)?;
    let kv = options.context.rows().name();
    if json {
        return print_json(&Compared { divergence: &found, kv });
    }
    ui.say(&format!("method {}, against {}, keys and values in {kv}", found.method, found.against));
    print(&format!(
        "prompt {}\nscored {}\nkl {:.5} ± {:.5}\nsame first token {:.3}\nnll {:.5}\nnll against {:.5}\n",
        found.prompt_tokens,
        found.scored,
        found.kl,
        found.kl_standard_error,
        found.same_first,
        found.nll,
        found.nll_against
    ))
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let context = args.context.options()?;
    let document = documents::read(&args.file)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    let kv = context.rows().name();
    if let (Some(other), Some(prompt_tokens)) = (&args.against, args.prompt_tokens) {
        let against = method(other)?;
        let options = DivergenceOptions { context, against, prompt_tokens, limit: args.limit };
        return compare(&engine, &document.text, &options, args.json, ui);
    }
    let options = ScoreOptions { context, n_ctx: args.n_ctx, from: args.from, limit: args.limit };
    let mut bar = ui.reading("scoring");
    let mut update = |progress| bar.update(progress);
    let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let mut result = score(&engine, &document.text, &options, &mut control)?;
    let tokens = if args.per_token { result.per_token.take() } else { None };
    result.per_token = if args.json { tokens.clone() } else { None };
    if args.json {
        return print_json(&Output { score: &result, kv });
    }
    let mut text = String::new();
    for token in tokens.iter().flatten() {
        let nll = token.nll.map_or("-".to_owned(), |nll| format!("{nll:.4}"));
        let bytes = token.start..token.end;
        let shown = document.text.get(bytes.clone()).unwrap_or("");
        text.push_str(&format!("{}\t{}\t{}\t{nll}\t{shown:?}\n", token.id, bytes.start, bytes.end));
    }
    text.push_str(&format!(
        "tokens {}\nscored {}\nnll {:.5} ± {:.5}\nperplexity {:.4}\n",
        result.tokens, result.scored, result.nll, result.nll_standard_error, result.perplexity
    ));
    ui.say(&format!(
        "method {}, keys and values in {kv}, {:.0} tokens/s",
        result.method, result.tokens_per_s
    ));
    print(&text)
}
