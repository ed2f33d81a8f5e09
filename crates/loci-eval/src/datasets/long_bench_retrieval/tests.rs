use loci_reading::expand::Join;
use serde_json::{Value, json};

use super::super::common::tests::folder;
use super::super::retrieval::tests::with_meanings;
use super::super::retrieval::{Retriever, Source};
use super::parse::Passage;
use super::*;

const PROMPTS: &str = r#"{"hotpotqa": "Read.\n{context}\n\nRead.\n\nQuestion: {input}\nAnswer:",
    "passage_retrieval_en": "Which?\n\n{context}\n\nAbstract:\n\n{input}\n\nThe answer is: ", "musique": "{input}{context}"}"#;

fn record(context: &str, input: &str, answers: &[&str]) -> Value {
    json!({"context": context, "input": input, "answers": answers, "length": 9, "all_classes": null})
}

fn blocks() -> Value {
    record(
        "Passage 1:\nBoats\nA boat is a vessel. See\nPassage 7:\nwhich is not here.\nPassage 2:\nCats\nTom was born in Old Town.\n\
         Passage 3:\nOld Town\nOld Town lies by the sea.\n",
        "Where was the kitten born?",
        &["Old Town", "the OT"],
    )
}

fn of(files: &[(&str, String)], parts: &[&str], search: &Search) -> Result<FoundReport, EvalError> {
    let files: Vec<(String, &str)> =
        files.iter().map(|(name, text)| (format!("long-bench/{name}"), text.as_str())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let folder = folder(&files);
    let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    measure(folder.path(), &parts, &[1, 2], search)
}

fn words() -> Search {
    Search { by: vec![Retriever::Words], ..Search::default() }
}

/// A record of a file, taken apart.
fn parsed(form: Form, value: &Value, template: &str) -> Result<(Asked, Vec<usize>), EvalError> {
    let folder = folder(&[("a.jsonl", &value.to_string())]);
    let record = records(&folder.path().join("a.jsonl")).unwrap().remove(0);
    let asked = asked(form, &record, Ok(Some(template)))?;
    let sought = sought(form, &record, &asked)?;
    Ok((asked, sought))
}

#[test]
fn blocks_are_told_apart_and_those_with_the_answer_sought() {
    let (asked, sought) = parsed(Form::Blocks, &blocks(), "").unwrap();
    assert_eq!(asked.passages.len(), 3, "a mark out of turn is text");
    assert_eq!(
        asked.passages[1],
        Passage { title: "Cats".to_owned(), text: "Cats\nTom was born in Old Town.".to_owned() }
    );
    assert_eq!((sought, asked.text.as_str()), (vec![1, 2], "Where was the kitten born?"));
}

#[test]
fn the_answer_names_a_paragraph() {
    let english =
        record("Paragraph 1: a b\n\nParagraph 2: c, Paragraph 3: d\n\nParagraph 3: e", "c", &["Paragraph 2"]);
    let (asked, sought) = parsed(Form::Numbered("Paragraph "), &english, "").unwrap();
    let texts: Vec<&str> = asked.passages.iter().map(|passage| passage.text.as_str()).collect();
    assert_eq!((texts, sought), (vec!["a b", "c, Paragraph 3: d", "e"], vec![1]));
    let chinese = record("段落1：小猫\n\n段落2：小狗", "猫", &["段落1"]);
    let (asked, sought) = parsed(Form::Numbered("段落"), &chinese, "").unwrap();
    assert_eq!((asked.passages[1].text.as_str(), sought), ("小狗", vec![0]));
    for answer in ["Paragraph 4", "Paragraph 0", "4", "Paragraph", "段落1"] {
        let bad = record("Paragraph 1: a\nParagraph 2: b\nParagraph 3: c", "c", &[answer]);
        let error = parsed(Form::Numbered("Paragraph "), &bad, "").unwrap_err().to_string();
        assert!(error.contains("a.jsonl, line 1") && error.contains("from 1 to 3"), "{error}");
    }
}

#[test]
fn texts_are_cut_and_compared_in_their_script() {
    let long = format!("{} 收入增长了 25.89%。{}", "字。".repeat(99), "文。".repeat(120));
    let (asked, sought) =
        parsed(Form::Cut { chinese: true }, &record(&long, "多少？", &["增长了25.89%。"]), "").unwrap();
    assert!(asked.passages.len() > 2 && sought.len() == 1);
    assert!(asked.passages[sought[0]].text.contains("25.89"));
    let english = format!("{} Tom lives. {}", "word ".repeat(150), "other ".repeat(90));
    let (_, sought) =
        parsed(Form::Cut { chinese: false }, &record(&english, "Who?", &["tom lives"]), "").unwrap();
    assert_eq!(sought.len(), 1);
}

#[test]
fn filled_prompts_are_taken_apart_by_their_template() {
    let prompts: Value = serde_json::from_str(PROMPTS).unwrap();
    let template = prompts["hotpotqa"].as_str().unwrap();
    let context = "Passage 1:\nA\nQuestion: b\nAnswer:\nPassage 2:\nB\nc";
    let prompt = format!("Read.\n{context}\n\nRead.\n\nQuestion: Which c?\nAnswer: ");
    let filled = |prompt: &str| json!({"origin_prompt": prompt, "answers": ["c"]});
    let (asked, sought) = parsed(Form::Blocks, &filled(&prompt), template).unwrap();
    assert_eq!((asked.text.as_str(), asked.passages.len(), sought), ("Which c?", 2, vec![1]));
    for (prompt, template, said) in [
        (format!("{prompt} more"), template, "not made with the prompt"),
        ("other".to_owned(), template, "not made with the prompt"),
        (prompt.clone(), "{input}{context}", "then {input}"),
    ] {
        let error = parsed(Form::Blocks, &filled(&prompt), template).unwrap_err().to_string();
        assert!(error.contains("a.jsonl, line 1") && error.contains(said), "{error}");
    }
}

#[test]
fn parts_are_measured_alone_and_together() {
    let passage =
        record("Paragraph 1: a cat\n\nParagraph 2: a ship\n\nParagraph 3: it", "the boat", &["Paragraph 2"]);
    let yes = record("Passage 1:\nA\nb\nPassage 2:\nC\nd", "Is it?", &["Yes."]);
    let nowhere = record("Passage 1:\nA\nb\nPassage 2:\nC\nd", "Who?", &["Someone"]);
    let files = [
        ("passage_retrieval_en.jsonl", passage.to_string()),
        ("hotpotqa.jsonl", format!("{}\n{yes}\n{nowhere}", blocks())),
        ("musique.jsonl", blocks().to_string()),
        ("qasper.jsonl", "not read".to_owned()),
    ];
    let search = with_meanings(
        &[Retriever::Words, Retriever::Meaning, Retriever::FusedWords],
        &[Source::None, Source::Title, Source::Keyphrases],
        &[Join::Merge],
    );
    let report = of(&files, &[], &search).unwrap();
    assert_eq!((report.questions, report.items), (3, 9));
    assert_eq!(report.left_out.iter().map(|left| left.questions).collect::<Vec<_>>(), [1, 1]);
    let row = |group: &str, by: &str, expansion: &str, k: usize| {
        let is = |row: &&super::super::retrieval::FoundRow| {
            (row.group.as_str(), row.by, row.expansion.as_str(), row.k) == (group, by, expansion, k)
        };
        report.rows.iter().find(is).unwrap()
    };
    // "the boat" shares no word with the ship, which it means.
    assert_eq!(row("passage_retrieval_en", "meaning", "none", 1).ndcg.mean, 1.0);
    assert_eq!(row("passage_retrieval_en", "words", "none", 1).recall_any.mean, 0.0);
    assert_eq!(row("passage_retrieval_en", "words", "none", 1).sought, "named");
    assert_eq!(row("all of blocks", "words", "title, merge", 2).recall_any.n, 2);
    // Two of three passages are sought: the first of a random order is one of them with 2/3.
    assert!((row("hotpotqa", "words", "none", 1).chance - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(report.differences.len(), 8 * 4);
    let only = of(&files, &["musique"], &words()).unwrap();
    assert_eq!((only.questions, only.files.len()), (1, 1));
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let refused = |files: &[(&str, String)], parts: &[&str], said: &[&str]| {
        let error = of(files, parts, &words()).unwrap_err().to_string();
        assert!(said.iter().all(|said| error.contains(said)), "{error}");
    };
    let good = blocks();
    let with = |name: &str, value: Value| {
        let mut bad = good.clone();
        bad[name] = value;
        [("hotpotqa.jsonl", format!("{good}\n{bad}\n"))]
    };
    let line = "hotpotqa.jsonl, line 2";
    refused(&with("context", json!("no marks")), &[], &[line, "at least two passages", "no marks"]);
    refused(&with("context", json!(3)), &[], &[line, "\"context\" should be a text"]);
    refused(&with("input", json!(" ")), &[], &[line, "the question is empty"]);
    refused(&with("answers", json!([])), &[], &[line, "\"answers\" is empty"]);
    refused(&with("origin_prompt", json!("x")), &[], &["no dataset2prompt.json"]);
    let mut prompts = with("origin_prompt", json!("x")).to_vec();
    prompts.push(("dataset2prompt.json", "{}".to_owned()));
    refused(&prompts, &[], &["dataset2prompt.json", "no field \"hotpotqa\""]);
    refused(&with("answers", json!(["x"])), &["musique"], &["no musique.jsonl"]);
    refused(&[("hotpotqa.jsonl", good.to_string())], &["qasper"], &["\"qasper\"", "hotpotqa"]);
    refused(&[], &[], &["no passage_retrieval_en.jsonl"]);
    let yes = record("Passage 1:\nA\nb\nPassage 2:\nC\nd", "Is it?", &["no"]);
    refused(&[("hotpotqa.jsonl", yes.to_string())], &[], &["1 are answered by yes or no"]);
    let facts = Search { expand: vec![Source::Facts], ..words() };
    let error = of(&[("hotpotqa.jsonl", good.to_string())], &[], &facts).unwrap_err().to_string();
    assert!(error.contains("no expansion \"facts\""), "{error}");
    assert!(
        measure(Path::new("."), &[], &[0], &words()).is_err()
            && measure(Path::new("."), &[], &[], &words()).is_err()
    );
}
