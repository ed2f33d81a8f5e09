//! `alr2`: the sentences that are needed are quoted first, then the question is answered from them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use loci_engine::grammar::{Form, Quotes};
use loci_engine::{Control, EngineError, GenerateOptions, Input, LanguageModel};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};
use loci_models::template::Message;

use crate::assemble::{assemble, whole};
use crate::passages::sentences;
use crate::quotes::{Found, bare, locate};
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span, Work, between};

/// Longest sentence in words: what has no full stop is cut.
const WORDS_OF_SENTENCE: usize = 60;
/// What is asked for behind the question. The paper's wording is not published; this one is ours.
const LIST: &str = "First list the sentences of the text that are needed for the answer, each copied letter by letter on a \
                    line of its own behind \"- \". Then write the answer behind \"Answer:\".";
/// Begins the answer behind the quotes.
const CUE: &str = "\nAnswer:";

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "alr2",
    title: "First quotes the sentences that are needed, then answers from them; quotes are checked.",
    paper: "Li et al., ALR2: A Retrieve-then-Reason Framework for Long-context Question Answering, 2024",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "mode",
            meaning: "what is answered from: the text and the quotes, in one sequence, or the quotes alone",
            unit: "",
            default: Value::Word("context"),
            domain: Domain::Words(&["context", "quotes"]),
        },
        Parameter {
            name: "copy",
            meaning: "quotes can only be sentences of the text, where the model can be held to that",
            unit: "",
            default: Value::Flag(true),
            domain: Domain::Flag,
        },
        Parameter {
            name: "quotes",
            meaning: "most sentences that are quoted",
            unit: "sentences",
            default: Value::Integer(4),
            domain: Domain::Integers(1, 1000),
        },
        Parameter {
            name: "tokens",
            meaning: "most tokens of all quotes",
            unit: "tokens",
            default: Value::Integer(512),
            domain: Domain::Integers(1, 100_000),
        },
    ],
    cost: "reading the text once, writing the quotes beside the answer; mode=quotes reads the quotes again",
    composes_with: &[],
    invariants: &[
        "with copy every quote is a sentence of the text",
        "a quote that stands nowhere in the text is counted and left out; it is never evidence",
        "in mode context what is read of the text is read once: the answer goes on from the quotes",
        "without any quote the question is answered from the text alone",
    ],
    description: "The model reads text and question, and writes out the sentences that are needed; each is looked for in the \
                  text, byte by byte, then without regard to white space, quotation marks and case. Behind the quotes that \
                  were found it goes on with the answer, in the same sequence, so nothing is read twice; with `mode=quotes` \
                  a new short prompt holds the quotes alone, which is cheap and stands or falls with them.\n\nWith `copy` \
                  the model can write nothing but sentences of the text, each once and whole: no quote is invented. That is \
                  our addition; the paper trains a model to copy instead. Endpoints cannot be held to it, so what they \
                  quote is checked only. Made for questions whose evidence is a few sentences, not for summaries.",
};

/// Quotes first (see [`INFO`]).
#[derive(Clone, Copy, Debug)]
pub struct Alr2 {
    quotes_alone: bool,
    copy: bool,
    most: usize,
    tokens: usize,
}

impl Alr2 {
    /// As the values of a method typed as `alr2:…` say.
    pub fn of(values: &Values) -> Self {
        Self {
            quotes_alone: values.word("mode") == "quotes",
            copy: values.flag("copy"),
            most: values.size("quotes"),
            tokens: values.size("tokens"),
        }
    }
}

impl ReadingStrategy for Alr2 {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let all = whole(asked.documents);
        let (text, question) = (all.text, format!("{}\n\n{LIST}", asked.question.trim_end()));
        let content = format!("{text}{}{question}", between(&text, &question));
        let mut work = Work::default();
        let reply = self.quote(asked, &content, model, control, &mut work)?;
        let quotes = checked(asked, &reply, self.most, &mut work);
        let evidence: Vec<Span> = quotes.iter().map(|(_, span)| span.clone()).collect();
        if quotes.is_empty() {
            work.failed("answered without quotes", 1);
            let text = format!("{text}{}", between(&text, asked.question));
            return Ok(Prepared { text, pieces: all.pieces, work, ..Prepared::default() });
        }
        if self.quotes_alone {
            let mut spans: Vec<Span> = evidence.clone();
            spans.sort();
            let mut short = assemble(asked.documents, &spans);
            short.break_off();
            let (text, pieces) = (short.text, short.pieces);
            return Ok(Prepared { text, pieces, evidence, quoted: true, work, ..Prepared::default() });
        }
        let listed: String = quotes.iter().map(|(quote, _)| format!("- {quote}\n")).collect();
        let text = format!("{text}{}", between(&text, &question));
        Ok(Prepared {
            text,
            pieces: all.pieces,
            question: Some(question),
            answer_start: format!("{}{CUE}", listed.trim_end()),
            evidence,
            quoted: true,
            work,
            ..Prepared::default()
        })
    }
}

