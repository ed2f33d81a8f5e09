//! What is found, and what a refresh reads.

use proptest::prelude::*;

use super::*;

#[test]
fn files_of_several_kinds_are_found_with_their_places() {
    let folders = Folders::new(&[
        ("sea/whale.md", "# Whales\n\nCall me Ishmael. The whale is white.\n\nNothing else.\n"),
        ("page.txt", "A lighthouse keeper.\r\n\r\nHe has a lamp."),
        ("main.rs", "fn main() {\n    let lamp_height = 3;\n}\n"),
        ("long.txt", &("word ".repeat(480) + "\n\nAt the end a compass. \n" + &"more ".repeat(300))),
    ]);
    let (index, counts) = folders.fresh();
    assert_eq!((counts.files, counts.added, counts.left_out.len()), (4, 4, 0));
    assert_eq!(index.files().unwrap(), ["long.txt", "main.rs", "page.txt", "sea/whale.md"]);
    for (query, expected) in [
        ("Who is ISHMAEL?", &["sea/whale.md"][..]),
        ("lighthouse", &["page.txt"]),
        ("height", &["main.rs"]),
        ("compass", &["long.txt"]),
        ("xylophone", &[]),
    ] {
        let hits = index.search(query, 10, By::Words, None).unwrap();
        assert_eq!(files(&hits), expected, "{query}");
        check(&index, &hits);
    }
    let mut lamp = found(&index, "lamp");
    lamp.sort();
    assert_eq!(lamp, ["main.rs", "page.txt"]);
    let hit = &index.search("compass", 1, By::Words, None).unwrap()[0];
    assert!(hit.line == 3 && hit.start > 2000 && hit.text.starts_with("At the end"), "{hit:?}");
    assert!(counts.passages == index.passages().unwrap() && counts.passages > 8);
}

#[test]
fn chinese_and_other_scripts_are_found_at_their_bytes() {
    let folders = Folders::new(&[
        ("小说.txt", "他住在上海。\n\n灯塔的看守人姓王。🌊🌊\n\nDer Wärter heißt Müller. Ещё один сторож."),
        ("other.txt", "他们去北京了。"),
    ]);
    let (index, _) = folders.fresh();
    for query in ["灯塔", "看守人", "müller", "СТОРОЖ"] {
        let hits = index.search(query, 10, By::Words, None).unwrap();
        assert_eq!(files(&hits), ["小说.txt"], "{query}");
        check(&index, &hits);
    }
    assert_eq!(found(&index, "北京"), ["other.txt"]);
    let hits = index.search("他", 10, By::Words, None).unwrap();
    assert_eq!(hits.len(), 2);
    check(&index, &hits);
}

#[test]
fn only_what_has_changed_is_read_again() {
    let folders = Folders::new(&[("a.txt", "one apple"), ("b.txt", "two pears"), ("c.bin", "\0\0")]);
    let (mut index, first) = folders.fresh();
    assert_eq!(counts(&first), [2, 0, 0, 0, 3]);
    assert_eq!(counts(&refresh(&mut index)), [0, 0, 0, 2, 0], "what is left out is not read again either");
    folders.write("b.txt", "two plums");
    folders.write("d.txt", "four plums");
    assert_eq!(counts(&refresh(&mut index)), [1, 1, 0, 1, 2]);
    assert!(found(&index, "pears").is_empty());
    assert_eq!(found(&index, "plums"), ["b.txt", "d.txt"]);
    // Another time and the same bytes.
    folders.write("b.txt", "two plums");
    assert_eq!(counts(&refresh(&mut index)), [0, 0, 0, 3, 1]);
    assert_eq!(found(&index, "plums").len(), 2);
    folders.remove("d.txt");
    folders.write("a.txt", "\0 no text any more");
    let last = refresh(&mut index);
    assert_eq!(counts(&last), [0, 0, 2, 1, 1]);
    assert_eq!((found(&index, "plums"), found(&index, "apple").len()), (vec!["b.txt".to_owned()], 0));
    // In a process that comes later.
    let (index, again) = folders.fresh();
    assert_eq!((counts(&again), again.rebuilt), ([0, 0, 0, 1, 0], None));
    assert_eq!(found(&index, "plums"), ["b.txt"]);
    assert_eq!(again.left_out, last.left_out);
}

#[test]
fn what_was_changed_just_now_is_read_again() {
    let folders = Folders::new(&[]);
    std::fs::write(folders.texts().join("now.txt"), "one moment").unwrap();
    let (mut index, _) = folders.fresh();
    assert_eq!(counts(&refresh(&mut index)), [0, 0, 0, 1, 1], "its time may not show a further change");
}

