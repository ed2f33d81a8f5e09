//! A structured text as its reader gets it.
//!
//! Titles lose punctuation at their ends and begin with a capital letter; descriptions end with a full stop. How heads 2 to 5
//! are worded is the paper's as far as it gives it; the words "as follows" of 3 and 4 are ours.

use super::on_one_line;
use super::statement::Statement;
use crate::tokens::is_unspaced;

/// How a structured text is written: a head and a body, by the numbers of the released scripts.
///
/// | head | what stands first |
/// |---|---|
/// | 0 | `Scope.` |
/// | 1 | `About Scope:` |
/// | 2 | `Scope involves A, B:` |
/// | 3 | `Scope involves several aspects as follows:` |
/// | 4 | `Scope involves several main aspects as follows:` |
/// | 5 | `This passage talks about Scope, involving several aspects:` |
/// | 6 | an empty line |
///
/// | body | an aspect |
/// |---|---|
/// | 0 | `1. Aspect`, and below it `1.1. Description` each on a line |
/// | 1 | `1. Aspect: Description. Description.` |
/// | 2 | `**Aspect**: Description. Description.` |
///
/// Long questions: 0 and 1; dense retrieval: body 2, which has no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    head: u8,
    body: u8,
}

/// A number that no head or body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no style {head}/{body}; heads go from 0 to 6, bodies from 0 to 2")]
pub struct BadStyle {
    /// The head that was asked for.
    pub head: u8,
    /// The body that was asked for.
    pub body: u8,
}

impl Default for Style {
    fn default() -> Self {
        Self { head: 0, body: 1 }
    }
}

impl Style {
    /// A head from 0 to 6 and a body from 0 to 2.
    ///
    /// # Errors
    /// [`BadStyle`] for other numbers.
    pub const fn new(head: u8, body: u8) -> Result<Self, BadStyle> {
        if head > 6 || body > 2 {
            return Err(BadStyle { head, body });
        }
        Ok(Self { head, body })
    }

    /// `statement` in this style, lines without a line break behind the last.
    pub fn write(self, statement: &Statement) -> String {
        let names: Vec<String> = statement.aspects.iter().map(|aspect| title(&aspect.name)).collect();
        let mut out = self.head(&title(&statement.scope), &names);
        for ((aspect, name), number) in statement.aspects.iter().zip(&names).zip(1..) {
            let said: Vec<String> =
                aspect.descriptions.iter().map(|one| ended(one)).filter(|one| !one.is_empty()).collect();
            out.push('\n');
            match self.body {
                0 => {
                    out.push_str(&format!("{number}. {name}"));
                    for (description, own) in said.iter().zip(1..) {
                        out.push_str(&format!("\n    {number}.{own}. {description}"));
                    }
                }
                1 => out.push_str(&format!("{number}. {name}: {}", said.join(" "))),
                _ => out.push_str(&format!("**{name}**: {}", said.join(" "))),
            }
        }
        out
    }

    /// What stands first, for a scope and the names of its aspects.
    pub fn opening(self, scope: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| title(name)).collect();
        self.head(&title(scope), &names)
    }

    /// What stands before the text of an aspect that is shown in its own words.
    pub fn entry(self, number: usize, name: &str) -> String {
        let name = title(name);
        match self.body {
            0 => format!("{number}. {name}\n    "),
            1 => format!("{number}. {name}: "),
            _ => format!("**{name}**: "),
        }
    }

    fn head(self, scope: &str, names: &[String]) -> String {
        match self.head {
            0 => format!("{scope}."),
            1 => format!("About {scope}:"),
            2 => format!("{scope} involves {}:", names.join(", ")),
            3 => format!("{scope} involves several aspects as follows:"),
            4 => format!("{scope} involves several main aspects as follows:"),
            5 => format!("This passage talks about {scope}, involving several aspects:"),
            _ => String::new(),
        }
    }
}

/// A title without punctuation at its end, with a capital letter in front.
fn title(text: &str) -> String {
    let text = on_one_line(text);
    let text = text.trim_end_matches(|one: char| ".,;:!?。，；：！？、 ".contains(one));
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A sentence with a full stop at its end; behind Chinese text a Chinese one.
fn ended(text: &str) -> String {
    let text = on_one_line(text);
    let text = text.trim_end_matches([',', ';', ':', '，', '；', '：', '、', ' ']);
    let bare = text.trim_end_matches(['"', '\'', ')', ']', '”', '’', '」', '』', '）', '》']);
    match bare.chars().last() {
        None => text.to_owned(),
        Some('.' | '?' | '!' | '。' | '？' | '！' | '…') => text.to_owned(),
        Some(last) => format!("{text}{}", if is_unspaced(last) { '。' } else { '.' }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Described;
    use super::*;

    fn statement() -> Statement {
        let aspects = vec![
            Described {
                name: "the cause:".to_owned(),
                descriptions: vec!["Kings quarrelled".to_owned(), "It rained.".to_owned()],
            },
            Described {
                name: "Éclat".to_owned(),
                descriptions: vec!["he said \"no!\",\n".to_owned(), "和平".to_owned()],
            },
        ];
        Statement { scope: "war, ".to_owned(), aspects }
    }

    #[test]
    fn all_styles() {
        let heads: Vec<String> = (0..7)
            .map(|head| Style::new(head, 1).unwrap().write(&statement()).lines().next().unwrap().to_owned())
            .collect();
        assert_eq!(
            heads,
            [
                "War.",
                "About War:",
                "War involves The cause, Éclat:",
                "War involves several aspects as follows:",
                "War involves several main aspects as follows:",
                "This passage talks about War, involving several aspects:",
                "",
            ]
        );
        let bodies: Vec<String> =
            (0..3).map(|body| Style::new(6, body).unwrap().write(&statement())).collect();
        assert_eq!(
            bodies,
            [
                "\n1. The cause\n    1.1. Kings quarrelled.\n    1.2. It rained.\n2. Éclat\n    2.1. he said \"no!\"\n    2.2. 和平。",
                "\n1. The cause: Kings quarrelled. It rained.\n2. Éclat: he said \"no!\" 和平。",
                "\n**The cause**: Kings quarrelled. It rained.\n**Éclat**: he said \"no!\" 和平。",
            ]
        );
        assert_eq!(Style::new(0, 1), Ok(Style::default()));
        assert!(Style::new(7, 0).is_err() && Style::new(0, 3).unwrap_err().to_string().contains("0/3"));
    }
}
