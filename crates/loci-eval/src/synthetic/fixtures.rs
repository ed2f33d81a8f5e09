//! Small data files of our own in the formats that some tasks read.

use serde_json::{Value, json};
use tempfile::TempDir;

const TREES: [(&str, &str); 6] = [
    ("Maurin", "pear"),
    ("Oldric", "quince"),
    ("Tamsin", "medlar"),
    ("Brannoc", "damson"),
    ("Ysolde", "mulberry"),
    ("Corvan", "bullace"),
];

fn squad() -> Value {
    let paragraphs: Vec<Value> = TREES
        .iter()
        .map(|(who, what)| {
            json!({
                "context": format!("{who} planted a {what} tree beside the well, and it bore fruit every other year."),
                "qas": [
                    {"question": format!("Which tree did {who} plant?"), "answers": [{"text": what}]},
                    {"question": "Why?", "is_impossible": true, "answers": []},
                ],
            })
        })
        .collect();
    let (some, others) = paragraphs.split_at(3);
    json!({"version": "2.0", "data": [{"title": "a", "paragraphs": some}, {"title": "b", "paragraphs": others}]})
}

fn hotpot() -> Value {
    let document =
        |who: &str, says: String| json!([who, [format!("{who} is a person of the hills. "), says]]);
    TREES
        .iter()
        .zip(TREES.iter().cycle().skip(1))
        .map(|((who, what), (other, _))| {
            json!({
                "question": format!("What did the teacher of {other} pick?"),
                "answer": what,
                "supporting_facts": [[who, 1], [format!("{other} the Younger"), 0]],
                "context": [
                    document(who, format!("This one picked a {what}.")),
                    document(&format!("{other} the Younger"), format!("The teacher was {who}.")),
                    document(&format!("{other} of the Mill"), "The miller was another.".to_owned()),
                ],
            })
        })
        .collect()
}

/// Six stories: persons who move about, asked after every second fact.
fn moves() -> String {
    let (persons, places) =
        (["Lucinda", "Hartmut", "Petra"], ["cellar", "barn", "attic", "scullery", "stable"]);
    let mut text = String::new();
    for story in 0..6 {
        let mut now = ["", "", ""];
        let mut line = 0;
        for step in 0..8 {
            let (who, place) = ((story + step * 2 + step / 3) % 3, places[(story * 2 + step * 3) % 5]);
            now[who] = place;
            line += 1;
            let how = ["moved", "went back", "journeyed"][step % 3];
            text.push_str(&format!("{line} {} {how} to the {place}.\n", persons[who]));
            if step % 2 == 1 {
                line += 1;
                text.push_str(&format!("{line} Where is {}? \t{}\t{}\n", persons[who], now[who], line - 1));
            }
        }
    }
    text
}

/// Two documents of which each asks for a number and for a name.
fn documents() -> String {
    let filler = |what: &str| -> String {
        (0..40)
            .map(|at| format!("The {what} has a room with the name of letter {}. ", (b'a' + at % 26) as char))
            .collect()
    };
    let line = |document: &str, question: &str, answer: &str| {
        json!({"document": document, "question": question, "answer": answer}).to_string() + "\n"
    };
    let house = format!(
        "{}The house was built in 1873 by Maud Ellery. {}It burned in 1901, not in 1873. {}",
        filler("house"),
        filler("house"),
        filler("house")
    );
    let fort =
        format!("{}In the fort 417 soldiers lived under Captain Orme. {}", filler("fort"), filler("fort"));
    [
        line(&house, "When was the house built?", "1873"),
        line(&house, "Who built the house?", "Maud Ellery"),
        line(&fort, "How many soldiers lived in the fort?", "417"),
        line(&fort, "Under whom did they live?", "Captain Orme"),
    ]
    .concat()
}

/// A folder with all of them.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("squad.json", squad().to_string());
    write("hotpotqa.json", hotpot().to_string());
    write("qa1_single-supporting-fact_test.txt", moves());
    write("documents.jsonl", documents());
    folder
}
