//! The catalogue in `docs/methods`, made from the declared methods.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use loci_context::registry::METHODS;
use loci_models::method::MethodInfo;
use loci_models::rope::SCHEDULES;
use loci_reading::STRATEGIES;

use crate::{Problems, page};

const FOLDER: &str = "docs/methods";
const INDEX: &str = "README.md";

/// Every declared method, by family, in the order of the catalogue.
fn families() -> Vec<(&'static str, &'static [&'static MethodInfo])> {
    vec![("context", METHODS), ("reading", STRATEGIES), ("rope", SCHEDULES)]
}

/// Writes the pages; what was written by hand below the generated part stays.
pub(crate) fn generate(root: &Path) -> Problems {
    let folder = root.join(FOLDER);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        return vec![format!("{FOLDER} cannot be made: {error}")];
    }
    let (pages, mut problems) = pages(&folder, &families());
    for (name, text) in pages {
        let path = folder.join(&name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        // Beside it first, so that a full disk does not cost the hand-written part.
        let partial = folder.join(format!("{name}.part"));
        if let Err(error) = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &path)) {
            problems.push(format!("{FOLDER}/{name} cannot be written: {error}"));
        }
    }
    problems
}

/// Names every page that `generate` would change, and every page without a method.
pub(crate) fn stale(root: &Path) -> Problems {
    let folder = root.join(FOLDER);
    let (pages, mut problems) = pages(&folder, &families());
    for (name, text) in &pages {
        if !std::fs::read_to_string(folder.join(name)).is_ok_and(|old| old == *text) {
            problems.push(format!(
                "{FOLDER}/{name} is not what the declarations say; run `cargo xtask generate`"
            ));
        }
    }
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && !pages.contains_key(&name) {
            problems.push(format!("{FOLDER}/{name} belongs to no declared method; remove it"));
        }
    }
    problems
}

/// File name and text of every page, and what is wrong with the declarations.
fn pages(folder: &Path, families: &[(&str, &[&MethodInfo])]) -> (BTreeMap<String, String>, Problems) {
    let old = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let mut pages = BTreeMap::from([(INDEX.to_owned(), page::of_catalogue(families, old(INDEX).as_deref()))]);
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for info in families.iter().flat_map(|(_, infos)| *infos) {
        if !seen.insert(info.id) {
            problems.push(format!(
                "two methods are called {}; a page is named by the id, so ids must differ",
                info.id
            ));
            continue;
        }
        let name = format!("{}.md", info.id);
        let text = page::of_method(info, old(&name).as_deref());
        pages.insert(name, text);
    }
    (pages, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_twice_is_refused() {
        let twice: &[&MethodInfo] = &[SCHEDULES[0], SCHEDULES[0]];
        let (_, problems) = pages(Path::new("nowhere"), &[("rope", twice)]);
        assert_eq!(problems.len(), 1);
    }
}
