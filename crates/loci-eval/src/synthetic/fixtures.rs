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
                    {"question": format!("Which tree did {who} plant?"), "answers": [{"text": what, "answer_start": 0}]},
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

/// A folder with all of them.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("squad.json", squad().to_string());
    write("hotpotqa.json", hotpot().to_string());
    folder
}
