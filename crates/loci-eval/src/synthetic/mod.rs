//! Generated tasks: seeded, sized in tokens of the model under test, each with a program that solves it from its text.

mod babilong;
mod data;
mod documents;
mod draw;
mod extraction;
mod first_sentence;
#[cfg(test)]
mod fixtures;
mod hay;
mod joint_recall;
mod key_lines;
mod key_value;
mod lines;
mod make;
mod mqar;
mod needle;
mod ordered_events;
mod pairs;
mod passkey;
mod perplexity;
mod pi_updates;
mod probing;
mod prose;
pub mod ruler;
mod scores;
mod threading;
mod words;

#[cfg(test)]
mod tests;

pub use babilong::Babilong;
pub use documents::{ALTERED_NUMERIC_QA, Documents, FREE_FORM_QA};
pub use extraction::Extraction;
pub use first_sentence::FirstSentence;
pub use joint_recall::JointRecall;
pub use key_value::KeyValue;
pub use lines::Lines;
#[cfg(feature = "memory")]
pub(crate) use make::listed;
pub use mqar::Mqar;
pub use needle::Needle;
pub use ordered_events::OrderedEvents;
pub use passkey::Passkey;
pub use perplexity::Perplexity;
pub use pi_updates::PiUpdates;
pub use probing::{Probing, VAL_CODE, VAL_DATABASE, VAL_DOCUMENT};
pub use threading::{
    THREAD_BRANCHED, THREAD_CONDITIONAL, THREAD_MULTI, THREAD_MULTI_THREAD, THREAD_ONE, THREAD_SINGLE,
    Threading,
};

#[cfg(test)]
pub(crate) fn passkey_values() -> loci_models::method::Values {
    loci_models::method::Values::defaults(&passkey::INFO.method)
}
