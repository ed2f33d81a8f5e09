//! `loci methods`: what can be typed after `--method` and `--rope`, and after `--methods` of `loci eval`.

use loci_context::registry::{METHODS, shared_invariants};
use loci_models::method::{MethodInfo, Need};
use loci_models::rope::SCHEDULES;
use loci_reading::STRATEGIES;
use serde::Serialize;

use crate::error::CliError;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show one method: what it does, its parts and parameters, what it needs and costs, what is proved about it.
    Show {
        /// Its id.
        name: String,
    },
}

#[derive(Serialize)]
struct Listing {
    methods: &'static [&'static MethodInfo],
    reading: &'static [&'static MethodInfo],
    rope: &'static [&'static MethodInfo],
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    info: &'static MethodInfo,
    /// What is proved about every method of its family.
    shared_invariants: &'static [&'static str],
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    match (&args.action, args.json) {
        (None, true) => print_json(&Listing { methods: METHODS, reading: STRATEGIES, rope: SCHEDULES }),
        (None, false) => print(&listing()),
        (Some(Action::Show { name }), json) => {
            let info = find(name)?;
            if json {
                print_json(&Shown { info, shared_invariants: shared_invariants(info) })
            } else {
                print(&page(info))
            }
        }
    }
}

fn all() -> impl Iterator<Item = &'static MethodInfo> {
    METHODS.iter().chain(STRATEGIES).chain(SCHEDULES).copied()
}

fn find(name: &str) -> Result<&'static MethodInfo, CliError> {
    all().find(|info| info.id == name).ok_or_else(|| {
        let known: Vec<&str> = all().map(|info| info.id).collect();
        CliError::usage(format!("there is no method {name:?}; there are: {}", known.join(", ")))
    })
}

fn listing() -> String {
    let mut text = "Context methods (--method):\n".to_owned();
    let width = all().map(|info| info.id.len()).max().unwrap_or(0);
    for (heading, infos) in [
        ("", METHODS),
        ("\nReading strategies (loci eval --methods):\n", STRATEGIES),
        ("\nPosition schedules (--rope):\n", SCHEDULES),
    ] {
        text.push_str(heading);
        for info in infos {
            text.push_str(&format!("  {:width$}  {} [{}]\n", info.id, info.title, word(&info.kind)));
            if !info.paper.is_empty() {
                text.push_str(&format!("  {:width$}  {}\n", "", info.paper));
            }
            let parts = parts(info);
            if !parts.is_empty() {
                text.push_str(&format!("  {:width$}  {parts}\n", ""));
            }
            let parameters: Vec<String> = info
                .parameters
                .iter()
                .map(|parameter| format!("{}={}", parameter.name, parameter.default))
                .collect();
            if !parameters.is_empty() {
                text.push_str(&format!("  {:width$}  {}\n", "", parameters.join(", ")));
            }
        }
    }
    text.push_str("\nloci methods show NAME explains one.\n");
    text
}

fn parts(info: &MethodInfo) -> String {
    let parts = &info.parts;
    [
        ("segment", parts.segment),
        ("index", parts.index),
        ("select", parts.select),
        ("place", parts.place),
        ("keep", parts.keep),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(name, text)| format!("{name}: {text}"))
    .collect::<Vec<_>>()
    .join("; ")
}

fn page(info: &MethodInfo) -> String {
    let mut text = format!("{}: {}\n", info.id, info.title);
    let needs: Vec<String> = info.needs.iter().map(|need: &Need| word(need)).collect();
    let phases: Vec<String> = info.phases.iter().map(word).collect();
    for (name, value) in [
        ("paper", info.paper.to_owned()),
        ("kind", word(&info.kind)),
        ("parts", parts(info)),
        ("needs", needs.join(", ")),
        ("acts", phases.join(", ")),
        ("exactness", word(&info.exactness)),
        ("cost", info.cost.to_owned()),
        ("composes with", info.composes_with.join(", ")),
    ] {
        if !value.is_empty() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    if !info.parameters.is_empty() {
        text.push_str("parameters:\n");
    }
    for parameter in info.parameters {
        let unit = if parameter.unit.is_empty() { String::new() } else { format!(" {}", parameter.unit) };
        text.push_str(&format!(
            "  {}={}{unit} ({}): {}\n",
            parameter.name,
            parameter.default,
            parameter.domain.describe(),
            parameter.meaning
        ));
    }
    for (heading, invariants) in
        [("proved about it", info.invariants), ("proved about all of its family", shared_invariants(info))]
    {
        if !invariants.is_empty() {
            text.push_str(&format!("{heading}:\n"));
        }
        invariants.iter().for_each(|invariant| text.push_str(&format!("  {invariant}\n")));
    }
    text.push_str(&format!("\n{}\n", info.description.trim()));
    text
}

/// A declared word as JSON writes it, so that both outputs use the same ones.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
