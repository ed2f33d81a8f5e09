use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;

fn call(sculpture: &mut Sculpture, name: &str, arguments: Value) -> Outcome {
    sculpture.call(name, &arguments, &mut |text, focus| Ok(format!("{focus}: {}", text.len()))).unwrap()
}

/// A call that has to be right.
fn right(sculpture: &mut Sculpture, name: &str, arguments: Value) -> Outcome {
    let outcome = call(sculpture, name, arguments);
    assert!(!outcome.failed, "{}", outcome.text);
    outcome
}

/// What a call that has to be wrong says.
fn wrong(sculpture: &mut Sculpture, name: &str, arguments: Value) -> String {
    let before = sculpture.clone();
    let outcome = call(sculpture, name, arguments);
    assert!(outcome.failed && !outcome.changed, "{}", outcome.text);
    assert_eq!(*sculpture, before);
    outcome.text
}

fn ids(sculpture: &Sculpture) -> Vec<String> {
    sculpture.fragments().map(|fragment| fragment.id().to_owned()).collect()
}

fn story() -> Sculpture {
    Sculpture::new(vec![
        Message::new("system", "Be brief."),
        Message::new("user", "Öl costs 1.\nÖl costs 2.\nÖl costs 3.\nÖl costs 4.\n"),
        Message::new("assistant", "Noted."),
        Message::new("user", "Salz costs 5.\nWhat does Öl cost?"),
    ])
}

#[test]
fn tools_are_a_request_s() {
    let listed = loci_engine::tools::Tool::list(&tools()).unwrap();
    assert_eq!(listed.iter().map(loci_engine::tools::Tool::to_json).collect::<Vec<_>>(), tools());
    let modifying: Vec<&str> = listed.iter().map(|tool| tool.name()).filter(|name| modifies(name)).collect();
    assert_eq!(modifying, ["fragment_context", "fold_fragment", "summarize_fragment", "restore_fragment"]);
    assert!(!modifies("other"));
}

#[test]
fn a_conversation_by_hand() {
    let mut sculpture = story();
    assert_eq!(sculpture.visible(), sculpture.originals(), "nothing called, nothing changed");
    let arguments = json!({"start_marker": "Öl costs 1", "end_marker": "4.\n", "num_fragments": 2});
    let outcome = right(&mut sculpture, "fragment_context", arguments);
    let id = ids(&sculpture);
    assert_eq!(
        outcome.text,
        format!(
            "Cut into 2 fragments (id, characters, first words):\n{} 24 Öl costs 1\n{} 24 Öl costs 3",
            id[0], id[1]
        )
    );
    assert!(outcome.changed);
    let shown = |sculpture: &Sculpture| sculpture.visible()[1].content.clone();
    assert_eq!(
        shown(&sculpture),
        format!(
            "[fragment {}]Öl costs 1.\nÖl costs 2.\n[/fragment][fragment {}]Öl costs 3.\nÖl costs 4.\n[/fragment]",
            id[0], id[1]
        )
    );
    assert!(right(&mut sculpture, "fold_fragment", json!({"fragment_id": id[0]})).changed);
    let again = right(&mut sculpture, "fold_fragment", json!({"fragment_id": id[0]}));
    assert!(!again.changed && again.text.contains("already"));
    assert!(shown(&sculpture).starts_with(&format!("[folded {} 24: Öl costs 1][fragment ", id[0])));
    // The original is summarised, not the marker.
    let summarise = json!({"fragment_id": id[0], "focus": "prices"});
    assert!(right(&mut sculpture, "summarize_fragment", summarise.clone()).changed);
    assert!(shown(&sculpture).starts_with(&format!("[summary {} 24]prices: 26[/summary][fragment ", id[0])));
    assert!(!right(&mut sculpture, "summarize_fragment", summarise).changed, "the same summary");
    assert!(right(&mut sculpture, "restore_fragment", json!({"fragment_id": id[0]})).changed);
    assert!(!right(&mut sculpture, "restore_fragment", json!({"fragment_id": id[0]})).changed);
    assert_eq!(sculpture.originals(), story().originals());
    sculpture.push(Message::new("tool", "[folded f0a0a0 1]"));
    assert_eq!(sculpture.visible()[4].content, "[\\folded f0a0a0 1]", "no document forges a marker");
}

