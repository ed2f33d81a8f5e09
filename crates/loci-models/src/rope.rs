//! RoPE schedules. stub: signatures only
use crate::method::MethodInfo;

/// A position schedule: from (pair, position) to an angle, in f64, plus the attention scale.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeSchedule {
    /// Radians per position of each pair, fastest first; `head_dim / 2` of them.
    pub frequencies: Vec<f64>,
    /// Rotated queries and keys are multiplied by this (YaRN's temperature); 1 for the others.
    pub attention_scale: f64,
}
impl RopeSchedule {
    /// cos and sin of all pairs at a real-valued position, each times `attention_scale`; both `[pairs]`.
    pub fn rotation(&self, _position: f64, _cos: &mut [f32], _sin: &mut [f32]) { unimplemented!() }
}
/// The declared schedules.
pub const SCHEDULES: &[&MethodInfo] = &[];
