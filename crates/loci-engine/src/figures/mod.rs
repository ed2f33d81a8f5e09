//! Figures as SVG: heat maps, lines, tables of small heat maps and curves with intervals, each with title, axes, units
//! and a legend.

mod canvas;
mod curves;
mod grid;
mod heat;
mod lines;
mod marks;
mod names;
mod shades;

pub use curves::{Curves, Point, Series};
pub use grid::{Grid, Panel};
pub use heat::{Heat, Mark};
pub use lines::{Cut, Lines};
