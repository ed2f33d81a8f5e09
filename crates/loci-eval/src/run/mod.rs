//! Runs: every example of a task by every subject, each answer on the disk before the next is begun.

mod evidence;
mod examples;
mod likelihood;
mod record;

pub use evidence::EVIDENCE;
pub use examples::examples;
pub use record::{Journal, Key, Record, answers, hash, read};

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use loci_engine::{
    Account, Body, Control, EngineError, Finish, GenerateOptions, Generation, Input, LanguageModel,
};
use loci_models::sampling::SamplerConfig;
use loci_models::template::Message;

use self::likelihood::{Reference, judge};
use crate::error::EvalError;
use crate::example::{Example, Mode, Turn, Wrap};
use crate::task::Task;

/// A model with a method: who answers.
pub struct Subject {
    /// The model.
    pub model: String,
    /// The method as it is shown.
    pub method: String,
    /// Everything that the answers depend on, besides the prompts.
    pub recipe: String,
    /// Makes it. Called for each example: nothing is kept from one to the next.
    pub open: Box<dyn Fn() -> Result<Box<dyn LanguageModel>, EngineError>>,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {}", self.model, self.method)
    }
}

/// How answers are got.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Where a question has few answers to choose among, takes the one that is most likely, token for token, instead of
    /// what is written.
    pub choose: bool,
    /// How answers are written, but for what the questions say themselves.
    pub generate: GenerateOptions,
    /// Seed of the examples, for the records.
    pub seed: u64,
    /// Which of the subjects the predictions of all are compared with, where a question is about how likely an answer is.
    pub reference: Option<usize>,
}

/// What is told while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Answers that are there, old ones included.
    pub done: usize,
    /// Answers that there will be.
    pub total: usize,
    /// The newest.
    pub newest: &'a Record,
}

/// Answers all questions of `examples` with all `subjects` that `journal` has not yet; returns what makes up this run, in
/// order: the journal may hold more.
///
/// A subject that fails is recorded with its error and not scored; the run goes on.
///
/// # Errors
/// [`EvalError::File`] when an answer cannot be kept, and [`EngineError::Interrupted`] when the user stopped it.
pub fn run(
    task: &dyn Task,
    named: &str,
    examples: &[Example],
    subjects: &[Subject],
    manner: &Manner,
    journal: &mut Journal,
    stop: Option<&AtomicBool>,
    on_step: &mut dyn FnMut(Step<'_>),
) -> Result<Vec<Key>, EvalError> {
    if examples.iter().any(|example| example.sequence.is_some()) {
        return Err(EvalError::Unmakeable {
            task: task.info().method.id,
            message: "token ids are for models trained on them; use as=text with a model of language"
                .to_owned(),
        });
    }
    let total = examples.iter().map(|example| example.turns.len()).sum::<usize>() * subjects.len();
    let (mut keys, mut done, mut old) = (Vec::with_capacity(total), 0, Vec::new());
    for example in examples {
        let mut reference = manner.reference.and_then(|index| Reference::of(subjects, index));
        for (index, subject) in subjects.iter().enumerate() {
            let compared = reference.as_ref().map_or("", |reference| reference.recipe());
            let blank = blanks(named, example, subject, manner, compared);
            keys.extend(blank.iter().map(Record::key));
            done += blank.iter().filter(|record| journal.has(&record.key())).count();
            old.extend(
                blank.iter().filter(|record| record.chance.is_some() && journal.has(&record.key())).cloned(),
            );
            if blank.iter().all(|record| journal.has(&record.key())) {
                continue;
            }
            let seat = Seat { task, example, manner, stop };
            let mut model = (subject.open)();
            for (number, (turn, mut record)) in example.turns.iter().zip(blank).enumerate() {
                if journal.has(&record.key()) {
                    continue;
                }
                match &mut model {
                    Ok(model) => {
                        seat.fill(model.as_mut(), (index, &mut reference), (number, turn), &mut record)?;
                    }
                    Err(error) => record.error = Some(error.to_string()),
                }
                journal.add(record.clone())?;
                done += 1;
                on_step(Step { done, total, newest: &record });
            }
        }
    }
    journal.know_chances(&old);
    Ok(keys)
}

/// Records of the questions of an example, without answers. `compared` is the recipe of what predictions are compared with.
fn blanks(task: &str, example: &Example, subject: &Subject, manner: &Manner, compared: &str) -> Vec<Record> {
    let mut before = String::new();
    let mut records = Vec::with_capacity(example.turns.len());
    // Answers without passages are asked again once passages are wanted.
    let shown = if manner.generate.evidence > 0 { " evidence" } else { "" };
    let asked =
        format!("{} choose={} {}{shown}", subject.recipe, manner.choose, drawn(&manner.generate.sampler));
    for (number, turn) in example.turns.iter().enumerate() {
        records.push(Record {
            task: task.to_owned(),
            model: subject.model.clone(),
            method: subject.method.clone(),
            example: example.id.clone(),
            turn: number,
            length: example.length,
            depth: turn.depth,
            labels: example.labels.clone(),
            gold: turn.gold.clone(),
            chance: chance(turn),
            seed: manner.seed,
            prompt_hash: hash(&[&example.context, &before, &turn.question, &turn.answer_start]),
            recipe_hash: match turn.likelihood {
                true => hash(&[&asked, &turn.max_tokens.to_string(), compared]),
                false => hash(&[&asked, &turn.max_tokens.to_string()]),
            },
            ..Record::default()
        });
        if example.mode == Mode::InTurn {
            before.extend([
                turn.question.as_str(),
                &turn.answer_start,
                turn.gold.first().map_or("", String::as_str),
            ]);
        }
    }
    records
}

/// The score of who draws among the choices of a question.
fn chance(turn: &Turn) -> Option<f64> {
    let choices: BTreeSet<&str> = turn.choices.iter().map(String::as_str).collect();
    (!choices.is_empty()).then(|| 1.0 / choices.len() as f64)
}

/// One example before one model.
struct Seat<'a> {
    task: &'a dyn Task,
    example: &'a Example,
    manner: &'a Manner,
    stop: Option<&'a AtomicBool>,
}

