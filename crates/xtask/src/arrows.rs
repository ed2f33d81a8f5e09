//! The direction of imports between the crates: downwards only.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::Problems;

/// The floors of the house, lowest first. Crates of one floor do not import from each other.
const FLOORS: &[&[&str]] = &[
    &["loci-kernels"],
    &["loci-models"],
    &["loci-context"],
    &["loci-engine"],
    &["loci-reading", "loci-train"],
    // The store of memories ranks with the parts of reading.
    &["loci-memory"],
    &["loci-eval"],
    &["loci-server"],
    &["loci"],
    &["xtask"],
];
/// Stands beside the house: for tests only, wherever they are.
const TESTING: &str = "loci-testing";

struct Arrow {
    from: String,
    to: String,
    test_only: bool,
}

/// Names every import between crates of the workspace that does not point down.
pub(crate) fn upward(root: &Path) -> Problems {
    let manifest = root.join("Cargo.toml");
    let metadata = match MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
    {
        Ok(metadata) => metadata,
        Err(error) => return vec![format!("cargo metadata failed: {error}")],
    };
    let names: Vec<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let arrows: Vec<Arrow> = metadata
        .packages
        .iter()
        .flat_map(|package| {
            package.dependencies.iter().filter(|dependency| names.contains(&dependency.name)).map(
                |dependency| Arrow {
                    from: package.name.to_string(),
                    to: dependency.name.clone(),
                    test_only: dependency.kind == DependencyKind::Development,
                },
            )
        })
        .collect();
    judge(&names, &arrows)
}

fn judge(names: &[String], arrows: &[Arrow]) -> Problems {
    let mut problems = Vec::new();
    for name in names.iter().filter(|name| *name != TESTING && floor(name).is_none()) {
        problems
            .push(format!("the crate {name} has no floor; add it to FLOORS in crates/xtask/src/arrows.rs"));
    }
    for Arrow { from, to, test_only } in arrows {
        // What the tests' own crate imports does no harm: it is never part of a build.
        if from == TESTING || (to == TESTING && *test_only) {
            continue;
        }
        if to == TESTING {
            problems.push(format!("{from} imports {to} outside tests; make it a dev-dependency"));
        } else if let (Some(above), Some(below)) = (floor(from), floor(to))
            && below >= above
        {
            problems.push(format!("{from} imports {to}, which is not on a floor below it"));
        }
    }
    problems
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, test_only: bool) -> usize {
        let names = [from.to_owned(), to.to_owned()];
        judge(&names, &[Arrow { from: from.to_owned(), to: to.to_owned(), test_only }]).len()
    }

    #[test]
    fn imports_point_down() {
        assert_eq!(check("loci", "loci-kernels", false), 0);
        assert_eq!(check("loci-kernels", "loci-models", false), 1);
        assert_eq!(check("loci-context", "loci-engine", true), 1);
        assert_eq!(check("loci-reading", "loci-memory", false), 1);
        assert_eq!(check("loci-reading", "loci-train", false), 1);
        assert_eq!(
            check("loci-eval", "loci-reading", false) + check("loci-reading", "loci-engine", false),
            0
        );
        assert_eq!(check("loci-engine", "loci-reading", false), 1);
    }

    #[test]
    fn the_crate_for_tests_is_for_tests() {
        assert_eq!(check("loci-kernels", "loci-testing", true), 0);
        assert_eq!(check("loci-kernels", "loci-testing", false), 1);
        assert_eq!(check("loci-testing", "loci-engine", false), 0);
    }

    #[test]
    fn a_crate_without_a_floor_is_named() {
        assert_eq!(check("loci", "loci-cellar", false), 1);
    }
}
