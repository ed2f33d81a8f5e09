//! The paper's form: a scope, aspects, and under each the descriptions, written anew by the model.
//!
//! Nothing holds the model to the words of the text: facts may drift and quotable answers vanish. Where that matters use the
//! [outline](super::outline), or give the text's own sentences back with [`remap`](super::repair::remap).

use super::on_one_line;

/// What the structurizer is told to be (ours, after the paper's system line).
pub const SYSTEM: &str = "You analyse how texts are built and write down their structure.";

const SCOPE: &str = "## Statement's scope:";
const ASPECTS: &str = "## Statement's main aspects and corresponding descriptions:";
const FENCE: &str = "```";
/// Leading spaces of a level.
const INDENT: usize = 4;

/// A text with its structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The topic, a noun phrase.
    pub scope: String,
    /// The aspects in order; each has a description.
    pub aspects: Vec<Described>,
}

/// An aspect of a text and what is said under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// A noun phrase.
    pub name: String,
    /// Sentences.
    pub descriptions: Vec<String>,
}

/// Why a reply is no statement; the text is then used unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStatement {
    /// There are no two fenced parts.
    #[error("the reply does not have two parts between triple backticks")]
    NoFences,
    /// The topic is blank.
    #[error("the reply has no scope")]
    NoScope,
    /// The list is empty.
    #[error("the reply lists no aspects")]
    NoAspects,
    /// A line is indented by eight spaces or more.
    #[error("line {line} of the list is deeper than a description")]
    TooDeep {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line does not begin with as many numbers above 0, each with its full stop, as its level asks for.
    #[error("line {line} of the list does not begin with a number for its level, such as 1. or 1.1.")]
    NoNumber {
        /// Number of the line, from 1.
        line: usize,
    },
    /// Nothing stands behind a number (ours; the released code is silent).
    #[error("line {line} of the list is blank behind its number")]
    Blank {
        /// Number of the line, from 1.
        line: usize,
    },
    /// An aspect has the number of the one before it.
    #[error("line {line} of the list repeats the number of the aspect before it")]
    SameNumber {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A description stands before all aspects, names another one, or is not the next of its aspect.
    #[error("the description in line {line} of the list is not the next one of its aspect")]
    WrongNumber {
        /// Number of the line, from 1.
        line: usize,
    },
    /// An aspect without a description.
    #[error("aspect {number} in the order of the list has no description")]
    NoDescription {
        /// Which aspect, from 1.
        number: usize,
    },
}

impl Statement {
    /// In the form of a reply; [`parse`] reads it back. Line breaks become spaces, and triple backticks, which the form cannot
    /// hold, apostrophes.
    pub fn render(&self) -> String {
        let plain = |text: &str| on_one_line(text).replace(FENCE, "'''");
        let mut out = format!("{SCOPE}\n{FENCE}\n{}\n{FENCE}\n{ASPECTS}\n{FENCE}\n", plain(&self.scope));
        for (aspect, number) in self.aspects.iter().zip(1..) {
            out.push_str(&format!("{number}. {}\n", plain(&aspect.name)));
            for (description, own) in aspect.descriptions.iter().zip(1..) {
                out.push_str(&format!("{}{number}.{own}. {}\n", " ".repeat(INDENT), plain(description)));
            }
        }
        out + FENCE
    }
}

/// What a structurizer is asked for `text`, in our own words. `examples` are for a model that was not trained to it: the
/// paper gives one text that numbers its points and one that does not; these two are ours.
pub fn prompt(text: &str, examples: bool) -> String {
    let mut prompt = format!(
        "Write down the structure of a statement: its scope, and its main aspects with what is said under each.\n- Find few \
         aspects, each named by a noun phrase, in the order of the statement.\n- Under each aspect list its descriptions, each \
         a complete sentence that stays with the statement's words and facts.\n- Leave nothing out and add nothing.\nAnswer in \
         this form and with nothing else:\n{SCOPE}\n{FENCE}\na noun phrase\n{FENCE}\n{ASPECTS}\n{FENCE}\n1. first aspect\n    \
         1.1. first description\n    1.2. second description\n2. second aspect\n    2.1. first description\n{FENCE}\n"
    );
    if examples {
        for (text, structure) in self::examples() {
            prompt.push_str(&format!("\nStatement:\n{text}\n\n{}\n", structure.render()));
        }
    }
    prompt + "\nStatement:\n" + text
}

fn examples() -> [(&'static str, Statement); 2] {
    let described = |name: &str, descriptions: &[&str]| Described {
        name: name.to_owned(),
        descriptions: descriptions.iter().map(|one| (*one).to_owned()).collect(),
    };
    let numbered = Statement {
        scope: "Care of a cast-iron pan".to_owned(),
        aspects: vec![
            described(
                "Cleaning",
                &["The pan is wiped while it is warm.", "Soap is used only when food sticks."],
            ),
            described(
                "Storage",
                &["The pan is dried on the stove.", "A thin film of oil keeps it from rust."],
            ),
        ],
    };
    let plain = Statement {
        scope: "The harbour of Marnow".to_owned(),
        aspects: vec![
            described("History", &["The harbour was dug in 1836.", "Until 1920 it shipped grain."]),
            described("Present use", &["Today sailing boats lie there.", "The old granary is a museum."]),
        ],
    };
    [
        (
            "Two things keep a cast-iron pan well. 1. Cleaning: wipe it while it is warm, and use soap only when food sticks. 2. \
             Storage: dry it on the stove; a thin film of oil keeps it from rust.",
            numbered,
        ),
        (
            "The harbour of Marnow was dug in 1836 and shipped grain until 1920. Today sailing boats lie there, and the old \
             granary is a museum.",
            plain,
        ),
    ]
}

/// The statement in `reply`.
///
/// The reply is split at triple backticks; of the last four pieces the first is the scope and the third the list. In the
/// list, aspects stand at the left with one number, descriptions four spaces in with two, counted 1, 2, 3, … under their
/// aspect. Blank lines are skipped.
///
/// # Errors
/// [`BadStatement`] with the first rule that is broken.
pub fn parse(reply: &str) -> Result<Statement, BadStatement> {
    let pieces: Vec<&str> = reply.split(FENCE).collect();
    let [.., scope, _, list, _] = pieces.as_slice() else { return Err(BadStatement::NoFences) };
    let scope = on_one_line(scope);
    if scope.is_empty() {
        return Err(BadStatement::NoScope);
    }
    let mut aspects: Vec<Described> = Vec::new();
    let mut last = None;
    for (line, text) in (1..).zip(list.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let level = text.chars().take_while(|one| *one == ' ').count() / INDENT;
        if level > 1 {
            return Err(BadStatement::TooDeep { line });
        }
        let (indicator, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let numbers = numbers(indicator).filter(|numbers| numbers.len() == level + 1);
        let numbers = numbers.ok_or(BadStatement::NoNumber { line })?;
        let rest = rest.trim().to_owned();
        if rest.is_empty() {
            return Err(BadStatement::Blank { line });
        }
        match numbers.as_slice() {
            [number] => {
                if last == Some(*number) {
                    return Err(BadStatement::SameNumber { line });
                }
                described(&aspects)?;
                last = Some(*number);
                aspects.push(Described { name: rest, descriptions: Vec::new() });
            }
            numbers => {
                let Some(aspect) = aspects.last_mut() else { return Err(BadStatement::WrongNumber { line }) };
                if last != numbers.first().copied()
                    || numbers.last() != Some(&(aspect.descriptions.len() + 1))
                {
                    return Err(BadStatement::WrongNumber { line });
                }
                aspect.descriptions.push(rest);
            }
        }
    }
    if aspects.is_empty() {
        return Err(BadStatement::NoAspects);
    }
    described(&aspects)?;
    Ok(Statement { scope, aspects })
}

/// The last aspect has a description, if there is one.
fn described(aspects: &[Described]) -> Result<(), BadStatement> {
    match aspects.last().filter(|last| last.descriptions.is_empty()) {
        Some(_) => Err(BadStatement::NoDescription { number: aspects.len() }),
        None => Ok(()),
    }
}

/// The numbers above 0 of `1.` or `1.2.`.
fn numbers(indicator: &str) -> Option<Vec<usize>> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<usize>().ok().filter(|number| digits && *number > 0)
    };
    indicator.strip_suffix('.')?.split('.').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(list: &str) -> String {
        format!("{SCOPE}\n```\nPeace\n```\n{ASPECTS}\n```\n{list}\n```")
    }

    #[test]
    fn replies_and_what_comes_of_them() {
        let good =
            parse(&reply("7. War\n\n    7.1. Long.\n    7.2.  Hard: 1. and 2.\n2. Peace\n     2.1. Short."))
                .unwrap();
        assert_eq!(good.scope, "Peace");
        assert_eq!(good.aspects[0].descriptions, ["Long.", "Hard: 1. and 2."]);
        assert_eq!(good.aspects[1].name, "Peace");
        let fenced_before = format!("```\nno\n```\n{}", reply("1. a\n    1.1. b"));
        assert_eq!(parse(&fenced_before).unwrap().scope, "Peace");
        let table = [
            ("", BadStatement::NoAspects),
            ("    1.1. a", BadStatement::WrongNumber { line: 2 }),
            ("1. a", BadStatement::NoDescription { number: 1 }),
            ("1. a\n2. b\n    2.1. c", BadStatement::NoDescription { number: 1 }),
            ("1. a\n    1.1. b\n1. c\n    1.1. d", BadStatement::SameNumber { line: 4 }),
            ("1. a\n    1.2. b", BadStatement::WrongNumber { line: 3 }),
            ("1. a\n    1.1. b\n    1.3. c", BadStatement::WrongNumber { line: 4 }),
            ("1. a\n    2.1. b", BadStatement::WrongNumber { line: 3 }),
            ("1. a\n    1.1 b", BadStatement::NoNumber { line: 3 }),
            ("1. a\n  1.1. b", BadStatement::NoNumber { line: 3 }),
            ("1. a\n    b", BadStatement::NoNumber { line: 3 }),
            ("1. a\n    1.0. b", BadStatement::NoNumber { line: 3 }),
            ("1. a\n    1.+1. b", BadStatement::NoNumber { line: 3 }),
            ("0. a", BadStatement::NoNumber { line: 2 }),
            ("1. a\n    1.1. b\n        1.1.1. c", BadStatement::TooDeep { line: 4 }),
            ("1.\n    1.1. b", BadStatement::Blank { line: 2 }),
        ];
        for (list, bad) in table {
            assert!(!bad.to_string().is_empty());
            assert_eq!(parse(&reply(list)), Err(bad), "{list}");
        }
        assert_eq!(parse("``` ```x```1. a```"), Err(BadStatement::NoScope));
        assert_eq!(parse("no"), Err(BadStatement::NoFences));
        assert_eq!(parse("```a```b"), Err(BadStatement::NoFences));
    }

    #[test]
    fn examples_are_of_the_form() {
        for (_, structure) in examples() {
            assert_eq!(parse(&structure.render()), Ok(structure));
        }
        assert!(prompt("T", true).ends_with("\nStatement:\nT"));
        assert!(!prompt("T", false).contains("Marnow") && prompt("T", true).contains("Marnow"));
    }

    #[test]
    fn what_the_form_cannot_hold_is_put_otherwise() {
        let aspects = vec![Described { name: "a\nb".to_owned(), descriptions: vec!["```".to_owned()] }];
        let read = parse(&Statement { scope: "s".to_owned(), aspects }.render()).unwrap();
        assert_eq!((read.aspects[0].name.as_str(), read.aspects[0].descriptions[0].as_str()), ("a b", "'''"));
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back(
            scope in "[a-z:#1.]{1,6}",
            aspects in prop::collection::vec(("[a-zé.1\"']{1,6}", prop::collection::vec("[a-z]( [1-9.`é]{1,2}){0,3}x", 1..5)), 1..6),
        ) {
            let aspects = aspects.into_iter().map(|(name, descriptions)| Described { name, descriptions }).collect();
            let statement = Statement { scope, aspects };
            prop_assert_eq!(parse(&statement.render()), Ok(statement));
        }
    }
}
