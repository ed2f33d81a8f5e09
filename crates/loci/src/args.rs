//! Flags that several commands share, and what they mean.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use loci_context::registry::METHODS;
use loci_context::{MethodSpec, Part};
use loci_engine::model_store::{DEFAULT_MODEL, resolve};
use loci_engine::{ContextOptions, Draft, Engine, method_file, size};
use loci_kernels::tiles::RowType;
use loci_kernels::{Pool, isa};
use loci_models::rope::RopeSpec;

use crate::error::CliError;

/// Which model, on how many threads.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    /// A name of the catalogue (see `loci pull --list`), a GGUF file, or a folder with safetensors [default: smollm2, or the
    /// model of a saved reading].
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Threads that compute [default: all processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

impl ModelArgs {
    /// The model's name or path.
    pub(crate) fn name(&self) -> &str {
        self.model.as_deref().unwrap_or(DEFAULT_MODEL)
    }

    /// Loads the model.
    pub(crate) fn open(&self) -> Result<Arc<Engine>, CliError> {
        self.open_named(self.name())
    }

    /// Loads the model named `name`.
    pub(crate) fn open_named(&self, name: &str) -> Result<Arc<Engine>, CliError> {
        let path = resolve(name)?;
        Ok(Arc::new(Engine::open(&path, name, pool(self.threads)?)?))
    }
}

/// So many threads, or all processors.
pub(crate) fn pool(threads: Option<u16>) -> Result<Arc<Pool>, CliError> {
    isa::requested().map_err(CliError::usage)?;
    Ok(Arc::new(match threads {
        Some(threads) => Pool::new(usize::from(threads)),
        None => Pool::with_all_processors(),
    }))
}

/// Number format of keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kv {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// 8-bit integer with a scale for each row; counted as compressed.
    #[value(alias = "int8")]
    I8,
    /// 4-bit integer with a scale for each row and a step for each few numbers; counted as compressed. Costs some percent
    /// of perplexity where 8 bits cost none that one can measure.
    #[value(alias = "int4")]
    I4,
}

impl From<Kv> for RowType {
    fn from(kv: Kv) -> Self {
        match kv {
            Kv::F32 => Self::F32,
            Kv::F16 => Self::F16,
            Kv::I8 => Self::I8,
            Kv::I4 => Self::I4,
        }
    }
}

/// Whose attention counts as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Weigh {
    /// That of the heads known to copy from the context, where they are known (`loci inspect heads`), else of all.
    Retrieval,
    /// That of all heads alike.
    All,
}

/// Parts of other methods.
#[derive(Debug, clap::Args)]
pub(crate) struct PartArgs {
    /// Cut blocks as another method does, with parameters if wanted: surprise (em-llm), fixed (inf-llm), act-qkv. The method
    /// is inf-llm, em-llm, act-qkv or long-heads; the same as --method inf-llm+segment=surprise.
    #[arg(long, value_name = "NAME")]
    segment: Option<String>,
    /// Choose blocks as another method does: top-blocks (inf-llm), similar (em-llm), activation (act-qkv); the same as
    /// --method inf-llm+select=similar.
    #[arg(long, value_name = "NAME")]
    select: Option<String>,
}

impl PartArgs {
    fn given(&self) -> impl Iterator<Item = (Part, &str)> {
        [(Part::Segment, &self.segment), (Part::Select, &self.select)]
            .into_iter()
            .filter_map(|(part, name)| Some((part, name.as_deref()?)))
    }

    /// Refuses them where no method is named; `way_out` names one.
    pub(crate) fn none(&self, way_out: &str) -> Result<(), CliError> {
        match self.given().next() {
            None => Ok(()),
            Some((part, name)) => Err(CliError::usage(format!(
                "--{} {name} changes a method, and none is named; add {way_out}",
                part.name()
            ))),
        }
    }

