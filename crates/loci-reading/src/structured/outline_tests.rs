use super::*;
use proptest::prelude::*;

fn aspect(name: &str, sentences: Range<usize>, sub: Vec<Aspect>) -> Aspect {
    Aspect { name: name.to_owned(), sentences, sub }
}

/// A reply with these first-level aspects: name, start and end as a reply counts.
fn reply(aspects: &[(&str, usize, usize)]) -> String {
    let listed = aspects.iter().map(|(name, start, end)| {
        format!("  - AspectName: {name}\n    SentenceRange:\n      start: {start}\n      end: {end}\n    SubAspects: []\n")
    });
    format!("Scope: Peace\nAspects:\n{}", listed.collect::<String>())
}

#[test]
fn replies_and_what_comes_of_them() {
    let ranges = |reply: &str, sentences| {
        parse(reply, sentences)
            .map(|outline| outline.aspects.into_iter().map(|one| one.sentences).collect::<Vec<_>>())
    };
    let place = |place: &str| place.to_owned();
    assert_eq!(ranges(&reply(&[("a", 1, 2), ("b", 3, 5)]), 5), Ok(vec![0..2, 2..5]));
    for end in ["References", "In CONCLUSION", "See also", "External links"] {
        assert_eq!(ranges(&reply(&[("a", 1, 2), (end, 3, 3)]), 9), Ok(vec![0..2, 2..9]), "{end}");
    }
    let table = [
        (reply(&[("a", 1, 2), ("b", 3, 4)]), BadOutline::WrongEnd { found: 4, sentences: 5 }),
        (reply(&[("a", 1, 2), ("References", 3, 7)]), BadOutline::WrongEnd { found: 7, sentences: 5 }),
        (reply(&[("a", 2, 5)]), BadOutline::NotContiguous { place: place("1"), found: 2, expected: 1 }),
        (reply(&[("a", 1, 2), ("b", 4, 5)]), BadOutline::NotContiguous { place: place("2"), found: 4, expected: 3 }),
        (reply(&[("a", 1, 3), ("b", 3, 5)]), BadOutline::NotContiguous { place: place("2"), found: 3, expected: 4 }),
        (reply(&[("b", 3, 5), ("a", 1, 2)]), BadOutline::NotContiguous { place: place("1"), found: 3, expected: 1 }),
        (reply(&[("a", 3, 2)]), BadOutline::BadRange { place: place("1") }),
        (reply(&[("a", 0, 5)]), BadOutline::BadRange { place: place("1") }),
        (reply(&[("a", 1, usize::MAX)]), BadOutline::BadRange { place: place("1") }),
        (reply(&[("''", 1, 5)]), BadOutline::NoName { place: place("1") }),
        (reply(&[]), BadOutline::NoAspects),
        ("Scope:\nAspects: []".to_owned(), BadOutline::NoScope),
        ("Scope: a".to_owned(), BadOutline::NoAspects),
        ("Scope: a\nAspects: none".to_owned(), BadOutline::NoAspects),
        ("Scope: a\nAspects: []".to_owned(), BadOutline::NoAspects),
        ("I cannot do that.".to_owned(), BadOutline::Unreadable),
        (String::new(), BadOutline::Unreadable),
        ("{\"Scope\": \"a\"".to_owned(), BadOutline::Unreadable),
        (r#"{"Scope": "a", "Aspects": [{"AspectName": 3}]}"#.to_owned(), BadOutline::NoName { place: place("1") }),
        (
            r#"{"Scope": "a", "Aspects": [{"AspectName": "b", "SentenceRange": {"start": 1.5, "end": 5}}]}"#.to_owned(),
            BadOutline::BadRange { place: place("1") },
        ),
        (
            r#"{"Scope": "a", "Aspects": [{"AspectName": "b", "SentenceRange": {"start": 1, "end": 5}, "SubAspects":
               [{"AspectName": "c"}]}]}"#
                .to_owned(),
            BadOutline::BadRange { place: place("1.1") },
        ),
        (
            r#"{"Scope": "a", "Aspects": [{"AspectName": "b", "SentenceRange": {"start": 1, "end": 5}, "SubAspects": 3}]}"#
                .to_owned(),
            BadOutline::BadSub { place: place("1") },
        ),
    ];
    for (reply, bad) in table {
        assert!(!bad.to_string().is_empty());
        assert_eq!(ranges(&reply, 5), Err(bad.clone()), "{reply}");
        assert_eq!(parse_or_fallback(&reply, 5), (Outline::fallback(5), Some(bad)));
    }
    assert_eq!(ranges("", 0), Err(BadOutline::Nothing));
}

