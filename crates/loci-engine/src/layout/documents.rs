//! Documents first, then what is asked about them.
//!
//! A prompt about documents is made of two halves that are encoded apart: up to the end of the last document, and the rest.
//! So what is read of the documents does not depend on the question, and can be kept for others.

use std::ops::Range;

use loci_models::template::Message;
use loci_models::tokenizer::{Part, SpecialTokens};

use super::{Prompt, Rendered, Source, encode};
use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;

/// Whether each document is preceded by a line with its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Headings {
    /// When there is more than one document.
    #[default]
    Several,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Put behind a question so that small models answer from the text and not from what they remember: with the bare
/// question, SmolLM2-135M explains what a pass key is instead of reading it out. Chosen from about fifteen wordings
/// on pass-key texts of 3,700 tokens and one page of a novel: little evidence, hence `--bare` to leave it out.
const FRAME: &str = "\n\nFind the answer in the text above and quote it.";

/// `question` with a sentence behind it that points at the text.
pub fn framed(question: &str) -> String {
    format!("{question}{FRAME}")
}

/// Between the last document and what is asked.
const BEHIND: &str = "\n\n";

/// Stands for the half of a message that is not encoded, where a template wants to see a whole one.
const STAND_IN: &str = ".";

/// Documents as one text: the question follows at the end, where a method that recalls by the newest query can use it.
struct Body {
    text: String,
    /// Of each document, its bytes in `text`.
    documents: Vec<Range<usize>>,
}

impl Body {
    fn new(documents: &[Document], headings: Headings) -> Self {
        let with_heading = match headings {
            Headings::Several => documents.len() > 1,
            Headings::Always => true,
            Headings::Never => false,
        };
        let length = |document: &Document| document.text.len() + document.name.len() + 8;
        let mut text = String::with_capacity(documents.iter().map(length).sum::<usize>() + 8);
        let mut ranges = Vec::with_capacity(documents.len());
        for document in documents {
            if !ranges.is_empty() {
                text.push_str(BEHIND);
            }
            if with_heading {
                text.push_str("# ");
                text.push_str(&document.name);
                text.push_str("\n\n");
            }
            let start = text.len();
            text.push_str(&document.text);
            ranges.push(start..text.len());
        }
        Self { text, documents: ranges }
    }

    /// The document that holds most of `bytes`, which may reach over a document's border.
    fn source(&self, bytes: Range<usize>) -> Option<Source> {
        let after = self.documents.partition_point(|range| range.end <= bytes.start);
        let range = self.documents.get(after)?;
        let start = bytes.start.max(range.start);
        let end = bytes.end.min(range.end);
        (start < end).then(|| Source { document: after, bytes: start - range.start..end - range.start })
    }
}

/// The prompt of a question about documents. A `bare` question stands as it is, otherwise a sentence
/// behind it points at the text.
///
/// # Errors
/// [`EngineError::Template`] when the model's chat template refuses the messages.
pub fn question_about(
    engine: &Engine,
    documents: &[Document],
    question: &str,
    system: Option<&str>,
    headings: Headings,
    bare: bool,
) -> Result<Prompt, EngineError> {
    let prefix = documents_prefix(engine, documents, system, headings)?;
    Ok(prefix.followed_by(&question_tail(engine, question, system, bare)?))
}

/// A prompt up to the end of the last document: what comes before the first message, and the documents.
///
/// # Errors
/// [`EngineError::Template`] when the model's chat template refuses the messages.
pub fn documents_prefix(
    engine: &Engine,
    documents: &[Document],
    system: Option<&str>,
    headings: Headings,
) -> Result<Prompt, EngineError> {
    let mut body = Body::new(documents, headings);
    let mut prefix = if engine.chat_template().is_none() {
        let parts = [Part { text: &body.text, special: SpecialTokens::AsText }];
        encode(engine, &parts, true, |bytes| body.source(bytes), |_| false)?
    } else {
        let border = body.text.len();
        body.text.push_str(BEHIND);
        body.text.push_str(STAND_IN);
        let mut messages = system_message(system);
        let place = messages.len();
        messages.push(Message::new("user", std::mem::take(&mut body.text)));
        let rendered = Rendered::new(engine, &messages, &[])?;
        let (parts, _) = rendered.parts_at(place, border)?;
        let source = |bytes| match rendered.within(bytes)? {
            (index, bytes) if index == place => body.source(bytes),
            _ => None,
        };
        // Templates write the beginning-of-sequence token themselves where the model was trained with one.
        encode(engine, &parts, engine.tokenizer()?.adds_bos(), source, |_| false)?
    };
    prefix.documents = prefix.len();
    Ok(prefix.with_all_but_documents_fixed())
}

