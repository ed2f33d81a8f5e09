//! `sculptor` as a reading strategy: the loop in which a model works on its own context until it answers.

use std::ops::ControlFlow;

use loci_engine::tools::{Calling, Tool, ToolChoice, parse};
use loci_engine::{Control, EngineError, Finish, GenerateOptions, Generation, Input, LanguageModel};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};
use loci_models::template::{Message, ToolCall};
use serde_json::Value as Json;

use super::policy::Scripted;
use super::{MOST_STEPS, Outcome, Sculpture, tools};
use crate::assemble::{Piece, whole};
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span, Work, ask_on_the_way, between, tokens_of};

/// Tokens of one step, and of a summary, at most.
const STEP: usize = 512;
const SUMMARY: usize = 256;
/// What the model is told. The paper's prompts are for single tasks; this wording is ours.
const SYSTEM: &str = "You answer a question about a long text. The text may hold much that is old or beside the point. With the \
                      tools you can cut it into fragments, fold or summarise fragments that do not matter, restore them, \
                      and search. When you are ready, answer without calling a tool.";

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "sculptor",
    title: "The model cuts, folds, summarises, restores and searches its own context before it answers.",
    paper: "Li et al., Sculptor: Empowering LLMs with Cognitive Agency via Active Context Management, 2025",
    family: crate::registry::FAMILY,
    kind: MemoryKind::ProceduralEpisodic,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "policy",
            meaning: "who calls the tools: the model, or a script that cuts the text and folds all but its end",
            unit: "",
            default: Value::Word("model"),
            domain: Domain::Words(&["model", "scripted"]),
        },
        Parameter {
            name: "steps",
            meaning: "most tool calls before the answer",
            unit: "calls",
            default: Value::Integer(MOST_STEPS as i64),
            domain: Domain::Integers(1, 50),
        },
        Parameter {
            name: "first",
            meaning: "the first step has to be a call, where the model can be held to that",
            unit: "",
            default: Value::Flag(true),
            domain: Domain::Flag,
        },
        Parameter {
            name: "from",
            meaning: "tokens of a text from which on tools are offered: on short ones they do harm",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 24),
        },
        Parameter {
            name: "pieces",
            meaning: "of policy=scripted: fragments that the text is cut into",
            unit: "fragments",
            default: Value::Integer(10),
            domain: Domain::Integers(1, 20),
        },
        Parameter {
            name: "keep",
            meaning: "of policy=scripted: last fragments that are not folded",
            unit: "fragments",
            default: Value::Integer(3),
            domain: Domain::Integers(1, 20),
        },
    ],
    cost: "each step reads what is new behind the last one; a call that changes the text also what stands behind the first \
           changed token; searches read nothing again",
    composes_with: &[],
    invariants: &[
        "tools change neither number nor order of messages",
        "folding and restoring gives every byte back; the original is kept whatever is shown",
        "without a call the model is given the plain conversation",
        "after a change a local model reads on from the first changed token, and answers as if it had read everything anew",
        "a wrong call changes nothing, is told to the model and counted",
    ],
    description: "In a long context, old values and similar passages disturb the recall of the newest even where everything fits. Here the \
                  model gets six tools (fragment_context, fold_fragment, summarize_fragment, restore_fragment, \
                  search_context, get_search_detail) and up to `steps` calls; results land at the end of the context. A \
                  local model whose calls could be malformed is held to them by a grammar; endpoints get the tools in \
                  OpenAI's form.\n\nSmall models plan such calls badly. `policy=scripted` folds everything but the end of \
                  the text, for streams of updates whose newest values count; figures made with it say nothing about a \
                  model's planning. Training (the paper's is supervised, then GSPO) is later work; the samples it needs \
                  are made by `sculptor::trajectory`.",
};

/// Lets the model work on its context (see [`INFO`]).
#[derive(Clone, Copy, Debug)]
pub struct Sculptor {
    scripted: bool,
    steps: usize,
    first: bool,
    from: usize,
    pieces: usize,
    keep: usize,
}

