//! The ceiling on the length of a file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Problems;
use crate::tree::TextFile;

/// Lines that can be read in one sitting.
const CEILING: usize = 450;
/// `path: reason` for each file that may be longer.
const ALLOWED: &str = "crates/xtask/long-files.txt";

/// Names every source file that is too long, and every exception that is no longer needed.
pub(crate) fn too_long(root: &Path, files: &[TextFile]) -> Problems {
    match std::fs::read_to_string(root.join(ALLOWED)) {
        Ok(allowed) => compare(files, &allowed),
        Err(error) => vec![format!("{ALLOWED} cannot be read: {error}")],
    }
}

fn compare(files: &[TextFile], allowed: &str) -> Problems {
    let mut problems = Vec::new();
    let mut exceptions = BTreeMap::new();
    for line in allowed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(':') {
            Some((path, reason)) if !reason.trim().is_empty() => {
                exceptions.insert(path.trim(), false);
            }
            _ => problems.push(format!("{ALLOWED}: {line:?} states no reason; write path: reason")),
        }
    }
    for file in files.iter().filter(|file| is_code(&file.path)) {
        let lines = file.text.lines().count();
        if lines > CEILING {
            match exceptions.get_mut(file.path.as_str()) {
                Some(used) => *used = true,
                None => problems.push(format!(
                    "{} has {lines} lines, the ceiling is {CEILING}: split it, or give a reason in {ALLOWED}",
                    file.path
                )),
            }
        }
    }
    for (path, _) in exceptions.iter().filter(|(_, used)| !**used) {
        problems.push(format!("{ALLOWED}: {path} is no longer too long; remove its line"));
    }
    problems
}

/// Prose may be as long as its subject; code and scripts may not.
fn is_code(path: &str) -> bool {
    !path.ends_with(".md") && !path.ends_with(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> TextFile {
        TextFile { path: path.to_owned(), text: "x\n".repeat(lines) }
    }

    #[test]
    fn a_long_file_is_named_unless_a_reason_is_given() {
        let files = [file("a.rs", CEILING), file("b.rs", CEILING + 1), file("c.md", 9999)];
        let problems = compare(&files, "");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("b.rs has 451 lines"));
        assert_eq!(compare(&files, "# comment\nb.rs: a declared list\n"), Vec::<String>::new());
    }

    #[test]
    fn exceptions_need_a_reason_and_a_use() {
        assert_eq!(compare(&[file("b.rs", 500)], "b.rs:\n").len(), 2);
        assert_eq!(compare(&[file("b.rs", 5)], "b.rs: once long\n").len(), 1);
    }
}
