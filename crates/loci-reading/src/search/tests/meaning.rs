//! Ranking a folder by meaning.

use std::sync::atomic::{AtomicBool, Ordering};

use loci_engine::EngineError;

use super::*;
use crate::encode::TextEncoder;
use crate::encode::tests::Groups;

const FILES: &[(&str, &str)] = &[
    ("a.txt", "Nothing of the kind."),
    ("b.txt", "A kitten naps on it."),
    ("c.txt", "The bank was shut."),
    ("d.txt", "Where the cat was not."),
];

fn encoded(groups: &Groups) -> usize {
    groups.encoded.swap(0, Ordering::Relaxed)
}

#[test]
fn meaning_finds_what_words_do_not() {
    let folders = Folders::new(FILES);
    let (index, _) = folders.fresh();
    let groups = Groups::default();
    let found = |by| {
        let hits = index.search("cat", 3, by, Some(&groups)).unwrap();
        check(&index, &hits);
        assert!(hits.is_sorted_by(|one, other| one.score >= other.score));
        files(&hits)
    };
    assert_eq!(found(By::Words), ["d.txt"]);
    assert_eq!(found(By::Meaning), ["b.txt", "d.txt", "a.txt"]);
    assert_eq!(found(By::Fused), ["d.txt", "b.txt", "a.txt"]);
    for by in [By::Meaning, By::Fused] {
        let error = index.search("cat", 3, by, None).unwrap_err();
        assert!(error.to_string().contains("sentence encoder"), "{error}");
        assert!(matches!(index.search(" ", 3, by, Some(&groups)), Err(SearchError::NoWords { .. })));
        assert!(index.search("cat", 0, by, Some(&groups)).unwrap().is_empty());
        assert_eq!(index.search("cat", usize::MAX, by, Some(&groups)).unwrap().len(), 4);
    }
}

#[test]
fn vectors_are_kept_and_only_new_passages_get_one() {
    let folders = Folders::new(FILES);
    let groups = Groups::default();
    let (index, _) = folders.fresh();
    let first = index.encode(&groups, &mut Control::default()).unwrap();
    assert_eq!(first, Encoded { passages: 4, computed: 4 });
    // The fifth tells this encoder from others.
    assert_eq!(encoded(&groups), 5);
    index.search("cat", 3, By::Meaning, Some(&groups)).unwrap();
    assert_eq!(encoded(&groups), 1, "the question");
    drop(index);
    folders.write("e.txt", "The sea.");
    folders.write("f.txt", "The bank was shut.");
    folders.remove("a.txt");
    let (index, _) = folders.fresh();
    let later = index.encode(&groups, &mut Control::default()).unwrap();
    assert_eq!(later, Encoded { passages: 5, computed: 1 }, "a passage that says the same shares its vector");
    let hits = index.search("whale", 1, By::Meaning, Some(&groups)).unwrap();
    assert_eq!(files(&hits), ["e.txt"]);
    // What is gone is not kept for ever.
    folders.write("a.txt", "Nothing of the kind.");
    let (index, _) = folders.fresh();
    assert_eq!(index.encode(&groups, &mut Control::default()).unwrap().computed, 1);
}

#[test]
fn a_refresh_forgets_what_was_ranked_before() {
    let folders = Folders::new(FILES);
    let groups = Groups::default();
    let (mut index, _) = folders.fresh();
    index.search("sea", 1, By::Meaning, Some(&groups)).unwrap();
    folders.write("e.txt", "The sea.");
    refresh(&mut index);
    assert_eq!(files(&index.search("whale", 1, By::Fused, Some(&groups)).unwrap()), ["e.txt"]);
}

/// The same name, other vectors.
#[derive(Debug, Default)]
struct Turned(Groups);

impl TextEncoder for Turned {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut vectors = self.0.encode(texts)?;
        vectors.iter_mut().for_each(|vector| vector.rotate_left(1));
        Ok(vectors)
    }
}

#[test]
fn vectors_that_are_damaged_or_of_another_encoder_are_made_again() {
    let folders = Folders::new(FILES);
    let (index, _) = folders.fresh();
    let groups = Groups::default();
    let computed =
        |encoder: &dyn TextEncoder| index.encode(encoder, &mut Control::default()).unwrap().computed;
    assert_eq!((computed(&groups), computed(&groups)), (4, 0));
    assert_eq!((computed(&Turned::default()), computed(&groups), computed(&groups)), (4, 4, 0));
    let path = index.place.vectors(groups.name());
    let whole = std::fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(computed(&groups), 4, "byte {position}");
    }
    for length in [0, 7, 40, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(computed(&groups), 4, "{length} bytes");
    }
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert_eq!(computed(&groups), 0);
}

#[test]
fn encoding_that_is_stopped_keeps_what_it_did() {
    let folders = Folders::new(&[]);
    for number in 0..100 {
        folders.write(&format!("{number}.txt"), format!("The cat number {number}."));
    }
    let (index, _) = folders.fresh();
    let (groups, stop) = (Groups::default(), AtomicBool::new(false));
    let mut progress = |_: loci_engine::Progress| stop.store(true, Ordering::Relaxed);
    let mut control = Control { stop: Some(&stop), progress: Some(&mut progress) };
    let error = index.encode(&groups, &mut control).unwrap_err();
    assert!(matches!(error, SearchError::Interrupted { done: 64, total: 100, what: "passages" }), "{error}");
    assert_eq!(index.encode(&groups, &mut Control::default()).unwrap().computed, 36);
}