impl Sculptor {
    /// As the values of a method typed as `sculptor:…` say.
    pub fn of(values: &Values) -> Self {
        Self {
            scripted: values.word("policy") == "scripted",
            steps: values.size("steps"),
            first: values.flag("first"),
            from: values.size("from"),
            pieces: values.size("pieces"),
            keep: values.size("keep"),
        }
    }
}

impl ReadingStrategy for Sculptor {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let all = whole(asked.documents);
        let mut work = Work::default();
        let tokens = tokens_of(model, &all.text)?;
        work.note("tokens of text", tokens);
        if tokens < self.from {
            work.note("tools offered", 0);
            let text = format!("{}{}", all.text, between(&all.text, asked.question));
            return Ok(Prepared { text, pieces: all.pieces, work, ..Prepared::default() });
        }
        work.note("tools offered", 1);
        let content = format!("{}{}{}", all.text, between(&all.text, asked.question), asked.question);
        let messages = vec![Message::new("system", SYSTEM), Message::new("user", content)];
        let mut sculpture = Sculpture::new(messages);
        let answered = match self.scripted {
            true => {
                self.fold_all_but_the_end(&mut sculpture, &all.text, &mut work)?;
                None
            }
            false => Some(self.work_on(&mut sculpture, model, &mut work, control)?),
        };
        let visible = sculpture.visible();
        let user = visible.get(1).map_or("", |message| message.content.as_str());
        let text = user.strip_suffix(asked.question).unwrap_or(user).to_owned();
        let shown: Vec<&str> = visible.iter().skip(1).map(|message| message.content.as_str()).collect();
        work.note("tokens visible", tokens_of(model, &shown.join("\n"))?);
        let pieces = left(&sculpture, &text, &all.pieces);
        Ok(Prepared { text, pieces, answered, work, ..Prepared::default() })
    }
}

impl Sculptor {
    /// The script's calls.
    fn fold_all_but_the_end(
        &self,
        sculpture: &mut Sculpture,
        text: &str,
        work: &mut Work,
    ) -> Result<(), EngineError> {
        let Some(mut policy) = Scripted::new(&sculpture.originals(), text, self.pieces, self.keep) else {
            return Ok(());
        };
        let mut last: Option<Outcome> = None;
        let mut calls = 0;
        while let Some((name, arguments)) = policy.next(last.as_ref()) {
            let outcome = sculpture.call(name, &arguments, &mut |_, _| Ok(String::new()))?;
            work.failed("tool calls that were wrong", usize::from(outcome.failed));
            calls += 1;
            last = Some(outcome);
        }
        work.note("tool calls", calls);
        Ok(())
    }

    /// The model's calls, and the answer that it ends with.
    fn work_on(
        &self,
        sculpture: &mut Sculpture,
        model: &mut dyn LanguageModel,
        work: &mut Work,
        control: &mut Control<'_>,
    ) -> Result<Generation, EngineError> {
        let offered = Tool::list(&tools())?;
        let names: Vec<&str> = offered.iter().map(Tool::name).collect();
        let mut calls = 0;
        for step in 0..=self.steps {
            let choice = match step {
                _ if step == self.steps => ToolChoice::None,
                0 if self.first => ToolChoice::Required,
                _ => ToolChoice::Auto,
            };
            let last = choice == ToolChoice::None;
            let calling = Calling { choice, parallel: false, in_words: false };
            let offered = if last { &[][..] } else { offered.as_slice() };
            let plan = model.plan_tools(&sculpture.visible(), offered, &calling)?;
            let options =
                GenerateOptions { max_tokens: STEP, grammar: plan.grammar, ..GenerateOptions::default() };
            let input = Input { tools: &plan.tools, ..Input::messages(&plan.messages) };
            let mut own = Control { stop: control.stop, progress: None };
            let mut quiet = |_: &str| ControlFlow::Continue(());
            let generation = model.answer(&input, &options, &mut own, &mut quiet)?;
            if generation.finish == Finish::Interrupted {
                return Err(EngineError::Interrupted { done: 0, total: 0 });
            }
            let parsed = parse(&generation.text, &names);
            if parsed.calls.is_empty() || last {
                work.failed("turns without any tool call", usize::from(calls == 0));
                work.failed("turns that used up their steps", usize::from(last));
                work.note("tool calls", calls);
                return Ok(generation);
            }
            work.called(&generation.account);
            for (name, arguments) in parsed.calls {
                calls += 1;
                run(sculpture, model, (&name, &arguments), (calls, &parsed.content), work, control)?;
            }
        }
        Err(EngineError::Internal("the loop of tool calls ended without an answer".to_owned()))
    }
}

