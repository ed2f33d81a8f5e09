//! Examples made once: a long text that fits to the token takes some tries to find.

use std::path::Path;

use crate::error::EvalError;
use crate::example::Example;
use crate::run::hash;
use crate::task::{Request, Task};

/// The examples of a request, from `folder` if they were made before, else made and kept there.
///
/// `tokenizer` names what the request's tokens are of: a model's name with the size of its vocabulary. Examples from data
/// sets are read again each time, for their files may change.
///
/// # Errors
/// As [`Task::examples`], and [`EvalError::File`].
pub fn examples(
    task: &dyn Task,
    request: &Request<'_>,
    tokenizer: &str,
    folder: &Path,
) -> Result<Vec<Example>, EvalError> {
    if request.data.is_some() || !task.info().sized {
        return checked(task, task.examples(request)?);
    }
    let name = format!(
        "{}-{}.json",
        task.info().method.id,
        hash(&[
            env!("CARGO_PKG_VERSION"),
            &request.values.to_string(),
            &format!("{:?} {:?} {} {}", request.lengths, request.depths, request.n, request.seed),
            &format!("{tokenizer} {}", request.tokens.overhead()),
            request.haystack.unwrap_or_default(),
        ])
    );
    let path = folder.join(name);
    // What cannot be read is made again: it is a cache.
    let kept =
        std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Vec<Example>>(&bytes).ok());
    if let Some(examples) = kept {
        return Ok(examples);
    }
    let examples = checked(task, task.examples(request)?)?;
    let failed = |source| EvalError::File { path: path.display().to_string(), source };
    let text = serde_json::to_string(&examples).map_err(|error| failed(error.into()))?;
    loci_engine::files::write(&path, &text).map_err(failed)?;
    Ok(examples)
}

/// Refuses a task without examples, and examples without questions.
fn checked(task: &dyn Task, examples: Vec<Example>) -> Result<Vec<Example>, EvalError> {
    let id = task.info().method.id;
    if examples.is_empty() {
        return Err(EvalError::Nothing(format!("{id} has no examples for this request")));
    }
    match examples.iter().find(|example| example.turns.is_empty()) {
        Some(example) => Err(EvalError::Nothing(format!("{id}: example {} asks nothing", example.id))),
        None => Ok(examples),
    }
}
