//! `loci run -p TEXT`: continues a prompt.

use std::sync::Arc;

use loci_engine::{Control, EngineError, LanguageModel, LocalModel};
use loci_models::template::Message;
use serde::Serialize;

use crate::args::{ContextArgs, ModelArgs};
use crate::error::CliError;
use crate::sampling::SamplingArgs;
use crate::ui::{Ui, print, print_json, stop_flag, stream};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to continue or answer.
    #[arg(short, long, value_name = "TEXT")]
    prompt: String,
    /// A system message.
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the plain text, without the model's chat template.
    #[arg(long)]
    raw: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

#[derive(Serialize)]
struct Output<'a> {
    text: &'a str,
    tokens: &'a [u32],
    finish: loci_engine::Finish,
    tokens_per_s: f64,
    model: &'a str,
    seed: u64,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let context = args.context.options()?;
    let mut options = args.sampling.options(0.0)?;
    if args.prompt.is_empty() {
        return Err(EngineError::Nothing { what: "the prompt".to_owned(), purpose: "continue" }.into());
    }
    let (engine, context) = args.context.open(context, &args.model)?;
    args.sampling.hold(&mut options, &engine)?;
    let templated = !args.raw && engine.chat_template().is_some();
    let mut model = LocalModel::new(Arc::clone(&engine), context);
    let mut bar = ui.reading("reading");
    let mut update = |progress| bar.update(progress);
    let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let mut failure = None;
    let generation = {
        let mut silent = |_: &str| std::ops::ControlFlow::Continue(());
        let mut streaming = stream(&mut failure);
        let on_text: &mut loci_engine::generate::OnText<'_> =
            if args.json { &mut silent } else { &mut streaming };
        if templated {
            let mut messages: Vec<Message> =
                args.system.iter().map(|text| Message::new("system", text.as_str())).collect();
            messages.push(Message::new("user", args.prompt.as_str()));
            model.chat(&messages, &options, &mut control, on_text)?
        } else {
            if args.system.is_some() {
                return Err(CliError::usage("this model has no chat template for --system; leave it out"));
            }
            model.generate(&args.prompt, &options, &mut control, on_text)?
        }
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    if args.json {
        return print_json(&Output {
            text: &generation.text,
            tokens: &generation.tokens,
            finish: generation.finish,
            tokens_per_s: generation.tokens_per_second(),
            model: engine.name(),
            seed: options.sampler.seed,
        });
    }
    print("\n")?;
    if generation.finish == loci_engine::Finish::Interrupted {
        return Err(CliError::Interrupted("stopped".to_owned()));
    }
    Ok(())
}