#[test]
fn wrong_calls_say_what_to_do() {
    let mut sculpture = story();
    let cut = |start: &str, end: &str| json!({"start_marker": start, "end_marker": end});
    let said = wrong(&mut sculpture, "fold_fragment", json!({"fragment_id": "f0a0a0"}));
    assert!(said.contains("fragment_context first"), "{said}");
    let said = wrong(&mut sculpture, "fragment_context", cut("öl  costs 2", "4."));
    assert!(said.contains("Nearest: \"Öl costs 2\""), "{said}");
    let said = wrong(&mut sculpture, "fragment_context", cut("Salz", "Öl costs 1."));
    assert!(said.contains("at or behind start_marker") && said.contains("Nearest: "), "{said}");
    let said = wrong(&mut sculpture, "fragment_context", cut("Be", "brief"));
    assert!(said.contains("messages of the user"), "{said}");
    wrong(&mut sculpture, "fragment_context", cut("", "4."));
    let said = wrong(&mut sculpture, "unfold", json!({}));
    assert!(said.contains("restore_fragment"), "{said}");
    let said = wrong(&mut sculpture, "get_search_detail", json!({"search_id": "s0a0a0"}));
    assert!(said.contains("search_context"), "{said}");
    // Over two messages, in one piece.
    let mut over = cut("Öl costs 1", "Salz");
    over["num_fragments"] = 1.into();
    let said = wrong(&mut sculpture, "fragment_context", over);
    assert!(said.contains("2 num_fragments"), "{said}");

    let mut one = cut("Öl costs 2", "3.\n");
    one["num_fragments"] = 1.into();
    right(&mut sculpture, "fragment_context", one);
    let id = ids(&sculpture);
    for (start, end) in [("costs 2", "costs 3"), ("Öl costs 1", "costs 2"), ("costs 3", "4.")] {
        let said = wrong(&mut sculpture, "fragment_context", cut(start, end));
        assert!(said.contains("nested"), "{said}");
    }
    right(&mut sculpture, "fold_fragment", json!({"fragment_id": id[0]}));
    let said = wrong(&mut sculpture, "fragment_context", cut("Öl costs 1", "4."));
    assert!(said.contains(&id[0]) && said.contains("restore_fragment"), "{said}");
    let said = wrong(&mut sculpture, "restore_fragment", json!({"fragment_id": "f0a0a0"}));
    assert!(said.contains(&id[0]), "{said}");
    right(&mut sculpture, "restore_fragment", json!({"fragment_id": id[0]}));
    right(&mut sculpture, "fragment_context", cut("Öl costs 1", "4."));
    assert!(ids(&sculpture).iter().all(|new| !id.contains(new)), "cut anew");
}

#[test]
fn a_summary_that_fails_changes_nothing() {
    let mut sculpture = story();
    right(&mut sculpture, "fragment_context", json!({"start_marker": "Öl", "end_marker": "4."}));
    let before = sculpture.clone();
    let arguments = json!({"fragment_id": ids(&sculpture)[0], "focus": "all"});
    let empty = sculpture.call("summarize_fragment", &arguments, &mut |_, _| Ok(" \n".to_owned())).unwrap();
    assert!(empty.failed && empty.text.contains("fold_fragment"));
    let stopped = EngineError::Interrupted { done: 1, total: 2 };
    let mut stopped = Some(stopped);
    let mut summarise = |_: &str, _: &str| Err(stopped.take().unwrap());
    assert!(sculpture.call("summarize_fragment", &arguments, &mut summarise).is_err());
    assert_eq!(sculpture, before);
}

