//! Who answers: methods over a local model, or a model behind an endpoint.

use std::sync::Arc;

use loci_context::MethodSpec;
use loci_context::recipes::full;
use loci_engine::{ContextOptions, Draft, Engine, LocalModel, Readings};
use loci_eval::run::Subject;
use loci_models::method::Values;
use loci_reading::Given;
use loci_reading::registry::{self, Kit, STRATEGIES};

use crate::args::{PartArgs, split_methods};
use crate::endpoint::EndpointArgs;
use crate::error::CliError;

/// The model behind the endpoint at `url` as one who answers, alone or by the strategy `typed`.
pub(crate) fn remote(
    endpoint: &EndpointArgs,
    url: &str,
    strategy: Option<(String, Values)>,
    kit: &Kit,
) -> Result<Subject, CliError> {
    let kit = kit.clone();
    let open = endpoint.opener(url)?;
    let recipe = format!("{} at {}", endpoint.model(), url.trim_end_matches('/'));
    let model = endpoint.model().to_owned();
    Ok(match strategy {
        None => Subject { model, method: "endpoint".to_owned(), recipe, open: Box::new(move || Ok(open())) },
        Some((typed, values)) => Subject {
            model,
            method: typed,
            recipe: format!("{values} over {recipe}"),
            open: Box::new(move || Ok(Box::new(Given::new(open(), registry::strategy(&values, &kit)?)))),
        },
    })
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

/// `engine` reading in one `way`, its context otherwise held as `context` says, beside others that share `readings`.
pub(crate) fn local(
    engine: &Arc<Engine>,
    typed: String,
    way: Way,
    context: &ContextOptions,
    kit: &Kit,
    readings: &Arc<Readings>,
) -> Result<Subject, CliError> {
    let kit = kit.clone();
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
    let readings = Arc::clone(readings);
    let model = move || LocalModel::new(Arc::clone(&engine), context.clone()).sharing(Arc::clone(&readings));
    Ok(Subject {
        model: name,
        method: typed,
        open: match strategy {
            None => Box::new(move || Ok(Box::new(model()))),
            Some(values) => {
                recipe = format!("{values} over {recipe}");
                Box::new(move || {
                    Ok(Box::new(Given::new(Box::new(model()), registry::strategy(&values, &kit)?)))
                })
            }
        },
        recipe,
    })
}
