//! Damage, processes that end half way, and other processes.

use std::sync::atomic::AtomicBool;

use super::*;

const FILES: &[(&str, &str)] = &[("a.txt", "one apple"), ("b.txt", "two pears"), ("c.txt", "three plums")];

fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<PathBuf> =
        entries.filter(|path| wanted(&path.file_name().unwrap().to_string_lossy())).collect();
    names.sort();
    names
}

fn manifests(folders: &Folders) -> Vec<PathBuf> {
    names(&folders.at(), |name| name.contains("manifest"))
}

/// Makes an index, damages it with `damage`, and expects it to be made anew for a reason with `word`.
fn rebuilt(damage: impl FnOnce(&Folders), word: &str) {
    let folders = Folders::new(FILES);
    drop(folders.fresh());
    damage(&folders);
    let index = folders.index();
    let error = index.search("apple", 1, By::Words, None).unwrap_err();
    assert!(matches!(&error, SearchError::NotIndexed { reason, .. } if reason.contains(word)), "{error}");
    drop(index);
    let (index, refreshed) = folders.fresh();
    assert!(refreshed.rebuilt.as_ref().is_some_and(|reason| reason.contains(word)), "{refreshed:?}");
    assert_eq!(counts(&refreshed), [3, 0, 0, 0, 3]);
    assert_eq!(
        (found(&index, "apple"), found(&index, "plums")),
        (vec!["a.txt".into()], vec!["c.txt".into()])
    );
    assert_eq!(manifests(&folders).len(), 1);
    assert_eq!(folders.fresh().1.rebuilt, None);
}

#[test]
fn a_damaged_index_is_made_anew() {
    rebuilt(|folders| std::fs::remove_file(&manifests(folders)[0]).unwrap(), "list of files");
    rebuilt(|folders| std::fs::write(&manifests(folders)[0], "{}").unwrap(), "damaged");
    rebuilt(|folders| std::fs::write(folders.at().join("words/meta.json"), "{}").unwrap(), "damaged");
    rebuilt(|folders| std::fs::remove_file(folders.at().join("words/meta.json")).unwrap(), "damaged");
    rebuilt(|folders| std::fs::write(folders.at().join("words/.managed.json"), "[").unwrap(), "damaged");
    // A commit that names nothing: what a process leaves that ended before its first one.
    let forget = |folders: &Folders| {
        let path = folders.at().join("words/meta.json");
        let mut meta: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        meta.as_object_mut().unwrap().remove("payload").unwrap();
        std::fs::write(&path, meta.to_string()).unwrap();
    };
    rebuilt(forget, "not finished");
}

#[test]
fn every_file_of_the_index_of_words_is_checked() {
    let ends = ["store", "term", "idx", "fieldnorm"];
    for end in ends {
        let segment = |folders: &Folders| {
            names(&folders.at().join("words"), |name| name.ends_with(&format!(".{end}")))[0].clone()
        };
        let flip = |folders: &Folders| {
            let mut bytes = std::fs::read(segment(folders)).unwrap();
            bytes[0] ^= 1;
            std::fs::write(segment(folders), bytes).unwrap();
        };
        rebuilt(flip, "damaged");
        rebuilt(|folders| std::fs::write(segment(folders), "").unwrap(), "damaged");
        rebuilt(|folders| std::fs::remove_file(segment(folders)).unwrap(), "damaged");
    }
}

#[test]
fn an_index_of_other_passages_or_another_version_is_made_anew() {
    let folders = Folders::new(FILES);
    drop(folders.fresh());
    let options = IndexOptions { words: 1, ..IndexOptions::default() };
    let mut index = Index::open_with(&folders.texts(), &folders.at(), options).unwrap();
    let refreshed = refresh(&mut index);
    assert!(refreshed.rebuilt.unwrap().contains("120 words, not 1"));
    assert_eq!(refreshed.passages, 6);
    drop(index);
    // A manifest of a later format, with the right hash and named by the commit.
    let path = manifests(&folders).remove(0);
    let manifest = std::fs::read_to_string(&path).unwrap().replacen("\"format\":1", "\"format\":2", 1);
    let (old, new) = (
        path.file_stem().unwrap().to_string_lossy().replace("manifest-", ""),
        blake3::hash(manifest.as_bytes()),
    );
    std::fs::write(folders.at().join(format!("manifest-{new}.json")), manifest).unwrap();
    let meta = folders.at().join("words/meta.json");
    let named = std::fs::read_to_string(&meta).unwrap().replace(&old, new.to_hex().as_str());
    std::fs::write(&meta, named).unwrap();
    let (index, refreshed) = folders.fresh();
    assert!(refreshed.rebuilt.unwrap().contains("another version"));
    assert_eq!(found(&index, "pears"), ["b.txt"]);
}

