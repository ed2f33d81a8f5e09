//! `infini-retri`: reads a text of any length piece by piece, and keeps the sentences that the question attends to.

mod info;
mod scores;

use std::time::Instant;

use loci_engine::documents::Document;
use loci_engine::{Attended, Control, EngineError, Input, LanguageModel, Progress};
use loci_models::method::{MethodInfo, Values};
use loci_models::template::Message;

use crate::assemble::{Assembly, assemble, shown};
use crate::passages::sentences;
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span, Work, between, tokens_of};
pub use info::INFO;
use scores::{best, scores};

/// Longest sentence in words: what has no full stop is cut.
const WORDS_OF_SENTENCE: usize = 60;

/// Keeps the sentences that the question attends to (see [`INFO`]).
#[derive(Clone, Debug)]
pub struct InfiniRetri {
    window: usize,
    top: usize,
    phrase: usize,
    above: usize,
    weigh: bool,
    most: usize,
}

/// A sentence with its tokens by itself.
#[derive(Clone, Debug)]
struct Sentence {
    span: Span,
    tokens: usize,
}

impl InfiniRetri {
    /// As the values of a method typed as `infini-retri:…` say.
    pub fn of(values: &Values) -> Self {
        Self {
            window: values.size("window"),
            top: values.size("top_k"),
            phrase: values.size("phrase"),
            above: values.size("above"),
            weigh: values.flag("weigh"),
            most: values.size("most"),
        }
    }
}

impl ReadingStrategy for InfiniRetri {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        if asked.question.trim().is_empty() {
            return Err(EngineError::Nothing {
                what: "the question".to_owned(),
                purpose: "look for in the text",
            });
        }
        let all = cut(asked.documents, model)?;
        let (total, started) = (all.iter().map(|sentence| sentence.tokens).sum(), Instant::now());
        let mut work = Work::default();
        let (mut kept, mut weights, mut done): (Vec<Sentence>, Option<Vec<f64>>, usize) =
            (Vec::new(), None, 0);
        for chunk in chunks(&all, self.window) {
            let visible: Vec<Sentence> = kept.iter().chain(chunk).cloned().collect();
            kept = self.keep(asked, &visible, &mut weights, model, control, &mut work)?;
            done += chunk.iter().map(|sentence| sentence.tokens).sum::<usize>();
            if let Some(progress) = &mut control.progress {
                progress(Progress { done, total, elapsed: started.elapsed() });
            }
        }
        work.note("sentences", all.len());
        work.note("sentences kept", kept.len());
        work.note("tokens of text", total);
        let spans: Vec<Span> = kept.into_iter().map(|sentence| sentence.span).collect();
        let Assembly { mut text, pieces } = assemble(asked.documents, &spans);
        text.push_str(between(&text, asked.question));
        Ok(Prepared { text, pieces, work, ..Prepared::default() })
    }
}

impl InfiniRetri {
    /// Those of `visible` that the question attends to, in the order of the text.
    fn keep(
        &self,
        asked: &Asked<'_>,
        visible: &[Sentence],
        weights: &mut Option<Vec<f64>>,
        model: &mut dyn LanguageModel,
        control: &Control<'_>,
        work: &mut Work,
    ) -> Result<Vec<Sentence>, EngineError> {
        let spans: Vec<Span> = visible.iter().map(|sentence| sentence.span.clone()).collect();
        let Assembly { text, pieces } = assemble(asked.documents, &spans);
        let content = format!("{text}{}{}", between(&text, asked.question), asked.question);
        let question_at = content.len() - asked.question.len();
        let mut own = Control { stop: control.stop, progress: None };
        let messages = [Message::new("user", content)];
        let looks = model.attended(&Input::messages(&messages), question_at, self.above, &mut own)?;
        work.calls += 1;
        work.read_tokens += looks.tokens.len();
        // Tokens of the text alone: neither template nor question.
        let inside = |bytes: &Option<std::ops::Range<usize>>| {
            bytes.as_ref().is_some_and(|bytes| bytes.start < text.len())
        };
        let start = looks.tokens.iter().position(inside).unwrap_or(0);
        let end = looks.tokens.iter().rposition(inside).map_or(start, |last| last + 1).min(looks.first());
        let weights = match weights.take().filter(|weights| weights.len() == looks.rows) {
            Some(known) => weights.insert(known),
            None => weights.insert(self.weights_of(&looks)),
        };
        let found = scores(looks.looks(), weights, start..end.max(start), self.phrase);
        let mut score_of = vec![None::<f64>; visible.len()];
        for place in best(&found, self.top) {
            let Some(Some(bytes)) = looks.tokens.get(start + place) else { continue };
            let score = found.get(place).copied().unwrap_or(0.0);
            // A token belongs to the sentence of its last byte: many begin with the space behind the sentence before. A blank
            // line between two passages belongs to none.
            for span in shown(&pieces, bytes.end.saturating_sub(1), bytes.end) {
                let at = visible.partition_point(|sentence| {
                    (sentence.span.document, sentence.span.end) <= (span.document, span.start)
                });
                if let Some(own) = score_of.get_mut(at) {
                    *own = Some(own.unwrap_or(f64::NEG_INFINITY).max(score));
                }
            }
        }
        Ok(self.within_room(visible, &score_of, work))
    }

    /// How much each token that looks counts: what it gives to the tokens that look, the question's own block.
    fn weights_of(&self, looks: &Attended) -> Vec<f64> {
        let own = |row: &[f32]| {
            let block = row.get(looks.first()..).unwrap_or(&[]);
            block.iter().map(|share| f64::from(*share)).sum()
        };
        looks.looks().map(|row| if self.weigh { own(row) } else { 1.0 }).collect()
    }

    /// The sentences that have a score, without those of the lowest scores where all are too long together.
    fn within_room(&self, visible: &[Sentence], scores: &[Option<f64>], work: &mut Work) -> Vec<Sentence> {
        let mut chosen: Vec<(f64, &Sentence)> = visible
            .iter()
            .zip(scores)
            .filter_map(|(sentence, score)| score.map(|score| (score, sentence)))
            .collect();
        chosen.sort_by(|one, other| other.0.total_cmp(&one.0));
        let (mut room, mut kept) = (self.most, Vec::with_capacity(chosen.len()));
        for (_, sentence) in &chosen {
            if sentence.tokens > room {
                break;
            }
            room -= sentence.tokens;
            kept.push((*sentence).clone());
        }
        work.failed("sentences that had no room", chosen.len() - kept.len());
        kept.sort_by(|one, other| one.span.cmp(&other.span));
        kept
    }
}

/// The sentences of all documents. What is between them belongs to the one before, so they are the whole text.
fn cut(documents: &[Document], model: &dyn LanguageModel) -> Result<Vec<Sentence>, EngineError> {
    let mut all = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        for range in sentences(&document.text, WORDS_OF_SENTENCE) {
            let span = Span::new(index, range);
            let text = span.text(documents);
            if !text.trim().is_empty() {
                all.push(Sentence { tokens: tokens_of(model, text)?, span });
            }
        }
    }
    Ok(all)
}

/// `sentences` in groups of at most `window` tokens, one sentence at least.
fn chunks(sentences: &[Sentence], window: usize) -> impl Iterator<Item = &[Sentence]> {
    let mut rest = sentences;
    std::iter::from_fn(move || {
        let mut tokens = 0;
        let fits = |sentence: &&Sentence| {
            tokens += sentence.tokens;
            tokens <= window
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (chunk, behind) = rest.split_at(count);
        rest = behind;
        (!chunk.is_empty()).then_some(chunk)
    })
}

#[cfg(test)]
mod tests;