impl Seat<'_> {
    /// Asks subject number `index` one question and writes what came of it into `record`.
    fn fill(
        &self,
        model: &mut dyn LanguageModel,
        (index, reference): (usize, &mut Option<Reference<'_>>),
        (number, turn): (usize, &Turn),
        record: &mut Record,
    ) -> Result<(), EvalError> {
        if turn.likelihood {
            match judge(self, model, (index, reference), (number, turn), record) {
                Ok(account) => charge(record, &account),
                Err(error @ EngineError::Interrupted { .. }) => return Err(error.into()),
                Err(error) => record.error = Some(error.to_string()),
            }
            return Ok(());
        }
        match self.ask(model, number, turn) {
            Ok(generation) => {
                charge(record, &generation.account);
                record.finish = finish(generation.finish).to_owned();
                record.decode_s = generation.elapsed.as_secs_f64();
                let score = self.task.score(turn, &generation.text);
                record.score = Some(score.score);
                record.also = score.also.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                record.answer = generation.text;
                // Behind the first of questions in turn, the text stands in an earlier message.
                if self.example.mode == Mode::Apart || number == 0 {
                    evidence::note(record, &self.example.context, &generation.looked_at);
                }
                if generation.finish == Finish::Interrupted {
                    return Err(EngineError::Interrupted {
                        done: record.answer_tokens,
                        total: turn.max_tokens,
                    }
                    .into());
                }
            }
            Err(error @ EngineError::Interrupted { .. }) => return Err(error.into()),
            Err(error) => record.error = Some(error.to_string()),
        }
        Ok(())
    }

    /// What was said before question `number`: the questions before it with their right answers, where they follow each
    /// other.
    fn said(&self, number: usize) -> Vec<Message> {
        let before = if self.example.mode == Mode::InTurn { number } else { 0 };
        let mut said = Vec::with_capacity(2 * before + 1);
        for (index, turn) in self.example.turns.iter().enumerate().take(before) {
            let right = turn.gold.first().map_or("", String::as_str);
            said.push(Message::new("user", self.asked(index, turn)));
            said.push(Message::new("assistant", format!("{}{right}", turn.answer_start)));
        }
        said
    }

    /// A question with the text in front of it, unless that was read with an earlier one.
    fn asked(&self, number: usize, turn: &Turn) -> String {
        match self.example.mode {
            Mode::InTurn if number > 0 => turn.question.clone(),
            _ => format!("{}{}", self.example.context, turn.question),
        }
    }

    /// Makes what question `number` is asked with, and asks it.
    fn with_input<T>(
        &self,
        number: usize,
        turn: &Turn,
        ask: impl FnOnce(&Input<'_>, &mut Control<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let shared = if self.example.mode == Mode::Apart { self.example.context.len() } else { 0 };
        let mut messages = self.said(number);
        messages.push(Message::new("user", self.asked(number, turn)));
        let plain: String;
        let body = match self.example.wrap {
            Wrap::Chat => Body::Messages(&messages),
            Wrap::Plain => {
                plain = messages.iter().map(|message| message.content.as_str()).collect();
                Body::Text(&plain)
            }
        };
        let mut control = Control { stop: self.stop, progress: None };
        ask(&Input { body, answer_start: &turn.answer_start, shared, tools: &[] }, &mut control)
    }

    fn ask(
        &self,
        model: &mut dyn LanguageModel,
        number: usize,
        turn: &Turn,
    ) -> Result<Generation, EngineError> {
        self.with_input(number, turn, |input, control| {
            if self.manner.choose && !turn.choices.is_empty() {
                return choose(model, input, &turn.choices, control);
            }
            let options = GenerateOptions {
                max_tokens: turn.max_tokens,
                stop: turn.stop.clone(),
                ..self.manner.generate.clone()
            };
            model.answer(input, &options, control, &mut |_| ControlFlow::Continue(()))
        })
    }
}

/// Writes what an answer took into `record`.
fn charge(record: &mut Record, account: &Account) {
    record.prompt_tokens = account.prompt_tokens;
    record.read_tokens = account.read_tokens;
    record.prefill_s = account.prefill.as_secs_f64();
    record.answer_tokens = account.answer_tokens;
    record.memory_bytes = account.memory_bytes;
    record.counted = account.counted.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    record.dropped_tokens = account.context.as_ref().map_or(0, |report| report.dropped + report.skipped);
}

/// The choice with the greatest mean log-probability of its tokens: the sum would favour short ones.
fn choose(
    model: &mut dyn LanguageModel,
    input: &Input<'_>,
    choices: &[String],
    control: &mut Control<'_>,
) -> Result<Generation, EngineError> {
    let texts: Vec<&str> = choices.iter().map(String::as_str).collect();
    let (ratings, account) = model.rate(input, &texts, false, control)?;
    let mean = |index: usize| {
        ratings
            .get(index)
            .map_or(f64::NEG_INFINITY, |rating| rating.log_probability / rating.tokens.max(1) as f64)
    };
    let best = (0..choices.len()).max_by(|a, b| mean(*a).total_cmp(&mean(*b)).then(b.cmp(a)));
    Ok(Generation {
        text: best.and_then(|best| choices.get(best)).cloned().unwrap_or_default(),
        tokens: Vec::new(),
        log_probs: Vec::new(),
        looked_at: Vec::new(),
        finish: Finish::End,
        elapsed: std::time::Duration::ZERO,
        account,
    })
}

const fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::End => "end",
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Interrupted => "interrupted",
    }
}