#[test]
fn what_a_process_leaves_that_ended_before_its_commit_changes_nothing() {
    let folders = Folders::new(FILES);
    drop(folders.fresh());
    // It had written the list of files for a commit that never came, half of another, and a segment that nothing names.
    std::fs::write(folders.at().join("manifest-0123.json"), "{}").unwrap();
    std::fs::write(folders.at().join(".manifest-4567.json.1.0.part"), "{").unwrap();
    std::fs::write(folders.at().join("words/0123456789abcdef0123456789abcdef.store"), "half").unwrap();
    let (mut index, refreshed) = folders.fresh();
    assert_eq!((refreshed.rebuilt.as_ref(), counts(&refreshed)), (None, [0, 0, 0, 3, 0]));
    folders.write("d.txt", "four figs");
    assert_eq!(counts(&refresh(&mut index)), [1, 0, 0, 3, 1]);
    assert_eq!(manifests(&folders).len(), 1, "they are tidied away with the next commit");
    assert_eq!((found(&index, "figs"), found(&index, "apple")), (vec!["d.txt".into()], vec!["a.txt".into()]));
}

#[test]
fn a_refresh_that_is_stopped_keeps_what_it_did() {
    let folders = Folders::new(FILES);
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut progress = |progress: loci_engine::Progress| {
        seen.push((progress.done, progress.total));
        stop.store(progress.done == 2, std::sync::atomic::Ordering::Relaxed);
    };
    let mut index = folders.index();
    let error = index.refresh(&mut Control { stop: Some(&stop), progress: Some(&mut progress) }).unwrap_err();
    assert!(matches!(error, SearchError::Interrupted { done: 2, total: 3, what: "files" }), "{error}");
    assert_eq!(seen, [(1, 3), (2, 3)]);
    assert_eq!((found(&index, "apple"), found(&index, "plums")), (vec!["a.txt".to_owned()], vec![]));
    let refreshed = refresh(&mut index);
    assert_eq!((counts(&refreshed), refreshed.rebuilt), ([1, 0, 0, 2, 1], None));
    assert_eq!(found(&index, "plums"), ["c.txt"]);
}

#[test]
fn only_one_writes_and_readers_keep_what_they_opened() {
    let folders = Folders::new(FILES);
    let (reader, _) = folders.fresh();
    let mut late = folders.index();
    let mut writer = folders.index();
    folders.write("a.txt", "one orange");
    let held = reader.place.lock_shared().unwrap();
    let error = writer.refresh(&mut Control::default()).unwrap_err();
    assert!(matches!(error, SearchError::Busy { seconds: 0, .. }), "{error}");
    folders.index();
    drop(held);
    assert_eq!(refresh(&mut writer).changed, 1);
    assert_eq!((found(&reader, "apple").len(), found(&writer, "apple").len()), (1, 0));
    // One that was opened before knows that another has written.
    folders.write("d.txt", "four figs");
    assert_eq!(counts(&refresh(&mut late)), [1, 0, 0, 3, 1]);
    assert_eq!(found(&late, "orange"), ["a.txt"]);
    let held = writer.place.lock_alone().unwrap();
    let options = IndexOptions { patience: Duration::ZERO, ..IndexOptions::default() };
    let error = Index::open_with(&folders.texts(), &folders.at(), options).unwrap_err();
    assert!(matches!(error, SearchError::Busy { .. }), "{error}");
    drop(held);
}

#[test]
fn a_place_with_other_things_is_left_alone() {
    let folders = Folders::new(FILES);
    let other = folders.all.path().join("other");
    std::fs::create_dir_all(other.join("words")).unwrap();
    std::fs::write(other.join("words/thesis.txt"), "years of work").unwrap();
    let error = Index::open(&folders.texts(), &other).unwrap_err();
    assert!(matches!(error, SearchError::NotAnIndex { .. }), "{error}");
    assert!(other.join("words/thesis.txt").is_file() && names(&other, |_| true).len() == 1);
    drop(folders.fresh());
    std::fs::create_dir(folders.all.path().join("more")).unwrap();
    let error = Index::open(&folders.all.path().join("more"), &folders.at()).unwrap_err();
    assert!(matches!(error, SearchError::OtherFolder { .. }), "{error}");
    let nowhere = Index::open(&folders.all.path().join("nowhere"), &folders.at()).unwrap_err();
    assert!(matches!(nowhere, SearchError::Folder { .. }), "{nowhere}");
    let file = Index::open(&folders.texts().join("a.txt"), &folders.at()).unwrap_err();
    assert!(matches!(file, SearchError::NotAFolder { .. }), "{file}");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look_into_an_index() {
    use std::os::unix::fs::PermissionsExt;
    let folders = Folders::new(FILES);
    drop(folders.fresh());
    assert_eq!(std::fs::metadata(folders.at()).unwrap().permissions().mode() & 0o777, 0o700);
}
