//! Who answers: a rule that takes what stands first, or a model that reads what it is given.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use loci_engine::{Body, Control, GenerateOptions, Input, LanguageModel};
use loci_memory::{Recall, Time};
use loci_models::template::Message;

use super::history::History;
use crate::error::EvalError;

/// What a reader says where it does not know.
pub const UNKNOWN: &str = "I do not know.";

/// What a reader is given beside the question.
#[derive(Clone, Copy, Debug)]
pub enum Given<'g> {
    /// Nothing.
    Nothing,
    /// The chats themselves.
    Chats(&'g History),
    /// What the memory has to say, best first.
    Items(&'g Recall),
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// What was said.
    pub text: String,
    /// How sure the reader is: comparable between its answers in one setting.
    pub confidence: Option<f64>,
    /// Tokens of the prompt and of the answer; none without a model.
    pub tokens: Option<(usize, usize)>,
    /// Chats that did not fit, and were left out.
    pub left_out: usize,
}

/// Somebody who answers.
pub trait Reader {
    /// How reports call it.
    fn name(&self) -> String;

    /// Whether it can read chats themselves.
    fn reads_chats(&self) -> bool;

    /// Answers a question asked at `at`.
    ///
    /// # Errors
    /// [`EvalError::Engine`] when a model fails or was stopped.
    fn answer(&mut self, question: &str, at: Time, given: Given<'_>) -> Result<Reply, EvalError>;
}

/// The text of the first item; to a question about an order, the texts of all, oldest first. What it gets right the store alone has
/// got right.
#[derive(Clone, Copy, Debug)]
pub struct FirstItem {
    /// Whether it says that it does not know where the memory takes no item for support; otherwise only where there is no item.
    pub refuses: bool,
}

impl Reader for FirstItem {
    fn name(&self) -> String {
        if self.refuses { "first-item".to_owned() } else { "first-item, always".to_owned() }
    }

    fn reads_chats(&self) -> bool {
        false
    }

    fn answer(&mut self, question: &str, _: Time, given: Given<'_>) -> Result<Reply, EvalError> {
        let unknown = Reply { text: UNKNOWN.to_owned(), ..Reply::default() };
        let Given::Items(recall) = given else { return Ok(unknown) };
        let may = recall.supported || !self.refuses;
        let Some(first) = recall.found.first().filter(|_| may) else { return Ok(unknown) };
        let question = question.to_lowercase();
        let text = match question.contains("which order") || question.contains("came first") {
            true => by_date(recall).iter().map(|item| item.item.text()).collect::<Vec<_>>().join("\n"),
            false => first.item.text().to_owned(),
        };
        Ok(Reply { text, confidence: Some(first.score), ..Reply::default() })
    }
}

/// The items in the order of their dates, as readers are given them (LongMemEval: the best are taken, then put in order).
pub fn by_date(recall: &Recall) -> Vec<&loci_memory::Found> {
    let mut items: Vec<&loci_memory::Found> = recall.found.iter().collect();
    // Stable: what is of one time stays as it was ranked.
    items.sort_by_key(|found| found.item.when());
    items
}

/// Most tokens of an answer.
const ANSWER: usize = 48;
const ASK: &str =
    "Answer the user's question in a few words. If the answer is not known, say: I do not know.\n\n";

/// A language model.
pub struct ModelReader<'m> {
    model: Box<dyn LanguageModel>,
    /// Tokens that chats may take; a model that does not count tokens is given all of them.
    window: usize,
    stop: Option<&'m AtomicBool>,
    /// The chats of the last history that was read, and how many of them were left out: they are made once for all questions.
    chats: Option<(String, String, usize)>,
}

impl std::fmt::Debug for ModelReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelReader({})", self.model.name())
    }
}

impl<'m> ModelReader<'m> {
    /// `model` as a reader that is given chats of at most `window` tokens.
    pub fn new(model: Box<dyn LanguageModel>, window: usize, stop: Option<&'m AtomicBool>) -> Self {
        Self { model, window, stop, chats: None }
    }

