//! LongMemEval: questions about months of chats.

use std::collections::BTreeMap;

use loci_models::method::{Domain, Parameter, Value};
use serde_json::json;

use super::catalogue::{DataSet, Expected};
use super::common::{carried, declaration, drawn_parts, finished};
use super::files::Record;
use super::long_mem_eval_sessions::{Said, Session, sessions};
use super::scoring::{holds, words};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::f1::f1;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads LongMemEval.
#[derive(Clone, Copy, Debug)]
pub struct LongMemEval;

const ID: &str = "long-mem-eval";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/xiaowu0162/longmemeval-cleaned",
    licence: "MIT",
    size: "500 questions; histories of about 115,000 (s) and 1,500,000 tokens (m)",
    folders: &["long-mem-eval", "long-mem-eval/data", "LongMemEval/data", "longmemeval"],
    files: &[
        Expected::part(&["longmemeval_oracle.json", "oracle_sample.jsonl"]),
        Expected::part(&[
            "longmemeval_s_cleaned.json",
            "longmemeval_s.json",
            "longmemeval_s",
            "abstain_sample.jsonl",
        ]),
        Expected::part(&["longmemeval_m_cleaned.json", "longmemeval_m.json", "longmemeval_m"]),
    ],
};

pub(super) const NAMES: &[&str] = &["all", "oracle", "s", "m"];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Questions about months of chats between a user and an assistant.",
        "Wu et al., LongMemEval: Benchmarking Chat Assistants on Long-Term Interactive Memory, 2024",
        &[
            Parameter {
                name: "subset",
                meaning: "length of the history: oracle (evidence only), s, m, or all that are in the folder",
                unit: "",
                default: Value::Word("s"),
                domain: Domain::Words(NAMES),
            },
            Parameter {
                name: "reading",
                meaning: "direct: the answer; notes: first what matters of the history, then the answer",
                unit: "",
                default: Value::Word("direct"),
                domain: Domain::Words(&["direct", "notes"]),
            },
            counted(
                "history",
                "most tokens of history: the oldest sessions beyond are left out; 0: all is read",
                "tokens",
                0,
                (0, 100_000_000),
            ),
        ],
        "Sessions stand in the order of their dates. The authors' judge is a model; here an answer is right by rule \
         (ours) if it holds the words of the gold answer, or of one of the answers it says are acceptable, one \
         after the other; for times, a number of days, weeks or months may be one off; of a question that cannot be \
         answered, if it says so; for preferences the score is the share of the rubric's words. It counts fewer \
         answers as right than a judge: compare only with itself. `f1` is F1 of words. How well the evidence is found \
         is measured by `loci eval retrieval long-mem-eval`.",
    ),
    diffusion: Level::Medium,
    scope: Level::Low,
    metric: "accuracy by rule",
    sized: false,
};

impl Task for LongMemEval {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let mut examples = Vec::new();
        for (part, record) in drawn_parts(request, &SET, 0, NAMES)? {
            examples.push(example(request, part, &record)?);
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        let kind = carried(turn, "type");
        let right =
            if kind == "abstention" {
                Score::right(declines(answer))
            } else if kind == "single-session-preference" {
                let (said, rubric) = (words(answer), words(gold));
                let held = rubric.iter().filter(|word| said.contains(word)).count();
                Score::of(held as f64 / rubric.len().max(1) as f64)
            } else {
                Score::right(acceptable(gold).iter().any(|gold| {
                    holds(answer, gold) || (kind == "temporal-reasoning" && one_off(answer, gold))
                }))
            };
        right.and("f1", f1(answer, gold))
    }
}

const HEAD: &str =
    "Below is the history of chats between you and a user. Answer the user's question from it.";
const NOTES: &str =
    " First write down everything in the history that matters for the question, then answer from it.";

