//! The six tools as data: what a model reads about them, and what their arguments are held to.

use serde_json::{Map, Value, json};

/// A tool.
pub(super) struct Declared {
    pub(super) name: &'static str,
    meaning: &'static str,
    arguments: &'static [Argument],
    /// Whether it changes what is visible.
    pub(super) modifies: bool,
}

struct Argument {
    name: &'static str,
    meaning: &'static str,
    kind: Kind,
}

/// What an argument may be; those with a default may be left out.
enum Kind {
    Text,
    Whole { default: u64, least: u64, most: u64 },
    Word { default: &'static str, words: &'static [&'static str] },
}

const ROLE: Argument = Argument {
    name: "role",
    meaning: "whose messages are looked through",
    kind: Kind::Word { default: "user", words: &["user", "assistant", "all"] },
};
const FRAGMENT: Argument =
    Argument { name: "fragment_id", meaning: "the fragment's id, such as f1a2b3", kind: Kind::Text };

/// The tools of the paper's appendix, with its defaults and limits.
pub(super) const TOOLS: &[Declared] = &[
    Declared {
        name: "fragment_context",
        meaning: "Cuts the text from start_marker to end_marker, both included, into fragments and gives each an id. \
                  Needed once before fragments can be folded or summarized. Copy the markers exactly from the text.",
        arguments: &[
            Argument {
                name: "start_marker",
                meaning: "a short text that stands where the part begins",
                kind: Kind::Text,
            },
            Argument {
                name: "end_marker",
                meaning: "a short text that stands where the part ends",
                kind: Kind::Text,
            },
            Argument {
                name: "num_fragments",
                meaning: "how many fragments to cut it into",
                kind: Kind::Whole { default: 5, least: 1, most: 20 },
            },
            ROLE,
        ],
        modifies: true,
    },
    Declared {
        name: "fold_fragment",
        meaning: "Hides the text of a fragment that is not needed. It can be restored at any time.",
        arguments: &[FRAGMENT],
        modifies: true,
    },
    Declared {
        name: "summarize_fragment",
        meaning: "Puts a summary in place of a fragment's text. The text can be restored at any time.",
        arguments: &[
            FRAGMENT,
            Argument {
                name: "focus",
                meaning: "what the summary has to keep, such as \"key decisions\"",
                kind: Kind::Text,
            },
        ],
        modifies: true,
    },
    Declared {
        name: "restore_fragment",
        meaning: "Shows the original text of a fragment that was folded or summarized.",
        arguments: &[FRAGMENT],
        modifies: true,
    },
    Declared {
        name: "search_context",
        meaning: "Finds an exact text, upper and lower case told apart, in the conversation, hidden text included.",
        arguments: &[
            Argument { name: "query", meaning: "the text to find", kind: Kind::Text },
            ROLE,
            Argument {
                name: "max_results",
                meaning: "most matches to list",
                kind: Kind::Whole { default: 10, least: 1, most: 50 },
            },
            Argument {
                name: "context_size",
                meaning: "characters to show on each side of a match",
                kind: Kind::Whole { default: 200, least: 50, most: 1_000 },
            },
        ],
        modifies: false,
    },
    Declared {
        name: "get_search_detail",
        meaning: "Shows more of the text around a match.",
        arguments: &[
            Argument {
                name: "search_id",
                meaning: "the match's id, such as s1a2b3, as search_context gave it",
                kind: Kind::Text,
            },
            Argument {
                name: "extended_context",
                meaning: "characters to show on each side of the match",
                kind: Kind::Whole { default: 500, least: 100, most: 2_000 },
            },
        ],
        modifies: false,
    },
];

impl Declared {
    /// As OpenAI's interface lists a tool.
    pub(super) fn to_json(&self) -> Value {
        let properties: Map<String, Value> =
            self.arguments.iter().map(|argument| (argument.name.to_owned(), argument.to_json())).collect();
        let required: Vec<&str> = self
            .arguments
            .iter()
            .filter(|argument| argument.is_required())
            .map(|argument| argument.name)
            .collect();
        json!({"type": "function", "function": {
            "name": self.name,
            "description": self.meaning,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            },
        }})
    }

    /// The arguments of a call with defaults for what was left out, or what is wrong with them.
    pub(super) fn check<'a>(&self, given: &'a Value) -> Result<Arguments<'a>, String> {
        let Some(given) = given.as_object() else {
            return Err(format!(
                "The arguments of {} must be a JSON object with {}.",
                self.name,
                self.names()
            ));
        };
        let unknown = given.keys().find(|name| self.arguments.iter().all(|argument| argument.name != **name));
        if let Some(unknown) = unknown {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(format!("{} has no argument {unknown:?}; it has {}.", self.name, self.names()));
        }
        let mut arguments = Arguments::default();
        for argument in self.arguments {
            match given.get(argument.name) {
                None if argument.is_required() => {
                    return Err(format!("{} needs {}: {}.", self.name, argument.name, argument.meaning));
                }
                value => arguments.read(argument, value)?,
            }
        }
        Ok(arguments)
    }

    fn names(&self) -> String {
        self.arguments.iter().map(|argument| argument.name).collect::<Vec<_>>().join(", ")
    }
}

impl Argument {
    const fn is_required(&self) -> bool {
        matches!(self.kind, Kind::Text)
    }

    fn to_json(&self) -> Value {
        let meaning = self.meaning;
        match self.kind {
            Kind::Text => json!({"type": "string", "description": meaning}),
            Kind::Whole { default, least, most } => json!({
                "type": "integer", "description": meaning, "default": default, "minimum": least, "maximum": most,
            }),
            Kind::Word { default, words } => {
                json!({"type": "string", "description": meaning, "enum": words, "default": default})
            }
        }
    }
}

