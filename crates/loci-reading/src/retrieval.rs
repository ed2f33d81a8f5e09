//! `retrieval`: the passages of a text that share most with the question, and nothing else.

use loci_engine::documents::Document;
use loci_engine::{Control, EngineError, LanguageModel};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};

use crate::assemble::assemble;
use crate::bm25::Weights;
use crate::candidates::{Candidates, Ranking};
use crate::order::Order;
use crate::ranker::By;
use crate::registry::Kit;
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span};

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "retrieval",
    title: "The passages that share most words with the question, and nothing else; a control.",
    paper: "Goldman et al., Is It Really Long Context if All You Need Is Retrieval?, 2024; BM25: Robertson et al., Okapi at \
            TREC-3, 1994",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "words",
            meaning: "most words of a passage",
            unit: "words",
            default: Value::Integer(200),
            domain: Domain::Integers(1, 1_000_000),
        },
        Parameter {
            name: "top",
            meaning: "passages that the model is given",
            unit: "passages",
            default: Value::Integer(5),
            domain: Domain::Integers(1, 1_000_000),
        },
        Parameter {
            name: "by",
            meaning: "by what passages are ranked: the words that they share with the question (BM25), the vectors of a sentence encoder, or both",
            unit: "",
            default: Value::Word("words"),
            domain: Domain::Words(By::WORDS),
        },
        Order::PARAMETER,
        Parameter {
            name: "k1",
            meaning: "how soon further occurrences of a word stop to matter; 0: at once",
            unit: "",
            default: Value::Number(1.2),
            domain: Domain::Numbers(0.0, 100.0),
        },
        Parameter {
            name: "b",
            meaning: "how much long passages are held back",
            unit: "",
            default: Value::Number(0.75),
            domain: Domain::Numbers(0.0, 1.0),
        },
    ],
    cost: "one pass over the words of a text, then reading top x words words for each question",
    composes_with: &[],
    invariants: &[
        "with room for all passages, in the text's order, the model is given the text as it is",
        "no passage stands twice, and in whatever order none is lost",
        "the passage with the question's words is among those given",
        "a text that is not told apart from its question is refused",
    ],
    description: "Cuts texts into passages of whole sentences, ranks them by BM25 with the words of the question, in lower \
                  case (Chinese characters one by one), by the cosine of their vectors with that of the question, or by both \
                  rankings fused (reciprocal ranks), and gives the model the best ones in the order of the text, then the \
                  question. Other orders (Jin et al., Long-Context LLMs Meet RAG, 2024) help a model that uses the ends of a \
                  prompt best; measure yours, for with good retrievers the first ranks hold distractors too. Passages that \
                  are neighbours stand as they do in the text; a blank line stands between others. Of equal scores the \
                  earlier passage is taken.

What stands in a prompt's text before the first blank line, or else before \
                  the first line break, is kept in front if it has at most 60 words: instructions stand there (ours; the \
                  paper leaves the form of the control open).

The model reads what it is given with full attention. A \
                  task on which this does as well as a method that reads everything does not show that a long text was \
                  read. It fails where much of a text is needed, or where the question does not say what to look for. A \
                  word is what stands between white space, so passages of long keys, such as uuids, are many tokens: give \
                  fewer words.\n\nQuestions that follow each other about one text are refused: text \
                  and question have to come apart.",
};

/// How a text is cut and ranked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrievalOptions {
    /// How passages are cut and ranked.
    pub ranking: Ranking,
    /// Passages that the model is given.
    pub top: usize,
    /// In which order they stand.
    pub order: Order,
}

impl RetrievalOptions {
    /// What the values of a method typed as `retrieval:…` say.
    pub fn of(values: &Values) -> Self {
        Self {
            ranking: Ranking {
                words: values.size("words"),
                by: By::of(values.word("by")),
                weights: Weights { k1: values.number("k1"), b: values.number("b") },
            },
            top: values.size("top"),
            order: Order::of(values.word("order")),
        }
    }
}

impl Default for RetrievalOptions {
    fn default() -> Self {
        Self::of(&Values::defaults(&INFO))
    }
}

/// Chooses the passages of documents that share most with the question (see [`INFO`]).
#[derive(Debug)]
pub struct Retrieval {
    options: RetrievalOptions,
    kit: Kit,
    kept: Option<Candidates>,
}

impl Retrieval {
    /// Chooses as `options` say.
    pub const fn new(options: RetrievalOptions, kit: Kit) -> Self {
        Self { options, kit, kept: None }
    }
}

impl ReadingStrategy for Retrieval {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        _model: &mut dyn LanguageModel,
        _control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let candidates =
            Candidates::of(&mut self.kept, asked.documents, self.options.ranking, self.kit.encoder.as_ref())?;
        let mut best = candidates.ranked(asked.question)?;
        let all = best.len();
        best.truncate(self.options.top);
        let mut prepared = given(asked.documents, candidates.head.as_ref(), &best, self.options.order);
        prepared.work.note("passages", all);
        prepared.work.note("passages given", best.len());
        Ok(prepared)
    }
}

/// What a model is given of `best` passages, the best first: behind the `head`, in `order`.
pub(crate) fn given(documents: &[Document], head: Option<&Span>, best: &[Span], order: Order) -> Prepared {
    let ordered = order.of_spans(best.to_vec(), documents);
    let spans: Vec<Span> = head.cloned().into_iter().chain(ordered).collect();
    let mut all = assemble(documents, &spans);
    let ends = spans.last().is_none_or(|last| {
        documents.get(last.document).is_some_and(|document| document.text.len() == last.end)
    });
    if !ends {
        all.break_off();
    }
    Prepared { text: all.text, pieces: all.pieces, evidence: best.to_vec(), ..Prepared::default() }
}

#[cfg(test)]
mod tests;
