//! The declaration of a task as a method, and its parameters.

use loci_models::method::{Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value};

/// A task's declaration as a method. What tasks do not differ in is filled in.
pub(crate) const fn task(
    id: &'static str,
    title: &'static str,
    paper: &'static str,
    parameters: &'static [Parameter],
    invariants: &'static [&'static str],
    description: &'static str,
) -> MethodInfo {
    MethodInfo {
        id,
        title,
        paper,
        family: "task",
        kind: MemoryKind::Contextual,
        parts: Parts::NONE,
        needs: &[],
        phases: &[Phase::Prefill],
        exactness: Exactness::Exact,
        parameters,
        cost: "one reading for each text",
        composes_with: &[],
        invariants,
        description,
    }
}

/// A parameter that counts something.
pub(crate) const fn counted(
    name: &'static str,
    meaning: &'static str,
    unit: &'static str,
    default: i64,
    (low, high): (i64, i64),
) -> Parameter {
    Parameter { name, meaning, unit, default: Value::Integer(default), domain: Domain::Integers(low, high) }
}

/// A parameter that is one of some words, the first if not given.
pub(crate) const fn choice(
    name: &'static str,
    meaning: &'static str,
    default: &'static str,
    words: &'static [&'static str],
) -> Parameter {
    Parameter { name, meaning, unit: "", default: Value::Word(default), domain: Domain::Words(words) }
}

/// A yes or no.
pub(crate) const fn flag(name: &'static str, meaning: &'static str, default: bool) -> Parameter {
    Parameter { name, meaning, unit: "", default: Value::Flag(default), domain: Domain::Flag }
}
