//! The panels of E-MARS+ (Zhang et al., Memory in Large Language Models: Mechanisms, Evaluation and Evolution, 2025): what a
//! memory writes, replays, inhibits, how it stands a long run, and what it costs. Never merged into one number.
//!
//! Where the paper names a figure and no form of it, the form is ours and stands in [`Figure::form`]. What a system does not
//! produce is not measured, and says why; it is never 0.

use loci_context::random::Random;
use serde::Serialize;

use super::history::Asks;
use super::judged::Answered;
use crate::metrics::f1::Overlap;
use crate::report::estimate_of;
use crate::statistics::calibration::aurc;
use crate::statistics::intervals::bootstrap;
use crate::statistics::trend::{half_life, line};

/// Resamples of what takes longer than a mean.
const RESAMPLES: usize = 2_000;
/// Parts of the ages over which accuracy may halve.
const PARTS: usize = 4;

/// One figure of a panel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Of which panel.
    pub panel: &'static str,
    /// How it is called.
    pub name: &'static str,
    /// Its value; none where it was not measured.
    pub value: Option<f64>,
    /// Its 95 % interval; none where there is none.
    pub interval: Option<(f64, f64)>,
    /// Over how many questions, sentences or events.
    pub n: usize,
    /// What it is, or why it was not measured.
    pub form: String,
}

/// What the store took down of what was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TakenDown {
    /// Of each chat: statements taken down that were made, taken down in all, made in all.
    pub chats: Vec<(usize, usize, usize)>,
    /// Of each event that was taken down, by how many days its time is wrong.
    pub days_off: Vec<f64>,
    /// Days of the histories.
    pub window: f64,
    /// What took it down.
    pub maker: &'static str,
}

impl Figure {
    fn measured(panel: &'static str, name: &'static str, values: &[f64], form: &str) -> Self {
        match estimate_of(values) {
            Some(estimate) => Self {
                panel,
                name,
                value: Some(estimate.mean),
                // One value says nothing of others.
                interval: (estimate.n > 1).then_some((estimate.low, estimate.high)),
                n: estimate.n,
                form: form.to_owned(),
            },
            None => Self::missing(panel, name, "no question of this run is about it"),
        }
    }

    fn missing(panel: &'static str, name: &'static str, why: &str) -> Self {
        Self { panel, name, value: None, interval: None, n: 0, form: format!("not measured: {why}") }
    }

    /// A figure of `n` things taken together: its value, and its interval by resampling them.
    fn resampled(
        panel: &'static str,
        name: &'static str,
        n: usize,
        form: &str,
        statistic: impl Fn(&[usize]) -> Option<f64>,
    ) -> Self {
        let whole: Vec<usize> = (0..n).collect();
        let Some(value) = statistic(&whole) else {
            return Self::missing(panel, name, "too little was answered for it");
        };
        let of = |drawn: &[usize]| statistic(drawn).unwrap_or(f64::NAN);
        let drawn = bootstrap(n, RESAMPLES, &mut Random::new(n as u64), of);
        let interval = drawn.filter(|_| n > 1).map(|interval| (interval.low, interval.high));
        Self { panel, name, value: Some(value), interval, n, form: form.to_owned() }
    }
}

const P1: &str = "P1 write and time";
const P2: &str = "P2 replay";
const P3: &str = "P3 inhibit";
const P4: &str = "P4 long run";
const P5: &str = "P5 cost";

/// All panels over the answers of one setting; `noisy` are those to the same questions among as many chats again.
pub fn panels(answers: &[Answered], noisy: Option<&[Answered]>, taken: &TakenDown, k: usize) -> Vec<Figure> {
    let mut figures = written(taken);
    figures.extend(replayed(answers, k));
    figures.extend(inhibited(answers));
    figures.extend(long_run(answers, noisy));
    figures.extend(cost(answers));
    figures
}

fn share(right: bool) -> f64 {
    f64::from(u8::from(right))
}

fn of<T>(answers: &[Answered], value: impl Fn(&Answered) -> Option<T>) -> Vec<T> {
    answers.iter().filter_map(value).collect()
}

