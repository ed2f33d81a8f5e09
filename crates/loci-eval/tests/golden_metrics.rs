//! Metrics against values of the packages that published scorers use: scripts/golden/eval_metrics.py.

#![allow(clippy::unwrap_used, clippy::panic)]

use loci_eval::metrics::bleu::{Words, bleu_of_order, corpus_bleu, sentence_bleu};
use loci_eval::metrics::classes::{classification, count, retrieval};
use loci_eval::metrics::edit::{code_similarity, edit_similarity};
use loci_eval::metrics::f1::{f1, f1_characters};
use loci_eval::metrics::order::{Displacement, kendall_tau};
use loci_eval::metrics::ranking::{Discount, ndcg_at};
use loci_eval::metrics::rouge::{Rouge, rouge_1, rouge_2, rouge_l};
use serde_json::Value;

fn golden(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap();
    let cases = all[part].as_array().unwrap().clone();
    assert!(cases.len() > 4, "{part}");
    cases
}

#[track_caller]
fn close(ours: f64, golden: &Value, what: &str) {
    let golden = golden.as_f64().unwrap();
    assert!((ours - golden).abs() < 1e-9, "{what}: {ours}, not {golden}");
}

#[track_caller]
fn close_rouge(ours: Rouge, golden: &Value, what: &str) {
    close(ours.precision, &golden[0], what);
    close(ours.recall, &golden[1], what);
    close(ours.f, &golden[2], what);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn overlaps_of_texts() {
    for case in golden("pairs") {
        let (a, b) = (text(&case["answer"]), text(&case["gold"]));
        let name = |metric: &str| format!("{metric} of {a:?} for {b:?}");
        close(f1(a, b), &case["f1"], &name("f1"));
        close(f1_characters(a, b), &case["f1_characters"], &name("f1 of characters"));
        close_rouge(rouge_1(a, b), &case["rouge"][0], &name("rouge-1"));
        close_rouge(rouge_2(a, b), &case["rouge"][1], &name("rouge-2"));
        close_rouge(rouge_l(a, b), &case["rouge"][2], &name("rouge-l"));
        close(sentence_bleu(a, &[b], Words::Western), &case["bleu"][0], &name("bleu"));
        close(sentence_bleu(a, &[b], Words::Chinese), &case["bleu"][1], &name("bleu of characters"));
        for (index, order) in [1, 2, 4].into_iter().enumerate() {
            close(bleu_of_order(a, b, order), &case["bleu_of_order"][index], &name("bleu of one order"));
        }
        close(edit_similarity(a, b), &case["edit"], &name("edit"));
    }
}

#[cfg(feature = "chinese")]
#[test]
fn chinese_words() {
    use loci_eval::metrics::{f1::f1_chinese, rouge::rouge_l_chinese, segment::chinese_words};
    for case in golden("segmented") {
        assert_eq!(chinese_words(text(&case["text"])), list::<String>(&case["words"]));
    }
    for case in golden("pairs") {
        let (a, b) = (text(&case["answer"]), text(&case["gold"]));
        close(f1_chinese(a, b), &case["f1_chinese"], &format!("f1 of {a:?} for {b:?}"));
        close_rouge(rouge_l_chinese(a, b), &case["rouge_l_chinese"], &format!("rouge-l of {a:?} for {b:?}"));
    }
}

#[test]
fn bleu_of_many_answers() {
    for case in golden("corpora") {
        let answers: Vec<(String, Vec<String>)> = list(&case["answers"]);
        let answers = || answers.iter().map(|(answer, golds)| (answer.as_str(), golds.as_slice()));
        close(corpus_bleu(answers(), Words::Western), &case["western"], "western");
        close(corpus_bleu(answers(), Words::Chinese), &case["chinese"], "chinese");
    }
}

#[test]
fn choices_and_lines() {
    for case in golden("edits") {
        close(edit_similarity(text(&case[0]), text(&case[1])), &case[2], text(&case[0]));
    }
    for case in golden("code") {
        close(code_similarity(text(&case[0]), text(&case[1])), &case[2], text(&case[0]));
    }
    for case in golden("classes") {
        let score = classification(text(&case[0]), text(&case[1]), &list::<String>(&case[2]));
        close(score, &case[3], text(&case[0]));
    }
    for case in golden("counts") {
        close(count(text(&case[0]), text(&case[1])), &case[2], text(&case[0]));
    }
    for case in golden("retrieval") {
        close(retrieval(text(&case[0]), text(&case[1])), &case[2], text(&case[0]));
    }
}

#[test]
fn rankings_and_orders() {
    for case in golden("ndcg") {
        let (gains, k) = (list::<f64>(&case[0]), case[1].as_u64().unwrap() as usize);
        close(ndcg_at(&gains, k, Discount::Usual), &case[2], &format!("{gains:?}"));
        close(ndcg_at(&gains, k, Discount::FirstTwoAlike), &case[3], &format!("{gains:?}"));
    }
    for case in golden("orders") {
        let places = list::<usize>(&case[0]);
        close(kendall_tau(&places), &case[1], &format!("{places:?}"));
        let of = Displacement::of(&places);
        for (index, ours) in [of.squared, of.mean, of.swaps, of.swap_distance].into_iter().enumerate() {
            close(ours, &case[2][index], &format!("{places:?}"));
        }
    }
}
