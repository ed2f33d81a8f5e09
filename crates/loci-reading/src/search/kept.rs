//! The indexes in the user's folder for caches: what there is, and how it is removed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::SearchError;
use super::place::{self, Place};
use super::words::Words;

/// An index in the user's folder for caches.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its name there.
    pub id: String,
    /// Where it lies.
    pub at: PathBuf,
    /// The folder that it is of, for people.
    pub folder: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written.
    pub written: SystemTime,
}

/// All indexes in the user's folder for caches, written last first. What is no index is passed over.
pub fn kept() -> Vec<Kept> {
    place::all().map_or_else(Vec::new, |all| kept_in(&all))
}

fn kept_in(all: &Path) -> Vec<Kept> {
    let entries = std::fs::read_dir(all).into_iter().flatten().flatten();
    let mut kept: Vec<Kept> = entries
        .filter_map(|entry| {
            let at = entry.path();
            let folder = place::folder_of(&at)?;
            let (bytes, written) = size(&at.join(place::WORDS))?;
            let beside = std::fs::read_dir(&at).into_iter().flatten().flatten();
            let beside = beside.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file);
            let bytes = bytes + beside.map(|file| file.len()).sum::<u64>();
            Some(Kept { id: entry.file_name().to_string_lossy().into_owned(), at, folder, bytes, written })
        })
        .collect();
    kept.sort_by(|a, b| b.written.cmp(&a.written).then_with(|| a.id.cmp(&b.id)));
    kept
}

/// Bytes of the files in a folder, and when the last one was written; `None` where there is no such folder.
fn size(folder: &Path) -> Option<(u64, SystemTime)> {
    let files = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.metadata().ok());
    Some(files.fold((0, SystemTime::UNIX_EPOCH), |(bytes, newest), file| {
        (bytes + file.len(), file.modified().map_or(newest, |at| newest.max(at)))
    }))
}

impl Kept {
    /// Whether `stands_in` is true of the text of one of its files, as far as it was indexed, removed ones included. What cannot be
    /// read may hold anything.
    pub fn holds(&self, stands_in: &dyn Fn(&str) -> bool) -> bool {
        let Ok((words, _)) = Words::open(&self.at.join(place::WORDS)) else { return true };
        match words.texts() {
            Ok(texts) => texts.iter().any(|text| stands_in(text)),
            Err(_) => true,
        }
    }

    /// Removes everything but the mark and the lock, a few hundred bytes: whoever waits for the index finds it empty then, and
    /// makes it anew.
    ///
    /// # Errors
    /// [`SearchError::Busy`] while another process holds it, and [`SearchError::Place`].
    pub fn remove(&self) -> Result<(), SearchError> {
        let place = Place::found(&self.at, Duration::ZERO);
        let held = place.lock_alone()?;
        place.empty(&held)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Index;
    use super::*;
    use crate::encode::tests::Groups;
    use crate::ranker::By;

    #[test]
    fn an_index_is_listed_removed_and_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let (texts, all) = (home.path().join("texts"), home.path().join("search"));
        std::fs::create_dir_all(&texts).unwrap();
        std::fs::create_dir_all(all.join("other")).unwrap();
        std::fs::write(texts.join("a.txt"), "The kitten sleeps.").unwrap();
        let at = all.join("0123");
        let mut index = Index::open(&texts, &at).unwrap();
        index.refresh(&mut loci_engine::Control::default()).unwrap();
        let groups = Groups::default();
        index.encode(&groups, &mut loci_engine::Control::default()).unwrap();
        drop(index);
        let listed = kept_in(&all);
        assert_eq!(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["0123"]);
        assert!(listed[0].bytes > 500 && listed[0].folder.ends_with("texts"), "{listed:?}");
        assert!(listed[0].holds(&|text| text.contains("kitten")));
        assert!(!listed[0].holds(&|text| text.contains("puppy")));
        // What is no longer in the folder is in the file until segments are joined.
        std::fs::remove_file(texts.join("a.txt")).unwrap();
        std::fs::write(texts.join("b.txt"), "The puppy barks.").unwrap();
        let mut index = Index::open(&texts, &at).unwrap();
        index.refresh(&mut loci_engine::Control::default()).unwrap();
        drop(index);
        assert!(listed[0].holds(&|text| text.contains("puppy")));
        listed[0].remove().unwrap();
        assert!(kept_in(&all).is_empty());
        let left: u64 =
            std::fs::read_dir(&at).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(left < 500, "{left}");
        let mut index = Index::open(&texts, &at).unwrap();
        index.refresh(&mut loci_engine::Control::default()).unwrap();
        assert_eq!(index.search("puppy", 1, By::Words, None).unwrap().len(), 1);
    }
}
