//! The prompt by which a model orders passages, and what is made of its reply.

use loci_engine::{Control, EngineError, GenerateOptions, LanguageModel};

use crate::ids::{parse_ids, without_ids};
use crate::strategy::{Work, ask_on_the_way, tokens_of};

/// A prompt is shortened so often, at most: each time every passage loses some words.
const MOST_CUTS: usize = 64;

/// How passages are shown to a model that orders them.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Most words of a passage.
    pub words: usize,
    /// Most tokens of prompt and reply; 0: no bound.
    pub room: usize,
}

/// The prompt for `passages`, each cut to `words` words. The wording is ours: the published one is for one model.
pub(super) fn prompt(query: &str, passages: &[&str], words: usize) -> String {
    let (count, query) = (passages.len(), without_ids(query));
    let mut text = format!(
        "Here are {count} passages, each with a number in brackets. Rank them by how well they answer the search query: \
         {query}\n\n"
    );
    for (number, passage) in (1..).zip(passages) {
        let passage = without_ids(passage);
        let cut: Vec<&str> = passage.split_whitespace().take(words).collect();
        text.push_str(&format!("[{number}] {}\n", cut.join(" ")));
    }
    text.push_str(&format!(
        "\nSearch query: {query}\n\nRank all {count} passages above by how well they answer the search query, the best \
         first. Write nothing but their numbers in this form: [2] > [1]"
    ));
    text
}

/// The reply that names all of `count` passages: what a model needs room for.
fn longest_reply(count: usize) -> String {
    (1..=count).map(|number| format!("[{number}]")).collect::<Vec<_>>().join(" > ")
}

/// The order in which `model` puts `passages`, numbers of `passages`, best first. Passages that its reply does not name keep
/// their order behind those it does.
///
/// # Errors
/// What the model fails with, and [`EngineError::Unsupported`] where not even one word of each passage fits the room.
pub fn order(
    model: &mut dyn LanguageModel,
    query: &str,
    passages: &[&str],
    shown: Shown,
    work: &mut Work,
    control: &mut Control<'_>,
) -> Result<Vec<usize>, EngineError> {
    let count = passages.len();
    if count < 2 {
        return Ok((0..count).collect());
    }
    let reply = tokens_of(model, &longest_reply(count))?;
    let mut words = shown.words.max(1);
    let mut text = prompt(query, passages, words);
    for _ in 0..MOST_CUTS {
        let needed = tokens_of(model, &text)? + reply;
        if shown.room == 0 || needed <= shown.room {
            break;
        }
        if words == 1 {
            return Err(EngineError::Unsupported(format!(
                "{count} passages of one word each and the reply take {needed} tokens, more than the {} there is room for; \
                 rank fewer at a time",
                shown.room
            )));
        }
        // As published: every passage loses its share of a quarter of what is too much.
        words = words.saturating_sub(((needed - shown.room) / (4 * count)).max(1)).max(1);
        text = prompt(query, passages, words);
    }
    let options = GenerateOptions { max_tokens: reply, ..GenerateOptions::default() };
    let reply = ask_on_the_way(model, &text, options, work, control)?;
    let ids = parse_ids(&reply, count, 1);
    work.failed("passages that a ranking did not name", count - ids.named);
    work.failed("passages that a ranking named twice", ids.repeated);
    work.failed("numbers in a ranking without a passage", ids.unknown);
    Ok(ids.order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::Scripted;

    #[test]
    fn a_reply_is_an_order_and_what_is_wrong_with_it_is_counted() {
        let mut model = Scripted::new(&["[3] > [1] > [3] > [8]"]);
        let mut work = Work::default();
        let shown = Shown { words: 3, room: 0 };
        let passages = ["a b c d", "see [2]", "x"];
        let order =
            order(&mut model, "which [1]?", &passages, shown, &mut work, &mut Control::default()).unwrap();
        assert_eq!(order, [2, 0, 1]);
        let prompt = &model.given[0];
        assert!(prompt.contains("[1] a b c\n[2] see (2)\n[3] x\n"), "{prompt}");
        assert!(prompt.contains("which (1)?") && !prompt.contains("which [1]?"));
        assert_eq!(work.failures.values().copied().collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(work.calls, 1);
    }

    #[test]
    fn a_prompt_is_shortened_until_it_fits() {
        let long = "word ".repeat(400);
        let passages = [long.as_str(); 5];
        let mut model = Scripted::new(&["[1]"]);
        let mut rank = |room| {
            let shown = Shown { words: 300, room };
            order(&mut model, "q", &passages, shown, &mut Work::default(), &mut Control::default())
        };
        assert!(rank(400).is_ok());
        let error = rank(20).unwrap_err().to_string();
        assert!(error.contains("20") && error.contains("fewer"), "{error}");
        assert!(model.given[0].len() / 4 < 400, "{}", model.given[0].len());
    }

    #[test]
    fn nothing_is_asked_for_one_passage() {
        let mut model = Scripted::new(&[]);
        let shown = Shown { words: 3, room: 0 };
        let one = order(&mut model, "q", &["a"], shown, &mut Work::default(), &mut Control::default());
        assert_eq!(one.unwrap(), [0]);
        assert!(model.given.is_empty());
    }
}
