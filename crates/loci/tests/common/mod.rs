//! The program in a folder of its own, with a small random model.
#![allow(dead_code)] // each test file uses a part of it

use std::path::PathBuf;
use std::process::{Command, Output};

use loci_models::reference::TinyModel;
use serde_json::Value;

/// A folder that commands run in. What they would keep for the user stays in it, too.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    always: Vec<String>,
}

impl Place {
    /// A folder with `model` as `tiny.gguf`; `always` stands behind the arguments of every command.
    pub(crate) fn with(model: &TinyModel, always: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Self { folder, always: always.iter().map(ToString::to_string).collect() };
        place.write("tiny.gguf", model.file());
        place
    }

    /// The same with the usual model.
    pub(crate) fn new() -> Self {
        Self::with(&TinyModel::default(), &[])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("the file is written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a text")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loci"));
        command.args(arguments).args(&self.always);
        let place = command.env("LOCI_CACHE", self.folder.path()).current_dir(self.folder.path());
        place.output().expect("the program runs")
    }

    /// Standard output of a command that ends well.
    pub(crate) fn well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.well(arguments)).expect("exactly one JSON object")
    }
}

/// Standard error; long messages are wrapped, and tests look for words.
pub(crate) fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}
