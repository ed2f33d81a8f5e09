use super::*;
use crate::sizes::Words;

#[test]
fn only_whole_numbers_are_altered() {
    let text = "In 1950, not 11950 nor 1950.5 or 1,950; the 1950s ended (1950). 1950";
    assert_eq!(places_of(text, "1950").len(), 3);
    let mut random = Random::new(3);
    for _ in 0..50 {
        let (changed, new) = altered(text, "1950", &mut random);
        let year: i64 = new.parse().unwrap();
        assert!(new != "1950" && (1940..=1960).contains(&year));
        assert!(places_of(&changed, "1950").is_empty());
        assert_eq!(places_of(&changed, &new).len(), 3);
        assert!(changed.contains("11950 nor 1950.5 or 1,950; the 1950s"));
    }
    let (changed, new) = altered("It has 12,345 stones.", "12,345", &mut random);
    assert!(new.len() == 6 && new.find(',') == Some(2) && changed == format!("It has {new} stones."));
    let (_, new) = altered("7 or 1 2 3 4 5 6 8 9", "7", &mut random);
    assert_ne!(new, "7");
    assert!(
        is_number("1,000") && is_number("7") && !is_number("7 cats") && !is_number("") && !is_number("7,")
    );
}

#[test]
fn given_documents_are_cut_around_the_answer_and_hold_the_old_number_no_more() {
    let folder = crate::synthetic::fixtures::folder();
    let values = crate::registry::parse("altered-numeric-qa:documents=given").unwrap().1;
    let request = Request {
        lengths: &[200],
        depths: &[0.0, 0.5, 1.0],
        n: 2,
        data: Some(folder.path()),
        ..Request::new(&values, &Words)
    };
    for made in ALTERED_NUMERIC_QA.examples(&request).unwrap() {
        let gold = &made.turns[0].gold[0];
        let (_, text) = made.context.split_once("Document:\n").unwrap();
        let at = text.find(gold.as_str()).unwrap() as f64 / text.len() as f64;
        assert!((at - made.turns[0].depth.unwrap()).abs() < 0.15, "{at}");
        assert!(places_of(text, "1873").is_empty() && places_of(text, "417").is_empty());
        assert!(request.size_of(&made).unwrap() > 180);
    }
    let free = crate::registry::parse("free-form-qa:documents=given,question=before").unwrap().1;
    let made = FREE_FORM_QA.examples(&Request { values: &free, n: 4, ..request }).unwrap();
    for made in &made {
        let (question, text) = made.context.split_once("Document:\n").unwrap();
        assert!(text.contains(&made.turns[0].gold[0]) && question.contains('?'));
    }
    assert!(made.iter().any(|made| made.turns[0].gold[0] == "Maud Ellery"));
}

#[test]
fn what_is_no_document_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let values = crate::registry::parse("altered-numeric-qa:documents=given").unwrap().1;
    let request = Request { lengths: &[200], data: Some(folder.path()), ..Request::new(&values, &Words) };
    assert!(ALTERED_NUMERIC_QA.examples(&request).unwrap_err().to_string().contains("documents.jsonl"));
    let file = folder.path().join("documents.jsonl");
    std::fs::write(&file, "{\"document\": \"a 7\", \"question\": \"q\", \"answer\": \"a\"}\n").unwrap();
    let error = ALTERED_NUMERIC_QA.examples(&request).unwrap_err().to_string();
    assert!(error.contains("numeric"), "{error}");
    std::fs::write(&file, "\n{\"document\": 1}\n").unwrap();
    assert!(matches!(ALTERED_NUMERIC_QA.examples(&request), Err(EvalError::Line { line: 2, .. })));
}

#[test]
fn the_question_may_stand_before() {
    for id in ["altered-numeric-qa", "free-form-qa"] {
        crate::synthetic::tests::solved(&format!("{id}:question=before"), &[600]);
    }
}
