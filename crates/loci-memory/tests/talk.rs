//! Forgetting in other places, and what a model is shown of a memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use common::{each_engine, memory, remember};
use loci_memory::talk::Notes;
use loci_memory::{Content, Elsewhere, Query, Said, State, Target};

/// A place that holds texts.
struct Shelf(std::sync::Arc<std::sync::Mutex<Vec<String>>>, bool);

impl Elsewhere for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    fn remove(&mut self, said: &Said, dry_run: bool) -> Result<usize, String> {
        if self.1 {
            return Err("it is locked".to_owned());
        }
        let mut texts = self.0.lock().unwrap();
        let holds = texts.iter().filter(|text| said.stands_in(text)).count();
        if !dry_run {
            texts.retain(|text| !said.stands_in(text));
        }
        Ok(holds)
    }
}

fn forgetting_reaches_other_places_or_does_nothing() {
    let (_folder, mut memory, _clock) = memory();
    let shelf = std::sync::Arc::new(std::sync::Mutex::new(vec![
        "A book in which the password is  xyzzy.".to_owned(),
        "A book about hens.".to_owned(),
    ]));
    memory.also_in(Box::new(Shelf(std::sync::Arc::clone(&shelf), false)));
    let id = remember(&mut memory, "the password is xyzzy.");
    let target = Target::Ids(vec![id.clone()]);
    let dry = memory.forget(&target, None, true).unwrap();
    assert_eq!((dry.elsewhere[0].place.as_str(), dry.elsewhere[0].removed), ("shelf", 1));
    assert_eq!(shelf.lock().unwrap().len(), 2);
    let done = memory.forget(&target, None, false).unwrap();
    assert_eq!(done.elsewhere, dry.elsewhere);
    assert_eq!(*shelf.lock().unwrap(), ["A book about hens."]);
    let other = remember(&mut memory, "the hens are brown.");
    memory.also_in(Box::new(Shelf(shelf, true)));
    let refused = memory.forget(&Target::Ids(vec![other.clone()]), None, false).unwrap_err();
    assert!(refused.to_string().contains("shelf") && refused.to_string().contains("locked"), "{refused}");
    assert_eq!(memory.item(&other).unwrap().state, State::Released);
}

fn a_model_is_shown_what_counts_oldest_first_and_nothing_where_nothing_supports() {
    let (_folder, mut memory, _clock) = memory();
    for (text, day, topic) in [
        ("Anna lives in Porto now.", "2022-09-02", Some("home")),
        ("Anna lives in Lisbon now.", "2022-03-12", Some("home")),
        ("Anna lives for tennis.", "2021-01-01", None),
    ] {
        let content = Content {
            valid_from: Some(day.parse().unwrap()),
            topic: topic.map(str::to_owned),
            ..Content::note(text)
        };
        memory.add(&content, &[]).unwrap();
    }
    let recall = memory.recall(&Query::new("Where does Anna live, and what lives?"), None).unwrap();
    let notes = Notes::of(&recall);
    let prompt = notes.before("Where does Anna live?");
    let place = |text: &str| prompt.find(text);
    assert!(place("tennis") < place("Porto") && place("Porto").is_some(), "{prompt}");
    assert!(place("Lisbon").is_none(), "outdone: {prompt}");
    assert!(
        prompt.contains("[2] (2022-09-02) Anna lives in Porto now.")
            && prompt.ends_with("\n\nQuestion: Where does Anna live?")
    );
    assert_eq!(notes.ids().len(), 2);
    let recall = memory.recall(&Query::new("How tall is the Eiffel tower?"), None).unwrap();
    let notes = Notes::of(&recall);
    assert!(notes.is_empty());
    assert_eq!(notes.before("How tall?"), "How tall?");
}

each_engine!(
    forgetting_reaches_other_places_or_does_nothing,
    a_model_is_shown_what_counts_oldest_first_and_nothing_where_nothing_supports,
);
