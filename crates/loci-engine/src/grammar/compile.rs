//! From a form to a matcher over the model's tokens.

use std::fmt::{Debug, Formatter};
use std::sync::{Arc, Mutex, OnceLock};

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use loci_models::tokenizer::Tokenizer;
use serde_json::{Map, Value, json};

use super::follow::Follow;
use super::{Form, Grammar};
use crate::error::EngineError;

/// Stack of the thread that compiles: schemas are compiled by recursion, which takes up to 20 kB for each of the levels
/// that [`schema::check`](super::schema::check) allows. Only what is used is taken from memory.
const STACK: usize = 64 << 20;
/// Steps that making the lexer may take; `llguidance` does some 15,000 in a millisecond.
const LEXER_STEPS: u64 = 1_000_000;
/// Symbols in all rules.
const GRAMMAR_SYMBOLS: usize = 200_000;
/// States of the lexer, of one or two kB each.
const LEXER_STATES: usize = 50_000;
/// Bytes of a message from the compiler that are shown.
const SHOWN: usize = 500;

/// Makes grammars for one vocabulary, which is sorted when the first one is asked for.
#[derive(Default)]
pub(crate) struct Compiler(OnceLock<Result<Arc<ParserFactory>, String>>);

impl Debug for Compiler {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compiler")
    }
}

impl Compiler {
    fn factory(&self, tokenizer: &Tokenizer) -> Result<&Arc<ParserFactory>, EngineError> {
        let made = self.0.get_or_init(|| {
            let environment = super::vocabulary::environment(tokenizer)?;
            let mut factory = ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
            factory.quiet();
            let limits = factory.limits_mut();
            limits.initial_lexer_fuel = LEXER_STEPS;
            limits.max_grammar_size = GRAMMAR_SYMBOLS;
            limits.max_lexer_states = LEXER_STATES;
            limits.verbose_errors = false;
            Ok(Arc::new(factory))
        });
        made.as_ref().map_err(|message| EngineError::Unsupported(format!("no grammars: {message}")))
    }

    pub(super) fn compile(&self, tokenizer: &Tokenizer, form: &Form) -> Result<Grammar, EngineError> {
        let source = match form {
            Form::JsonObject => TopLevelGrammar::from_json_schema(in_our_style(&json!({"type": "object"}))),
            Form::JsonSchema(schema) => TopLevelGrammar::from_json_schema(in_our_style(schema)),
            Form::Lark(text) => TopLevelGrammar::from_lark(text.clone()),
            Form::Regex(text) => TopLevelGrammar::from_regex(text),
            Form::Quotes(_) => {
                return Err(EngineError::Internal(
                    "a list of texts is followed without a grammar".to_owned(),
                ));
            }
        };
        self.compile_source(tokenizer, form.kind(), source)
    }

    /// Compiles a Lark grammar of this program, with schemas that were checked.
    pub(crate) fn compile_lark(&self, tokenizer: &Tokenizer, text: String) -> Result<Grammar, EngineError> {
        self.compile_source(tokenizer, "tool", TopLevelGrammar::from_lark(text))
    }

    fn compile_source(
        &self,
        tokenizer: &Tokenizer,
        kind: &'static str,
        source: TopLevelGrammar,
    ) -> Result<Grammar, EngineError> {
        let factory = Arc::clone(self.factory(tokenizer)?);
        let refuse = |message: String| EngineError::Grammar { kind, message };
        let work = move || factory.create_parser(source).map_err(|error| shown(&error.to_string()));
        let thread = std::thread::Builder::new().name("grammar".to_owned()).stack_size(STACK).spawn(work);
        let thread = thread.map_err(|error| refuse(format!("no thread to compile it: {error}")))?;
        let parser = thread.join().map_err(|_| refuse("the compiler failed; simplify it".to_owned()))?;
        let parser = parser.map_err(refuse)?;
        let mut matcher = Matcher::new(Ok(parser));
        for warning in matcher.grammar_warnings() {
            tracing::warn!(kind, "{}", shown(&warning));
        }
        let size = tokenizer.vocab_size();
        // Made once and copied for every answer.
        let first = Mutex::new(Follow::new(matcher, size));
        Ok(Grammar::new(move || {
            let first =
                first.lock().map_err(|_| EngineError::Internal("a grammar is poisoned".to_owned()))?;
            Ok(Box::new(first.copy()))
        }))
    }
}

/// Says how the JSON is written. One fixed style: a small model that may write any white space is apt to write nothing
/// else.
pub(crate) fn in_our_style(schema: &Value) -> Value {
    let mut whole = match schema {
        Value::Object(members) => members.clone(),
        // `true` is anything, `false` nothing.
        other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
    };
    let style = json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "});
    whole.insert(super::schema::STEERING.to_owned(), style);
    Value::Object(whole)
}

/// The first part of a message: what follows is a trace of the library's calls.
pub(super) fn shown(message: &str) -> String {
    let text = message.split("\n\n").next().unwrap_or(message);
    let text = text.split("\n<").next().unwrap_or(text).trim();
    text.chars().take(SHOWN).collect()
}
