//! What follows from scores: intervals, tests between methods, corrections, sizes of effects.
