//! The declaration of a method: data from which help, catalogue, forms, checks and plans are made.

use std::collections::BTreeMap;

use serde::Serialize;

/// Which kind of memory a method works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryKind {
    /// Keys and values of the tokens read, prompts.
    Contextual,
    /// Records with provenance in a store.
    External,
    /// Event log, views, tools with which a model manages its own context.
    ProceduralEpisodic,
    /// Weights, adapters, edits, fast weights.
    Parametric,
}

/// How close a method's result is to full attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exactness {
    /// Equal up to rounding.
    Exact,
    /// Different by a known bound.
    Bounded,
    /// No bound is known.
    Heuristic,
}

/// What a method must be given besides tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The queries of the model.
    Queries,
    /// Softmax weights summed per key.
    AttentionMass,
    /// Surprise or entropy of each token.
    Signals,
    /// A trained checkpoint.
    Training,
    /// What a smaller model, or early layers of the same one, look at in a prompt.
    Draft,
    /// Tokens that may come next, as a smaller model or early layers of the same one write them.
    LookAhead,
    /// How much each head reads from afar, measured once for a model.
    HeadScores,
}

/// When a method acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// While the input is read.
    Prefill,
    /// While the answer is written.
    Decode,
    /// Before the model runs: weights or positions.
    Load,
}

/// A parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A real number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// One of a list of words.
    Word(&'static str),
}

/// The values a parameter may take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Domain {
    /// Whole numbers, both ends included.
    Integers(i64, i64),
    /// Real numbers, both ends included.
    Numbers(f64, f64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Words(&'static [&'static str]),
}

/// One parameter of a method.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Parameter {
    /// Name as typed: `--method inf-llm:top_k=16`.
    pub name: &'static str,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// Unit: tokens, blocks, …; empty when it has none.
    pub unit: &'static str,
    /// Value when not given.
    pub default: Value,
    /// Values allowed.
    pub domain: Domain,
}

/// Which implementation a method uses for each of the five parts; empty where it has none.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Parts {
    /// Where one block of history ends.
    pub segment: &'static str,
    /// By what a block is found again.
    pub index: &'static str,
    /// Which rows a group of queries reads.
    pub select: &'static str,
    /// At which positions the chosen keys stand.
    pub place: &'static str,
    /// What may be dropped or shrunk, and when.
    pub keep: &'static str,
}

impl Parts {
    /// None of the five.
    pub const NONE: Self = Self { segment: "", index: "", select: "", place: "", keep: "" };
}

/// The declaration of a method.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MethodInfo {
    /// Name as typed.
    pub id: &'static str,
    /// What it gives a user, one line.
    pub title: &'static str,
    /// Source: authors, title, year; empty for controls.
    pub paper: &'static str,
    /// Family: `context`, `rope`, ….
    pub family: &'static str,
    /// Kind of memory it works on.
    pub kind: MemoryKind,
    /// The five parts, for context methods.
    pub parts: Parts,
    /// What it must be given.
    pub needs: &'static [Need],
    /// When it acts.
    pub phases: &'static [Phase],
    /// How close to full attention it is.
    pub exactness: Exactness,
    /// Parameters.
    pub parameters: &'static [Parameter],
    /// Time and memory, as a formula in words.
    pub cost: &'static str,
    /// Ids or kinds of methods it may be combined with.
    pub composes_with: &'static [&'static str],
    /// What its own tests prove about it, beside what they prove about every method of its family.
    pub invariants: &'static [&'static str],
    /// What it does, how, and when it fails: the body of its catalogue page, Markdown.
    pub description: &'static str,
}

/// Why a method's text or parameters were refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// No such method.
    #[error("there is no {family} method {name:?}; there are: {known}")]
    UnknownMethod {
        /// What was typed.
        name: String,
        /// `context`, `rope`, ….
        family: &'static str,
        /// Names that exist.
        known: String,
    },
    /// No such parameter.
    #[error("{method} has no parameter {name:?}; it has: {known}")]
    UnknownParameter {
        /// Method id.
        method: &'static str,
        /// What was typed.
        name: String,
        /// Names that exist.
        known: String,
    },
    /// The value does not fit the parameter.
    #[error("{method}: {name}={value} is not allowed; use {allowed}")]
    BadValue {
        /// Method id.
        method: &'static str,
        /// Parameter name.
        name: String,
        /// What was typed.
        value: String,
        /// What would do.
        allowed: String,
    },
    /// Not `name=value`.
    #[error("{text:?} is not name=value; write method:name=value,name=value")]
    Syntax {
        /// What was typed.
        text: String,
    },
    /// The parameters do not fit each other or the model.
    #[error("{0}")]
    Combination(String),
}

/// The values of one method's parameters: defaults, overridden by what was given.
#[derive(Clone, Debug)]
pub struct Values {
    info: &'static MethodInfo,
    values: BTreeMap<&'static str, Value>,
    given: Vec<&'static str>,
}

