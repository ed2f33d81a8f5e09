//! Looking into a model: which heads copy from the context, where a text surprises, what an answer attended to.

pub mod attention;
pub mod copies;
pub mod heads;
pub mod masking;
pub mod needles;
pub mod surprise;
pub mod table;
