//! Figures as SVG: heat maps and lines with title, axes, units and a legend.

mod canvas;
mod heat;
mod lines;

pub use heat::{Heat, Mark};
pub use lines::{Cut, Lines};
