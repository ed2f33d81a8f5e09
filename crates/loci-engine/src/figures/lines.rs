//! Values along an axis, and where it is cut.

use std::ops::Range;

use super::canvas::{ACCENT, Anchor, Canvas, GREY, INK, LEFT, RIGHT, TOP, WIDTH, across, number, ticks};

const BOTTOM: f64 = 356.0;
const BLUE: &str = "#2a6aa5";

/// A border on the horizontal axis.
#[derive(Clone, Copy, Debug)]
pub struct Cut(pub f64);

/// Values for which there is room side by side. Of more, some share a bar: its dark part is their mean, its light part
/// reaches up to the largest.
const BARS: usize = 400;
/// Borders that may be drawn across the values. More would hide them, and are marked at the upper edge only.
const CUTS: usize = 80;
const LIGHT: &str = "#a9c6e2";

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
        let mut canvas = Canvas::new(WIDTH, BOTTOM + 76.0);
        canvas.title(self.title, self.below);
        let finite = self.values.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
        let most = finite.fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1.05;
        let height = |value: f64| BOTTOM - (BOTTOM - TOP) * (value / most).clamp(0.0, 1.0);
        for tick in ticks(&(0.0..most), 5) {
            canvas.level(LEFT..RIGHT, height(tick), &number(tick));
        }
        let (end, opacity) = if self.cuts.len() > CUTS { (TOP + 12.0, 1.0) } else { (BOTTOM, 0.65) };
        for Cut(at) in self.cuts {
            let x = across(*at, &self.range);
            canvas.line((x, TOP), (x, end), ACCENT, 0.9, &format!("stroke-opacity=\"{opacity}\""));
        }
        let together = self.values.len().div_ceil(BARS).max(1);
        let bars = self.bars(together);
        let width = ((RIGHT - LEFT) / bars.len().max(1) as f64).clamp(0.6, 3.0);
        let mut draw = |colour: &str, value: fn(&Bar) -> f64| {
            let mut path = String::new();
            for bar in bars.iter().filter(|bar| value(bar) > 0.0) {
                path.push_str(&format!(
                    "M{:.2} {BOTTOM}V{:.2}",
                    across(bar.at, &self.range),
                    height(value(bar))
                ));
            }
            if !path.is_empty() {
                canvas.put(&format!(
                    "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width:.2}\" fill=\"none\"/>"
                ));
            }
        };
        if together > 1 {
            draw(LIGHT, |bar| bar.largest);
        }
        draw(BLUE, |bar| bar.mean);
        canvas.frame(LEFT..RIGHT, TOP..BOTTOM, INK, 1.0);
        canvas.axis_below(BOTTOM, &self.range, self.x);
        canvas.text_upwards(LEFT - 46.0, (TOP + BOTTOM) / 2.0, self.y);
        let x = RIGHT + 16.0;
        let mut y = TOP + 10.0;
        let mut legend = |colour: &str, width: f64, name: &str, below: &str| {
            canvas.line((x, y), (x + 18.0, y), colour, width, "");
            canvas.text(x + 24.0, y + 4.0, 12.0, INK, Anchor::Start, name);
            canvas.text(x + 24.0, y + 20.0, 11.5, GREY, Anchor::Start, below);
            y += if below.is_empty() { 20.0 } else { 40.0 };
        };
        if together > 1 {
            legend(BLUE, 3.0, self.name, &format!("mean of {together}"));
            legend(LIGHT, 3.0, self.name, &format!("largest of {together}"));
        } else {
            legend(BLUE, 3.0, self.name, "");
        }
        if !self.cuts.is_empty() {
            legend(ACCENT, 1.6, self.cuts_name, &format!("({})", self.cuts.len()));
        }
        canvas.finish()
    }

    /// Bars of so many values each; what is no number is left out.
    fn bars(&self, together: usize) -> Vec<Bar> {
        let bar = |values: &[(f64, f64)]| {
            let finite: Vec<f64> =
                values.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).collect();
            let (first, last) = (values.first()?.0, values.last()?.0);
            (!finite.is_empty()).then(|| Bar {
                at: first.midpoint(last),
                mean: finite.iter().sum::<f64>() / finite.len() as f64,
                largest: finite.iter().copied().fold(0.0, f64::max),
            })
        };
        self.values.chunks(together).filter_map(bar).collect()
    }
}

/// Values that share a bar.
struct Bar {
    at: f64,
    mean: f64,
    largest: f64,
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
        let many: Vec<(f64, f64)> = (0..1000).map(|at| (f64::from(at), f64::from(at % 2))).collect();
        let cuts: Vec<Cut> = (0..500).map(|at| Cut(f64::from(at) * 2.0)).collect();
        let shared = Lines { values: &many, range: 0.0..1000.0, cuts: &cuts, ..lines.clone() };
        // 1,000 values in bars of three, a mean and a largest each.
        assert_eq!((shared.bars(3).len(), shared.svg().matches('V').count()), (334, 2 * 334));
        assert!(shared.svg().contains("largest of 3"));
        let empty = Lines { values: &[], cuts: &[], ..lines }.svg();
        assert!(!empty.contains("NaN") && !empty.contains("inf") && !empty.contains("event begins"));
    }
}
