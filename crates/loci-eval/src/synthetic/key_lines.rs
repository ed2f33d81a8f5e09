//! Pairs as plain lines, `misty canyon: 4821`, which a model of any size can go on with.

use loci_context::random::Random;

use super::draw::Form;
use super::hay::{Haystack, insert};
use super::key_value::INFO;
use super::make::{ANY, ask, choices, depths, example, fill};
use super::pairs::{Pairs, index_at};
use crate::error::EvalError;
use crate::example::{Example, Turn, Wrap};
use crate::task::Request;

/// Examples of `form=lines`, with keys of the form `key`. With `pairs=0` the text is nothing but lines; otherwise so many
/// stand in prose.
pub(super) fn lines(request: &Request<'_>, key: Form) -> Result<Vec<Example>, EvalError> {
    let (shots, fixed) = (request.values.size("shots"), request.values.size("pairs"));
    if fixed > 0 && fixed < shots + 2 {
        return Err(EvalError::Unmakeable {
            task: INFO.method.id,
            message: format!("pairs={fixed} are too few for shots={shots}; use pairs={} or more", shots + 2),
        });
    }
    let haystack = Haystack::of(request)?;
    let limits = if fixed > 0 { (1, ANY) } else { (shots + 2, ANY) };
    let questions = request.values.size("questions");
    fill(request, INFO.method.id, limits, |cell, mut random| {
        let asked = depths(cell, questions, &mut random);
        let order = random.clone();
        let mut hay = haystack.begin(random.clone());
        let mut pairs = Pairs::new(random, key, Form::Number(4));
        Ok(move |units| {
            let pairs = pairs.take(if fixed > 0 { fixed } else { units });
            let mut order = order.clone();
            let turns = asked.iter().map(|share| turn(pairs, *share, shots, &mut order)).collect();
            let context = if fixed > 0 {
                let place = |index: usize| index as f64 / pairs.len().saturating_sub(1).max(1) as f64;
                let hide = |(index, pair)| (place(index), format!("\n{}", line(pair)));
                insert(hay.take(units), &pairs.iter().enumerate().map(hide).collect::<Vec<_>>())
            } else {
                pairs.iter().map(line).collect()
            };
            Ok(Example { wrap: Wrap::Plain, ..example(INFO.method.id, cell, context, turns) })
        })
    })
}

fn line((key, value): &(String, String)) -> String {
    format!("{}: {value}\n", key.replace('-', " "))
}

/// Asks for the pair at a share of the text, behind `shots` others.
fn turn(pairs: &[(String, String)], share: f64, shots: usize, order: &mut Random) -> Turn {
    let asked = index_at(share, pairs.len());
    let (key, value) = pairs.get(asked).cloned().unwrap_or_default();
    let others: Vec<usize> = (0..pairs.len()).filter(|index| *index != asked).collect();
    let shown = order.some_of(&others, shots);
    let rivals = others.into_iter().filter(|index| !shown.contains(index));
    let rivals = rivals.filter_map(|index| pairs.get(index)).map(|(_, value)| format!(" {value}"));
    let choices = choices(format!(" {value}"), rivals.collect(), order);
    let shown: String = shown.iter().filter_map(|index| pairs.get(*index)).map(line).collect();
    Turn {
        stop: vec!["\n".to_owned()],
        choices,
        ..ask(
            format!("\nAgain:\n{shown}"),
            format!("{}:", key.replace('-', " ")),
            vec![value],
            8,
            Some(share),
        )
    }
}

/// The value behind `key` in a text with lines.
pub(super) fn read(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::super::make::CHOICES;
    use super::*;
    use crate::sizes::Words;
    use crate::task::Task;

    #[test]
    fn lines_stand_alone_or_in_prose() {
        for (spec, lines) in
            [("key-value:form=lines", None), ("key-value:form=lines,pairs=20,kind=words", Some(20))]
        {
            let values = crate::registry::parse(spec).unwrap().1;
            let request =
                Request { lengths: &[600], depths: &[0.0, 0.5, 1.0], ..Request::new(&values, &Words) };
            for made in super::super::KeyValue.examples(&request).unwrap() {
                let turn = &made.turns[0];
                let pairs: Vec<&str> = made.context.lines().filter(|line| line.contains(": ")).collect();
                assert_eq!(pairs.len(), lines.unwrap_or(made.context.lines().count()));
                let at = pairs.iter().position(|line| line.ends_with(&turn.gold[0])).unwrap();
                assert_eq!(at, index_at(turn.depth.unwrap(), pairs.len()));
                assert_eq!(
                    turn.choices.iter().filter(|choice| **choice == format!(" {}", turn.gold[0])).count(),
                    1
                );
                assert_eq!(turn.choices.len(), CHOICES);
                assert_eq!(turn.question.lines().filter(|line| line.contains(": ")).count(), 5);
                assert!(!turn.question.contains(turn.answer_start.as_str()), "not among those shown");
            }
        }
        let values = crate::registry::parse("key-value:form=lines,pairs=40,questions=4").unwrap().1;
        let request = Request { lengths: &[600], ..Request::new(&values, &Words) };
        let made = super::super::KeyValue.examples(&request).unwrap();
        let depths: Vec<Option<f64>> = made[0].turns.iter().map(|turn| turn.depth).collect();
        assert_eq!(depths, [Some(0.125), Some(0.375), Some(0.625), Some(0.875)]);
        let values = crate::registry::parse("key-value:form=lines,pairs=6").unwrap().1;
        let request = Request { lengths: &[600], ..Request::new(&values, &Words) };
        assert!(super::super::KeyValue.examples(&request).unwrap_err().to_string().contains("pairs=7"));
    }
}