/// The arguments of a call that were found right.
#[derive(Default)]
pub(super) struct Arguments<'a> {
    texts: Vec<(&'static str, &'a str)>,
    wholes: Vec<(&'static str, usize)>,
}

impl<'a> Arguments<'a> {
    /// A text or word; empty where the tool has none of this name.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.texts.iter().find(|(own, _)| *own == name).map_or("", |(_, text)| text)
    }

    /// A number; 0 where the tool has none of this name.
    pub(super) fn whole(&self, name: &str) -> usize {
        self.wholes.iter().find(|(own, _)| *own == name).map_or(0, |(_, whole)| *whole)
    }

    fn read(&mut self, argument: &Argument, value: Option<&'a Value>) -> Result<(), String> {
        let name = argument.name;
        match argument.kind {
            Kind::Text => match value.and_then(Value::as_str) {
                Some("") => return Err(format!("{name} is empty; give {}.", argument.meaning)),
                Some(text) => self.texts.push((name, text)),
                None => return Err(format!("{name} must be a string: {}.", argument.meaning)),
            },
            Kind::Whole { default, least, most } => {
                let whole = value.map_or(Some(default), whole);
                match whole.filter(|whole| (least..=most).contains(whole)) {
                    // At most `most`, which is small.
                    Some(whole) => self.wholes.push((name, whole as usize)),
                    None => return Err(format!("{name} must be a whole number from {least} to {most}.")),
                }
            }
            Kind::Word { default, words } => {
                let word = value.map_or(Some(default), Value::as_str);
                match word.filter(|word| words.contains(word)) {
                    Some(word) => self.texts.push((name, word)),
                    None => return Err(format!("{name} must be one of {}.", words.join(", "))),
                }
            }
        }
        Ok(())
    }
}

/// A whole number; `5.0` is one for JSON schemas.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        // Larger ones are beyond every limit anyway.
        (number.fract() == 0.0 && (0.0..=1e6).contains(&number)).then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> &'static Declared {
        TOOLS.iter().find(|tool| tool.name == name).unwrap()
    }

    /// Name, what must be given, and default and limits of the rest, as the paper's appendix has them.
    #[test]
    fn arguments_defaults_and_limits_are_the_papers() {
        let of = |name: &str| {
            let declared = tool(name).to_json();
            let parameters = declared["function"]["parameters"].clone();
            assert_eq!(parameters["additionalProperties"], false);
            let required = parameters["required"].as_array().unwrap();
            let said: Vec<String> = parameters["properties"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, schema)| {
                    if required.iter().any(|required| required == name) {
                        assert_eq!(schema["type"], "string");
                        return name.clone();
                    }
                    match &schema["enum"] {
                        Value::Array(words) => {
                            format!("{name}={} {}", schema["default"], Value::from(words.clone()))
                        }
                        _ => format!(
                            "{name}={} {}..{}",
                            schema["default"], schema["minimum"], schema["maximum"]
                        ),
                    }
                })
                .collect();
            said.join(", ")
        };
        let role = r#"role="user" ["user","assistant","all"]"#;
        assert_eq!(
            of("fragment_context"),
            format!("start_marker, end_marker, num_fragments=5 1..20, {role}")
        );
        assert_eq!(of("fold_fragment"), "fragment_id");
        assert_eq!(of("summarize_fragment"), "fragment_id, focus");
        assert_eq!(of("restore_fragment"), "fragment_id");
        assert_eq!(
            of("search_context"),
            format!("query, {role}, max_results=10 1..50, context_size=200 50..1000")
        );
        assert_eq!(of("get_search_detail"), "search_id, extended_context=500 100..2000");
        assert_eq!(TOOLS.len(), 6);
    }

    #[test]
    fn limits_reject() {
        let search = tool("search_context");
        let rejected = [
            (json!({}), "query"),
            (json!([]), "JSON object"),
            (json!({"query": 3}), "string"),
            (json!({"query": ""}), "empty"),
            (json!({"query": "a", "max_results": 0}), "1 to 50"),
            (json!({"query": "a", "max_results": 51}), "1 to 50"),
            (json!({"query": "a", "max_results": 2.5}), "1 to 50"),
            (json!({"query": "a", "max_results": "5"}), "1 to 50"),
            (json!({"query": "a", "max_results": null}), "1 to 50"),
            (json!({"query": "a", "max_results": -1}), "1 to 50"),
            (json!({"query": "a", "max_results": 1e300}), "1 to 50"),
            (json!({"query": "a", "context_size": 49}), "50 to 1000"),
            (json!({"query": "a", "context_size": 1001}), "50 to 1000"),
            (json!({"query": "a", "role": "system"}), "user, assistant, all"),
            (json!({"query": "a", "rolle": "user"}), "rolle"),
        ];
        for (arguments, said) in rejected {
            let error = search.check(&arguments).err().unwrap_or_default();
            assert!(error.contains(said), "{arguments}: {error}");
        }
        let given = json!({"query": "a", "max_results": 50.0, "context_size": 50});
        let arguments = search.check(&given).unwrap_or_default();
        assert_eq!((arguments.text("query"), arguments.text("role")), ("a", "user"));
        assert_eq!((arguments.whole("max_results"), arguments.whole("context_size")), (50, 50));
        assert_eq!((arguments.text("other"), arguments.whole("other")), ("", 0));
    }
}