fn written(taken: &TakenDown) -> Vec<Figure> {
    let f1 = |drawn: &[usize]| {
        let mut sums = (0, 0, 0);
        for (right, said, wanted) in drawn.iter().filter_map(|index| taken.chats.get(*index)) {
            sums = (sums.0 + right, sums.1 + said, sums.2 + wanted);
        }
        (sums.2 > 0).then(|| Overlap::of_counts(sums.0, sums.1, sums.2).f1)
    };
    let off: Vec<f64> = taken.days_off.iter().map(|days| days / taken.window.max(1.0)).collect();
    vec![
        Figure::resampled(
            P1,
            "Event-F1",
            taken.chats.len(),
            &format!(
                "statements and events that the store takes down from what the user says ({}) against those that were made, \
                 matched as sentences of one chat, word by word without case; chats resampled",
                taken.maker
            ),
            f1,
        ),
        Figure::missing(
            P1,
            "Procedure-F1",
            "the memory takes down no procedures, and the histories tell none",
        ),
        Figure::measured(
            P1,
            "TAE",
            &off,
            "days between the time that an event has in the store and its own, over the days of the history",
        ),
    ]
}

fn replayed(answers: &[Answered], k: usize) -> Vec<Figure> {
    let replays = answers.iter().any(|one| one.replayed.is_some());
    if !replays {
        let why = "this setting replays nothing";
        return ["RSF", "ASR@k", "UCR", "Step-Order", "Tool-Attribution"]
            .map(|name| Figure::missing(P2, name, why))
            .to_vec();
    }
    let given: Vec<&Answered> = answers.iter().filter(|one| !one.refused).collect();
    let supported: Vec<f64> = given.iter().map(|one| share(one.unsupported == 0)).collect();
    let found = of(answers, |one| {
        let replayed = one.replayed.as_ref().filter(|_| one.evidence > 0)?;
        let mut sessions: Vec<&str> =
            replayed.iter().filter(|item| item.evidence).map(|item| item.session.as_str()).collect();
        sessions.sort_unstable();
        sessions.dedup();
        Some(share(sessions.len() == one.evidence))
    });
    let ucr = |drawn: &[usize]| {
        let own = || drawn.iter().filter_map(|index| given.get(*index));
        let claims: usize = own().map(|one| one.claims).sum();
        (claims > 0).then(|| own().map(|one| one.unsupported).sum::<usize>() as f64 / claims as f64)
    };
    vec![
        Figure::measured(
            P2,
            "RSF",
            &supported,
            "answers of which every sentence has three in five of its words in one replayed item; refusals left out",
        ),
        Figure::measured(
            P2,
            "ASR@k",
            &found,
            &format!("questions whose evidence is all among the {k} items replayed at most"),
        ),
        Figure::resampled(
            P2,
            "UCR",
            given.len(),
            "sentences of answers that no replayed item supports; answers resampled",
            ucr,
        ),
        Figure::measured(
            P2,
            "Step-Order",
            &of(answers, |one| one.order),
            "pairs of events named the right way round (Kendall agreement); 0 where one is not named",
        ),
        Figure::missing(P2, "Tool-Attribution", "no tool is called"),
    ]
}

fn inhibited(answers: &[Answered]) -> Vec<Figure> {
    let about = |asks: Asks| move |one: &&Answered| one.asks == asks.name();
    let values = |asks: Asks, value: fn(&Answered) -> bool| -> Vec<f64> {
        answers.iter().filter(about(asks)).map(|one| share(value(one))).collect()
    };
    let answerable: Vec<f64> = answers
        .iter()
        .filter(|one| one.asks != Asks::Unanswerable.name())
        .map(|one| share(!one.refused))
        .collect();
    let consistent = of(answers, |one| one.right_again.map(|again| share(one.right && again)));
    // Ties go by the question's name.
    let told = |one: &Answered| one.confidence.filter(|_| !one.refused);
    let mut sure: Vec<(&str, f64, bool)> =
        answers.iter().filter_map(|one| Some((one.question.as_str(), told(one)?, one.right))).collect();
    sure.sort_by(|one, other| one.0.cmp(other.0));
    let risk = |drawn: &[usize]| {
        let picked: Vec<(f64, bool)> = drawn
            .iter()
            .filter_map(|index| sure.get(*index))
            .map(|(_, sure, right)| (*sure, *right))
            .collect();
        aurc(&picked)
    };
    vec![
        Figure::measured(
            P3,
            "Abstention",
            &values(Asks::Unanswerable, |one| one.refused),
            "questions that cannot be answered and are refused; read it beside coverage",
        ),
        Figure::measured(P3, "Coverage", &answerable, "questions that can be answered and are not refused"),
        Figure::measured(
            P3,
            "Freshness-Hit",
            &values(Asks::Update, |one| one.right),
            "updated things answered with the value that is valid now",
        ),
        Figure::measured(
            P3,
            "Out-of-Date-Use",
            &values(Asks::Update, |one| one.out_of_date),
            "updated things answered with a value that was replaced",
        ),
        Figure::measured(
            P3,
            "CCR",
            &consistent,
            "things that user and assistant said unlike values of, answered with the user's in both wordings of the question",
        ),
        match sure.is_empty() {
            true => {
                Figure::missing(P3, "AURC", "the reader does not tell how sure it is, or refused everything")
            }
            false => Figure::resampled(
                P3,
                "AURC",
                sure.len(),
                "mean error of the most confident answers over all coverages; refusals left out; lower is better",
                risk,
            ),
        },
    ]
}

