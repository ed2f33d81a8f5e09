//! A conversation: the messages so far, and turns that keep them right when something fails.

use loci_models::template::Message;

use crate::error::EngineError;
use crate::generate::{GenerateOptions, Generation, OnText};
use crate::language_model::LanguageModel;
use crate::session::Control;

/// A conversation with any [`LanguageModel`].
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    messages: Vec<Message>,
}

impl Conversation {
    /// A conversation that begins with `system`, if given.
    pub fn new(system: Option<&str>) -> Self {
        Self { messages: system.map(|text| Message::new("system", text)).into_iter().collect() }
    }

    /// The messages so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Adds a user message and the model's answer to it. When the turn fails, the conversation is as it was.
    ///
    /// # Errors
    /// What [`LanguageModel::chat`] fails with.
    pub fn turn(
        &mut self,
        model: &mut dyn LanguageModel,
        text: &str,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.messages.push(Message::new("user", text));
        let outcome = model.chat(&self.messages, options, control, on_text);
        match &outcome {
            Ok(generation) => self.messages.push(Message::new("assistant", generation.text.as_str())),
            Err(_) => {
                self.messages.pop();
            }
        }
        outcome
    }

    /// Forgets all messages but the system message.
    pub fn clear(&mut self) {
        self.messages.retain(|message| message.role == "system");
    }
}
