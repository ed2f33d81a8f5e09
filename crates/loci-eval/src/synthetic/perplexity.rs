//! Perplexity: how well the end of a text is predicted after all that stands before it.

use super::hay::Haystack;
use super::make::{ANY, Declared, example, fill};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn, Wrap};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks how likely a model finds the last tokens of a text.
#[derive(Clone, Copy, Debug)]
pub struct Perplexity;

const INFO: TaskInfo = Declared {
    id: "perplexity",
    title: "The last tokens of a text, predicted from all before them.",
    paper: "Jelinek et al., Perplexity: a measure of the difficulty of speech recognition tasks, 1977",
    parameters: &[counted(
        "scored",
        "tokens at the end of the text that are predicted, one after the other",
        "tokens",
        128,
        (1, 512),
    )],
    invariants: &[
        "The reference differs from itself by nothing",
        "What is predicted follows directly on what was read",
    ],
    description: "A part of the user's text (--haystack; without one, of generated prose, which says little) is read and \
                  its last tokens are predicted one by one, as in writing. The score is the geometric mean of the \
                  probabilities that the right tokens get: one divided by the perplexity. `kl` is the mean \
                  Kullback-Leibler divergence, in nats a token and over the whole vocabulary, of a method's \
                  predictions from those of the method it is compared with (--against), `same first` how often \
                  both find the same token the most probable. What a method loses shows here even where it finds \
                  every needle. Near text predicts the next token best, so a window does well: read it beside tasks \
                  that need what is far. The divergence means something as long as the method it is measured from \
                  works at this length.",
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "token likelihood",
}
.info();

impl Task for Perplexity {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let haystack = Haystack::of(request)?;
        let scored = request.values.size("scored");
        if let Some(length) = request.lengths.iter().find(|length| **length <= scored) {
            return Err(EvalError::Unmakeable {
                task: INFO.method.id,
                message: format!(
                    "nothing stands before the last {scored} of {length} tokens; ask for longer texts, or scored={}",
                    (length / 2).max(1)
                ),
            });
        }
        fill(request, INFO.method.id, (1, ANY), |cell, random| {
            let mut hay = haystack.begin(random);
            Ok(move |sentences| {
                let text = hay.take(sentences).concat();
                let text = text.trim_end();
                let spans = request.tokens.spans(text)?;
                let at = spans.len().checked_sub(scored).and_then(|first| spans.get(first));
                let at = at.map_or(0, |span| span.start);
                // A character of several tokens is predicted as a whole.
                let (before, behind) = text.split_at(text.floor_char_boundary(at));
                let turn = Turn {
                    gold: vec![behind.to_owned()],
                    // Of a text that is shorter all is predicted, so that sizes grow with the text from the start.
                    max_tokens: scored.min(spans.len()),
                    likelihood: true,
                    ..Turn::default()
                };
                let made = example(INFO.method.id, cell, before.to_owned(), vec![turn]);
                Ok(Example { wrap: Wrap::Plain, ..made })
            })
        })
    }

    /// What is written is not asked for; only the text itself would be right.
    fn score(&self, turn: &Turn, answer: &str) -> Score {
        Score::right(turn.gold.first().is_some_and(|gold| gold == answer))
    }

    fn scores_rightness(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::{Tokens, Words};

    #[test]
    fn the_end_is_predicted_and_follows_on_what_is_read() {
        let values = crate::registry::parse("perplexity:scored=10").unwrap().1;
        let text = "One two three four. Five six seven. Eight nine, ten eleven; twelve thirteen. ".repeat(20);
        let request = Request { lengths: &[100], haystack: Some(&text), ..Request::new(&values, &Words) };
        let made = Perplexity.examples(&request).unwrap();
        let turn = &made[0].turns[0];
        assert!(turn.likelihood && turn.question.is_empty());
        assert_eq!(Words.count(&turn.gold[0]).unwrap(), 10);
        let whole = format!("{}{}", made[0].context, turn.gold[0]);
        let (size, round) = (Words.count(&whole).unwrap(), format!("{text}{text}"));
        assert!(size > 90 && size <= 100 && round.contains(&whole), "{size}");
    }

    #[test]
    fn something_must_stand_before_what_is_predicted() {
        let values = crate::registry::parse("perplexity:scored=50").unwrap().1;
        let request = Request { lengths: &[50], haystack: Some("One two."), ..Request::new(&values, &Words) };
        assert!(Perplexity.examples(&request).unwrap_err().to_string().contains("scored=25"));
        let made = Perplexity.examples(&Request { lengths: &[60], ..request }).unwrap();
        assert_eq!(Words.count(&made[0].turns[0].gold[0]).unwrap(), 50);
        assert!(!made[0].context.is_empty());
    }
}
