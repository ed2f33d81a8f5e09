//! `loci search` as its users meet it.
#![cfg(feature = "search")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::said;
use serde_json::Value;

/// A folder `texts` to search, beside a cache that is empty at first.
struct Texts(tempfile::TempDir);

impl Texts {
    fn new(files: &[(&str, &str)]) -> Self {
        let texts = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(file, text)| texts.write(file, text));
        texts
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join("texts").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loci"));
        command.args(["search", "texts"]).args(arguments).current_dir(self.0.path());
        command.env("LOCI_CACHE", self.0.path().join("cache")).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty());
        said(&output)
    }
}

const FILES: &[(&str, &str)] = &[
    ("inn.md", "# The inn\n\nMartha Oakes keeps the inn by the harbour.\n"),
    ("deep/ship.txt", "The ship is called \u{1b}[31mWandering Albatross.\n"),
    ("page.html", "<html><body><h1>Weather</h1><p>Rain in the harbour.</p></body></html>"),
    ("灯塔.txt", "灯塔的看守人姓王。"),
    ("picture.bin", "\0\u{1}"),
    ("damaged.pdf", "%PDF-1.7\n1 0 obj\n<<"),
];

fn files(found: &Value) -> Vec<String> {
    found["hits"].as_array().unwrap().iter().map(|hit| hit["file"].as_str().unwrap().to_owned()).collect()
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../loci-models/tests/fixtures/bert-mean")
}

#[test]
fn hits_for_people_and_for_programs() {
    let texts = Texts::new(FILES);
    let output = texts.run(&["-q", "Who keeps the INN?"]);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    let first = shown.lines().next().unwrap();
    assert!(
        first.starts_with("  1  ")
            && first.contains("inn.md bytes 0..")
            && first.contains("(line 1): # The inn Martha"),
        "{shown}"
    );
    let told = said(&output);
    assert!(told.contains("indexed 4 files in 4 passages: 4 new"), "{told}");
    assert!(told.contains("left out: picture.bin") && told.contains("left out: damaged.pdf"), "{told}");
    // What a file says must not steer the terminal.
    let shown = String::from_utf8(texts.run(&["-q", "albatross"]).stdout).unwrap();
    assert!(shown.contains("deep/ship.txt") && !shown.contains('\u{1b}'), "{shown}");
    let found = texts.json(&["-q", "harbour", "--top", "1"]);
    assert_eq!(
        (&found["by"], &found["encoder"], &found["refresh"]["added"]),
        (&"words".into(), &Value::Null, &0.into())
    );
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
    let reasons: Vec<&Value> =
        found["refresh"]["left_out"].as_array().unwrap().iter().map(|file| &file["reason"]).collect();
    assert_eq!(reasons, ["no-text", "binary"]);
    let mut both = files(&texts.json(&["-q", "harbour"]));
    both.sort();
    assert_eq!(both, ["inn.md", "page.html"]);
    let chinese = texts.json(&["-q", "看守人"]);
    assert_eq!(files(&chinese), ["灯塔.txt"]);
    let hit = &chinese["hits"][0];
    assert_eq!((&hit["start"], &hit["end"], &hit["line"]), (&0.into(), &27.into(), &1.into()));
    assert_eq!(hit["text"], "灯塔的看守人姓王。");
}

#[test]
fn the_index_follows_the_folder_unless_told_not_to() {
    let texts = Texts::new(FILES);
    let error = texts.fails(&["-q", "inn", "--no-refresh"], 1);
    assert!(error.contains("refresh"), "{error}");
    texts.run(&["-q", "inn"]);
    texts.write("new.txt", "A second inn was built.");
    std::fs::remove_file(texts.0.path().join("texts/inn.md")).unwrap();
    let old = texts.json(&["-q", "inn", "--no-refresh"]);
    assert_eq!((files(&old), &old["refresh"]), (vec!["inn.md".to_owned()], &Value::Null));
    let new = texts.json(&["-q", "inn"]);
    assert_eq!(files(&new), ["new.txt"]);
    let refresh = &new["refresh"];
    assert_eq!(
        (&refresh["added"], &refresh["removed"], &refresh["unchanged"]),
        (&1.into(), &1.into(), &3.into())
    );
    let nothing = texts.run(&["-q", "xylophone"]);
    assert!(nothing.status.success() && nothing.stdout.is_empty() && said(&nothing).contains("--by meaning"));
}

