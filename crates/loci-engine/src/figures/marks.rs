//! How series are told apart: colour, line and mark.

use super::canvas::{Canvas, INK};

/// Told apart by most colour-blind readers, as Okabe and Ito (2008) chose them; their yellow is too pale for thin lines.
const COLOURS: [&str; 7] = [INK, "#0072b2", "#d55e00", "#009e73", "#b8559a", "#cf8a00", "#3fa3dc"];
/// Lines of the first seven series, the next seven, and so on.
const DASHES: [&str; 3] = ["", "stroke-dasharray=\"6 3\"", "stroke-dasharray=\"1.5 2.5\""];

/// How a series looks.
pub(super) struct Style {
    pub(super) colour: &'static str,
    pub(super) dash: &'static str,
    pub(super) shape: usize,
    hollow: bool,
}

impl Style {
    pub(super) fn of(index: usize) -> Self {
        let (round, place) = (index / COLOURS.len(), index % COLOURS.len());
        Self {
            colour: COLOURS.get(place).copied().unwrap_or(INK),
            dash: DASHES.get(round % DASHES.len()).copied().unwrap_or(""),
            // Another shape for the same colour in each round.
            shape: (place + round) % 7,
            hollow: round % 2 == 1,
        }
    }

    pub(super) fn mark(&self, canvas: &mut Canvas, x: f64, y: f64) {
        let outline: &[(f64, f64)] = match self.shape {
            0 => {
                let fill = self.fill();
                return canvas.put(&format!(
                    "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"3.8\" fill=\"{fill}\" stroke=\"{}\" stroke-width=\"1.2\"/>",
                    self.colour
                ));
            }
            1 => &[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)],
            2 => &[(0.0, -4.6), (4.3, 3.2), (-4.3, 3.2)],
            3 => &[(0.0, -4.9), (4.5, 0.0), (0.0, 4.9), (-4.5, 0.0)],
            4 => &[(0.0, 4.6), (4.3, -3.2), (-4.3, -3.2)],
            5 => &[
                (-1.5, -4.5),
                (1.5, -4.5),
                (1.5, -1.5),
                (4.5, -1.5),
                (4.5, 1.5),
                (1.5, 1.5),
                (1.5, 4.5),
                (-1.5, 4.5),
                (-1.5, 1.5),
                (-4.5, 1.5),
                (-4.5, -1.5),
                (-1.5, -1.5),
            ],
            // An hourglass.
            _ => &[(-4.0, -4.2), (4.0, -4.2), (-4.0, 4.2), (4.0, 4.2)],
        };
        let places: Vec<_> = outline.iter().map(|(dx, dy)| format!("{:.2} {:.2}", x + dx, y + dy)).collect();
        canvas.put(&format!(
            "<path d=\"M{}Z\" fill=\"{}\" stroke=\"{}\" stroke-width=\"1.2\" stroke-linejoin=\"round\"/>",
            places.join("L"),
            self.fill(),
            self.colour
        ));
    }

    fn fill(&self) -> &'static str {
        if self.hollow { "#ffffff" } else { self.colour }
    }
}