/// Runs one call and puts it and its result at the end of the conversation.
fn run(
    sculpture: &mut Sculpture,
    model: &mut dyn LanguageModel,
    (name, arguments): (&str, &str),
    (number, content): (usize, &str),
    work: &mut Work,
    control: &mut Control<'_>,
) -> Result<(), EngineError> {
    let values: Json = serde_json::from_str(arguments).unwrap_or(Json::Null);
    let mut own = Work::default();
    let outcome = sculpture.call(name, &values, &mut |original, focus| {
        let content = format!("Summarize this text with a focus on {focus}.\n\n{original}\n\nSummary:");
        let options = GenerateOptions { max_tokens: SUMMARY, ..GenerateOptions::default() };
        ask_on_the_way(model, &content, options, &mut own, control)
    })?;
    work.add(own);
    work.failed("tool calls that were wrong", usize::from(outcome.failed));
    let id = format!("call{number}");
    let mut said = Message::new("assistant", content);
    said.tool_calls.push(ToolCall { id: id.clone(), name: name.to_owned(), arguments: arguments.to_owned() });
    sculpture.push(said);
    let mut result = Message::new("tool", outcome.text);
    result.tool_call_id = Some(id);
    result.name = Some(name.to_owned());
    sculpture.push(result);
    Ok(())
}

/// Where parts of the documents still stand in the `visible` text, which once was a text with the parts `pieces`.
fn left(sculpture: &Sculpture, visible: &str, pieces: &[Piece]) -> Vec<Piece> {
    let mut all = Vec::new();
    let original: String =
        sculpture.originals().into_iter().nth(1).map(|message| message.content).unwrap_or_default();
    // What is shown of the text, in its order, and where that is from.
    let (mut at, mut from) = (0, 0);
    let mut add = |shown: &str, at: &mut usize, from: usize| {
        let Some(found) = visible.get(*at..).and_then(|rest| rest.find(shown)) else { return };
        let place = *at + found;
        all.extend(crate::assemble::shown(pieces, from, from + shown.len()).into_iter().map(|span| {
            let before = pieces.iter().find(|piece| {
                piece.span.document == span.document
                    && piece.span.start <= span.start
                    && span.end <= piece.span.end
            });
            let offset = before.map_or(0, |piece| (piece.at + span.start - piece.span.start) - from);
            Piece { at: place + offset, span }
        }));
        *at = place + shown.len();
    };
    for fragment in sculpture.fragments() {
        let Some(start) = original.get(from..).and_then(|rest| rest.find(fragment.original())) else {
            continue;
        };
        add(original.get(from..from + start).unwrap_or(""), &mut at, from);
        from += start;
        if !fragment.is_hidden() {
            add(fragment.original(), &mut at, from);
        }
        from += fragment.original().len();
    }
    let end = pieces.last().map_or(from, |piece| piece.at + (piece.span.end - piece.span.start));
    add(original.get(from..end.max(from)).unwrap_or(""), &mut at, from);
    all.retain(|piece: &Piece| piece.span != Span::new(piece.span.document, 0..0));
    all
}

#[cfg(test)]
mod tests {
    use loci_engine::documents::Document;

    use super::*;
    use crate::fakes;

