//! A loaded model with what a session needs of it at hand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use loci_kernels::{Isa, Pool};
use loci_models::Model;
use loci_models::template::ChatTemplate;
use loci_models::tokenizer::Tokenizer;

use crate::error::EngineError;
use crate::fingerprint;
use crate::grammar::Compiler;

/// A loaded model, ready for any number of sessions.
#[derive(Debug)]
pub struct Engine {
    model: Model,
    template: Option<ChatTemplate>,
    name: String,
    path: Option<PathBuf>,
    /// Made when it is first asked for: parts of all files are read for it.
    fingerprint: OnceLock<String>,
    compiler: Compiler,
}

impl Engine {
    /// Loads the model at `path` (a GGUF file or a folder with safetensors), to compute on `pool`; `name` is how
    /// reports call it.
    ///
    /// # Errors
    /// [`EngineError::Model`] when the file is missing, damaged, of an unsupported kind or without a tokenizer,
    /// [`EngineError::Template`] when its chat template is not valid.
    pub fn open(path: &Path, name: &str, pool: Arc<Pool>) -> Result<Self, EngineError> {
        let engine = Self::from_model(Model::open(path, pool)?, name)?;
        Ok(Self { path: Some(path.to_owned()), ..engine })
    }

    /// Wraps a model that is already in memory.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn from_model(model: Model, name: &str) -> Result<Self, EngineError> {
        let tokenizer = model.tokenizer()?;
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.text_of(id)).unwrap_or("");
        let template = match model.chat_template() {
            None => None,
            Some(source) => {
                let template = ChatTemplate::new(source, text(tokenizer.bos()), text(tokenizer.eos()))?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                Some(template.with_time(i64::try_from(now).unwrap_or(0)))
            }
        };
        Ok(Self {
            model,
            template,
            name: name.to_owned(),
            path: None,
            fingerprint: OnceLock::new(),
            compiler: Compiler::default(),
        })
    }

    /// The model.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The model's tokenizer.
    ///
    /// # Errors
    /// None in practice: an engine is not made without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer, EngineError> {
        Ok(self.model.tokenizer()?)
    }

    /// The model's chat template, if it came with one.
    pub const fn chat_template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// What makes grammars for the model's tokens.
    pub(crate) const fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// How reports call the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or folder the model was loaded from; `None` for a model that was in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What names the model whatever it is called and wherever it lies: made of its file, or of the files in its folder.
    /// `None` for a model that was in memory.
    ///
    /// # Errors
    /// When its files cannot be read any more.
    pub fn fingerprint(&self) -> std::io::Result<Option<&str>> {
        let Some(path) = &self.path else { return Ok(None) };
        if let Some(known) = self.fingerprint.get() {
            return Ok(Some(known));
        }
        let made = fingerprint::of(path)?;
        Ok(Some(self.fingerprint.get_or_init(|| made)))
    }

    /// The threads that compute.
    pub const fn pool(&self) -> &Arc<Pool> {
        self.model.cpu().pool()
    }

    /// The instruction set in use.
    pub const fn isa(&self) -> Isa {
        self.model.cpu().isa()
    }

    /// Tokens the model was trained to read at once.
    pub const fn trained_window(&self) -> usize {
        self.model.config().n_ctx
    }
}
