//! What reading strategies need besides a model.

use std::sync::Arc;

use loci_engine::Embedder;
use loci_engine::model_store::{DEFAULT_ENCODER, resolve};
use loci_models::method::Values;
use loci_reading::registry::{Kit, needs_encoder};

use crate::args::pool;
use crate::error::CliError;

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
        if !strategies.into_iter().any(needs_encoder) {
            return Ok(Kit::default());
        }
        let encoder = Embedder::open(&resolve(&self.encoder)?, &self.encoder, pool(None)?)?;
        Ok(Kit { encoder: Some(Arc::new(encoder)) })
    }
}
