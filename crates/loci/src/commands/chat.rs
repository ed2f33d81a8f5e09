//! `loci chat`: a conversation on the terminal.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use loci_engine::{Control, Conversation, Finish, LanguageModel, LocalModel};

use crate::args::{ContextArgs, ModelArgs};
use crate::error::CliError;
use crate::sampling::SamplingArgs;
use crate::ui::{Ui, print, stop_flag, stream, while_waiting};

/// How varied answers are unless told otherwise: a little, as the authors of small models advise for talking.
const TEMPERATURE: f32 = 0.2;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A system message [default: what the model's template says].
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let context = args.context.options()?;
    let mut options = args.sampling.options(TEMPERATURE)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    args.sampling.hold(&mut options, &engine)?;
    let mut model = LocalModel::new(Arc::clone(&engine), context);
    let mut conversation = Conversation::new(args.system.as_deref());
    let typed = std::io::stdin().is_terminal();
    ui.say(&format!("{}; /clear forgets the conversation, /quit or the end of input leaves", model.name()));
    let mut line = String::new();
    loop {
        if typed {
            print("> ")?;
        }
        line.clear();
        if while_waiting(|| std::io::stdin().lock().read_line(&mut line))? == 0 {
            return if typed { print("\n") } else { Ok(()) };
        }
        match line.trim() {
            "" => continue,
            "/quit" => return Ok(()),
            "/clear" => {
                conversation.clear();
                continue;
            }
            text => {
                let mut bar = ui.reading("reading");
                let mut update = |progress| bar.update(progress);
                let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
                let mut failure = None;
                let turn =
                    conversation.turn(&mut model, text, &options, &mut control, &mut stream(&mut failure));
                if let Some(failure) = failure {
                    return Err(failure);
                }
                match turn {
                    Ok(generation) => {
                        print("\n")?;
                        if generation.finish == Finish::Length {
                            ui.say("(cut at the limit of tokens; -n sets a higher one)");
                        }
                    }
                    // The reading of the turn was stopped; the conversation is as it was before.
                    Err(loci_engine::EngineError::Interrupted { .. }) => ui.say("(stopped)"),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if let Some(report) = model.report() {
            ui.say(&format!(
                "({} tokens in the context: {} exact, {} compressed, {} dropped, {} skipped)",
                report.given, report.kept, report.compressed, report.dropped, report.skipped
            ));
        }
    }
}
