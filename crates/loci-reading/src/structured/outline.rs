//! The second form: aspects are ranges of sentences, so nothing of the text is lost or put in other words.

use std::ops::Range;

use serde_json::Value;

use super::on_one_line;
use super::reader::{member, read};
use super::statement::{Described, Statement};

/// Words in the name of a last aspect that is stretched to the end: writers of replies stop before lists of references.
const ENDS: [&str; 4] = ["reference", "conclusion", "see also", "external link"];
/// What the fallback's aspect is called (ours).
const EVERYTHING: &str = "The whole text";

/// What a text is about, and its aspects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The topic, a few words.
    pub scope: String,
    /// Side by side they hold every sentence once, in order: the first begins at 0, each where the one before it ends.
    pub aspects: Vec<Aspect>,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aspect {
    /// A title; never blank.
    pub name: String,
    /// Numbers of its sentences, from 0, the end not included (replies count from 1 and include it).
    pub sentences: Range<usize>,
    /// Parts of it, inside its range; they need not hold all of it, and none is a single sentence.
    pub sub: Vec<Aspect>,
}

/// What is asked of a reply beside the form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Refuses an outline in which every aspect is one sentence: it structures nothing.
    pub refuse_singles: bool,
}

/// Why a reply is no outline of the text; then take [`Outline::fallback`], or the text as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOutline {
    /// The text has no sentences.
    #[error("the text has no sentences, so there is nothing to outline")]
    Nothing,
    /// There is neither YAML nor JSON of the form in it.
    #[error("the reply holds no mapping with Scope and Aspects")]
    Unreadable,
    /// The topic is missing or blank.
    #[error("the reply has no Scope")]
    NoScope,
    /// There is no list of aspects, or it is empty.
    #[error("the reply has no Aspects")]
    NoAspects,
    /// An aspect without a name.
    #[error("aspect {place} has no AspectName")]
    NoName {
        /// Where it stands, such as `2.1`.
        place: String,
    },
    /// An aspect without a range of two whole numbers of which the first is at least 1 and not behind the second.
    #[error("aspect {place} has no SentenceRange with whole numbers 1 <= start <= end")]
    BadRange {
        /// Where it stands, such as `2.1`.
        place: String,
    },
    /// Sub-aspects that are no list.
    #[error("the SubAspects of aspect {place} are no list")]
    BadSub {
        /// Where it stands, such as `2.1`.
        place: String,
    },
    /// Aspects leave sentences out, hold some twice, or do not end with the text.
    #[error("aspect {place} begins at sentence {found} and has to begin at {expected}")]
    NotContiguous {
        /// Where it stands.
        place: String,
        /// Its first sentence, from 1.
        found: usize,
        /// Which it should be.
        expected: usize,
    },
    /// The last aspect does not end with the text.
    #[error("the last aspect ends with sentence {found} of {sentences}")]
    WrongEnd {
        /// Its last sentence, from 1.
        found: usize,
        /// Sentences of the text.
        sentences: usize,
    },
    /// Every aspect is one sentence, and that was to be refused.
    #[error("every aspect is a single sentence")]
    AllSingle,
}

impl Outline {
    /// The outline to go on with when a reply is none: one aspect that holds everything.
    pub fn fallback(sentences: usize) -> Self {
        let all = Aspect { name: EVERYTHING.to_owned(), sentences: 0..sentences, sub: Vec::new() };
        Self { scope: EVERYTHING.to_owned(), aspects: vec![all] }
    }

    /// Sentences of the text.
    pub fn sentences(&self) -> usize {
        self.aspects.last().map_or(0, |last| last.sentences.end)
    }

    /// In the form of a reply, names in quotation marks; [`parse`] reads it back.
    pub fn render(&self) -> String {
        let mut out = format!("Scope: {}\nAspects:\n", Value::from(self.scope.as_str()));
        for aspect in &self.aspects {
            aspect.render_onto(2, &mut out);
        }
        out
    }

    /// The aspects with the words of `sentences`, all there are of the text; parts of aspects are not told apart.
    pub fn statement(&self, sentences: &[&str]) -> Statement {
        let words = |aspect: &Aspect| {
            let own = sentences.get(aspect.sentences.clone()).unwrap_or_default();
            own.iter().map(|sentence| on_one_line(sentence)).filter(|sentence| !sentence.is_empty()).collect()
        };
        let described =
            |aspect: &Aspect| Described { name: aspect.name.clone(), descriptions: words(aspect) };
        let aspects = self.aspects.iter().map(described).collect();
        Statement { scope: self.scope.clone(), aspects }
    }
}

impl Aspect {
    fn render_onto(&self, indent: usize, out: &mut String) {
        let space = " ".repeat(indent);
        let (start, end) = (self.sentences.start + 1, self.sentences.end);
        out.push_str(&format!(
            "{space}- AspectName: {}\n{space}  SentenceRange:\n{space}    start: {start}\n{space}    end: {end}\n",
            Value::from(self.name.as_str())
        ));
        if self.sub.is_empty() {
            out.push_str(&format!("{space}  SubAspects: []\n"));
            return;
        }
        out.push_str(&format!("{space}  SubAspects:\n"));
        for sub in &self.sub {
            sub.render_onto(indent + 4, out);
        }
    }

    /// Makes the range hold those of its parts; the released code does so for the first level only, ours for each, so that
    /// parts stand inside.
    fn widen(&mut self) {
        for sub in &mut self.sub {
            sub.widen();
            self.sentences.start = self.sentences.start.min(sub.sentences.start);
            self.sentences.end = self.sentences.end.max(sub.sentences.end);
        }
    }