    /// Reads a method as typed; as one would type it with these parts, and what it means.
    pub(crate) fn read(&self, text: &str) -> Result<(String, MethodSpec), CliError> {
        Ok((self.typed(text), self.in_method(method(text)?)?))
    }

    /// The method with these parts.
    fn in_method(&self, method: MethodSpec) -> Result<MethodSpec, CliError> {
        Ok(self.given().try_fold(method, |method, (part, name)| method.with_part(part, name))?)
    }

    /// The method as one would type it with these parts, in front of what is joined already.
    fn typed(&self, method: &str) -> String {
        let (base, joined) = method.split_at(method.find('+').unwrap_or(method.len()));
        let parts: String = self.given().map(|(part, name)| format!("+{}={name}", part.name())).collect();
        format!("{base}{parts}{joined}")
    }
}

/// How the context is held.
#[derive(Debug, clap::Args)]
pub(crate) struct ContextArgs {
    /// Method with its parameters, such as inf-llm:window=2048,top_k=16, or @FILE.toml [default: full where
    /// the input fits the model's window, else inf-llm]. `loci methods` lists them. A + joins parts: snap-kv+think,
    /// duo-attention+i8.
    #[arg(long, value_name = "METHOD", conflicts_with = "method_file")]
    pub(crate) method: Option<String>,
    /// TOML file with a table [method]: id and parameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) method_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) parts: PartArgs,
    /// Position schedule, such as yarn:factor=4 [default: the model's own].
    #[arg(long, value_name = "SCHEDULE")]
    pub(crate) rope: Option<String>,
    /// RAM for everything that grows with the input, such as 256MiB [default: no bound].
    #[arg(long, value_name = "SIZE", value_parser = size::parse_bytes)]
    pub(crate) budget: Option<usize>,
    /// Number format of keys and values [default: i8].
    #[arg(long, value_enum)]
    pub(crate) kv: Option<Kv>,
    /// Folder for the file with what does not fit the budget [default: the system's temporary folder].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cold_folder: Option<PathBuf>,
    /// Scores of the model's kv heads, for methods that treat heads differently: a gate file in DuoAttention's published
    /// form (full_attention_heads.tsv).
    #[arg(long, value_name = "FILE")]
    pub(crate) heads: Option<PathBuf>,
    /// Who drafts, for the methods spec-kv, spec-pc and spec-kv-pc: a smaller model with the same vocabulary (named as with --model),
    /// or self for the whole model [default: the first layers of the model, as many as draft_layers says].
    #[arg(long, value_name = "MODEL")]
    pub(crate) draft: Option<String>,
}

impl ContextArgs {
    /// What was asked for, checked as far as it can be without a model.
    pub(crate) fn options(&self) -> Result<ContextOptions, CliError> {
        let method = match (&self.method, &self.method_file) {
            (_, Some(file)) => method_file::read(file)?,
            (Some(text), None) => method(text)?,
            (None, None) => {
                self.parts.none("--method inf-llm")?;
                return self.shared();
            }
        };
        Ok(ContextOptions { method: Some(self.parts.in_method(method)?), ..self.shared()? })
    }

    /// The same without a method.
    fn shared(&self) -> Result<ContextOptions, CliError> {
        Ok(ContextOptions {
            method: None,
            rope: self.rope.as_deref().map(RopeSpec::parse).transpose()?,
            row_type: self.kv.unwrap_or(Kv::I8).into(),
            budget: self.budget,
            cold_folder: self.cold_folder.clone(),
            heads: self.heads.clone(),
            ..ContextOptions::default()
        })
    }

    /// What several methods that are compared have in common.
    pub(crate) fn compared(&self) -> Result<ContextOptions, CliError> {
        if self.method.is_some() || self.method_file.is_some() {
            return Err(CliError::usage("methods are compared here; name them with --methods"));
        }
        self.shared()
    }

