//! What reading strategies need besides a model.

use std::path::Path;
use std::sync::Arc;

use loci_engine::Embedder;
use loci_engine::model_store::{DEFAULT_ENCODER, resolve};
use loci_models::method::Values;
use loci_reading::TextEncoder;
use loci_reading::registry::{Kit, needs_encoder};

use crate::args::pool;
use crate::error::CliError;

/// What is ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RankBy {
    /// Words shared with the question (BM25).
    Words,
    /// Vectors of a sentence encoder: what says the like in other words is found, too.
    Meaning,
    /// Both rankings, fused by ranks.
    Fused,
}

impl From<RankBy> for loci_reading::By {
    fn from(by: RankBy) -> Self {
        match by {
            RankBy::Words => Self::Words,
            RankBy::Meaning => Self::Meaning,
            RankBy::Fused => Self::Fused,
        }
    }
}

/// What is loaded where a strategy needs it.
#[derive(Debug, clap::Args)]
pub(crate) struct KitArgs {
    /// A sentence encoder, for strategies that rank by meaning: a name of the catalogue (see `loci pull --list`), or a folder
    /// as sentence-transformers writes it.
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_ENCODER)]
    encoder: String,
}

impl KitArgs {
    /// What the `strategies` need.
    pub(crate) fn kit<'v>(&self, strategies: impl IntoIterator<Item = &'v Values>) -> Result<Kit, CliError> {
        Ok(Kit { encoder: self.encoder(strategies.into_iter().any(needs_encoder))? })
    }

    /// The encoder, where it is `needed`.
    pub(crate) fn encoder(&self, needed: bool) -> Result<Option<Arc<dyn TextEncoder>>, CliError> {
        if !needed {
            return Ok(None);
        }
        let path = resolve(&self.encoder)?;
        // Reports say which encoder it was, not where it lies on this machine.
        let name = if Path::new(&self.encoder) == path { path.file_name() } else { None };
        let name = name.map_or_else(|| self.encoder.clone(), |name| name.to_string_lossy().into_owned());
        let encoder = Embedder::open(&path, &name, pool(None)?)?;
        Ok(Some(Arc::new(encoder)))
    }
}