    /// Drops parts of one sentence.
    pub(super) fn drop_single_parts(&mut self) {
        self.sub.retain(|sub| sub.sentences.len() > 1);
        self.sub.iter_mut().for_each(Self::drop_single_parts);
    }

    /// Moves it, with its parts, `by` sentences towards the end.
    pub(super) fn shift(&mut self, by: usize) {
        self.sentences = self.sentences.start + by..self.sentences.end + by;
        self.sub.iter_mut().for_each(|sub| sub.shift(by));
    }
}

/// What a structurizer is asked, in our own words: the sentences are numbered from 1, one a line.
pub fn prompt(sentences: &[&str]) -> String {
    let mut prompt = String::from(
        "Below are the numbered sentences of a text. Work out how the text is built. Give its scope, a short noun phrase for \
         what it is about, and its main aspects in the order of the text, each with a noun phrase as its name and the first \
         and the last sentence that belong to it. Aspects follow each other without gaps: the first begins with sentence 1, \
         each begins right behind the one before it, and the last ends with the last sentence. An aspect may have parts of \
         the same form. Use few aspects, and put names in quotation marks. Answer in YAML of this form and with nothing \
         else:\n\nScope: \"...\"\nAspects:\n  - AspectName: \"...\"\n    SentenceRange:\n      start: 1\n      end: 4\n    \
         SubAspects: []\n\nSentences:\n",
    );
    for (number, sentence) in sentences.iter().enumerate() {
        prompt.push_str(&format!("- Sentence {}: {}\n", number + 1, on_one_line(sentence)));
    }
    prompt
}

/// The outline in `reply`, YAML of the form that [`prompt`] asks for or JSON of the same shape, of a text of `sentences`
/// sentences.
///
/// Repaired: a range that does not hold its parts is widened; a last aspect named as references, a conclusion or links is
/// stretched to the last sentence; parts of a single sentence are dropped.
///
/// # Errors
/// [`BadOutline`] with what is wrong; see [`Outline::fallback`].
pub fn parse(reply: &str, sentences: usize) -> Result<Outline, BadOutline> {
    parse_with(reply, sentences, Checks::default())
}

/// As [`parse`], with [`Outline::fallback`] for a reply that is no outline, and why it is none: a few of a hundred replies are
/// to be expected, and whoever measures counts them.
pub fn parse_or_fallback(reply: &str, sentences: usize) -> (Outline, Option<BadOutline>) {
    match parse(reply, sentences) {
        Ok(outline) => (outline, None),
        Err(bad) => (Outline::fallback(sentences), Some(bad)),
    }
}

/// As [`parse`], with further checks.
///
/// # Errors
/// As [`parse`], and [`BadOutline::AllSingle`].
pub fn parse_with(reply: &str, sentences: usize, checks: Checks) -> Result<Outline, BadOutline> {
    if sentences == 0 {
        return Err(BadOutline::Nothing);
    }
    let value = read(reply).ok_or(BadOutline::Unreadable)?;
    let scope = member(&value, "Scope").and_then(name).ok_or(BadOutline::NoScope)?;
    let listed = member(&value, "Aspects").and_then(Value::as_array).ok_or(BadOutline::NoAspects)?;
    let mut aspects = aspects(listed, "")?;
    aspects.iter_mut().for_each(Aspect::widen);
    let Some(last) = aspects.last_mut() else { return Err(BadOutline::NoAspects) };
    let lower = last.name.to_lowercase();
    if ENDS.iter().any(|end| lower.contains(end)) {
        last.sentences.end = last.sentences.end.max(sentences);
    }
    let mut expected = 0;
    for (number, aspect) in aspects.iter().enumerate() {
        if aspect.sentences.start != expected {
            let (found, expected) = (aspect.sentences.start + 1, expected + 1);
            return Err(BadOutline::NotContiguous { place: (number + 1).to_string(), found, expected });
        }
        expected = aspect.sentences.end;
    }
    if expected != sentences {
        return Err(BadOutline::WrongEnd { found: expected, sentences });
    }
    if checks.refuse_singles && aspects.iter().all(|aspect| aspect.sentences.len() == 1) {
        return Err(BadOutline::AllSingle);
    }
    aspects.iter_mut().for_each(Aspect::drop_single_parts);
    Ok(Outline { scope, aspects })
}

/// A name that is not blank.
fn name(value: &Value) -> Option<String> {
    value.as_str().filter(|name| !name.trim().is_empty()).map(str::to_owned)
}

/// Depth is limited by what reads the reply.
fn aspects(listed: &[Value], above: &str) -> Result<Vec<Aspect>, BadOutline> {
    let mut found = Vec::with_capacity(listed.len());
    for (number, value) in listed.iter().enumerate() {
        let place = format!("{above}{}", number + 1);
        let Some(name) = member(value, "AspectName").and_then(name) else {
            return Err(BadOutline::NoName { place });
        };
        let Some(sentences) = member(value, "SentenceRange").and_then(range) else {
            return Err(BadOutline::BadRange { place });
        };
        let sub = match member(value, "SubAspects") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(listed)) => aspects(listed, &format!("{place}."))?,
            Some(_) => return Err(BadOutline::BadSub { place }),
        };
        found.push(Aspect { name, sentences, sub });
    }
    Ok(found)
}

/// The range from 0 without its end, of `{start, end}` from 1 with it.
fn range(value: &Value) -> Option<Range<usize>> {
    let whole = |name: &str| match member(value, name)? {
        Value::String(text) => text.parse::<u32>().ok(),
        value => u32::try_from(value.as_u64()?).ok(),
    };
    let (start, end) = (whole("start")?, whole("end")?);
    (1 <= start && start <= end).then(|| start as usize - 1..end as usize)
}

#[cfg(test)]
#[path = "outline_tests.rs"]
mod tests;