#[test]
fn an_index_lies_where_it_is_told_to_and_nothing_else_is_touched() {
    let texts = Texts::new(FILES);
    let found = texts.json(&["-q", "inn", "--index", "here"]);
    assert!(Path::new(found["index"].as_str().unwrap()).ends_with("here"));
    assert!(texts.0.path().join("here/loci-search.json").is_file() && !texts.0.path().join("cache").exists());
    assert!(texts.fails(&["-q", "inn", "--index", "texts"], 2).contains("no index of Loci"));
    assert!(texts.0.path().join("texts/inn.md").is_file());
    let damaged = texts.0.path().join("here/words/meta.json");
    std::fs::write(damaged, "{").unwrap();
    let output = texts.run(&["-q", "inn", "--index", "here"]);
    assert!(said(&output).contains("the index was made anew: it is damaged") && !output.stdout.is_empty());
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_way_out() {
    let texts = Texts::new(FILES);
    // Nothing is indexed for an encoder that is not there.
    assert!(texts.fails(&["-q", "inn", "--by", "meaning"], 1).contains("loci pull minilm"));
    assert!(!texts.0.path().join("cache").exists());
    assert!(texts.fails(&["-q", "?!"], 2).contains("no word to search for"));
    texts.fails(&[], 2);
    texts.fails(&["-q", "inn", "--by", "magic"], 2);
    let mut nowhere = Command::new(env!("CARGO_BIN_EXE_loci"));
    nowhere.args(["search", "nowhere", "-q", "inn"]).current_dir(texts.0.path());
    let output = nowhere.env("LOCI_CACHE", texts.0.path().join("cache")).output().unwrap();
    assert!(output.status.code() == Some(1) && said(&output).contains("nowhere"), "{}", said(&output));
}

#[test]
fn vectors_are_computed_once() {
    let texts = Texts::new(FILES);
    let encoder = tiny();
    let by = |by| ["-q", "the harbour", "--by", by, "--encoder", encoder.to_str().unwrap()];
    let output = texts.run(&by("meaning"));
    assert!(said(&output).contains("computed 4 vectors of 4 passages"), "{}", said(&output));
    let again = texts.run(&by("meaning"));
    assert!(!said(&again).contains("computed") && again.stdout == output.stdout);
    let found = texts.json(&by("fused"));
    assert_eq!((files(&found).len(), &found["by"]), (4, &"fused".into()));
    assert_eq!(found["encoder"], encoder.to_str().unwrap());
    // Ranked by cosines, which end at 1.
    let found = texts.json(&by("meaning"));
    assert!(found["hits"].as_array().unwrap().iter().all(|hit| hit["score"].as_f64().unwrap() < 1.001));
}

#[test]
fn a_process_that_is_killed_leaves_an_index_that_is_right() {
    let texts = Texts::new(&[]);
    for number in 0..200 {
        texts.write(&format!("{number}.txt"), format!("The {number}th apple. ").repeat(300));
    }
    for milliseconds in [5, 20, 40, 80, 120, 200] {
        let mut child = texts.command(&["-q", "apple", "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        // Other texts for the next one, so that there is always something to do.
        texts.write(&format!("{milliseconds}.txt"), format!("The {milliseconds}th pear. ").repeat(300));
    }
    let found = texts.json(&["-q", "pear", "--top", "10000"]);
    let fresh = texts.json(&["-q", "pear", "--top", "10000", "--index", "fresh"]);
    let places = |found: &Value| {
        let hits = found["hits"].as_array().unwrap().iter();
        let mut places: Vec<String> = hits.map(|hit| format!("{} {}", hit["file"], hit["start"])).collect();
        places.sort();
        places
    };
    assert_eq!(found["refresh"]["passages"], fresh["refresh"]["passages"]);
    assert!(!places(&found).is_empty());
    assert_eq!(places(&found), places(&fresh));
}

#[test]
fn the_real_encoder_finds_what_shares_no_word() {
    let Some(path) = loci_testing::real_encoder() else { return };
    let texts = Texts::new(&[
        ("cat.txt", "A kitten naps on the couch."),
        ("rates.txt", "Interest rates rose in March."),
        ("ship.txt", "The vessel reached its port at dawn."),
    ]);
    let encoder = path.to_str().unwrap();
    let question = "Where does the cat sleep?";
    let best = |by| files(&texts.json(&["-q", question, "--by", by, "--encoder", encoder, "--top", "1"]));
    assert_eq!((best("meaning"), best("fused")), (vec!["cat.txt".to_owned()], vec!["cat.txt".to_owned()]));
    let ship =
        texts.json(&["-q", "When did the boat arrive in harbour?", "--by", "meaning", "--encoder", encoder]);
    assert_eq!(files(&ship)[0], "ship.txt");
}

#[test]
fn the_cache_lists_and_clears_indexes() {
    let texts = Texts::new(FILES);
    assert!(texts.run(&["-q", "harbour"]).status.success());
    let cache = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loci"));
        command.arg("cache").args(arguments).env("LOCI_CACHE", texts.0.path().join("cache")).output().unwrap()
    };
    let listed =
        || serde_json::from_slice::<Value>(&cache(&["list", "--json"]).stdout).unwrap()["indexes"].clone();
    let one = listed()[0].clone();
    assert!(one["of"].as_str().unwrap().ends_with("texts") && one["bytes"].as_u64().unwrap() > 0, "{one}");
    assert!(String::from_utf8_lossy(&cache(&["list"]).stdout).contains("index of"));
    let id = &one["id"].as_str().unwrap()[..8];
    let pinned = cache(&["pin", id]);
    assert!(pinned.status.code() == Some(2) && said(&pinned).contains("need not be pinned"));
    assert!(cache(&["clear", id]).status.success());
    assert_eq!(listed(), serde_json::json!([]));
    assert!(!texts.json(&["-q", "harbour"])["hits"].as_array().unwrap().is_empty());
}
