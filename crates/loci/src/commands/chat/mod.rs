//! `loci chat`: a conversation on the terminal.

mod memory;

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use loci_engine::{Control, Conversation, Finish, GenerateOptions, LanguageModel, LocalModel};

use self::memory::{Companion, MemoryArgs};
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
    #[command(flatten)]
    memory: MemoryArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let context = args.context.options()?;
    let mut options = args.sampling.options(TEMPERATURE)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    args.sampling.hold(&mut options, &engine)?;
    let mut talk = Talk {
        model: LocalModel::new(Arc::clone(&engine), context),
        conversation: Conversation::new(args.system.as_deref()),
        companion: args.memory.open(&engine)?,
        options,
        ui,
    };
    let typed = std::io::stdin().is_terminal();
    let forget = if talk.companion.is_some() { ", /forget WORDS what is remembered" } else { "" };
    let name = talk.model.name();
    ui.say(&format!("{name}; /clear forgets the conversation{forget}, /quit or the end of input leaves"));
    let mut line = String::new();
    loop {
        if typed {
            print("> ")?;
        }
        line.clear();
        let mut wait = || while_waiting(|| std::io::stdin().lock().read_line(&mut line));
        let read = match &mut talk.companion {
            Some(companion) => companion.meanwhile(wait, ui),
            None => wait(),
        };
        if read? == 0 {
            return if typed { print("\n") } else { Ok(()) };
        }
        match line.trim() {
            "" => {}
            "/quit" => return Ok(()),
            "/clear" => talk.conversation.clear(),
            text if text == "/forget" || text.starts_with("/forget ") => {
                talk.forget(text.trim_start_matches("/forget").trim())?;
            }
            text => talk.turn(text)?,
        }
    }
}

/// A conversation that is going on.
struct Talk<'u> {
    model: LocalModel,
    conversation: Conversation,
    companion: Option<Companion>,
    options: GenerateOptions,
    ui: &'u Ui,
}

impl Talk<'_> {
    /// What the user says, and what the model answers.
    fn turn(&mut self, text: &str) -> Result<(), CliError> {
        let Self { model, conversation, companion, options, ui } = self;
        let reminded = companion.as_mut().map(|companion| companion.hear(text, ui)).transpose()?;
        let text = reminded.as_deref().unwrap_or(text);
        let mut bar = ui.reading("reading");
        let mut update = |progress| bar.update(progress);
        let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
        let mut failure = None;
        let turn = conversation.turn(model, text, options, &mut control, &mut stream(&mut failure));
        if let Some(failure) = failure {
            return Err(failure);
        }
        match turn {
            Ok(generation) => {
                print("\n")?;
                if generation.finish == Finish::Length {
                    ui.say("(cut at the limit of tokens; -n sets a higher one)");
                }
                if let Some(companion) = companion {
                    companion.answered(&generation.text, ui)?;
                }
            }
            // The reading of the turn was stopped; the conversation is as it was before.
            Err(loci_engine::EngineError::Interrupted { .. }) => ui.say("(stopped)"),
            Err(error) => return Err(error.into()),
        }
        if let Some(report) = model.report() {
            ui.say(&format!(
                "({} tokens in the context: {} exact, {} compressed, {} dropped, {} skipped)",
                report.given, report.kept, report.compressed, report.dropped, report.skipped
            ));
        }
        Ok(())
    }

    /// Lets go of what is remembered.
    fn forget(&mut self, words: &str) -> Result<(), CliError> {
        let Some(companion) = &mut self.companion else {
            self.ui.say("(there is no memory in this chat; start it with --memory)");
            return Ok(());
        };
        if companion.forget(words, self.ui)? {
            self.conversation.clear();
        }
        Ok(())
    }
}
