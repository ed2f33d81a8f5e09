use std::sync::Mutex;

use loci_engine::EngineError;

use super::super::common::tests::folder;
use super::super::files::records;
use super::*;

/// An encoder that knows which words mean the same, and remembers what it was given.
#[derive(Debug, Default)]
pub(in super::super) struct Meanings {
    pub(in super::super) encoded: Mutex<Vec<String>>,
}

const GROUPS: &[&[&str]] = &[&["cat", "kitten"], &["boat", "ship", "vessel"], &["blue", "azure"]];

impl TextEncoder for Meanings {
    fn name(&self) -> &str {
        "meanings"
    }

    fn dimension(&self) -> usize {
        GROUPS.len() + 1
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.encoded.lock().unwrap().extend(texts.iter().map(|text| (*text).to_owned()));
        let vector = |text: &&str| {
            let words = loci_reading::tokens::words(text);
            let count =
                |group: &&[&str]| words.iter().filter(|word| group.contains(&word.as_str())).count() as f32;
            let mut vector: Vec<f32> = GROUPS.iter().map(count).chain([0.1]).collect();
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|number| *number /= length);
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }
}

pub(in super::super) fn with_meanings(by: &[Retriever], expand: &[Source], join: &[Join]) -> Search {
    Search {
        by: by.to_vec(),
        encoder: Some(Arc::new(Meanings::default())),
        expand: expand.to_vec(),
        join: join.to_vec(),
        when_empty: WhenEmpty::Keep,
    }
}

const SOURCES: &[&str] = &["none", "facts", "keyphrases", "title", "given"];

fn ranked(search: &Search, keys: &[&str], titles: &[&str], query: &str) -> Vec<Vec<usize>> {
    let searcher = Searcher::new(search);
    let settings = search.settings("set", SOURCES).unwrap();
    settings
        .iter()
        .map(|setting| searcher.index(setting, keys, titles).unwrap().rank(query).unwrap())
        .collect()
}

const KEYS: &[&str] = &["Nothing here", "a kitten naps", "A Cat, asleep", "the cat was not", "rain falls"];

#[test]
fn retrievers_differ_in_what_they_take_for_the_same() {
    let by = [Retriever::Bm25, Retriever::Words, Retriever::Meaning, Retriever::Fused, Retriever::FusedWords];
    let found = ranked(&with_meanings(&by, &[Source::None], &[Join::Merge]), KEYS, &[], "cat");
    // Case and comma stand in the way of pieces between spaces; the kitten is a cat by meaning alone.
    assert_eq!(found[0], [3, 0, 1, 2, 4]);
    assert_eq!(found[1][..2], [2, 3]);
    assert_eq!(found[2], [1, 2, 3, 0, 4]);
    // 1/61 + 1/63 of the words' first, against 1/61 of the meaning's first.
    assert_eq!(found[3], [3, 1, 2, 0, 4]);
    assert_eq!(found[4], [2, 3, 1, 0, 4]);
}

#[test]
fn a_key_is_found_by_its_expansion() {
    let titles = ["ship", "", "", ""];
    let settings = |join: &[Join]| with_meanings(&[Retriever::Words], &[Source::None, Source::Title], join);
    let found = ranked(&settings(&[Join::Merge, Join::Separate, Join::Replace]), KEYS, &titles, "ship");
    assert_eq!(found.len(), 4, "none once, title in three ways");
    assert!(found[1..].iter().all(|ranking| ranking[0] == 0 && ranking.len() == 5));
    // What is not expanded keeps its key where keys are replaced.
    let replaced = ranked(&settings(&[Join::Replace]), KEYS, &titles, "kitten nothing");
    assert_eq!((replaced[0][..2].to_vec(), replaced[1][0]), (vec![0, 1], 1));
    // Where it is asked for, only what is expanded can be found; without expansion nothing changes.
    let dropping = Search { when_empty: WhenEmpty::Drop, ..settings(&[Join::Merge]) };
    let dropped = ranked(&dropping, KEYS, &titles, "kitten");
    assert_eq!((dropped[0].len(), dropped[1].as_slice()), (5, [0].as_slice()));
    let said = dropping.described(&dropping.settings("set", SOURCES).unwrap(), &[0, 3], 4).join("\n");
    assert!(
        said.contains("only for comparison")
            && said.contains("title: the first line of a passage; 3 of 4 keys have none"),
        "{said}"
    );
}