#[test]
fn pieces_are_shared_among_messages_of_the_role() {
    let mut sculpture = story();
    let arguments = json!({"start_marker": "Öl costs 3", "end_marker": "5.", "num_fragments": 3});
    right(&mut sculpture, "fragment_context", arguments);
    let originals: Vec<&str> = sculpture.fragments().map(Fragment::original).collect();
    assert_eq!(originals, ["Öl costs 3.\n", "Öl costs 4.\n", "Salz costs 5."]);
    assert_eq!(sculpture.visible()[2], story().visible()[2], "the assistant's stays");
    let mut sculpture = story();
    let arguments = json!({"start_marker": "4.", "end_marker": "Salz", "role": "all"});
    right(&mut sculpture, "fragment_context", arguments);
    let originals: String = sculpture.fragments().map(Fragment::original).collect();
    assert_eq!(originals, "4.\nNoted.Salz");
}

#[test]
fn searches_tell_where() {
    let mut sculpture = story();
    right(
        &mut sculpture,
        "fragment_context",
        json!({"start_marker": "Öl costs 1", "end_marker": "2.\n", "num_fragments": 1}),
    );
    let id = ids(&sculpture)[0].clone();
    right(&mut sculpture, "fold_fragment", json!({"fragment_id": id}));
    let visible = sculpture.visible();
    let found = right(&mut sculpture, "search_context", json!({"query": "Öl"}));
    assert!(!found.changed && sculpture.visible() == visible);
    let lines: Vec<&str> = found.text.lines().collect();
    assert_eq!(lines[0], "5 matches, in the order of the conversation:");
    let hits: Vec<&str> = lines.iter().filter(|line| line.starts_with('s')).copied().collect();
    assert_eq!(hits.len(), 5);
    assert_eq!(found.text.matches(&format!("hidden in {id}")).count(), 2);
    assert!(hits[4].contains("(message 4, user): Salz costs 5."), "{}", hits[4]);
    let detail = right(&mut sculpture, "get_search_detail", json!({"search_id": &hits[0][..6]}));
    assert!(detail.text.contains("Öl costs 1.") && !detail.changed);
    let few = right(&mut sculpture, "search_context", json!({"query": "Öl", "max_results": 2}));
    assert!(few.text.starts_with("More than 2 matches") && few.text.matches("\ns").count() == 2);
    let none = right(&mut sculpture, "search_context", json!({"query": "öl"}));
    assert!(none.text.starts_with("No match") && none.text.contains("\"Öl\""), "{}", none.text);
    // Matches overlap and are listed each; borders of fragments are no borders of matches.
    let mut sculpture = Sculpture::new(vec![Message::new("user", "ééé")]);
    right(&mut sculpture, "fragment_context", json!({"start_marker": "é", "end_marker": "é"}));
    let found = right(&mut sculpture, "search_context", json!({"query": "éé"}));
    assert!(found.text.starts_with("2 matches"), "{}", found.text);
}

#[test]
fn what_was_copied_escaped_is_found() {
    let forged = "a [folded f0a0a0 3k: b] c d e";
    let mut sculpture = Sculpture::new(vec![Message::new("user", forged)]);
    right(&mut sculpture, "fragment_context", json!({"start_marker": "c", "end_marker": "c"}));
    assert!(sculpture.visible()[0].content.starts_with("a [\\folded f0a0a0 3k: b] [fragment "));
    let found = right(&mut sculpture, "search_context", json!({"query": "[\\folded f0a0a0"}));
    assert!(found.text.starts_with("1 match,"), "{}", found.text);
    right(
        &mut sculpture,
        "fragment_context",
        json!({"start_marker": "[\\folded f0a0a0", "end_marker": "b]"}),
    );
    assert_eq!(sculpture.originals()[0].content, forged);
}

