//! Values along an axis, and where it is cut.

use std::ops::Range;

use super::canvas::{ACCENT, Anchor, Canvas, GREY, INK, LEFT, RIGHT, TOP, across, number, ticks};

const BOTTOM: f64 = 356.0;
const BLUE: &str = "#2a6aa5";

/// A border on the horizontal axis.
#[derive(Clone, Copy, Debug)]
pub struct Cut(pub f64);

/// One value for each step of the horizontal axis, drawn as thin bars, with borders.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    /// Title.
    pub title: &'a str,
    /// The line below it.
    pub below: &'a str,
    /// Horizontal place and value.
    pub values: &'a [(f64, f64)],
    /// What the horizontal axis covers.
    pub range: Range<f64>,
    /// Name of the horizontal axis with its unit.
    pub x: &'a str,
    /// Name of the vertical axis with its unit.
    pub y: &'a str,
    /// What the bars are.
    pub name: &'a str,
    /// Borders.
    pub cuts: &'a [Cut],
    /// What the borders are.
    pub cuts_name: &'a str,
}

impl Lines<'_> {
    /// The figure.
    pub fn svg(&self) -> String {
        let mut canvas = Canvas::new(BOTTOM + 76.0);
        canvas.title(self.title, self.below);
        let finite = self.values.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
        let most = finite.fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1.05;
        let height = |value: f64| BOTTOM - (BOTTOM - TOP) * (value / most).clamp(0.0, 1.0);
        for tick in ticks(&(0.0..most), 5) {
            canvas.line((LEFT, height(tick)), (RIGHT, height(tick)), "#e4e8ec", 1.0, "");
            canvas.text(LEFT - 9.0, height(tick) + 4.0, 12.0, INK, Anchor::End, &number(tick));
        }
        for Cut(at) in self.cuts {
            let x = across(*at, &self.range);
            canvas.line((x, TOP), (x, BOTTOM), ACCENT, 0.9, "stroke-opacity=\"0.65\"");
        }
        let width = ((RIGHT - LEFT) / self.values.len().max(1) as f64).clamp(0.6, 3.0);
        let mut path = String::new();
        for (at, value) in self.values.iter().filter(|(_, value)| value.is_finite() && *value > 0.0) {
            path.push_str(&format!("M{:.2} {BOTTOM}V{:.2}", across(*at, &self.range), height(*value)));
        }
        if !path.is_empty() {
            canvas.put(&format!(
                "<path d=\"{path}\" stroke=\"{BLUE}\" stroke-width=\"{width:.2}\" fill=\"none\"/>"
            ));
        }
        canvas.frame(LEFT..RIGHT, TOP..BOTTOM, INK, 1.0);
        canvas.axis_below(BOTTOM, &self.range, self.x);
        canvas.text_upwards(LEFT - 46.0, (TOP + BOTTOM) / 2.0, self.y);
        let x = RIGHT + 16.0;
        canvas.line((x, TOP + 10.0), (x + 18.0, TOP + 10.0), BLUE, 3.0, "");
        canvas.text(x + 24.0, TOP + 14.0, 12.0, INK, Anchor::Start, self.name);
        if !self.cuts.is_empty() {
            canvas.line((x, TOP + 30.0), (x + 18.0, TOP + 30.0), ACCENT, 1.6, "");
            canvas.text(x + 24.0, TOP + 34.0, 12.0, INK, Anchor::Start, self.cuts_name);
            canvas.text(x + 24.0, TOP + 50.0, 11.5, GREY, Anchor::Start, &format!("({})", self.cuts.len()));
        }
        canvas.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_borders_are_drawn() {
        let values = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
        let cuts = [Cut(2.0)];
        let lines = Lines {
            title: "Surprise",
            below: "of a text",
            values: &values,
            range: 0.0..3.0,
            x: "position (tokens)",
            y: "surprise (nats)",
            name: "surprise",
            cuts: &cuts,
            cuts_name: "event begins",
        };
        let svg = lines.svg();
        for part in ["Surprise", "of a text", "position (tokens)", "surprise (nats)", "event begins"] {
            assert!(svg.contains(part), "{part}");
        }
        assert_eq!(svg.matches('V').count(), 2, "what is no number is not drawn");
        assert!(!svg.contains("NaN"));
        let empty = Lines { values: &[], cuts: &[], ..lines }.svg();
        assert!(!empty.contains("NaN") && !empty.contains("inf") && !empty.contains("event begins"));
    }
}
