//! Generated tasks: seeded, sized in tokens of the model under test, each with a program that solves it from its text.

mod passkey;

pub use passkey::Passkey;

#[cfg(test)]
pub(crate) fn passkey_values() -> loci_models::method::Values {
    loci_models::method::Values::defaults(&passkey::INFO.method)
}