/// How tokens are drawn, as it stands in the recipes of all answers so far. What the sampler learned later is named only where
/// it is used: otherwise runs that were stopped would begin anew with each version.
fn drawn(sampler: &SamplerConfig) -> String {
    let SamplerConfig {
        temperature,
        top_k,
        top_p,
        min_p,
        repetition_penalty,
        repetition_window,
        frequency_penalty,
        presence_penalty,
        logit_bias,
        seed,
    } = sampler;
    let mut text = format!(
        "SamplerConfig {{ temperature: {temperature:?}, top_k: {top_k}, top_p: {top_p:?}, min_p: {min_p:?}, repetition_penalty: \
         {repetition_penalty:?}, repetition_window: {repetition_window}, seed: {seed} }}"
    );
    if (*frequency_penalty, *presence_penalty) != (0.0, 0.0) || !logit_bias.is_empty() {
        text += &format!(" {frequency_penalty:?} {presence_penalty:?} {logit_bias:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_one_of_the_choices() {
        let of = |choices: &[&str]| {
            let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
            chance(&Turn { choices, ..Turn::default() })
        };
        assert_eq!((of(&[]), of(&["A", "B"]), of(&["A", "B", "A", "C"])), (None, Some(0.5), Some(1.0 / 3.0)));
    }

    #[test]
    fn recipes_name_what_is_drawn_as_they_always_did() {
        let plain = SamplerConfig { temperature: 0.0, seed: 42, ..SamplerConfig::default() };
        let text = drawn(&plain);
        assert!(
            text.starts_with("SamplerConfig { temperature: 0.0, top_k: ") && text.ends_with(", seed: 42 }"),
            "{text}"
        );
        assert!(!text.contains("frequency"), "{text}");
        assert_ne!(drawn(&SamplerConfig { presence_penalty: 0.5, ..plain.clone() }), text);
        assert_ne!(drawn(&SamplerConfig { seed: 43, ..plain }), text);
    }
}
