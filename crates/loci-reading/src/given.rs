//! A model that is given what a strategy makes of a text, and then the question.

use std::ops::Range;
use std::time::Instant;

use loci_engine::documents::Document;
use loci_engine::generate::OnText;
use loci_engine::score::Score;
use loci_engine::{
    Account, Body, Control, EngineError, GenerateOptions, Generation, Input, LanguageModel, Rating,
};
use loci_models::template::Message;

use crate::read::{FoundBy, evidence};
use crate::strategy::{Asked, Prepared, ReadingStrategy};

/// A model that is given what a [`ReadingStrategy`] makes of a text.
///
/// [`Input::shared`] bytes of the text, or of the last message, are the text; what stands behind them is the question.
/// Earlier messages are passed on as they are. What the model is given shares nothing with other inputs: it differs by
/// question. Names are those of the model; accounts hold what the strategy read and wrote before the answer, too.
pub struct Given {
    model: Box<dyn LanguageModel>,
    strategy: Box<dyn ReadingStrategy>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by {:?}", self.model.name(), self.strategy)
    }
}

/// What the model goes on from.
struct Ready {
    whole: String,
    answer_start: String,
    prepared: Prepared,
}

impl Given {
    /// `model`, given what `strategy` makes of texts.
    pub fn new(model: Box<dyn LanguageModel>, strategy: Box<dyn ReadingStrategy>) -> Self {
        Self { model, strategy }
    }

    /// What the model is given for `whole`, whose first `shared` bytes are the text.
    fn ready(&mut self, input: &Input<'_>, control: &mut Control<'_>) -> Result<Ready, EngineError> {
        let (text, question) = apart(input.whole(), input.shared, self.strategy.info().id)?;
        let documents = [Document { name: String::new(), text: text.to_owned() }];
        let asked = Asked { documents: &documents, question };
        let mut prepared = self.strategy.prepare(&asked, self.model.as_mut(), control)?;
        let asked = prepared.question.take();
        let whole = std::mem::take(&mut prepared.text) + asked.as_deref().unwrap_or(question);
        let answer_start = format!("{}{}", prepared.answer_start, input.answer_start);
        Ok(Ready { whole, answer_start, prepared })
    }

    /// Calls the model through `ask` with what it is given.
    fn with<T>(
        &mut self,
        input: &Input<'_>,
        ready: &Ready,
        ask: impl FnOnce(&mut dyn LanguageModel, &Input<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let pass = |body| Input { body, answer_start: &ready.answer_start, shared: 0, tools: input.tools };
        match input.body {
            Body::Text(_) => ask(self.model.as_mut(), &pass(Body::Text(&ready.whole))),
            Body::Messages(messages) => {
                let mut messages: Vec<Message> = messages.to_vec();
                if let Some(last) = messages.last_mut() {
                    last.content.clone_from(&ready.whole);
                }
                ask(self.model.as_mut(), &pass(Body::Messages(&messages)))
            }
        }
    }
}

/// Text and question of `whole`.
fn apart<'a>(whole: &'a str, shared: usize, id: &str) -> Result<(&'a str, &'a str), EngineError> {
    if shared == 0 {
        return Err(EngineError::Unsupported(format!(
            "{id} needs text and question apart, and here no text is marked as shared by questions (shared is 0); ask each \
             question about the text alone, or leave {id} out of the methods"
        )));
    }
    whole.split_at_checked(shared).ok_or_else(|| {
        EngineError::Unsupported(format!(
            "the text is said to be {shared} bytes of {}, which is no border between characters; give the bytes of the \
             text as `shared`",
            whole.len()
        ))
    })
}

impl LanguageModel for Given {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        let started = Instant::now();
        let mut ready = self.ready(input, control)?;
        let preparing = started.elapsed();
        let mut generation = match ready.prepared.answered.take() {
            Some(generation) => {
                let _over = on_text(&generation.text);
                generation
            }
            None => {
                self.with(input, &ready, |model, input| model.answer(input, options, control, on_text))?
            }
        };
        if options.evidence > 0 {
            let looked_at = std::mem::take(&mut generation.looked_at);
            generation.looked_at = ready.made_from(input, &looked_at, options.evidence);
        }
        ready.add_to(&mut generation.account);
        generation.account.prefill += preparing;
        Ok(generation)
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        distributions: bool,
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        let started = Instant::now();
        let ready = self.ready(input, control)?;
        let preparing = started.elapsed();
        let rate = |model: &mut dyn LanguageModel, input: &Input<'_>| {
            model.rate(input, answers, distributions, control)
        };
        let (ratings, mut account) = self.with(input, &ready, rate)?;
        ready.add_to(&mut account);
        account.prefill += preparing;
        Ok((ratings, account))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        let id = self.strategy.info().id;
        Err(EngineError::Unsupported(format!(
            "{id} chooses what is read for a question, and a text that is scored has none; score it without {id}"
        )))
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EngineError> {
        self.model.embed(text)
    }

    fn count_tokens(&self, text: &str) -> Result<Option<usize>, EngineError> {
        self.model.count_tokens(text)
    }
}

impl Ready {
    /// Bytes of the text of `input` that the answer was made from, where the model looked at `looked_at` of what it was given;
    /// none where that is all that was given.
    fn made_from(
        &self,
        input: &Input<'_>,
        looked_at: &[(Range<usize>, f32)],
        most: usize,
    ) -> Vec<(Range<usize>, f32)> {
        let text = input.whole().get(..input.shared).unwrap_or_default();
        let documents = [Document { name: String::new(), text: text.to_owned() }];
        match evidence(&self.prepared, looked_at, &documents, most) {
            (_, FoundBy::Given) => Vec::new(),
            (passages, FoundBy::Attention | FoundBy::Strategy) => {
                let places = passages.into_iter();
                places.map(|passage| (passage.start..passage.end, passage.mass.unwrap_or(0.0))).collect()
            }
        }
    }

    /// Adds what was read and written before the answer.
    fn add_to(&self, account: &mut Account) {
        account.read_tokens += self.prepared.work.read_tokens;
        account.answer_tokens += self.prepared.work.written_tokens;
        account.counted.extend(self.prepared.work.counted());
    }
}
