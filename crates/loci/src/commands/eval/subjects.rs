//! Who answers: methods over a local model, or a model behind an endpoint.

use std::path::PathBuf;
use std::sync::Arc;

use loci_context::MethodSpec;
use loci_context::recipes::full;
use loci_engine::{ContextOptions, Draft, Engine, LocalModel};
use loci_eval::run::Subject;
use loci_models::method::Values;
use loci_reading::Given;
use loci_reading::registry::{self, STRATEGIES};

use crate::args::{PartArgs, split_methods};
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

/// How a local model reads.
pub(crate) enum Way {
    /// All of the text, with a context method.
    Context(MethodSpec),
    /// What the strategy chooses, with full attention.
    Strategy(Values),
}

/// Reads a list of context methods, each with `parts`, and reading strategies; as one would type them, and what they mean.
pub(crate) fn ways(text: &str, parts: &PartArgs) -> Result<Vec<(String, Way)>, CliError> {
    let mut typed = split_methods(text);
    if text.trim() == "all" {
        typed.extend(STRATEGIES.iter().map(|info| info.id.to_owned()));
    }
    let way = |typed: String| match registry::is_strategy(&typed) {
        true => {
            let values = registry::parse(&typed)?;
            Ok((typed, Way::Strategy(values)))
        }
        false => parts.read(&typed).map(|(typed, method)| (typed, Way::Context(method))),
    };
    typed.into_iter().map(way).collect()
}

/// `engine` reading in one `way`, its context otherwise held as `context` says.
pub(crate) fn local(
    engine: &Arc<Engine>,
    typed: String,
    way: Way,
    context: &ContextOptions,
) -> Result<Subject, CliError> {
    let (context, strategy) = match way {
        Way::Context(method) => (context.for_method(method), None),
        Way::Strategy(values) => (context.for_method(MethodSpec::parse(full::INFO.id)?), Some(values)),
    };
    let method = context.method.as_ref().map_or_else(String::new, ToString::to_string);
    let mut recipe = format!(
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
    let name = engine.name().to_owned();
    let model = move || LocalModel::new(Arc::clone(&engine), context.clone());
    Ok(Subject {
        model: name,
        method: typed,
        open: match strategy {
            None => Box::new(move || Ok(Box::new(model()))),
            Some(values) => {
                recipe = format!("{values} over {recipe}");
                Box::new(move || Ok(Box::new(Given::new(model(), registry::chooser(&values)))))
            }
        },
        recipe,
    })
}