    fn document(text: &str) -> Vec<Document> {
        vec![Document { name: "updates".to_owned(), text: text.to_owned() }]
    }

    fn updates() -> String {
        (0..40).map(|update| format!("colour {update}: {}\n", update % 7)).collect()
    }

    fn prepare(typed: &str, text: &str, replies: &[&str]) -> (Prepared, fakes::Scripted) {
        let documents = document(text);
        let mut model = fakes::Scripted::new(replies);
        let values = crate::registry::parse(typed).unwrap();
        let asked = Asked { documents: &documents, question: "Which colour is the last?" };
        let prepared = Sculptor::of(&values).prepare(&asked, &mut model, &mut Control::default()).unwrap();
        (prepared, model)
    }

    #[test]
    fn the_script_folds_everything_but_the_end() {
        let text = updates();
        let (prepared, model) = prepare("sculptor:policy=scripted,pieces=10,keep=2", &text, &[]);
        assert!(model.given.is_empty() && prepared.answered.is_none());
        assert!(prepared.text.contains("colour 39: 4") && !prepared.text.contains("colour 5: 5\n"));
        assert!(prepared.text.contains("[folded f"), "{}", prepared.text);
        let figures = &prepared.work.figures;
        assert!(figures["tokens visible"] < figures["tokens of text"]);
        assert!(!prepared.pieces.is_empty());
        for piece in &prepared.pieces {
            let shown = &text[piece.span.start..piece.span.end];
            assert_eq!(&prepared.text[piece.at..piece.at + shown.len()], shown);
            assert!(piece.span.start > 300, "the beginning is hidden");
        }
    }

    #[test]
    fn a_model_calls_tools_until_it_answers() {
        let call = |name: &str, arguments: &str| loci_engine::tools::written(name, arguments);
        let cut = call(
            "fragment_context",
            r#"{"start_marker": "colour 0", "end_marker": "colour 39: 4", "num_fragments": 2}"#,
        );
        let wrong = call("fold_fragment", r#"{"fragment_id": "f00000"}"#);
        let (prepared, model) = prepare("sculptor", &updates(), &[&cut, &wrong, "It is 4."]);
        assert_eq!(prepared.answered.as_ref().map(|answer| answer.text.as_str()), Some("It is 4."));
        assert_eq!(model.given.len(), 3);
        assert!(model.given[1].contains("[fragment f") && model.given[1].contains("<tool>"));
        assert!(model.given[2].contains("There is no fragment"), "{}", model.given[2]);
        assert_eq!(prepared.work.failures["tool calls that were wrong"], 1);
        assert_eq!((prepared.work.calls, prepared.work.figures["tool calls"] as usize), (2, 2));
    }

    #[test]
    fn without_a_call_the_conversation_is_the_plain_one_and_that_is_counted() {
        let (prepared, model) = prepare("sculptor", "Red.", &["Red."]);
        assert!(model.given[0].ends_with("<user>Red.\n\nWhich colour is the last?"), "{}", model.given[0]);
        assert_eq!(prepared.work.failures["turns without any tool call"], 1);
        assert_eq!(prepared.text, "Red.\n\n");
    }

    #[test]
    fn a_model_that_never_answers_is_asked_without_tools_in_the_end() {
        let search = loci_engine::tools::written("search_context", r#"{"query": "Red"}"#);
        let (prepared, model) =
            prepare("sculptor:steps=3", "Red.", &[&search, &search, &search, "Well: red."]);
        assert_eq!(model.given.len(), 4);
        assert_eq!(prepared.answered.map(|answer| answer.text).as_deref(), Some("Well: red."));
        assert_eq!(prepared.work.failures["turns that used up their steps"], 1);
    }

    #[test]
    fn short_texts_get_no_tools() {
        let (prepared, model) = prepare("sculptor:from=100", "Red.", &[]);
        assert!(model.given.is_empty() && prepared.answered.is_none());
        assert_eq!(prepared.text, "Red.\n\n");
    }
}