impl Values {
    /// All defaults of `info`.
    pub fn defaults(info: &'static MethodInfo) -> Self {
        let values = info.parameters.iter().map(|parameter| (parameter.name, parameter.default)).collect();
        Self { info, values, given: Vec::new() }
    }

    /// Splits `id:name=value,…` into the method of `registry` and its values.
    ///
    /// # Errors
    /// [`ParameterError`] for an unknown method or parameter, or a value outside its domain.
    pub fn parse(
        text: &str,
        family: &'static str,
        registry: &[&'static MethodInfo],
    ) -> Result<Self, ParameterError> {
        let (id, rest) = text.split_once(':').unwrap_or((text, ""));
        let info = registry.iter().find(|info| info.id == id.trim()).ok_or_else(|| {
            ParameterError::UnknownMethod {
                name: id.to_owned(),
                family,
                known: registry.iter().map(|info| info.id).collect::<Vec<_>>().join(", "),
            }
        })?;
        let mut values = Self::defaults(info);
        values.set_all(rest)?;
        Ok(values)
    }

    /// Those of the parameters that `keeps` says; there are no others then.
    #[must_use]
    pub fn filtered(mut self, keeps: impl Fn(&str) -> bool) -> Self {
        self.values.retain(|name, _| keeps(name));
        self.given.retain(|name| keeps(name));
        self
    }

    /// Sets what `name=value,…` says.
    ///
    /// # Errors
    /// [`ParameterError`] for what is not of this form, an unknown parameter or a value outside its domain.
    pub fn set_all(&mut self, text: &str) -> Result<(), ParameterError> {
        for item in text.split(',').filter(|item| !item.trim().is_empty()) {
            let (name, value) =
                item.split_once('=').ok_or_else(|| ParameterError::Syntax { text: item.to_owned() })?;
            self.set(name.trim(), value.trim())?;
        }
        Ok(())
    }

    /// Sets one parameter from text.
    ///
    /// # Errors
    /// [`ParameterError`] for an unknown parameter or a value outside its domain.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), ParameterError> {
        let method = self.info.id;
        let known = || self.info.parameters.iter().filter(|known| self.has(known.name));
        let parameter = known().find(|parameter| parameter.name == name).ok_or_else(|| {
            ParameterError::UnknownParameter {
                method,
                name: name.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            }
        })?;
        let value = parameter.domain.read(text).ok_or_else(|| ParameterError::BadValue {
            method,
            name: name.to_owned(),
            value: text.to_owned(),
            allowed: parameter.domain.describe(),
        })?;
        self.values.insert(parameter.name, value);
        self.given.push(parameter.name);
        Ok(())
    }

    /// The method these values belong to.
    pub const fn info(&self) -> &'static MethodInfo {
        self.info
    }

    /// Names of the parameters, in the order of their declaration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.info.parameters.iter().map(|parameter| parameter.name).filter(|name| self.has(name))
    }

    /// Whether there is a parameter of that name.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether the parameter was given, not left at its default.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    /// A whole-number parameter as a size; 0 when the name is not a whole-number parameter of the method.
    pub fn size(&self, name: &str) -> usize {
        match self.values.get(name) {
            Some(Value::Integer(value)) => usize::try_from(*value).unwrap_or(0),
            _ => 0,
        }
    }

    /// A real-number parameter; whole numbers are widened. 0 when there is none of that name.
    pub fn number(&self, name: &str) -> f64 {
        match self.values.get(name) {
            Some(Value::Number(value)) => *value,
            #[allow(clippy::cast_precision_loss)] // parameters are small
            Some(Value::Integer(value)) => *value as f64,
            _ => 0.0,
        }
    }

    /// A flag; false when there is none of that name.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    /// A word; empty when there is none of that name.
    pub fn word(&self, name: &str) -> &'static str {
        match self.values.get(name) {
            Some(Value::Word(word)) => word,
            _ => "",
        }
    }
}

impl std::fmt::Display for Values {
    /// `id:name=value,…` with every parameter: what one would type to get the same.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.info.id)?;
        let mut separator = ':';
        for parameter in self.info.parameters {
            if let Some(value) = self.values.get(parameter.name) {
                write!(f, "{separator}{}={value}", parameter.name)?;
                separator = ',';
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Word(value) => f.write_str(value),
        }
    }
}

impl Domain {
    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Integers(low, high) => {
                let value: i64 = text.parse().ok()?;
                (low..=high).contains(&value).then_some(Value::Integer(value))
            }
            Self::Numbers(low, high) => {
                let value: f64 = text.parse().ok()?;
                (low..=high).contains(&value).then_some(Value::Number(value))
            }
            Self::Flag => text.parse().ok().map(Value::Flag),
            Self::Words(words) => words.iter().find(|word| **word == text).map(|word| Value::Word(word)),
        }
    }

    /// The allowed values in words.
    pub fn describe(self) -> String {
        match self {
            Self::Integers(low, high) => format!("a whole number from {low} to {high}"),
            Self::Numbers(low, high) => format!("a number from {low} to {high}"),
            Self::Flag => "true or false".to_owned(),
            Self::Words(words) => words.join(" or "),
        }
    }
}
