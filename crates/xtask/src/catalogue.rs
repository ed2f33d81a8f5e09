//! The catalogues in `docs/methods` and `docs/reading`, made from the declared methods.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use loci_context::registry::METHODS;
use loci_models::method::MethodInfo;
use loci_models::rope::SCHEDULES;
use loci_reading::STRATEGIES;

use crate::{Problems, page};

const INDEX: &str = "README.md";

/// Declared methods with the names of their families.
type Families = Vec<(&'static str, &'static [&'static MethodInfo])>;

/// Every declared method, by family, in the order of the catalogues, and the folder of each catalogue.
fn catalogues() -> Vec<(&'static str, Families)> {
    vec![
        ("docs/methods", vec![("context", METHODS), ("rope", SCHEDULES)]),
        ("docs/reading", vec![("reading", STRATEGIES)]),
    ]
}

/// Writes the pages; what was written by hand below the generated part stays.
pub(crate) fn generate(root: &Path) -> Problems {
    let mut problems = Vec::new();
    for (name, families) in catalogues() {
        let folder = root.join(name);
        if let Err(error) = std::fs::create_dir_all(&folder) {
            problems.push(format!("{name} cannot be made: {error}"));
            continue;
        }
        let (pages, wrong) = pages(&folder, &families);
        problems.extend(wrong);
        for (file, text) in pages {
            let path = folder.join(&file);
            if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
                continue;
            }
            // Beside it first, so that a full disk does not cost the hand-written part.
            let partial = folder.join(format!("{file}.part"));
            if let Err(error) = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &path))
            {
                problems.push(format!("{name}/{file} cannot be written: {error}"));
            }
        }
    }
    problems
}

/// Names every page that `generate` would change, and every page without a method.
pub(crate) fn stale(root: &Path) -> Problems {
    let mut problems = Vec::new();
    for (name, families) in catalogues() {
        let folder = root.join(name);
        let (pages, wrong) = pages(&folder, &families);
        problems.extend(wrong);
        for (file, text) in &pages {
            if !std::fs::read_to_string(folder.join(file)).is_ok_and(|old| old == *text) {
                problems.push(format!(
                    "{name}/{file} is not what the declarations say; run `cargo xtask generate`"
                ));
            }
        }
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            // What was never generated was written by hand, about several methods.
            let generated =
                || std::fs::read_to_string(entry.path()).is_ok_and(|text| text.starts_with(page::BEGIN));
            if file.ends_with(".md") && !pages.contains_key(&file) && generated() {
                problems.push(format!("{name}/{file} belongs to no declared method; remove it"));
            }
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
