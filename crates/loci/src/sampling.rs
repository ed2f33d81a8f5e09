//! Flags that say how text is written.

use std::path::{Path, PathBuf};

use loci_engine::{Engine, Form, GenerateOptions};
use loci_models::sampling::SamplerConfig;

use crate::error::CliError;

/// How text is written. Without a temperature the most probable token is always taken.
#[derive(Debug, clap::Args)]
pub(crate) struct SamplingArgs {
    /// Write at most this many tokens.
    #[arg(short = 'n', long = "max-tokens", value_name = "N", default_value_t = 256)]
    pub(crate) max_tokens: usize,
    /// 0 always takes the most probable token; higher is more varied [default: 0].
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Draw from the K most probable tokens only; 0 for all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Draw from the most probable tokens that together reach probability P.
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f32,
    /// Draw from tokens at least P times as probable as the most probable one.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    min_p: f32,
    /// Make recent tokens less probable; 1 for not at all.
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    repetition_penalty: f32,
    /// Make tokens less probable the oftener they were written in the answer, -2 to 2.
    #[arg(long, value_name = "F", default_value_t = 0.0, allow_negative_numbers = true)]
    frequency_penalty: f32,
    /// Make tokens less probable that were written in the answer, -2 to 2.
    #[arg(long, value_name = "F", default_value_t = 0.0, allow_negative_numbers = true)]
    presence_penalty: f32,
    /// Hold the answer to a JSON schema: a file, or the schema itself when it begins with '{'.
    #[arg(long, value_name = "FILE|JSON", conflicts_with = "grammar")]
    json_schema: Option<String>,
    /// Hold the answer to the grammar in this file (Lark, as llguidance takes it).
    #[arg(long, value_name = "FILE")]
    grammar: Option<PathBuf>,
    /// Seed of the drawing: same seed, same text.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// End the text before this string; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

impl SamplingArgs {
    /// What was asked for; `temperature` where none was.
    pub(crate) fn options(&self, temperature: f32) -> Result<GenerateOptions, CliError> {
        let sampler = SamplerConfig {
            temperature: self.temperature.unwrap_or(temperature),
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed,
            ..SamplerConfig::default()
        };
        sampler.validate().map_err(CliError::usage)?;
        if self.stop.iter().any(String::is_empty) {
            return Err(CliError::usage("--stop \"\" would end every text at once; leave it out"));
        }
        if let Some(form) = self.form()? {
            form.check().map_err(CliError::usage)?;
        }
        Ok(GenerateOptions {
            max_tokens: self.max_tokens,
            sampler,
            stop: self.stop.clone(),
            ..GenerateOptions::default()
        })
    }

    /// What the answer is held to.
    fn form(&self) -> Result<Option<Form>, CliError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|error| CliError::usage(format!("cannot read {}: {error}", path.display())))
        };
        if let Some(given) = &self.json_schema {
            let own = given.trim_start().starts_with('{');
            let text = if own { given.clone() } else { read(Path::new(given))? };
            let schema = serde_json::from_str(&text)
                .map_err(|error| CliError::usage(format!("--json-schema is no JSON: {error}")))?;
            return Ok(Some(Form::JsonSchema(schema)));
        }
        self.grammar.as_deref().map(|path| Ok(Form::Lark(read(path)?))).transpose()
    }

    /// Refuses forms where there is no local model that could be held to them.
    pub(crate) fn hold_nothing(&self) -> Result<(), CliError> {
        match self.form()? {
            None => Ok(()),
            Some(_) => Err(CliError::usage(
                "--json-schema and --grammar hold a local model; an endpoint is not asked for a form",
            )),
        }
    }

    /// Compiles what the answer is held to for the model.
    pub(crate) fn hold(&self, options: &mut GenerateOptions, engine: &Engine) -> Result<(), CliError> {
        if let Some(form) = self.form()? {
            options.grammar = Some(engine.grammar(&form)?);
        }
        Ok(())
    }
}
