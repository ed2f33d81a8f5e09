//! `retrieval`: the passages of a text that share most with the question, and nothing else.

use std::ops::Range;

use loci_engine::EngineError;
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};

use crate::bm25::{Bm25, Weights};
use crate::given::Chooser;
use crate::order::Order;
use crate::passages::passages;
use crate::tokens::words;

/// A head of more words than this is text, not an instruction.
const MOST_WORDS_OF_HEAD: usize = 60;

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
            name: "order",
            meaning: "in which order they stand: as in the text, the best first, the best last, or the best at both ends",
            unit: "",
            default: Value::Word("source"),
            domain: Domain::Words(Order::WORDS),
        },
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
    description: "Cuts a text into passages of whole sentences, ranks them by BM25 with the words of the question, in lower \
                  case (Chinese characters one by one), and gives the model the best ones in the order of the text, then \
                  the question. Other orders (Jin et al., Long-Context LLMs Meet RAG, 2024) help a model that uses the ends \
                  of a prompt best; measure yours, for with good retrievers the first ranks hold distractors too. Passages that are neighbours stand as they do in the text; a blank line stands between \
                  others. Of equal scores the earlier passage is taken.\n\nWhat stands in the text before the first blank \
                  line, or else before the first line break, is kept in front if it has at most 60 words: instructions \
                  stand there (ours; the paper leaves the form of the control open).\n\nThe model reads what it is given \
                  with full attention. A task on which this does as well as a method that reads everything does not show \
                  that a long text was read. It fails where much of a text is needed, or where the question does not say \
                  what to look for. A word is what stands between white space, so passages of long keys, such as uuids, \
                  are many tokens: give fewer words.\n\nQuestions that follow each other about one text are refused: text \
                  and question have to come apart.",
};

/// How a text is cut and ranked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrievalOptions {
    /// Most words of a passage.
    pub words: usize,
    /// Passages that the model is given.
    pub top: usize,
    /// In which order they stand.
    pub order: Order,
    /// How words are weighed.
    pub weights: Weights,
}

impl RetrievalOptions {
    /// What the values of a method typed as `retrieval:…` say.
    pub fn of(values: &Values) -> Self {
        Self {
            words: values.size("words"),
            top: values.size("top"),
            order: Order::of(values.word("order")),
            weights: Weights { k1: values.number("k1"), b: values.number("b") },
        }
    }
}

impl Default for RetrievalOptions {
    fn default() -> Self {
        Self::of(&Values::defaults(&INFO))
    }
}

/// Chooses the passages of a text that share most with the question (see [`INFO`]).
#[derive(Debug)]
pub struct Retrieval {
    options: RetrievalOptions,
    indexed: Option<Indexed>,
}

impl Retrieval {
    /// Chooses as `options` say.
    pub const fn new(options: RetrievalOptions) -> Self {
        Self { options, indexed: None }
    }
}

impl Chooser for Retrieval {
    fn id(&self) -> &'static str {
        INFO.id
    }

    fn choose(&mut self, text: &str, question: &str) -> Result<String, EngineError> {
        let query = words(question);
        if query.is_empty() {
            return Err(EngineError::Nothing { what: "the question".to_owned(), purpose: "search for" });
        }
        if self.indexed.as_ref().is_none_or(|indexed| indexed.text != text) {
            self.indexed = Some(Indexed::new(text, &self.options));
        }
        let best = self.indexed.as_ref().map(|indexed| indexed.best(&query, &self.options));
        Ok(joined(text, &best.unwrap_or_default()))
    }
}

/// A text that was cut and counted: several questions are asked about one.
#[derive(Debug)]
struct Indexed {
    text: String,
    /// Kept in front.
    head: Range<usize>,
    passages: Vec<Range<usize>>,
    index: Bm25,
}

impl Indexed {
    fn new(text: &str, options: &RetrievalOptions) -> Self {
        let head = 0..head(text);
        let behind = text.get(head.end..).unwrap_or("");
        let passages: Vec<Range<usize>> = passages(behind, options.words)
            .into_iter()
            .map(|passage| head.end + passage.start..head.end + passage.end)
            .collect();
        let of = |passage: &Range<usize>| words(text.get(passage.clone()).unwrap_or(""));
        let index = Bm25::new(passages.iter().map(of), options.weights);
        Self { text: text.to_owned(), head, passages, index }
    }

    /// Head and best passages, in their order.
    fn best(&self, query: &[String], options: &RetrievalOptions) -> Vec<Range<usize>> {
        let ranked =
            self.index.rank(query).into_iter().take(options.top).map(|(passage, _)| passage).collect();
        let chosen = options.order.arrange(ranked, |passage: &usize| *passage);
        let passages = chosen.into_iter().filter_map(|passage| self.passages.get(passage).cloned());
        std::iter::once(self.head.clone()).filter(|head| !head.is_empty()).chain(passages).collect()
    }
}

/// Where the instruction that `text` begins with ends, with the white space behind it; 0 where there is none.
fn head(text: &str) -> usize {
    let ends = |border: &str| {
        let (before, _) = text.split_once(border)?;
        let count = before.split_whitespace().count();
        let behind = text.get(before.len()..)?;
        let end = text.len() - behind.trim_start().len();
        // Nothing behind it: then it is the text.
        ((1..=MOST_WORDS_OF_HEAD).contains(&count) && end < text.len()).then_some(end)
    };
    ends("\n\n").or_else(|| ends("\n")).unwrap_or(0)
}

/// The `ranges` of `text`: neighbours as they stand, others with a blank line between; a blank line at the end
/// where the end of the text is left out.
fn joined(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut end = 0;
    for range in ranges {
        if range.start != end && !out.is_empty() {
            break_off(&mut out);
        }
        out.push_str(text.get(range.clone()).unwrap_or(""));
        end = range.end;
    }
    if end != text.len() {
        break_off(&mut out);
    }
    out
}

fn break_off(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.push_str("\n\n");
}

#[cfg(test)]
mod tests;