#[test]
fn what_is_left_out_is_named_with_its_reason() {
    let folders = Folders::new(&[
        ("text.txt", "some text"),
        ("binary.bin", "a\0b"),
        ("empty.txt", " \n"),
        ("large.txt", &"x ".repeat(200)),
        (".hidden.txt", "some text"),
        (".git/config", "some text"),
        ("target/made.txt", "some text"),
        ("deep/node_modules/made.txt", "some text"),
        ("deep/target.txt", "some text"),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(folders.texts(), folders.texts().join("link")).unwrap();
    // An index inside of the folder is not a part of it.
    let at = folders.texts().join("index");
    let options = IndexOptions { largest_file: 300, ..IndexOptions::default() };
    let mut index = Index::open_with(&folders.texts(), &at, options).unwrap();
    refresh(&mut index);
    let refreshed = refresh(&mut index);
    assert_eq!(index.files().unwrap(), ["deep/target.txt", "text.txt"]);
    let reasons: Vec<(&str, Reason)> =
        refreshed.left_out.iter().map(|left_out| (left_out.file.as_str(), left_out.reason)).collect();
    let mut expected =
        vec![("binary.bin", Reason::Binary), ("empty.txt", Reason::Empty), ("large.txt", Reason::TooLarge)];
    if cfg!(unix) {
        expected.push(("link", Reason::Link));
    }
    expected.sort_by_key(|(file, _)| *file);
    assert_eq!(reasons, expected);
    let said = |file: &str| {
        let left_out = refreshed.left_out.iter().find(|left_out| left_out.file == file).unwrap();
        left_out.message.clone()
    };
    assert!(said("binary.bin").contains("byte 1") && said("large.txt").contains("400"));
    // What was too large is read when more is allowed, and left out when less is.
    let mut index = Index::open(&folders.texts(), &at).unwrap();
    assert_eq!(counts(&refresh(&mut index)), [1, 0, 0, 2, 1]);
    let mut index = Index::open_with(&folders.texts(), &at, options).unwrap();
    assert_eq!(counts(&refresh(&mut index)), [0, 0, 1, 2, 0]);
}

#[test]
fn the_best_come_first_and_equal_ones_by_their_files() {
    let mut files: Vec<(String, String)> =
        (0..30).map(|number| (format!("{:02}.txt", 29 - number), "an apple a day".to_owned())).collect();
    files.push(("zz.txt".to_owned(), "apple apple apple".to_owned()));
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let folders = Folders::new(&borrowed);
    let (mut index, _) = folders.fresh();
    assert_eq!(found(&index, "apple")[..3], ["zz.txt", "00.txt", "01.txt"]);
    // Its passages lie behind those of all others now.
    folders.write("00.txt", "an apple a week");
    refresh(&mut index);
    folders.write("00.txt", "an apple a day");
    refresh(&mut index);
    assert_eq!(found(&index, "apple")[..3], ["zz.txt", "00.txt", "01.txt"]);
    for top in [0, 1, 5, 31, 32, usize::MAX] {
        let hits = index.search("apple", top, By::Words, None).unwrap();
        assert_eq!(hits.len(), top.min(31));
        assert!(hits.is_sorted_by(|one, other| one.score >= other.score));
    }
    let once = index.search("apple", 1, By::Words, None).unwrap()[0].score;
    let twice = index.search("apple apple", 1, By::Words, None).unwrap()[0].score;
    assert!((twice - 2.0 * once).abs() < 1e-5, "a repeated word counts each time");
}

#[test]
fn a_question_without_words_and_an_empty_folder() {
    let folders = Folders::new(&[]);
    let index = folders.index();
    let error = index.search("x", 1, By::Words, None).unwrap_err();
    assert!(matches!(error, SearchError::NotIndexed { .. }), "{error}");
    let (index, counts) = folders.fresh();
    assert_eq!((counts.files, counts.rebuilt), (0, None));
    assert!(found(&index, "x").is_empty());
    let error = index.search("?! ", 1, By::Words, None).unwrap_err();
    assert!(matches!(error, SearchError::NoWords { .. }), "{error}");
    assert_eq!(folders.fresh().1.rebuilt, None, "that there is nothing is known");
}

#[test]
fn a_file_that_was_changed_since_is_not_given_as_it_was() {
    let folders = Folders::new(&[("a.txt", "one apple")]);
    let (index, _) = folders.fresh();
    assert_eq!(index.document("a.txt").unwrap().text, "one apple");
    folders.write("a.txt", "two apple");
    assert!(matches!(index.document("a.txt").unwrap_err(), SearchError::Changed { .. }));
    for other in ["b.txt", "../index/loci-search.json", "/a.txt", ""] {
        assert!(matches!(index.document(other).unwrap_err(), SearchError::NoFile { .. }), "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn an_index_that_follows_changes_finds_what_a_new_one_finds(
        steps in prop::collection::vec(
            prop::collection::vec((0..6_usize, prop::option::of("((apple|pear|plum|梨|fig|nut)[ .。\n]{1,2}){0,40}")), 1..4),
            1..5,
        ),
    ) {
        let folders = Folders::new(&[]);
        let options = IndexOptions { words: 5, patience: Duration::ZERO, ..IndexOptions::default() };
        for step in steps {
            for (file, text) in step {
                let file = format!("{file}.txt");
                match text {
                    Some(text) => folders.write(&file, text),
                    None => { let _absent = std::fs::remove_file(folders.texts().join(&file)); }
                }
            }
            let mut index = Index::open_with(&folders.texts(), &folders.at(), options).unwrap();
            let followed = refresh(&mut index);
            prop_assert_eq!(followed.rebuilt, None);
            let new = folders.all.path().join("new");
            let _absent = std::fs::remove_dir_all(&new);
            let mut new = Index::open_with(&folders.texts(), &new, options).unwrap();
            let made = refresh(&mut new);
            prop_assert_eq!((followed.files, followed.passages), (made.files, made.passages));
            prop_assert_eq!(followed.left_out, made.left_out);
            for query in ["apple", "plum 梨", "fig nut nut"] {
                let places = |index: &Index| {
                    let hits = index.search(query, usize::MAX, By::Words, None).unwrap();
                    check(index, &hits);
                    let mut places: Vec<_> = hits.into_iter().map(|hit| (hit.file, hit.start, hit.end)).collect();
                    places.sort();
                    places
                };
                prop_assert_eq!(places(&index), places(&new));
            }
        }
    }
}