#[test]
fn each_text_is_encoded_once() {
    let encoder = Arc::new(Meanings::default());
    let by = [Retriever::Meaning, Retriever::Fused];
    let search = Search {
        encoder: Some(Arc::clone(&encoder) as Arc<dyn TextEncoder>),
        ..with_meanings(&by, &[Source::None, Source::Keyphrases], &[Join::Separate])
    };
    ranked(&search, &["blue boat", "cat boat", "blue boat"], &[], "boat");
    let mut encoded = encoder.encoded.lock().unwrap().clone();
    let all = encoded.len();
    encoded.sort();
    encoded.dedup();
    assert_eq!(all, encoded.len(), "{encoded:?}");
    // Without need nothing is encoded.
    assert!(encoded.contains(&"boat".to_owned()));
    encoder.encoded.lock().unwrap().clear();
    ranked(&Search { by: vec![Retriever::Bm25], ..search }, &["blue boat"], &[], "boat");
    assert!(encoder.encoded.lock().unwrap().is_empty());
}

#[test]
fn what_is_compared_has_to_be_there() {
    let refused = |search: Search, said: &str| {
        let error = search.settings("some-set", &["none", "title"]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    for by in [Retriever::Meaning, Retriever::Fused, Retriever::FusedWords] {
        refused(Search { by: vec![by], ..Search::default() }, "needs a sentence encoder");
    }
    refused(
        Search { expand: vec![Source::Facts], ..Search::default() },
        "some-set has no expansion \"facts\"",
    );
    refused(Search { by: Vec::new(), ..Search::default() }, "nothing is compared");
}

#[test]
fn expansions_are_found_by_key_or_hash() {
    let hash = blake3::hash(b"a key").to_hex();
    let text = format!(
        "{{\"key\": \"{hash}\", \"expansion\": [\"one\", \"two\"]}}\n{{\"key\": \"other\", \"expansion\": \"three\"}}\n"
    );
    let folder = folder(&[
        ("good.jsonl", &text),
        ("twice.jsonl", &format!("{text}{{\"key\": \"a key\", \"expansion\": \"\"}}")),
        ("bad.jsonl", "{\"key\": \"a\", \"expansion\": \"b\"}\n{\"key\": \"c\"}"),
    ]);
    let expansions = Expansions::open(&folder.path().join("good.jsonl")).unwrap();
    assert_eq!(
        [expansions.of("a key"), expansions.of("other"), expansions.of("none")],
        ["one two", "three", ""]
    );
    for (file, said) in [("twice.jsonl", "line 3: this key"), ("bad.jsonl", "line 2: no field \"expansion\"")]
    {
        let error = Expansions::open(&folder.path().join(file)).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(said), "{error}");
    }
    // A hash and a text are one form of record.
    assert_eq!(records(&folder.path().join("good.jsonl")).unwrap().len(), 2);
}

#[test]
fn figures_by_hand() {
    let outcome = |question: &str, setting, places: &[usize]| Outcome {
        groups: vec!["all".to_owned()],
        sought: "answer",
        question: question.to_owned(),
        setting,
        places: places.to_vec(),
        items: 4,
    };
    let tally = Tally {
        outcomes: vec![
            outcome("a", 0, &[2]),
            outcome("b", 0, &[1, 4]),
            outcome("a", 1, &[1]),
            outcome("b", 1, &[1, 2]),
        ],
    };
    let search = Search { by: vec![Retriever::Bm25, Retriever::Words], ..Search::default() };
    let settings = search.settings("set", SOURCES).unwrap();
    let rows = tally.rows(&settings, &[1, 2].into());
    assert_eq!(
        rows.iter().map(|row| (row.by, row.k)).collect::<Vec<_>>(),
        [("bm25", 1), ("bm25", 2), ("words", 1), ("words", 2)]
    );
    let (first, second) = (&rows[0], &rows[1]);
    assert_eq!((first.recall_any.mean, first.share.mean, first.recall_any.n), (0.5, 0.25, 2));
    // One question seeks one item, and it is not first; at 2 both count.
    let all = first.recall_all.unwrap();
    assert_eq!((all.n, all.mean, second.recall_all.unwrap().mean), (1, 0.0, 0.5));
    let half = 1.0 / 3_f64.log2();
    let ndcg = (half + 1.0 / (1.0 + half)) / 2.0;
    assert!((second.ndcg.mean - ndcg).abs() < 1e-12);
    // Of 4 items in random order 1 sought is among 2 half the time; of 2 sought one is missed with 2/4 · 1/3.
    assert!((second.chance - (0.5 + 5.0 / 6.0) / 2.0).abs() < 1e-12);
    let differences = tally.differences(&settings, 2);
    assert_eq!(differences.len(), 1);
    assert!((differences[0].difference - (1.0 - ndcg)).abs() < 1e-12);
    assert_eq!((differences[0].p, differences[0].p_holm, differences[0].n), (0.5, 0.5, 2));
    assert_eq!(tally.places(&settings)[3].places, [1, 2]);
    let none = Outcome::of(&[], "answer", "a", 0, &[2, 0, 1], |_| false);
    assert!(none.is_none());
    assert_eq!(Outcome::of(&[], "answer", "a", 0, &[2, 0, 1], |item| item < 2).unwrap().places, [2, 3]);
}
