//! Talking with a memory: what was told in earlier conversations is there, and what is told now will be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loci_engine::{ContextOptions, Control, Engine, EngineError, LocalModel};
use loci_memory::gate::Verdict;
use loci_memory::talk::{Notes, said_by_a_model, said_by_the_user};
use loci_memory::{Memory, MemoryError, Query, Scope, Target, Time};
use loci_reading::{By, TextEncoder};

use crate::commands::memory::{Store, cite};
use crate::error::CliError;
use crate::kit::{KitArgs, RankBy};
use crate::ui::{Ui, one_line};

/// Items that a model looks at while nobody types, before it is looked again what there is.
const BATCH: usize = 8;

#[derive(Debug, clap::Args)]
pub(super) struct MemoryArgs {
    /// Remember what is told, and be reminded of it in later chats: of the memory of `loci memory`, or in this file.
    #[arg(long, value_name = "STORE", num_args = 0..=1, default_missing_value = "")]
    memory: Option<String>,
    /// Whose memory.
    #[arg(long, value_name = "NAME", default_value = "me", requires = "memory")]
    user: String,
    /// How the conversation is called [default: the time].
    #[arg(long, value_name = "NAME", requires = "memory")]
    session: Option<String>,
    /// Show the model at most this many items.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "memory")]
    recall: usize,
    /// What items are ranked by.
    #[arg(long, value_enum, default_value = "words", requires = "memory")]
    by: RankBy,
    /// Remember what the model says, too. It is believed less, and forgotten with what it was made from.
    #[arg(long, requires = "memory")]
    replies: bool,
    /// Do not have the model look for facts, names and events in what was told while nobody types.
    #[arg(long, requires = "memory")]
    no_extract: bool,
    #[command(flatten)]
    kit: KitArgs,
}

/// A memory that takes part in a conversation.
pub(super) struct Companion {
    memory: Memory,
    encoder: Option<Arc<dyn TextEncoder>>,
    by: By,
    most: usize,
    session: String,
    replies: bool,
    extractor: Option<LocalModel>,
    /// What the model was shown last.
    notes: Notes,
    /// Words of which it was shown what would be forgotten.
    asked: Option<String>,
}

impl MemoryArgs {
    /// The memory, if one is wanted; `engine` looks for facts in what is told.
    pub(super) fn open(&self, engine: &Arc<Engine>) -> Result<Option<Companion>, CliError> {
        let Some(store) = &self.memory else { return Ok(None) };
        let store = Store::named(Some(store.as_str()).filter(|store| !store.is_empty()))?;
        let memory = store.open(Scope::new(&Scope::default().tenant, &self.user)?, &self.user)?;
        let by = By::from(self.by);
        let extractor =
            (!self.no_extract).then(|| LocalModel::new(Arc::clone(engine), ContextOptions::default()));
        Ok(Some(Companion {
            encoder: self.kit.encoder(by.needs_encoder())?,
            by,
            most: self.recall,
            session: self.session.clone().unwrap_or_else(|| format!("chat of {}", Time::now())),
            replies: self.replies,
            extractor,
            notes: Notes::default(),
            asked: None,
            memory,
        }))
    }
}

impl Companion {
    /// What the model is given for what the user says: the notes that are about it, and it. What it tells is remembered.
    pub(super) fn hear(&mut self, text: &str, ui: &Ui) -> Result<String, CliError> {
        let query = Query { most: self.most, by: self.by, ..Query::new(text) };
        self.notes = match self.memory.recall(&query, self.encoder.as_deref()) {
            Ok(recall) => Notes::of(&recall),
            // Nothing but signs: there is nothing to look for.
            Err(MemoryError::Invalid(_)) => Notes::default(),
            Err(error) => return Err(error.into()),
        };
        if let Some(content) = said_by_the_user(text, Some(&self.session)) {
            let added = self.memory.add(&content, &[])?;
            if let Verdict::Held { reasons } = &added.verdict {
                ui.say(&format!(
                    "(not remembered yet: {}; see loci memory list --state proposed)",
                    reasons.join("; ")
                ));
            }
        }
        Ok(self.notes.before(text))
    }

    /// Says what the answer was given from, and remembers it where that is wanted.
    pub(super) fn answered(&mut self, reply: &str, ui: &Ui) -> Result<(), CliError> {
        cite(&self.notes, ui);
        if self.replies && !reply.trim().is_empty() {
            self.memory.add(&said_by_a_model(reply, &self.session, self.notes.ids()), &[])?;
        }
        Ok(())
    }

    /// Forgets in two steps: `/forget WORDS` shows what would go, `/forget` alone lets it go. True when something went.
    pub(super) fn forget(&mut self, words: &str, ui: &Ui) -> Result<bool, CliError> {
        if !words.is_empty() {
            let dry = self.memory.forget(&Target::Matching(words.to_owned()), None, true)?;
            for item in &dry.items {
                let text = one_line(self.memory.item(&item.id)?.text());
                ui.say(&format!("  {text}"));
            }
            ui.say(&match dry.items.len() {
                0 => "(nothing that is remembered has all these words)".to_owned(),
                count => {
                    format!("({count} items; /forget lets them go for good, and clears the conversation)")
                }
            });
            self.asked = (!dry.items.is_empty()).then(|| words.to_owned());
            return Ok(false);
        }
        let Some(words) = self.asked.take() else {
            ui.say("(say what: /forget WORDS)");
            return Ok(false);
        };
        let done = self.memory.forget(&Target::Matching(words), Some("asked for in a chat"), false)?;
        ui.say(&format!(
            "({} items are forgotten; entry {} of the log, {})",
            done.items.len(),
            done.seq,
            done.hash
        ));
        Ok(true)
    }

    /// Waits for the user with `wait`, and meanwhile has the model look at what was told.
    pub(super) fn meanwhile<T>(&mut self, wait: impl FnOnce() -> T, ui: &Ui) -> T {
        let (memory, Some(extractor)) = (&mut self.memory, &mut self.extractor) else { return wait() };
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stop = &stop;
            let work = scope.spawn(move || {
                let mut control = Control { stop: Some(stop), progress: None };
                while !stop.load(Ordering::Relaxed) {
                    match memory.extract(extractor, BATCH, &mut control) {
                        Ok(done) if done.items + done.failed == 0 => return Ok(()),
                        Ok(_) => {}
                        Err(MemoryError::Engine(EngineError::Interrupted { .. })) => return Ok(()),
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            });
            let outcome = wait();
            stop.store(true, Ordering::Relaxed);
            match work.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => ui.say(&format!("(facts could not be looked for: {error})")),
                Err(_) => ui.say("(a defect: looking for facts broke off)"),
            }
            outcome
        })
    }
}
