use std::ops::Range;

use loci_engine::generate::OnText;
use loci_engine::score::Score;
use loci_engine::{Account, Body, GenerateOptions, Generation, Rating};
use proptest::prelude::*;

use super::*;
use crate::fakes::said;
use crate::registry::{Kit, parse, strategy};

/// A model whose tokens are words with the space before them, and whose question attends to the words that it holds.
#[derive(Debug, Default)]
struct Attentive {
    /// Longest prompt.
    longest: usize,
}

fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut in_word = false;
    for (at, symbol) in text.char_indices() {
        let end = at + symbol.len_utf8();
        match found.last_mut() {
            Some(last) if !symbol.is_whitespace() || !in_word => last.end = end,
            _ => found.push(at..end),
        }
        in_word = !symbol.is_whitespace();
    }
    found
}

impl LanguageModel for Attentive {
    fn name(&self) -> &str {
        "attentive"
    }

    fn answer(
        &mut self,
        _input: &Input<'_>,
        _options: &GenerateOptions,
        _control: &mut Control<'_>,
        _on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        Ok(said(String::new()))
    }

    fn rate(
        &mut self,
        _input: &Input<'_>,
        _answers: &[&str],
        _distributions: bool,
        _control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        Err(EngineError::Internal("not asked for".to_owned()))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        Err(EngineError::Internal("not asked for".to_owned()))
    }

    fn embed(&mut self, _text: &str) -> Result<Vec<f32>, EngineError> {
        Err(EngineError::Internal("not asked for".to_owned()))
    }

    fn count_tokens(&self, text: &str) -> Result<Option<usize>, EngineError> {
        Ok(Some(tokens(text).len()))
    }

    fn attended(
        &mut self,
        input: &Input<'_>,
        from: usize,
        _above: usize,
        _control: &mut Control<'_>,
    ) -> Result<Attended, EngineError> {
        let Body::Messages([message]) = input.body else { panic!("one message") };
        let text = &message.content;
        let words = tokens(text);
        self.longest = self.longest.max(words.len());
        let rows = words.iter().filter(|word| word.end > from).count();
        let bare =
            |word: &Range<usize>| text[word.clone()].trim_matches([' ', '.', '?', '\n']).to_lowercase();
        let mut sums = Vec::new();
        for looks in words.iter().filter(|word| word.end > from) {
            let shares = words.iter().map(|word| if bare(word) == bare(looks) { 1.0 } else { 0.001 });
            sums.extend(shares);
        }
        Ok(Attended { tokens: words.into_iter().map(Some).collect(), rows, sums })
    }
}

fn prepare(typed: &str, texts: &[String], question: &str) -> (Prepared, Attentive) {
    let documents: Vec<Document> =
        texts.iter().map(|text| Document { name: "t".to_owned(), text: text.clone() }).collect();
    let mut model = Attentive::default();
    let mut reading = strategy(&parse(typed).unwrap(), &Kit::default()).unwrap();
    let asked = Asked { documents: &documents, question };
    let prepared = reading.prepare(&asked, &mut model, &mut Control::default()).unwrap();
    (prepared, model)
}

fn hay(count: usize, needle_at: usize) -> String {
    (0..count)
        .map(|number| match number == needle_at {
            true => "The zebra sings at noon. ".to_owned(),
            false => format!("Line n{number} is here and ends. "),
        })
        .collect()
}

#[test]
fn the_sentence_asked_for_survives_all_readings_within_a_small_window() {
    for at in [0, 150, 299] {
        let (prepared, model) =
            prepare("infini-retri:window=40,top_k=5,phrase=2", &[hay(300, at)], "When sings zebra?");
        assert!(prepared.text.contains("The zebra sings at noon."), "{}", prepared.text);
        assert!(prepared.text.len() < 200, "{}", prepared.text);
        assert!(model.longest < 40 + 40 + 4, "{}", model.longest);
        assert_eq!(prepared.work.failures.len(), 0);
    }
}

#[test]
fn with_room_for_everything_the_text_stays_as_it_is() {
    let text = hay(30, 7);
    let (prepared, _) =
        prepare("infini-retri:window=64,top_k=100000,most=100000", std::slice::from_ref(&text), "zebra?");
    assert_eq!(prepared.text, text);
    assert_eq!(prepared.pieces[0].at, 0);
}

#[test]
fn what_has_no_room_is_counted() {
    let (prepared, _) = prepare("infini-retri:window=64,top_k=1000,most=20", &[hay(30, 7)], "sings zebra?");
    assert!(prepared.text.contains("zebra"), "the best stays: {}", prepared.text);
    assert!(prepared.work.failures["sentences that had no room"] > 0);
}

#[test]
fn several_documents_and_long_sentences() {
    let long = "word ".repeat(500);
    let texts = [hay(40, 3), long, hay(10, 99)];
    let (prepared, _) = prepare("infini-retri:window=32,top_k=4", &texts, "The zebra?");
    assert!(prepared.text.contains("# t\n\nThe zebra sings"), "{}", prepared.text);
}

#[test]
fn a_model_without_attention_is_refused() {
    let documents = [Document { name: String::new(), text: "A b.".to_owned() }];
    let asked = Asked { documents: &documents, question: "b?" };
    let mut reading = strategy(&parse("infini-retri").unwrap(), &Kit::default()).unwrap();
    let error = reading.prepare(&asked, &mut crate::fakes::Echo, &mut Control::default()).unwrap_err();
    assert!(error.to_string().contains("attention"), "{error}");
    let nothing = Asked { question: " ", ..asked };
    assert!(reading.prepare(&nothing, &mut crate::fakes::Echo, &mut Control::default()).is_err());
}

proptest! {
    #[test]
    fn what_is_kept_is_in_order_and_none_twice(
        count in 1..60_usize,
        window in 16..80_usize,
        top in 1..40_usize,
    ) {
        let text = hay(count, count / 2);
        let typed = format!("infini-retri:window={window},top_k={top}");
        let (prepared, _) = prepare(&typed, std::slice::from_ref(&text), "Which zebra ends here?");
        let mut last = 0;
        for piece in &prepared.pieces {
            prop_assert!(piece.span.start >= last && piece.span.end > piece.span.start);
            let shown = &text[piece.span.start..piece.span.end];
            prop_assert_eq!(&prepared.text[piece.at..piece.at + shown.len()], shown);
            last = piece.span.end;
        }
    }

    #[test]
    fn chunks_are_all_sentences_within_the_window(lengths in prop::collection::vec(1..50_usize, 0..30), window in 16..60_usize) {
        let all: Vec<Sentence> =
            lengths.iter().enumerate().map(|(at, tokens)| Sentence { span: Span::new(0, at..at + 1), tokens: *tokens }).collect();
        let mut at = 0;
        for chunk in chunks(&all, window) {
            prop_assert!(chunk.len() == 1 || chunk.iter().map(|sentence| sentence.tokens).sum::<usize>() <= window);
            for sentence in chunk {
                prop_assert_eq!(sentence.span.start, at);
                at += 1;
            }
        }
        prop_assert_eq!(at, lengths.len());
    }
}