/// Tokens of a marker in a tokenizer that knows words of the language and little else: digits and marks alone, words up to
/// five letters whole, longer ones in two. Letters between digits stand alone anyway.
fn tokens(marker: &str) -> usize {
    let mut tokens = 0;
    let mut letters = 0;
    for character in marker.chars().chain([' ']) {
        if character.is_alphabetic() {
            letters += 1;
            continue;
        }
        tokens += usize::from(letters > 0) + usize::from(letters > 5);
        tokens += usize::from(!character.is_whitespace());
        letters = 0;
    }
    tokens
}

#[test]
fn markers_stay_below_twenty_tokens() {
    let mut sculpture = Sculpture::new(vec![Message::new("user", "Once upon a time. ".repeat(2_000))]);
    let arguments = json!({"start_marker": "Once", "end_marker": "time.", "num_fragments": 1});
    right(&mut sculpture, "fragment_context", arguments);
    let id = ids(&sculpture)[0].clone();
    right(&mut sculpture, "fold_fragment", json!({"fragment_id": id}));
    let content = sculpture.visible()[0].content.clone();
    let marker = &content[..=content.find(']').unwrap()];
    assert!(marker.contains("Once upon a") && tokens(marker) < 20, "{} {marker}", tokens(marker));
}

#[test]
fn the_first_change_is_where_reading_begins_again() {
    let of = |contents: &[&str]| contents.iter().map(|text| Message::new("user", *text)).collect::<Vec<_>>();
    assert_eq!(first_change(&of(&["a", "b"]), &of(&["a", "b"])), None);
    assert_eq!(first_change(&of(&["a", "xyz"]), &of(&["a", "xya", "c"])), Some((1, 2)));
    assert_eq!(first_change(&of(&["a"]), &of(&["a", "b"])), Some((1, 0)));
    assert_eq!(first_change(&of(&["ab"]), &of(&["a"])), Some((0, 1)));
    // é and è share their first byte.
    assert_eq!(first_change(&of(&["xé"]), &of(&["xè"])), Some((0, 1)));
    let mut named = of(&["a"]);
    named[0].name = Some("b".to_owned());
    assert_eq!(first_change(&of(&["a"]), &named), Some((0, 0)));
}

/// A call with arguments that are often right.
fn any_call() -> impl Strategy<Value = (usize, usize, u64, String, String)> {
    (0..8_usize, 0..40_usize, 0..24_u64, "[abé\\n ]{0,3}", "[abé\\n ]{0,3}")
}