    /// All chats of a history that fit, the newest first to be taken.
    fn chats(&mut self, history: &History) -> Result<(String, usize), EvalError> {
        if let Some((_, text, left_out)) = self.chats.as_ref().filter(|(user, ..)| *user == history.user) {
            return Ok((text.clone(), *left_out));
        }
        let head = format!("{ASK}These are all chats with the user so far, oldest first.\n\n");
        let mut taken: Vec<String> = Vec::new();
        for session in history.sessions.iter().rev() {
            let said: Vec<String> =
                session.said.iter().map(|said| format!("{}: {}", said.speaker, said.text)).collect();
            taken.push(format!("[{}]\n{}\n\n", session.at.date(), said.join("\n")));
            let text: String = taken.iter().rev().map(String::as_str).collect();
            let tokens = self.model.count_tokens(&format!("{head}{text}"))?;
            if tokens.is_some_and(|tokens| tokens > self.window) {
                taken.pop();
                break;
            }
        }
        let left_out = history.sessions.len() - taken.len();
        let text: String =
            std::iter::once(head.as_str()).chain(taken.iter().rev().map(String::as_str)).collect();
        self.chats = Some((history.user.clone(), text.clone(), left_out));
        Ok((text, left_out))
    }
}

impl Reader for ModelReader<'_> {
    fn name(&self) -> String {
        self.model.name().to_owned()
    }

    fn reads_chats(&self) -> bool {
        true
    }

    fn answer(&mut self, question: &str, at: Time, given: Given<'_>) -> Result<Reply, EvalError> {
        let (context, left_out) = match given {
            Given::Nothing => (ASK.to_owned(), 0),
            Given::Chats(history) => self.chats(history)?,
            // What nothing speaks for is not known: no model is asked to guess.
            Given::Items(recall) if !recall.supported => {
                return Ok(Reply { text: UNKNOWN.to_owned(), ..Reply::default() });
            }
            Given::Items(recall) => (replayed(recall), 0),
        };
        let text = format!("{context}Today is {}.\nQuestion: {question}\n", at.date());
        let messages = [Message::new("user", text)];
        let input = Input {
            body: Body::Messages(&messages),
            answer_start: "Answer:",
            shared: context.len(),
            tools: &[],
        };
        let options = GenerateOptions {
            max_tokens: ANSWER,
            stop: vec!["\n".to_owned()],
            log_probs: Some(0),
            ..GenerateOptions::default()
        };
        let mut control = Control { stop: self.stop, progress: None };
        let written =
            self.model.answer(&input, &options, &mut control, &mut |_| ControlFlow::Continue(()))?;
        if written.finish == loci_engine::Finish::Interrupted {
            let done = written.tokens.len();
            return Err(loci_engine::EngineError::Interrupted { done, total: ANSWER }.into());
        }
        let likely = |drawn: &[loci_engine::Drawn]| {
            let sum: f64 = drawn.iter().map(|drawn| f64::from(drawn.chosen.log_prob)).sum();
            (!drawn.is_empty()).then(|| (sum / drawn.len() as f64).exp())
        };
        Ok(Reply {
            confidence: likely(&written.log_probs),
            tokens: Some((written.account.prompt_tokens, written.account.answer_tokens)),
            text: written.text,
            left_out,
        })
    }
}

/// The prompt that items are replayed in.
fn replayed(recall: &Recall) -> String {
    let mut text =
        format!("{ASK}This is what is remembered of earlier chats with the user, oldest first.\n\n");
    for found in by_date(recall) {
        let speaker =
            found.item.content.as_ref().and_then(|content| content.speaker.as_deref()).unwrap_or("user");
        text.push_str(&format!("[{}] {speaker}: {}\n", found.item.when().date(), found.item.text()));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
