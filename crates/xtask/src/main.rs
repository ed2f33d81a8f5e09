//! Generated files and checks of the workspace.
//!
//! `cargo xtask generate` writes the catalogue of methods from their declarations; `cargo xtask check` fails when
//! a generated file is stale, a file is too long to read in one sitting, a crate imports from above, or a word is
//! left over that does not belong into the repository.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod arrows;
mod catalogue;
mod page;
mod sizes;
mod tasks;
mod tree;
mod words;

/// What is wrong, one line each.
type Problems = Vec<String>;

const USAGE: &str =
    "usage: cargo xtask generate   write docs/methods and docs/reading from the declared methods
       cargo xtask check      generated files fresh, file sizes, crate arrows, leftover words";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let root = root();
    let problems = match command.as_str() {
        "generate" => [catalogue::generate(&root), tasks::generate(&root)].concat(),
        "check" => check(&root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if problems.is_empty() {
        println!("xtask {command}: ok");
        return ExitCode::SUCCESS;
    }
    for problem in &problems {
        eprintln!("xtask {command}: {problem}");
    }
    eprintln!("xtask {command}: {} problems", problems.len());
    ExitCode::FAILURE
}

fn check(root: &Path) -> Problems {
    let mut problems = [catalogue::stale(root), tasks::stale(root)].concat();
    match tree::read(root) {
        Ok(files) => {
            problems.extend(sizes::too_long(root, &files));
            problems.extend(words::leftover(&files));
        }
        Err(error) => problems.push(format!("the source tree cannot be read: {error}")),
    }
    problems.extend(arrows::upward(root));
    problems
}

/// The folder of the workspace: two above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_passes_its_own_checks() {
        assert_eq!(super::check(&super::root()), Vec::<String>::new());
    }
}