fn long_run(answers: &[Answered], noisy: Option<&[Answered]>) -> Vec<Figure> {
    let aged: Vec<(f64, f64)> = of(answers, |one| Some((one.age? as f64, share(one.right))));
    let slope = |drawn: &[usize]| {
        let points: Vec<(f64, f64)> = drawn.iter().filter_map(|index| aged.get(*index).copied()).collect();
        Some(line(&points)?.slope)
    };
    let empty: Vec<f64> = answers
        .iter()
        .filter(|one| one.asks == Asks::Unanswerable.name())
        .filter_map(|one| Some(share(one.replayed.as_ref()?.iter().any(|item| item.supports))))
        .collect();
    let half = match half_life(&parts(&aged)) {
        Some(half) => Figure {
            panel: P4,
            name: "Half-life",
            value: Some(half),
            interval: None,
            n: aged.len(),
            form: format!(
                "{}chats after which half the accuracy is left: exponential fit over the means of {PARTS} parts of the ages; no \
                 interval, since that may reach to infinity",
                // JSON knows no infinity.
                if half.is_infinite() { "infinite, since accuracy does not fall: " } else { "" }
            ),
        },
        None => Figure::missing(P4, "Half-life", "there is no accuracy to halve, or one age only"),
    };
    vec![
        Figure::resampled(
            P4,
            "Slope@T",
            aged.len(),
            "change of accuracy for one more chat between the newest evidence and the question (regression); questions resampled",
            slope,
        ),
        half,
        match empty.is_empty() {
            true => Figure::missing(
                P4,
                "Spurious-Replay",
                "this setting replays nothing, or nothing unanswerable was asked",
            ),
            false => Figure::measured(
                P4,
                "Spurious-Replay",
                &empty,
                "questions that cannot be answered for which an item is replayed as support",
            ),
        },
        match noisy {
            Some(noisy) => Figure::measured(
                P4,
                "Noise-robust",
                &of(noisy, |one| Some(share(one.right))),
                "accuracy over all questions when as many chats again stand in the store, about other things",
            ),
            None => Figure::missing(P4, "Noise-robust", "this setting was not run among more chats"),
        },
    ]
}

/// Means over so many parts of the points, by their place.
fn parts(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let size = sorted.len().div_ceil(PARTS).max(1);
    let mean = |part: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
        part.iter().map(of).sum::<f64>() / part.len() as f64
    };
    sorted.chunks(size).map(|part| (mean(part, |point| point.0), mean(part, |point| point.1))).collect()
}

fn cost(answers: &[Answered]) -> Vec<Figure> {
    let recall: Vec<f64> = of(answers, |one| one.replayed.as_ref().map(|_| 1000.0 * one.recall_s));
    let tokens = |name, value: fn(&Answered) -> Option<usize>, form: &str| {
        let values: Vec<f64> = of(answers, |one| value(one).map(|tokens| tokens as f64));
        match values.is_empty() {
            true => Figure::missing(P5, name, "there is no model that reads"),
            false => Figure::measured(P5, name, &values, form),
        }
    };
    vec![
        match recall.is_empty() {
            true => Figure::missing(P5, "Recall ms", "this setting recalls nothing"),
            false => Figure::measured(
                P5,
                "Recall ms",
                &recall,
                "milliseconds of a recall, on this machine as it was",
            ),
        },
        Figure::measured(
            P5,
            "Answer ms",
            &of(answers, |one| Some(1000.0 * one.seconds)),
            "milliseconds from question to answer, on this machine as it was",
        ),
        tokens("Prompt tokens", |one| one.prompt_tokens, "tokens of a prompt"),
        tokens("Answer tokens", |one| one.answer_tokens, "tokens of an answer"),
    ]
}

#[cfg(test)]
mod tests;
