//! Models for tests: one that says what it was given, and one that answers from a list.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use loci_engine::generate::OnText;
use loci_engine::score::Score;
use loci_engine::{
    Account, Body, Control, EngineError, Finish, GenerateOptions, Generation, Input, LanguageModel, Rating,
};

/// Says what it was given.
#[derive(Debug, Default)]
pub(crate) struct Echo;

/// Answers with its replies, one after the other, and notes what it was given.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    pub(crate) replies: VecDeque<String>,
    pub(crate) given: Vec<String>,
}

impl Scripted {
    pub(crate) fn new(replies: &[&str]) -> Self {
        Self { replies: replies.iter().map(|reply| (*reply).to_owned()).collect(), given: Vec::new() }
    }
}

/// An answer of `text`.
pub(crate) fn said(text: String) -> Generation {
    Generation {
        text,
        tokens: Vec::new(),
        log_probs: Vec::new(),
        finish: Finish::End,
        elapsed: Duration::ZERO,
        account: Account { prompt_tokens: 7, read_tokens: 7, answer_tokens: 2, ..Account::default() },
        looked_at: Vec::new(),
    }
}

fn shown(input: &Input<'_>) -> String {
    let text = match input.body {
        Body::Text(text) => text.to_owned(),
        Body::Messages(messages) => {
            messages.iter().map(|message| format!("<{}>{}", message.role, message.content)).collect()
        }
    };
    text + input.answer_start
}

impl LanguageModel for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        _options: &GenerateOptions,
        _control: &mut Control<'_>,
        _on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        assert_eq!(input.shared, 0);
        Ok(said(shown(input)))
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        _distributions: bool,
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        let given =
            self.answer(input, &GenerateOptions::default(), control, &mut |_| ControlFlow::Continue(()))?;
        let rated = |answer: &&str| Rating {
            log_probability: if given.text.contains(answer) { 0.0 } else { -1.0 },
            tokens: 1,
            ..Rating::default()
        };
        Ok((answers.iter().map(rated).collect(), given.account))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        Err(EngineError::Internal("not asked for".to_owned()))
    }

    fn embed(&mut self, _text: &str) -> Result<Vec<f32>, EngineError> {
        Ok(vec![1.0])
    }
}

impl LanguageModel for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        _options: &GenerateOptions,
        _control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.given.push(shown(input));
        let text = self.replies.pop_front().unwrap_or_default();
        let _over = on_text(&text);
        Ok(said(text))
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        _distributions: bool,
        _control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        self.given.push(shown(input));
        // The first reply says which answer is the likeliest.
        let best = self.replies.pop_front().unwrap_or_default();
        let rated = |answer: &&str| Rating {
            log_probability: if *answer == best { -0.1 } else { -9.0 },
            tokens: 1,
            ..Rating::default()
        };
        Ok((answers.iter().map(rated).collect(), said(String::new()).account))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        Err(EngineError::Internal("not asked for".to_owned()))
    }

    fn embed(&mut self, _text: &str) -> Result<Vec<f32>, EngineError> {
        Err(EngineError::Internal("not asked for".to_owned()))
    }
}