impl Alr2 {
    /// What the model quotes.
    fn quote(
        &self,
        asked: &Asked<'_>,
        content: &str,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
        work: &mut Work,
    ) -> Result<String, EngineError> {
        let held = || {
            let mut texts = Vec::new();
            for document in asked.documents {
                let ranges = sentences(&document.text, WORDS_OF_SENTENCE).into_iter();
                let trimmed = ranges.filter_map(|range| document.text.get(range)).map(str::trim);
                // A quote is one line; what stands over several is written with spaces and found all the same.
                texts.extend(trimmed.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            texts.retain(|text| !text.is_empty());
            Form::Quotes(Quotes { texts, before: "- ".to_owned(), behind: "\n".to_owned(), most: self.most })
        };
        let grammar = if self.copy { model.grammar(&held())? } else { None };
        let stop = if grammar.is_some() { Vec::new() } else { vec![CUE.trim_start().to_owned()] };
        let options =
            GenerateOptions { max_tokens: self.tokens, grammar, stop, ..GenerateOptions::default() };
        let messages = [Message::new("user", content)];
        let mut quiet = |_: &str| ControlFlow::Continue(());
        let generation = model.answer(&Input::messages(&messages), &options, control, &mut quiet)?;
        work.called(&generation.account);
        Ok(generation.text)
    }
}

/// The quotes in `reply` that stand in the documents, none twice, with where they stand first. Counts the others.
fn checked(asked: &Asked<'_>, reply: &str, most: usize, work: &mut Work) -> Vec<(String, Span)> {
    let mut quotes = Vec::new();
    let mut known = BTreeSet::new();
    let (mut total, mut loose) = (0, 0);
    for line in reply.lines().map(bare).filter(|line| !line.is_empty()) {
        total += 1;
        let found = locate(asked.documents, line);
        loose += usize::from(matches!(found, Found::Loosely(_)));
        match found.spans().first() {
            None => work.failed("quotes that stand nowhere in the text", 1),
            Some(span) if quotes.len() < most && known.insert(span.clone()) => {
                quotes.push((line.to_owned(), span.clone()));
            }
            Some(_) => work.failed("quotes that were repeated or too many", 1),
        }
    }
    work.note("quotes", total);
    work.note("quotes found with other white space or case", loose);
    quotes
}

#[cfg(test)]
mod tests {
    use loci_engine::documents::Document;

    use super::*;
    use crate::fakes::Scripted;

    const TEXT: &str = "Ann lives in Oslo. Oslo is in\nNorway. It rains.";

    fn prepare(mode: &str, reply: &str) -> (Prepared, Scripted) {
        let documents = [Document { name: "a".to_owned(), text: TEXT.to_owned() }];
        let values = crate::registry::parse(&format!("alr2:mode={mode},quotes=2")).unwrap();
        let mut model = Scripted::new(&[reply]);
        let asked = Asked { documents: &documents, question: "Where does Ann live?" };
        let prepared = Alr2::of(&values).prepare(&asked, &mut model, &mut Control::default()).unwrap();
        (prepared, model)
    }

    #[test]
    fn quotes_are_checked_and_the_answer_goes_on_behind_them() {
        let reply = "- Ann lives in Oslo.\n- Ann has a cat.\n* “oslo is in Norway.”\n- Ann lives in Oslo.";
        let (prepared, model) = prepare("context", reply);
        assert_eq!(prepared.answer_start, "- Ann lives in Oslo.\n- oslo is in Norway.\nAnswer:");
        let asked = prepared.question.as_deref().unwrap();
        assert!(model.given[0].ends_with(&format!("{}{asked}", prepared.text)), "one sequence");
        let quoted: Vec<&str> = prepared.evidence.iter().map(|span| &TEXT[span.start..span.end]).collect();
        assert_eq!(quoted, ["Ann lives in Oslo.", "Oslo is in\nNorway."]);
        assert_eq!(prepared.work.failures["quotes that stand nowhere in the text"], 1);
        assert_eq!(prepared.work.failures["quotes that were repeated or too many"], 1);
        assert!((prepared.work.figures["quotes"] - 4.0).abs() < 1e-9);
    }

    #[test]
    fn quotes_alone_make_a_new_prompt() {
        let (prepared, _) = prepare("quotes", "It rains.\nAnn lives in Oslo.");
        assert_eq!(prepared.text, "Ann lives in Oslo.\n\nIt rains.\n\n");
        assert!(prepared.question.is_none() && prepared.answer_start.is_empty());
    }

    #[test]
    fn without_a_true_quote_the_text_itself_is_asked() {
        for mode in ["context", "quotes"] {
            let (prepared, _) = prepare(mode, "- I made this up.");
            assert_eq!(prepared.text, format!("{TEXT}\n\n"));
            assert!(prepared.evidence.is_empty() && prepared.answer_start.is_empty());
            assert_eq!(prepared.work.failures["answered without quotes"], 1);
        }
    }
}
