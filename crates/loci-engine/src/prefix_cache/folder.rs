//! The files of the cache: which there are, which give way, which stay.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::PrefixCache;
use crate::saved::{Facts, Reading, ReadingError};

const ENTRY: &str = "loci";
const PIN: &str = "pin";
const PART: &str = "part";

/// What a process that ended half way left behind is removed when it is so old.
const OLD: Duration = Duration::from_secs(3600);

/// Something that was read and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// Its file.
    pub path: PathBuf,
    /// How it is called: what to type to pin or remove it; its beginning will do.
    pub id: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
    /// Whether it stays when others have to give way.
    pub pinned: bool,
}

impl CacheEntry {
    /// What its name says of everything but the tokens.
    pub(super) fn seed(&self) -> &str {
        let name = self.path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        name.split_once('-').map_or("", |(_, seed)| seed)
    }
}

/// The name of an entry's file.
pub(super) fn file_name(seed: &str, whole: &str) -> String {
    format!("{whole}-{seed}.{ENTRY}")
}

/// Makes the folder; nobody else may look into it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Notes that an entry was used.
pub(super) fn touch(path: &Path) {
    // Where that fails, the entry gives way earlier than it should.
    let _best_effort =
        File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes an entry and its pin.
pub(super) fn remove(path: &Path) {
    // It may be gone already: another process may have removed it.
    let _gone = std::fs::remove_file(path);
    let _gone = std::fs::remove_file(path.with_extension(PIN));
}

impl PrefixCache {
    /// What there is, used last first.
    pub fn entries(&self) -> Vec<CacheEntry> {
        let mut entries: Vec<CacheEntry> = self.files().filter_map(|path| entry(&path)).collect();
        entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.id.cmp(&b.id)));
        entries
    }

    /// Bytes of all entries.
    pub fn bytes(&self) -> u64 {
        self.entries().iter().map(|entry| entry.bytes).sum()
    }

    /// The entries whose name begins with `id`; all for an empty one.
    pub fn named(&self, id: &str) -> Vec<CacheEntry> {
        self.entries().into_iter().filter(|entry| entry.id.starts_with(id)).collect()
    }

    /// Removes an entry. One that a process has open stays readable there.
    pub fn remove(&self, entry: &CacheEntry) {
        remove(&entry.path);
    }

    /// Removes the entries, pinned or not, of which `stands_in` is true of what they have read, and those of which nobody can tell;
    /// returns how many. A dry run only counts. `decode` turns the tokens of an entry into text, if it knows the model.
    ///
    /// # Errors
    /// When the system does not remove one.
    pub fn forget(
        &self,
        dry_run: bool,
        stands_in: &dyn Fn(&str) -> bool,
        decode: &mut dyn FnMut(&Facts, &[u32]) -> Option<String>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for entry in self.entries() {
            let said = match Reading::said(&entry.path, decode) {
                // Another process has removed it.
                Err(ReadingError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                said => said.ok().flatten(),
            };
            if said.is_some_and(|texts| !texts.iter().any(|text| stands_in(text))) {
                continue;
            }
            count += 1;
            if !dry_run {
                match std::fs::remove_file(&entry.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => remove(&entry.path),
                }
            }
        }
        Ok(count)
    }

    /// Lets an entry stay whatever the limit (`true`), or no longer.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn pin(&self, entry: &CacheEntry, on: bool) -> io::Result<()> {
        let pin = entry.path.with_extension(PIN);
        match on {
            true => File::create(pin).map(drop),
            false => match std::fs::remove_file(pin) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }

    /// Removes what was used longest ago until the rest fits the limit, and what processes that ended half way left.
    pub fn shrink(&self) {
        let entries = self.entries();
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        for entry in entries.iter().rev().filter(|entry| !entry.pinned) {
            if bytes <= self.limit {
                break;
            }
            remove(&entry.path);
            bytes -= entry.bytes;
        }
        for path in self.files().filter(|path| path.extension() == Some(OsStr::new(PART))) {
            if is_left_behind(&path) {
                let _gone = std::fs::remove_file(path);
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> + use<> {
        std::fs::read_dir(&self.folder).into_iter().flatten().filter_map(|file| Some(file.ok()?.path()))
    }
}

fn entry(path: &Path) -> Option<CacheEntry> {
    if path.extension() != Some(OsStr::new(ENTRY)) {
        return None;
    }
    let facts = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let (id, _) = path.file_stem()?.to_str()?.split_once('-')?;
    Some(CacheEntry {
        path: path.to_owned(),
        id: id.to_owned(),
        bytes: facts.len(),
        used: facts.modified().ok()?,
        pinned: path.with_extension(PIN).exists(),
    })
}

/// Whether nobody writes to an unfinished file any more.
fn is_left_behind(path: &Path) -> bool {
    let age = std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
    if age.and_then(|then| then.elapsed().ok()).is_some_and(|age| age > OLD) {
        return true;
    }
    // The name ends in the number of the process, a number of its own, and `part`.
    let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let process = name.rsplit('.').nth(1).and_then(|number| number.parse::<u32>().ok());
    cfg!(target_os = "linux")
        && process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_gives_way_and_what_is_pinned_stays() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PrefixCache::at(folder.path(), 250);
        for (age, name) in ["c", "a", "b", "d"].into_iter().enumerate() {
            let path = folder.path().join(file_name("seed", name));
            std::fs::write(&path, [0; 100]).unwrap();
            let used = SystemTime::now() - Duration::from_secs(100 * (age as u64 + 1));
            File::options().append(true).open(&path).unwrap().set_modified(used).unwrap();
        }
        std::fs::write(folder.path().join("other.txt"), "x").unwrap();
        let ids = || cache.entries().into_iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(), ["c", "a", "b", "d"]);
        let oldest = cache.named("d").remove(0);
        assert_eq!((oldest.seed(), cache.bytes()), ("seed", 400));
        cache.pin(&oldest, true).unwrap();
        touch(&cache.named("b").remove(0).path);
        cache.shrink();
        assert_eq!(ids(), ["b", "d"]);
        let pinned = cache.named("d").remove(0);
        assert!(pinned.pinned);
        cache.pin(&pinned, false).unwrap();
        cache.pin(&pinned, false).unwrap();
        assert!(!cache.named("d").remove(0).pinned);
        cache.remove(&pinned);
        assert_eq!(ids(), ["b"]);
        assert!(folder.path().join("other.txt").exists());
        assert!(PrefixCache::at(Path::new("no/such/folder"), 1).entries().is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_dead_process_left_is_removed_and_what_a_living_one_writes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (dead, living) =
            (format!(".x.loci.{}.0.part", u32::MAX), format!(".x.loci.{}.0.part", std::process::id()));
        std::fs::write(folder.path().join(&dead), "x").unwrap();
        std::fs::write(folder.path().join(&living), "x").unwrap();
        PrefixCache::at(folder.path(), 10).shrink();
        assert!(!folder.path().join(dead).exists() && folder.path().join(living).exists());
    }
}