fn example(request: &Request<'_>, part: &str, record: &Record) -> Result<Example, EvalError> {
    let sessions = sessions(record)?;
    let last = sessions.last().map_or("", |session| session.date.as_str()).to_owned();
    let (asked, date) = match record.has("questions") {
        true => (record.records("questions")?, last),
        false => (vec![record.clone()], record.text("question_date")?.to_owned()),
    };
    let evidence =
        if record.has("answer_session_ids") { record.texts("answer_session_ids")? } else { Vec::new() };
    let mut texts: Vec<(String, String)> =
        sessions.into_iter().map(|session| (session.id.clone(), written(&session))).collect();
    recent(request, &mut texts)?;
    let notes = request.values.word("reading") == "notes";
    let mut context = format!("{HEAD}{}\n\n", if notes { NOTES } else { "" });
    let mut places = Vec::new();
    for (number, (id, text)) in texts.iter().enumerate() {
        if evidence.contains(id) {
            places.push(context.len());
        }
        context.push_str(&format!("### Session {}:\n{text}", number + 1));
    }
    let depth = match places.as_slice() {
        [place] => Some(*place as f64 / context.len() as f64),
        _ => None,
    };
    let (kind, mut turns, mut unanswerable) = (record.text("question_type")?, Vec::new(), 0);
    for of in &asked {
        let id = if of.has("question_id") { of.text("question_id")? } else { of.text_or_empty("id")? };
        let abstention = id.ends_with("_abs");
        unanswerable += usize::from(abstention);
        let question = of.text("question")?;
        let cue = if notes { "Notes, then the answer:" } else { "Answer:" };
        turns.push(Turn {
            question: format!("Current Date: {date}\nQuestion: {question}\n{cue}"),
            gold: vec![of.written("answer")?],
            max_tokens: if notes { 800 } else { 500 },
            depth,
            data: json!({ "type": if abstention { "abstention" } else { kind } }),
            ..Turn::default()
        });
    }
    if turns.is_empty() {
        return Err(record.error("field \"questions\" is empty"));
    }
    // Of several questions about one history some may have no answer: those are scored so, and the label is the record's.
    let kind = if unanswerable == turns.len() { "abstention" } else { kind };
    Ok(Example {
        id: format!("{ID}/{part}/{}", record.line),
        context,
        turns,
        labels: BTreeMap::from([
            ("dataset".to_owned(), part.to_owned()),
            ("type".to_owned(), kind.to_owned()),
        ]),
        ..Example::default()
    })
}

fn written(session: &Session) -> String {
    let turn = |Said { role, content, .. }: &Said| {
        format!("{{\"role\": {}, \"content\": {}}}", json!(role), json!(content))
    };
    let turns: Vec<String> = session.turns.iter().map(turn).collect();
    format!("Session Date: {}\nSession Content:\n[{}]\n\n", session.date, turns.join(", "))
}

/// Leaves out the oldest sessions beyond the tokens of history allowed.
fn recent(request: &Request<'_>, texts: &mut Vec<(String, String)>) -> Result<(), EvalError> {
    let most = request.values.size("history");
    if most == 0 {
        return Ok(());
    }
    let (mut sum, mut keep) = (0, 0);
    for (_, text) in texts.iter().rev() {
        sum += request.tokens.count(text)?;
        if sum > most {
            break;
        }
        keep += 1;
    }
    texts.drain(..texts.len() - keep);
    Ok(())
}

/// Whether an answer says that it does not know.
pub(crate) fn declines(answer: &str) -> bool {
    const SIGNS: &str = "not mention|n't mention|no information|not enough information|do not know|don't know|not know|\
                         cannot answer|can't answer|cannot determine|not provided|no record|no mention|unanswerable";
    let answer = answer.to_lowercase().replace('’', "'");
    SIGNS.split('|').any(|sign| answer.contains(sign))
}

/// The answers that a gold answer says are right: `29 days. 30 days (…) is also acceptable.`
pub(super) fn acceptable(gold: &str) -> Vec<String> {
    let mut all = vec![gold.to_owned()];
    if gold.contains("acceptable") {
        for sentence in gold.split(". ") {
            let sentence =
                sentence.split(" is also").next().unwrap_or("").split(" are also").next().unwrap_or("");
            let plain = match (sentence.find('('), sentence.find(')')) {
                (Some(open), Some(close)) if open < close => {
                    format!(
                        "{}{}",
                        sentence.get(..open).unwrap_or(""),
                        sentence.get(close + 1..).unwrap_or("")
                    )
                }
                _ => sentence.to_owned(),
            };
            all.push(plain);
        }
    }
    all
}

