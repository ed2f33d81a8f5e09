//! Generated tasks: seeded, sized in tokens of the model under test, each with a program that solves it from its text.

mod data;
mod draw;
#[cfg(test)]
mod fixtures;
mod hay;
mod key_value;
mod lines;
mod make;
mod needle;
mod pairs;
mod passkey;
mod prose;
pub mod ruler;
mod scores;
mod words;

#[cfg(test)]
mod tests;

pub use key_value::KeyValue;
pub use lines::Lines;
pub use needle::Needle;
pub use passkey::Passkey;

#[cfg(test)]
pub(crate) fn passkey_values() -> loci_models::method::Values {
    loci_models::method::Values::defaults(&passkey::INFO.method)
}