#[test]
fn ranges_are_widened_and_single_parts_dropped() {
    let reply = r#"{"scope": "a", "aspects": [
        {"aspect_name": "b", "sentence_range": {"start": 2, "end": 2}, "sub_aspects": [
            {"aspect_name": "c", "sentence_range": {"start": "1", "end": "3"}, "sub_aspects": [
                {"aspect_name": "d", "sentence_range": {"start": 1, "end": 1}},
                {"aspect_name": "e", "sentence_range": {"start": 2, "end": 4}}]},
            {"aspect_name": "f", "sentence_range": {"start": 4, "end": 4}, "sub_aspects": []}]}]}"#;
    let expected = aspect("b", 0..4, vec![aspect("c", 0..4, vec![aspect("e", 1..4, Vec::new())])]);
    assert_eq!(parse(reply, 4), Ok(Outline { scope: "a".to_owned(), aspects: vec![expected] }));
}

#[test]
fn single_sentences_alone_are_refused_on_request() {
    let checks = Checks { refuse_singles: true };
    let singles = reply(&[("a", 1, 1), ("b", 2, 2)]);
    assert!(parse(&singles, 2).is_ok());
    assert_eq!(parse_with(&singles, 2, checks), Err(BadOutline::AllSingle));
    assert!(parse_with(&reply(&[("a", 1, 1), ("b", 2, 3)]), 3, checks).is_ok());
}

#[test]
fn the_prompt_numbers_sentences_on_one_line_each() {
    let prompt = prompt(&["One.", "Two\n three. "]);
    assert!(prompt.ends_with("Sentences:\n- Sentence 1: One.\n- Sentence 2: Two three.\n"));
    // The form that it shows is one that is read.
    let form = prompt.split("else:\n\n").nth(1).and_then(|rest| rest.split("\n\nSentences").next()).unwrap();
    assert!(parse(form, 4).is_ok(), "{form}");
}

#[test]
fn the_fallback_holds_everything() {
    let fallback = Outline::fallback(7);
    assert_eq!((fallback.sentences(), fallback.aspects.len()), (7, 1));
    assert_eq!(parse_or_fallback(&fallback.render(), 7), (fallback, None));
    let said = Outline::fallback(2).statement(&["One. ", "\nTwo."]);
    assert_eq!(said.aspects[0].descriptions, ["One.", "Two."]);
}

/// Any outline that keeps the rules.
pub(in crate::structured) fn outlines() -> impl Strategy<Value = Outline> {
    let name = "[a-zé:\"'#{}\\[\\]\\- 0-9\\\\\n`]{0,8}x";
    // Lengths of aspects, and for each whether it has parts and how they are nested.
    let aspects = prop::collection::vec((name, 1..9_usize, 0..4_usize, name), 1..7);
    (name, aspects).prop_map(|(scope, listed)| {
        let mut start = 0;
        let aspects = listed.into_iter().map(|(name, length, levels, part)| {
            let range = start..start + length;
            start = range.end;
            let mut inner: Vec<Aspect> = Vec::new();
            for level in (0..levels).rev() {
                let own = range.start + level / 2..range.end - level.div_ceil(2).min(length);
                if own.len() > 1 {
                    inner = vec![aspect(&format!("{part}{level}"), own, inner)];
                }
            }
            aspect(&name, range, inner)
        });
        Outline { scope, aspects: aspects.collect() }
    })
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_back(outline in outlines()) {
        let rendered = outline.render();
        prop_assert_eq!(parse(&rendered, outline.sentences()), Ok(outline.clone()), "{}", rendered);
        let fenced = format!("Sure: here.\n```yaml\n{rendered}```\nDone: yes");
        prop_assert_eq!(parse(&fenced, outline.sentences()), Ok(outline));
    }

    #[test]
    fn aspects_hold_every_sentence_once(outline in outlines()) {
        let sentences: Vec<String> = (0..outline.sentences()).map(|number| format!("s{number}")).collect();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let said: Vec<String> =
            outline.statement(&sentences).aspects.into_iter().flat_map(|aspect| aspect.descriptions).collect();
        prop_assert_eq!(said, sentences);
    }
}