/// What stands behind the documents when `question` is asked, up to where the answer begins.
///
/// # Errors
/// As [`tail`].
pub fn question_tail(
    engine: &Engine,
    question: &str,
    system: Option<&str>,
    bare: bool,
) -> Result<Prompt, EngineError> {
    let asked = match (bare, engine.chat_template()) {
        (true, _) => question.to_owned(),
        (false, None) => format!("Question: {question}\nAnswer:"),
        (false, Some(_)) => framed(question),
    };
    tail(engine, &[Message::new("user", asked)], system, "")
}

/// What stands behind the documents in a conversation about them, up to where the model's next message begins; that message
/// begins with `answer_start`. The first of `messages` is what is asked first.
///
/// # Errors
/// [`EngineError::Template`] when the model's chat template refuses the messages, [`EngineError::Unsupported`] for a
/// conversation without such a template, and [`EngineError::Nothing`] without messages.
pub fn tail(
    engine: &Engine,
    messages: &[Message],
    system: Option<&str>,
    answer_start: &str,
) -> Result<Prompt, EngineError> {
    let Some((first, others)) = messages.split_first() else {
        return Err(EngineError::Nothing { what: "the conversation".to_owned(), purpose: "answer" });
    };
    let start = Part { text: answer_start, special: SpecialTokens::AsText };
    let mut prompt = if engine.chat_template().is_none() {
        if !others.is_empty() {
            return Err(EngineError::Unsupported(format!(
                "{} has no chat template, so it answers one question at a time; use a model tuned for instructions",
                engine.name()
            )));
        }
        let text = format!("{BEHIND}{}", first.content);
        encode(
            engine,
            &[Part { text: &text, special: SpecialTokens::AsText }, start],
            false,
            |_| None,
            |_| true,
        )?
    } else {
        let mut all = system_message(system);
        let place = all.len();
        all.push(Message::new(first.role.as_str(), format!("{STAND_IN}{BEHIND}{}", first.content)));
        all.extend_from_slice(others);
        let rendered = Rendered::new(engine, &all, &[])?;
        let (_, mut parts) = rendered.parts_at(place, STAND_IN.len())?;
        parts.push(start);
        encode(engine, &parts, false, |_| None, |_| true)?
    };
    prompt.documents = 0;
    Ok(prompt)
}

fn system_message(system: Option<&str>) -> Vec<Message> {
    system.map(|text| Message::new("system", text)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> Vec<Document> {
        [("a.txt", "alpha"), ("empty", ""), ("b.txt", "beta")]
            .map(|(name, text)| Document { name: name.to_owned(), text: text.to_owned() })
            .to_vec()
    }

    #[test]
    fn documents_are_found_again() {
        let documents = documents();
        let body = Body::new(&documents, Headings::Several);
        assert!(body.text.starts_with("# a.txt\n\nalpha\n\n# empty"));
        assert!(body.text.ends_with("# b.txt\n\nbeta"));
        let beta = body.text.find("beta").unwrap();
        assert_eq!(body.source(beta..beta + 2), Some(Source { document: 2, bytes: 0..2 }));
        assert_eq!(body.source(beta + 3..beta + 6), Some(Source { document: 2, bytes: 3..4 }));
        assert_eq!(body.source(0..3), None, "a heading belongs to no document");
        assert_eq!(body.source(beta + 4..beta + 6), None, "nor does what stands behind");
    }

    #[test]
    fn headings_can_be_left_out() {
        let documents = documents();
        assert!(Body::new(&documents, Headings::Never).text.starts_with("alpha"));
        assert!(Body::new(&documents[..1], Headings::Several).text.starts_with("alpha"));
        assert!(Body::new(&documents[..1], Headings::Always).text.starts_with("# a.txt"));
    }
}
