//! Who answers: methods over a local model, or a model behind an endpoint.

use std::path::PathBuf;
use std::sync::Arc;

use loci_engine::{ContextOptions, Draft, Engine, LocalModel};
use loci_eval::run::Subject;

use crate::error::CliError;

/// A model behind an endpoint.
#[derive(Debug, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Ask a model behind an OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1, instead of a local one. Lengths
    /// are still counted in tokens of the local model (-m).
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The model's name there.
    #[arg(long, value_name = "NAME", default_value = "default")]
    endpoint_model: String,
    /// File that holds the API key [default: the environment variable OPENAI_API_KEY, if set].
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Seconds that one attempt may take.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: u32,
    /// Further attempts after a time-out or an error that may pass.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: u32,
}

impl EndpointArgs {
    /// The endpoint as the one who answers.
    #[cfg(feature = "remote")]
    pub(crate) fn subject(&self, url: &str) -> Result<Subject, CliError> {
        use std::time::Duration;

        use loci_engine::language_model::{RemoteModel, RemoteOptions};

        let api_key = match &self.api_key_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
                Some(text.trim().to_owned())
            }
            None => std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty()),
        };
        let options = RemoteOptions {
            api_key,
            timeout: Duration::from_secs(u64::from(self.timeout)),
            retries: self.retries,
            ..RemoteOptions::new(url, &self.endpoint_model)
        };
        Ok(Subject {
            model: self.endpoint_model.clone(),
            method: "endpoint".to_owned(),
            recipe: format!("{} at {}", options.model, options.base_url),
            open: Box::new(move || Ok(Box::new(RemoteModel::new(options.clone())))),
        })
    }

    /// Refused: this build has no client.
    #[cfg(not(feature = "remote"))]
    pub(crate) fn subject(&self, _url: &str) -> Result<Subject, CliError> {
        Err(CliError::usage("this build cannot reach endpoints; build it with the feature remote"))
    }
}

/// `engine` with its context held as `context` says.
pub(crate) fn local(engine: &Arc<Engine>, typed: String, context: ContextOptions) -> Subject {
    let method = context.method.as_ref().map_or_else(String::new, ToString::to_string);
    let recipe = format!(
        "{} {method} rows={:?} rope={:?} budget={:?} heads={:?} draft={:?}",
        engine.name(),
        context.rows(),
        context.rope,
        context.budget,
        context.heads,
        context.draft.as_ref().map(|draft| match draft {
            Draft::Itself => "self",
            Draft::Model(model) => model.name(),
        })
    );
    let engine = Arc::clone(engine);
    Subject {
        model: engine.name().to_owned(),
        method: typed,
        recipe,
        open: Box::new(move || Ok(Box::new(LocalModel::new(Arc::clone(&engine), context.clone())))),
    }
}
