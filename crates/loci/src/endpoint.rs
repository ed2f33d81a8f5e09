//! A model behind an endpoint instead of a local one.

use std::path::PathBuf;

use loci_engine::LanguageModel;

use crate::error::CliError;

/// A model behind an endpoint.
#[derive(Debug, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Ask a model behind an OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1, instead of a local one.
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

/// Makes a client, as often as it is called.
pub(crate) type Opener = Box<dyn Fn() -> Box<dyn LanguageModel>>;

impl EndpointArgs {
    /// The model's name.
    pub(crate) fn model(&self) -> &str {
        &self.endpoint_model
    }

    /// What makes a client for the endpoint at `url`.
    #[cfg(feature = "remote")]
    pub(crate) fn opener(&self, url: &str) -> Result<Opener, CliError> {
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
        Ok(Box::new(move || Box::new(RemoteModel::new(options.clone()))))
    }

    /// Refused: this build has no client.
    #[cfg(not(feature = "remote"))]
    pub(crate) fn opener(&self, _url: &str) -> Result<Opener, CliError> {
        Err(CliError::usage("this build cannot reach endpoints; build it with the feature remote"))
    }
}
