//! Words that do not belong into the repository.

use crate::Problems;
use crate::tree::TextFile;

/// Each in two halves, so that this file passes its own check.
const WORDS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "finish it or say in prose what is missing"),
    (concat!("FIX", "ME"), "finish it or say in prose what is missing"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/tmp", "/w/"), "a path of one machine"),
];

/// Names every place where such a word stands.
pub(crate) fn leftover(files: &[TextFile]) -> Problems {
    let mut problems = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for (word, reason) in WORDS.iter().filter(|(word, _)| line.contains(word)) {
                problems.push(format!("{}:{}: {word:?}: {reason}", file.path, number + 1));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_file_and_line() {
        let text = format!("fine\nnot fine: {}\n", WORDS[0].0);
        let problems = leftover(&[TextFile { path: "a.rs".to_owned(), text }]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("a.rs:2: "));
    }
}
