//! RoPE schedules: at which angle a pair of a head stands at a position.
//!
//! Every schedule is a pure function in f64 from the model's base, head size and trained window, and for a few
//! of them the planned length, to a [`RopeSchedule`]. One file a schedule, each with its declaration; a new one
//! adds its file and its line in the list below.

mod abf;
mod config;
mod dynamic_ntk;
mod e2;
mod giraffe;
mod linear;
mod llama3;
mod none;
mod ntk;
mod power;
mod rule;
mod schedule;
mod spec;
mod truncated;
mod yarn;

#[cfg(test)]
mod tests;

pub use config::{RopeConfig, RopeScaling};
pub use schedule::RopeSchedule;
pub use spec::RopeSpec;

use crate::method::MethodInfo;
use rule::Rule;

const RULES: [Rule; 10] = [
    none::RULE,
    linear::RULE,
    ntk::RULE,
    dynamic_ntk::RULE,
    yarn::RULE,
    llama3::RULE,
    abf::RULE,
    truncated::RULE,
    power::RULE,
    e2::RULE,
];

/// What the tests prove about every declared schedule.
pub const INVARIANTS: &[&str] = &[
    "frequencies equal those of an independent script to 1e-12",
    "another base aside, no pair turns faster than with stock positions, and none backwards",
    "models that it cannot be applied to are refused",
];

/// The declared schedules.
pub const SCHEDULES: &[&MethodInfo] = &{
    let mut infos = [RULES[0].info; RULES.len()];
    let mut i = 0;
    while i < RULES.len() {
        infos[i] = RULES[i].info;
        i += 1;
    }
    infos
};
