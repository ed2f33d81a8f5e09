//! `full-ranking`: the passages that share most with the question, put in order by the model, all at once or by windows.

mod prompt;
mod windows;

use loci_engine::{Control, EngineError, LanguageModel};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};

use crate::candidates::{Candidates, Ranking};
use crate::order::Order;
use crate::ranker::By;
use crate::registry::Kit;
use crate::retrieval::{RetrievalOptions, given};
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span, Work};
pub use prompt::{Shown, order};
pub use windows::{Sorter, complete, slide};

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "full-ranking",
    title: "The model itself ranks the passages that were found, all in one prompt, and reads the best ones.",
    paper: "Liu et al., Sliding Windows Are Not the End: Exploring Full Ranking with Long-Context Large Language Models, 2024",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "candidates",
            meaning: "passages that the first stage hands to the model",
            unit: "passages",
            default: Value::Integer(20),
            domain: Domain::Integers(1, 1000),
        },
        Parameter {
            name: "by",
            meaning: "by what the first stage ranks: words (BM25), the vectors of a sentence encoder, or both",
            unit: "",
            default: Value::Word("words"),
            domain: Domain::Words(By::WORDS),
        },
        Parameter {
            name: "window",
            meaning: "passages in one prompt; 0: all of them",
            unit: "passages",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1000),
        },
        Parameter {
            name: "step",
            meaning: "by how much a window moves",
            unit: "passages",
            default: Value::Integer(10),
            domain: Domain::Integers(1, 1000),
        },
        Parameter {
            name: "words",
            meaning: "most words of a passage",
            unit: "words",
            default: Value::Integer(100),
            domain: Domain::Integers(1, 100_000),
        },
        Parameter {
            name: "room",
            meaning: "most tokens of a prompt with its reply: passages are cut until it fits; 0: no bound",
            unit: "tokens",
            default: Value::Integer(8192),
            domain: Domain::Integers(0, 1 << 24),
        },
        Parameter {
            name: "top",
            meaning: "passages that are read for the answer",
            unit: "passages",
            default: Value::Integer(5),
            domain: Domain::Integers(1, 1000),
        },
        Order::PARAMETER,
    ],
    cost: "one prompt of candidates x words words and about five tokens back for each; sliding windows: (candidates - window) / \
           step + 1 prompts of window passages, one after the other; then the answer",
    composes_with: &[],
    invariants: &[
        "any reply gives an order of all candidates; what it leaves out keeps its place behind what it names",
        "with a perfect model one pass of windows finds the first window - step passages, and one prompt all",
        "nothing in a passage can look like its number",
    ],
    description: "A first stage finds candidates; the model is shown all of them with numbers and writes their order. With `window` it sees \
                  that many at a time, from the bottom up, each window taking its best along: the usual way, with about \
                  twice the tokens. One prompt is better and cheaper for a model trained for it; the paper finds that a \
                  model which was not is better with windows. Small models rank little better than chance: measure \
                  yours. `/v1/rerank` of the server offers the same.",
};

/// How passages are ranked by a model.
#[derive(Clone, Copy, Debug)]
pub struct RankOptions {
    /// Passages in one prompt; 0: all.
    pub window: usize,
    /// By how much a window moves.
    pub step: usize,
    /// How passages are shown.
    pub shown: Shown,
}

/// Numbers of `passages`, best first by the judgement of `model`.
///
/// # Errors
/// As [`order`].
pub fn rank(
    model: &mut dyn LanguageModel,
    query: &str,
    passages: &[&str],
    options: RankOptions,
    work: &mut Work,
    control: &mut Control<'_>,
) -> Result<Vec<usize>, EngineError> {
    let mut items: Vec<usize> = (0..passages.len()).collect();
    let window = if options.window == 0 { items.len() } else { options.window };
    let mut sort = |items: &[usize]| {
        let texts: Vec<&str> = items.iter().map(|item| passages.get(*item).copied().unwrap_or("")).collect();
        let order = order(model, query, &texts, options.shown, work, control)?;
        Ok::<_, EngineError>(order.into_iter().filter_map(|place| items.get(place).copied()).collect())
    };
    slide(&mut items, window, options.step, &mut sort)?;
    Ok(items)
}

/// Reads what the model ranks first (see [`INFO`]).
#[derive(Debug)]
pub struct FullRanking {
    candidates: usize,
    top: usize,
    order: Order,
    options: RankOptions,
    by: By,
    kit: Kit,
    kept: Option<Candidates>,
}

impl FullRanking {
    /// As the values of a method typed as `full-ranking:…` say.
    pub fn of(values: &Values, kit: &Kit) -> Self {
        let shown = Shown { words: values.size("words"), room: values.size("room") };
        Self {
            candidates: values.size("candidates"),
            top: values.size("top"),
            order: Order::of(values.word("order")),
            options: RankOptions { window: values.size("window"), step: values.size("step"), shown },
            by: By::of(values.word("by")),
            kit: kit.clone(),
            kept: None,
        }
    }
}

impl ReadingStrategy for FullRanking {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let usual = RetrievalOptions::default().ranking;
        let ranking = Ranking { words: self.options.shown.words, by: self.by, ..usual };
        let encoder = self.kit.encoder.as_ref();
        let candidates = Candidates::of(&mut self.kept, asked.documents, ranking, encoder)?;
        let mut found = candidates.ranked(asked.question)?;
        found.truncate(self.candidates);
        let texts: Vec<&str> = found.iter().map(|span| span.text(asked.documents)).collect();
        let mut work = Work::default();
        let query = asked.question.trim();
        let ranked = rank(model, query, &texts, self.options, &mut work, control)?;
        let best: Vec<Span> =
            ranked.into_iter().filter_map(|place| found.get(place).cloned()).take(self.top).collect();
        let mut prepared = given(asked.documents, candidates.head.as_ref(), &best, self.order);
        prepared.work.add(work);
        prepared.work.note("candidates", found.len());
        Ok(prepared)
    }
}
