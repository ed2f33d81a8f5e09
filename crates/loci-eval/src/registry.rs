//! All tasks.

use loci_models::method::{MethodInfo, ParameterError, Values};

use crate::datasets::{
    BookSort, CnnSum, LicBench, LongBench, LongChatLines, LongChatTopics, LongIns, LongMemEval, LooGle, M4le,
    NeedleThreading, PiLlm, ScBench,
};
use crate::synthetic::ruler::{self, CommonWords, FrequentWords, VariableTracking};
use crate::synthetic::{
    self, Extraction, FirstSentence, JointRecall, KeyValue, Lines, Mqar, Needle, OrderedEvents, Passkey,
    PiUpdates,
};
use crate::task::Task;

/// All tasks, generated ones first.
pub const TASKS: &[&dyn Task] = &[
    &Passkey,
    &Needle,
    &KeyValue,
    &Lines,
    &ruler::NIAH_SINGLE_1,
    &ruler::NIAH_SINGLE_2,
    &ruler::NIAH_SINGLE_3,
    &ruler::NIAH_MULTIKEY_1,
    &ruler::NIAH_MULTIKEY_2,
    &ruler::NIAH_MULTIKEY_3,
    &ruler::NIAH_MULTIVALUE,
    &ruler::NIAH_MULTIQUERY,
    &VariableTracking,
    &CommonWords,
    &FrequentWords,
    &ruler::RULER_QA_1,
    &ruler::RULER_QA_2,
    &synthetic::THREAD_SINGLE,
    &synthetic::THREAD_MULTI,
    &synthetic::THREAD_CONDITIONAL,
    &synthetic::THREAD_ONE,
    &synthetic::THREAD_MULTI_THREAD,
    &synthetic::THREAD_BRANCHED,
    &PiUpdates,
    &synthetic::Babilong,
    &synthetic::ALTERED_NUMERIC_QA,
    &synthetic::FREE_FORM_QA,
    &Extraction,
    &synthetic::VAL_DOCUMENT,
    &synthetic::VAL_CODE,
    &synthetic::VAL_DATABASE,
    &FirstSentence,
    &OrderedEvents,
    &Mqar,
    &JointRecall,
    &synthetic::Perplexity,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_task_is_declared_once_and_in_words() {
        let ids: BTreeSet<&str> = TASKS.iter().map(|task| task.info().method.id).collect();
        assert_eq!(ids.len(), TASKS.len());
        for info in TASKS.iter().map(|task| task.info()) {
            let method = &info.method;
            assert!(
                method.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{}",
                method.id
            );
            for text in [method.title, method.description, method.paper, method.cost, info.metric] {
                assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", method.id);
            }
            assert!(!method.invariants.is_empty() && method.family == "task", "{}", method.id);
        }
    }

    #[test]
    fn a_task_is_found_with_its_values() {
        let (task, values) = parse("passkey:digits=3").unwrap();
        assert_eq!((task.info().method.id, values.size("digits")), ("passkey", 3));
        assert!(parse("no-such-task").is_err() && parse("passkey:no=1").is_err());
    }
}