/// Whether `answer` has the number of days, weeks or months of `gold` but for one.
fn one_off(answer: &str, gold: &str) -> bool {
    let counts = |text: &str| -> Vec<(i64, String)> {
        let words = words(text);
        let pair = |pair: &[String]| {
            let [number, unit] = pair else { return None };
            let unit = unit.strip_suffix('s').unwrap_or(unit);
            let number = number.parse().ok().filter(|_| ["day", "week", "month"].contains(&unit))?;
            Some((number, unit.to_owned()))
        };
        words.windows(2).filter_map(pair).collect()
    };
    let answer = counts(answer);
    let near = |(number, unit): &(i64, String)| {
        answer.iter().any(|(given, of)| of == unit && number.saturating_sub(*given).abs() <= 1)
    };
    counts(gold).first().is_some_and(near)
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    fn record(kind: &str, id: &str, answer: &str) -> String {
        format!(
            r#"{{"question_id": "{id}", "question_type": "{kind}", "question": "When?", "answer": {answer},
            "question_date": "2023/06/01 (Thu) 10:00", "haystack_session_ids": ["b", "answer_a"],
            "haystack_dates": ["2023/05/21 (Sun) 10:00", "2023/05/20 (Sat) 09:00"], "answer_session_ids": ["answer_a"],
            "haystack_sessions": [[{{"role": "user", "content": "later \"x\""}}],
                [{{"role": "user", "content": "earlier", "has_answer": true}},
                 {{"role": "assistant", "content": "ok"}}]]}}"#
        )
    }

    fn of(kind: &str, id: &str, answer: &str) -> Vec<Example> {
        let file = format!("[{}]", record(kind, id, answer));
        examples("long-mem-eval:subset=oracle", &[("long-mem-eval/longmemeval_oracle.json", &file)], 9)
            .unwrap()
    }

    #[test]
    fn sessions_stand_in_order_of_their_dates() {
        let made = of("multi-session", "q", "3");
        golden(&LongMemEval, &made);
        let context = &made[0].context;
        assert!(context.find("earlier") < context.find("later \\\"x\\\"") && !context.contains("has_answer"));
        assert!(
            context.contains(
                "### Session 1:\nSession Date: 2023/05/20 (Sat) 09:00\nSession Content:\n[{\"role\""
            )
        );
        assert!(made[0].turns[0].depth.unwrap() > 0.1 && made[0].labels["type"] == "multi-session");
        let file = format!("[{}]", record("multi-session", "q", "3"));
        let files = [("long-mem-eval/longmemeval_oracle.json", file.as_str())];
        let short = examples("long-mem-eval:subset=oracle,history=12", &files, 9).unwrap();
        assert!(short[0].context.contains("later") && !short[0].context.contains("earlier"));
    }

    #[test]
    fn answers_are_right_by_the_rule_of_their_type() {
        let score = |kind: &str, id: &str, gold: &str, answer: &str| {
            let made = of(kind, id, gold);
            golden(&LongMemEval, &made);
            LongMemEval.score(&made[0].turns[0], answer).score
        };
        let days = "\"29 days. 30 days (including the last day) is also acceptable.\"";
        assert_eq!(score("temporal-reasoning", "q", days, "It was 28 days."), 1.0);
        assert_eq!(score("temporal-reasoning", "q", days, "It was 27 days."), 0.0);
        assert_eq!(score("multi-session", "q", days, "about 30 days"), 1.0);
        assert_eq!(score("knowledge-update", "q", "\"nine months\"", "The Nine months"), 1.0);
        assert_eq!(score("knowledge-update", "q", "\"20\"", "120"), 0.0);
        assert_eq!(score("multi-session", "q_abs", "\"You did not mention it.\"", "I don’t know."), 1.0);
        assert_eq!(score("multi-session", "q_abs", "\"You did not mention it.\"", "It is Rex."), 0.0);
        assert_eq!(score("single-session-preference", "q", "\"prefers sea views\"", "a sea"), 1.0 / 3.0);
    }

    #[test]
    fn conversations_of_one_list_are_read_as_well() {
        let text = r#"{"id": "x", "question_type": "multi-session", "conversation": [
            {"role": "user", "content": "a", "date": "1"}, {"role": "assistant", "content": "b", "date": "1"},
            {"role": "user", "content": "c", "date": "2"}],
            "questions": [{"id": "q1_abs", "question": "Q", "answer": "You did not mention it."}, {"id": "q2", "question": "Q", "answer": 3}]}"#;
        let made = examples("long-mem-eval", &[("long-mem-eval/abstain_sample.jsonl", text)], 9).unwrap();
        golden(&LongMemEval, &made);
        assert_eq!(made[0].context.matches("### Session").count(), 2);
        assert_eq!(made[0].labels["type"], "multi-session");
        assert_eq!(
            (&made[0].turns[0].data["type"], &made[0].turns[1].data["type"]),
            (&json!("abstention"), &json!("multi-session"))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("long-mem-eval", &[], &["no longmemeval_s_cleaned.json"]);
        let with = |text: &str, words: &[&str]| {
            refuses("long-mem-eval", &[("long-mem-eval/longmemeval_s.json", text)], words);
        };
        let good = record("multi-session", "q", "\"a\"");
        with(
            &good.replace("[\"b\", \"answer_a\"]", "[\"b\"]"),
            &["longmemeval_s.json, line 1", "not 1, 2 and 2"],
        );
        with(&good.replace("\"role\": \"user\"", "\"rule\": 1"), &["no field \"role\""]);
        with(
            &good.replace("\"answer\": \"a\"", "\"answer\": null"),
            &["\"answer\" should be a text or a number, not null"],
        );
        with(&good.replace("question_date", "date"), &["no field \"question_date\""]);
    }
}