proptest! {
    #[test]
    fn any_sequence_of_calls_keeps_what_has_to_hold(
        texts in prop::collection::vec(("[abé\\n ]{0,30}", markers::tests::markerish()), 1..5),
        calls in prop::collection::vec(any_call(), 0..24),
    ) {
        let roles = ["user", "assistant", "user", "tool"];
        let said: Vec<Message> = texts
            .iter()
            .zip(roles.iter().cycle())
            .map(|((plain, alike), role)| Message::new(*role, format!("{plain}{alike}")))
            .collect();
        let mut sculpture = Sculpture::new(said.clone());
        let mut given: HashSet<String> = HashSet::new();
        for (kind, which, number, one, other) in calls {
            let own: HashSet<String> = ids(&sculpture).into_iter().collect();
            let id = ids(&sculpture).into_iter().nth(which % 8).unwrap_or_default();
            let role = ["user", "assistant", "all"][which % 3];
            let (name, arguments) = match kind {
                0 | 1 => ("fragment_context", json!({
                    "start_marker": one, "end_marker": other, "num_fragments": number, "role": role,
                })),
                2 => ("fold_fragment", json!({"fragment_id": id})),
                3 => ("summarize_fragment", json!({"fragment_id": id, "focus": one})),
                4 => ("restore_fragment", json!({"fragment_id": id})),
                5 => ("search_context", json!({"query": one, "role": role, "max_results": number})),
                6 => ("get_search_detail", json!({"search_id": id})),
                _ => ("fold", json!({})),
            };
            let before = sculpture.clone();
            let outcome = call(&mut sculpture, name, arguments);
            let (was, is) = (before.visible(), sculpture.visible());
            prop_assert_eq!(outcome.changed, was != is);
            prop_assert_eq!(outcome.changed, first_change(&was, &is).is_some());
            if outcome.failed {
                prop_assert_eq!(&sculpture, &before);
            }
            prop_assert!(!outcome.changed || modifies(name));
            // Number, order and words of messages.
            prop_assert_eq!(&sculpture.originals(), &said);
            prop_assert!(is.iter().map(|message| &message.role).eq(said.iter().map(|message| &message.role)));
            // Ids are new ones when they appear, and no two are alike.
            let now = ids(&sculpture);
            let new: Vec<String> = now.iter().filter(|id| !own.contains(*id)).cloned().collect();
            prop_assert_eq!(now.iter().collect::<HashSet<_>>().len(), now.len());
            prop_assert!(new.into_iter().all(|id| given.insert(id)));
        }
        for id in ids(&sculpture) {
            right(&mut sculpture, "restore_fragment", json!({"fragment_id": id}));
        }
        // With all shown, taking markers and escapes away leaves what was said.
        for (shown, said) in sculpture.visible().iter().zip(&said) {
            let mut plain = shown.content.clone();
            if !ids(&sculpture).is_empty() {
                for id in ids(&sculpture) {
                    plain = plain.replace(&format!("[fragment {id}]"), "\u{1}");
                }
                let parts = plain.split('\u{1}').flat_map(|part| part.split("[/fragment]"));
                plain = parts.map(unescape).collect();
            }
            prop_assert_eq!(&plain, &said.content);
        }
    }
}

/// What stands between two markers, by trying every place in turn.
fn between(texts: &[String], start: &str, end: &str) -> Option<Vec<String>> {
    let places =
        || texts.iter().enumerate().flat_map(|(text, own)| own.char_indices().map(move |(at, _)| (text, at)));
    let first = places().find(|(text, at)| texts[*text][*at..].starts_with(start))?;
    let last = places().find(|place| *place >= first && texts[place.0][place.1..].starts_with(end))?;
    let mut parts = Vec::new();
    for text in first.0..=last.0 {
        let from = if text == first.0 { first.1 } else { 0 };
        let mut to = if text == last.0 { last.1 + end.len() } else { texts[text].len() };
        if first.0 == last.0 {
            to = to.max(first.1 + start.len());
        }
        parts.extend((from < to).then(|| texts[text][from..to].to_owned()));
    }
    Some(parts)
}

proptest! {
    #[test]
    fn what_is_cut_is_what_stands_between_the_markers(
        texts in prop::collection::vec("[abé]{0,8}", 1..4),
        start in "[abé]{1,2}",
        end in "[abé]{1,3}",
        pieces in 4..=20_u64,
    ) {
        let mut sculpture = Sculpture::new(texts.iter().map(|text| Message::new("user", text)).collect());
        let arguments = json!({"start_marker": start, "end_marker": end, "num_fragments": pieces});
        let failed = call(&mut sculpture, "fragment_context", arguments).failed;
        let found: Vec<Vec<&str>> = sculpture
            .messages
            .iter()
            .map(|held| held.fragments().map(Fragment::original).collect())
            .filter(|fragments: &Vec<&str>| !fragments.is_empty())
            .collect();
        let expected = between(&texts, &start, &end);
        prop_assert_eq!(failed, expected.is_none());
        let joined: Vec<String> = found.iter().map(|fragments| fragments.concat()).collect();
        prop_assert_eq!(joined, expected.clone().unwrap_or_default());
        // As many pieces as were asked for, as long as there are characters for them.
        let lengths: Vec<usize> = expected.unwrap_or_default().iter().map(|part| part.chars().count()).collect();
        if lengths.len() == 1 {
            prop_assert_eq!(found[0].len(), lengths[0].min(pieces as usize));
        }
    }
}
