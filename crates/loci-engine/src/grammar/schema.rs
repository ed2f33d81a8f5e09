//! What a JSON schema from outside may ask of the compiler, checked before it is compiled.
//!
//! The compiler works by recursion and, where schemas are merged (`allOf`, or `$ref` and `anyOf` beside other keywords),
//! by comparing every part of one with every part of the other, through references. Neither has a limit of its own that
//! is low enough for schemas from strangers.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::EngineError;

/// The member by which a schema would steer the compiler; ours to set.
pub(super) const STEERING: &str = "x-guidance";
/// Most objects in a schema: schemas, and maps of schemas. Large published schemas have some hundreds.
const MAX_OBJECTS: usize = 1_000;
/// Most values of all kinds, those of `enum` included.
const MAX_VALUES: usize = 50_000;
/// Deepest nesting, and the same summed up over all schemas that references lead to.
const MAX_DEPTH: usize = 64;
const MAX_CHAINED: usize = 1_000;
/// Most comparisons of parts while merging; some tens of thousands are a second.
const MAX_MERGE: u64 = 50_000;

/// Keywords that say nothing about what fits.
const ANNOTATIONS: &[&str] = &[
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "default",
    "definitions",
    "deprecated",
    "description",
    "examples",
    "id",
    "readOnly",
    "title",
    "writeOnly",
];

fn refuse<T>(message: String) -> Result<T, EngineError> {
    Err(EngineError::Grammar { kind: "JSON schema", message })
}

/// Checks a schema's size and what it would cost.
///
/// # Errors
/// [`EngineError::Grammar`] with the limit.
pub(super) fn check(schema: &Value) -> Result<(), EngineError> {
    if !schema.is_object() && !schema.is_boolean() {
        return refuse("it must be an object, true or false".to_owned());
    }
    if schema.get(STEERING).is_some() {
        return refuse(format!("the member {STEERING:?} is not supported; leave it out"));
    }
    let mut sizes = Sizes { root: schema, objects: 0, values: 0, references: BTreeMap::new() };
    let depth = sizes.walk(schema, 0)?;
    // Which way the compiler goes through the references is its own affair; it meets each target once.
    let mut chained = depth;
    for (reference, target) in &sizes.references {
        chained += match target {
            Some(target) => depth_of(target),
            None => return refuse(format!("there is nothing at $ref {reference:?}; use \"#/$defs/NAME\"")),
        };
    }
    if chained > MAX_CHAINED {
        return refuse(format!(
            "its references lead {chained} levels deep in all, more than {MAX_CHAINED}; use fewer"
        ));
    }
    let mut costs = Costs { root: schema, known: BTreeMap::new() };
    costs.walk(schema)
}

/// Depth of a value that was walked, hence at most [`MAX_DEPTH`].
fn depth_of(value: &Value) -> usize {
    1 + children(value).map(depth_of).max().unwrap_or(0)
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// What a reference within the schema leads to.
fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?.trim_end_matches('/'))
}

struct Sizes<'s> {
    root: &'s Value,
    objects: usize,
    values: usize,
    references: BTreeMap<&'s str, Option<&'s Value>>,
}

impl<'s> Sizes<'s> {
    /// Counts `value` and what is in it; returns its depth.
    fn walk(&mut self, value: &'s Value, at: usize) -> Result<usize, EngineError> {
        self.values += 1;
        self.objects += usize::from(value.is_object());
        if at > MAX_DEPTH {
            return refuse(format!("it is nested more than {MAX_DEPTH} levels deep; flatten it"));
        }
        if self.objects > MAX_OBJECTS || self.values > MAX_VALUES {
            return refuse(format!(
                "it has more than {MAX_OBJECTS} objects or {MAX_VALUES} values; make it smaller"
            ));
        }
        if let Some(Value::String(reference)) = value.get("$ref") {
            self.references.insert(reference, target(self.root, reference));
        }
        let mut deepest = 0;
        for child in children(value) {
            deepest = deepest.max(self.walk(child, at + 1)?);
        }
        Ok(deepest + 1)
    }
}

struct Costs<'s> {
    root: &'s Value,
    /// Unfolded sizes of what references lead to; without a size while it is being counted.
    known: BTreeMap<&'s str, Option<u64>>,
}

impl<'s> Costs<'s> {
    /// Looks at every place where schemas are merged.
    fn walk(&mut self, value: &'s Value) -> Result<(), EngineError> {
        if let Value::Object(schema) = value {
            let members = members(schema);
            if members.len() > 1 {
                let cost = members.iter().fold(1_u64, |cost, member| cost.saturating_mul(self.size(member)));
                if cost > MAX_MERGE {
                    let names: Vec<_> = schema.keys().take(8).map(String::as_str).collect();
                    return refuse(format!(
                        "merging what stands together in {{{}}} would take {}, more than {MAX_MERGE}; spell the \
                         result out, and merge nothing that refers to itself",
                        names.join(", "),
                        if cost == u64::MAX { "endless steps".to_owned() } else { format!("{cost} steps") },
                    ));
                }
            }
        }
        children(value).try_for_each(|child| self.walk(child))
    }

    /// The size of a member with all references in it followed.
    fn size(&mut self, member: &Member<'s>) -> u64 {
        match member {
            Member::Reference(reference) => match self.known.get(reference) {
                Some(known) => known.unwrap_or(u64::MAX),
                None => {
                    self.known.insert(reference, None);
                    let size = target(self.root, reference).map_or(1, |target| self.unfolded(target));
                    self.known.insert(reference, Some(size));
                    size
                }
            },
            Member::Whole(value) => self.unfolded(value),
            Member::Choice(options) => {
                options.iter().fold(1, |sum: u64, option| sum.saturating_add(self.unfolded(option)))
            }
            Member::Own(parts) => {
                parts.iter().fold(1, |sum: u64, part| sum.saturating_add(self.unfolded(part)))
            }
        }
    }

    fn unfolded(&mut self, value: &'s Value) -> u64 {
        match value {
            Value::Object(schema) => {
                let members = members(schema);
                members.iter().fold(1_u64, |size, member| size.saturating_mul(self.size(member)))
            }
            Value::Array(items) => {
                items.iter().fold(1, |sum: u64, item| sum.saturating_add(self.unfolded(item)))
            }
            _ => 1,
        }
    }
}

/// What a schema is merged from.
enum Member<'s> {
    Reference(&'s str),
    Whole(&'s Value),
    Choice(&'s [Value]),
    /// The keywords of its own, or a map of schemas.
    Own(Vec<&'s Value>),
}

fn members(schema: &Map<String, Value>) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    let mut own = Vec::new();
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("$ref", Value::String(reference)) => members.push(Member::Reference(reference)),
            ("allOf", Value::Array(parts)) => members.extend(parts.iter().map(Member::Whole)),
            ("anyOf" | "oneOf", Value::Array(options)) => members.push(Member::Choice(options)),
            ("properties" | "patternProperties", Value::Object(named)) => own.extend(named.values()),
            (key, _) if ANNOTATIONS.contains(&key) => {}
            (_, value) => own.push(value),
        }
    }
    if !own.is_empty() {
        members.push(Member::Own(own));
    }
    members
}
