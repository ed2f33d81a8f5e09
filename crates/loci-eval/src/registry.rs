//! All tasks.

use loci_models::method::{MethodInfo, ParameterError, Values};

use crate::datasets::{
    BookSort, CnnSum, LicBench, LongBench, LongChatLines, LongChatTopics, LongIns, LongMemEval, LooGle, M4le,
    NeedleThreading, PiLlm, ScBench,
};
use crate::synthetic::Passkey;
use crate::task::Task;

/// All tasks, generated ones first.
pub const TASKS: &[&dyn Task] = &[
    &Passkey,
    &LongBench,
    &LongChatLines,
    &LongChatTopics,
    &LooGle,
    &PiLlm,
    &BookSort,
    &LicBench,
    &CnnSum,
    &LongMemEval,
    &LongIns,
    &NeedleThreading,
    &ScBench,
    &M4le,
];

/// The task of `id:name=value,…` and its values.
///
/// # Errors
/// [`ParameterError`] for an unknown task or parameter, or a value outside its domain.
pub fn parse(text: &str) -> Result<(&'static dyn Task, Values), ParameterError> {
    let infos: Vec<&'static MethodInfo> = TASKS.iter().map(|task| &task.info().method).collect();
    let values = Values::parse(text, "task", &infos)?;
    match TASKS.iter().find(|task| task.info().method.id == values.info().id) {
        Some(task) => Ok((*task, values)),
        None => Err(ParameterError::Combination(format!("{text}: no such task"))),
    }
}