    /// Loads the model, and the one that drafts for it into the `options` that were read before.
    pub(crate) fn open(
        &self,
        options: ContextOptions,
        model: &ModelArgs,
    ) -> Result<(Arc<Engine>, ContextOptions), CliError> {
        let engine = model.open()?;
        let draft = draft(self.draft.as_deref(), &engine)?;
        Ok((engine, ContextOptions { draft, ..options }))
    }
}

/// Loads the model named `name` that drafts for the one of `engine`.
pub(crate) fn draft(name: Option<&str>, engine: &Engine) -> Result<Option<Draft>, CliError> {
    match name {
        None => Ok(None),
        Some("self") => Ok(Some(Draft::Itself)),
        Some(name) => {
            let model = Engine::open(&resolve(name)?, name, Arc::clone(engine.pool()))?;
            Ok(Some(Draft::Model(Arc::new(model))))
        }
    }
}

/// Reads a method as typed: `id:name=value,…` or `@file.toml`.
pub(crate) fn method(text: &str) -> Result<MethodSpec, CliError> {
    match text.strip_prefix('@') {
        Some(file) => Ok(method_file::read(Path::new(file))?),
        None => Ok(MethodSpec::parse(text)?),
    }
}

/// Reads a list of methods with their parameters, each with `parts`; as one would type them, and what they mean.
pub(crate) fn methods(text: &str, parts: &PartArgs) -> Result<Vec<(String, MethodSpec)>, CliError> {
    split_methods(text).iter().map(|text| parts.read(text)).collect()
}

/// A method without its parameters: `inf-llm:window=64+i4` is `inf-llm+i4`.
pub(crate) fn without_parameters(method: &str) -> String {
    let ids: Vec<&str> = method.split('+').map(|part| part.split(':').next().unwrap_or(part)).collect();
    ids.join("+")
}

/// Splits at commas that a method's id follows; other commas stand between parameters. `all` is every context method.
pub(crate) fn split_methods(text: &str) -> Vec<String> {
    if text.trim() == "all" {
        return METHODS.iter().map(|info| info.id.to_owned()).collect();
    }
    let mut methods: Vec<String> = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let id = item.split([':', '+']).next().unwrap_or(item);
        let begins = item.starts_with('@') || !id.contains('=');
        match methods.last_mut() {
            Some(last) if !begins => {
                last.push(',');
                last.push_str(item);
            }
            _ => methods.push(item.to_owned()),
        }
    }
    methods
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn commas_between_parameters_do_not_split_methods() {
        assert_eq!(
            split_methods("full,inf-llm:window=2048,top_k=16,window:window=64, lm-infinite"),
            ["full", "inf-llm:window=2048,top_k=16", "window:window=64", "lm-infinite"]
        );
        // A misspelt id stays an item of its own, so that the error names it.
        assert_eq!(split_methods("full,nonsense:a=1"), ["full", "nonsense:a=1"]);
        assert_eq!(
            split_methods("inf-llm+segment=em-llm:gamma=2,min_block_size=4+select=act-qkv,window"),
            ["inf-llm+segment=em-llm:gamma=2,min_block_size=4+select=act-qkv", "window"]
        );
        assert!(split_methods(" , ").is_empty());
        assert_eq!(split_methods("all").len(), METHODS.len());
    }

    #[test]
    fn parts_are_typed_and_joined_in_the_same_way() {
        let parts = PartArgs { segment: Some("surprise:gamma=2".into()), select: Some("activation".into()) };
        let listed = methods("inf-llm:window=512+i4", &parts).unwrap();
        let [(typed, spec)] = listed.as_slice() else { panic!("one method") };
        assert_eq!(typed, "inf-llm:window=512+segment=surprise:gamma=2+select=activation+i4");
        assert_eq!(method(typed).unwrap().to_string(), spec.to_string());
        assert_eq!(without_parameters(&spec.to_string()), "inf-llm+segment=em-llm+select=act-qkv+i4");
    }
}
