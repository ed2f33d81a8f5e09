//! A table of numbers as colours.

use std::ops::Range;

use super::canvas::{ACCENT, Anchor, Canvas, INK, LEFT, RIGHT, TOP, WIDTH, across, number, ticks};
use super::shades::{bar, shade};

/// A place on the horizontal axis that is pointed at.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Where, in units of the axis.
    pub at: Range<f64>,
    /// What is there.
    pub name: String,
}

/// A heat map: rows from below upwards, columns along the horizontal axis.
#[derive(Clone, Debug)]
pub struct Heat<'a> {
    /// Title.
    pub title: &'a str,
    /// The line below it.
    pub below: &'a str,
    /// `[rows][columns]`, not negative.
    pub rows: &'a [Vec<f64>],
    /// What the columns cover, in units of the horizontal axis.
    pub range: Range<f64>,
    /// Name of the horizontal axis with its unit.
    pub x: &'a str,
    /// Name of the vertical axis.
    pub y: &'a str,
    /// Name of the colours with their unit.
    pub colours: &'a str,
    /// The value of the darkest colour; `None`: the largest of all.
    pub most: Option<f64>,
    /// Whether small values are spread out (square root).
    pub spread: bool,
    /// Places that are pointed at.
    pub marks: &'a [Mark],
}

impl Heat<'_> {
    /// The figure.
    pub fn svg(&self) -> String {
        let row_height = (420.0 / self.rows.len().max(1) as f64).clamp(3.0, 40.0);
        let bottom = TOP + row_height * self.rows.len() as f64;
        let mut canvas = Canvas::new(WIDTH, bottom + 92.0);
        canvas.title(self.title, self.below);
        let largest = self.rows.iter().flatten().copied().fold(0.0, f64::max);
        let most = self.most.unwrap_or(largest).max(f64::MIN_POSITIVE);
        canvas.rect(LEFT..RIGHT, TOP..bottom, &shade(0.0));
        for (index, row) in self.rows.iter().enumerate() {
            let y = bottom - row_height * (index + 1) as f64;
            let width = (RIGHT - LEFT) / row.len().max(1) as f64;
            for (column, value) in row.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                let share = (value / most).min(1.0);
                let share = if self.spread { share.sqrt() } else { share };
                let x = LEFT + width * column as f64;
                // A hair wider, so that no light shines between cells.
                canvas.rect(x..(x + width + 0.3).min(RIGHT), y..y + row_height + 0.3, &shade(share));
            }
        }
        canvas.frame(LEFT..RIGHT, TOP..bottom, INK, 1.0);
        self.rows_named(&mut canvas, bottom, row_height);
        canvas.axis_below(bottom, &self.range, self.x);
        self.pointers(&mut canvas, bottom);
        self.legend(&mut canvas, bottom, most);
        canvas.finish()
    }

    /// Arrows above and below what is pointed at: the colours between them stay visible.
    fn pointers(&self, canvas: &mut Canvas, bottom: f64) {
        let mut named: Option<(f64, &str)> = None;
        for mark in self.marks {
            let x = across((mark.at.start + mark.at.end) / 2.0, &self.range);
            for (tip, base) in [(TOP - 1.0, TOP - 9.0), (bottom + 1.0, bottom + 9.0)] {
                let (left, right) = (x - 4.5, x + 4.5);
                canvas.put(&format!(
                    "<path d=\"M{x:.2} {tip:.2}L{left:.2} {base:.2}L{right:.2} {base:.2}Z\" fill=\"{ACCENT}\"/>"
                ));
            }
            // The same name twice at nearly one place could not be read.
            let near = named.is_some_and(|(place, name)| name == mark.name && (x - place).abs() < 60.0);
            if !near {
                let (anchor, shift) =
                    if x > RIGHT - 120.0 { (Anchor::End, -8.0) } else { (Anchor::Start, 8.0) };
                canvas.text(x + shift, TOP - 5.0, 12.0, ACCENT, anchor, &mark.name);
                named = Some((x, mark.name.as_str()));
            }
        }
    }

    fn rows_named(&self, canvas: &mut Canvas, bottom: f64, row_height: f64) {
        let count = self.rows.len();
        let step = if count <= 12 { 1 } else { 5 };
        for row in (0..count).step_by(step) {
            let y = bottom - row_height * (row as f64 + 0.5);
            canvas.line((LEFT - 5.0, y), (LEFT, y), INK, 1.0, "");
            canvas.text(LEFT - 9.0, y + 4.0, 12.0, INK, Anchor::End, &row.to_string());
        }
        canvas.text_upwards(LEFT - 46.0, (TOP + bottom) / 2.0, self.y);
    }

    /// The colours and what they stand for, to the right.
    fn legend(&self, canvas: &mut Canvas, bottom: f64, most: f64) {
        let height = (bottom - TOP).min(220.0);
        let wanted = if self.spread { vec![0.0, 0.0625, 0.25, 0.5625, 1.0] } else { vec![] };
        let shown: Vec<f64> = match self.spread {
            true => wanted.iter().map(|share| share * most).collect(),
            false => ticks(&(0.0..most), 5),
        };
        let places = shown.into_iter().map(|value| {
            let share = if self.spread { (value / most).sqrt() } else { value / most };
            let digits = if self.spread && most < 100.0 { format!("{value:.3}") } else { number(value) };
            (share, digits)
        });
        bar(canvas, RIGHT + 24.0, TOP..TOP + height, &places.collect::<Vec<_>>(), self.colours);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heat_map_has_title_axes_legend_and_marks() {
        let rows = vec![vec![0.0, 0.5], vec![1.0, 0.25]];
        let marks = [Mark { at: 10.0..12.0, name: "the <needle>".to_owned() }];
        let heat = Heat {
            title: "A title",
            below: "below it",
            rows: &rows,
            range: 0.0..32.0,
            x: "position (tokens)",
            y: "layer",
            colours: "mass (share)",
            most: None,
            spread: false,
            marks: &marks,
        };
        let svg = heat.svg();
        for part in
            ["A title", "below it", "position (tokens)", "layer", "mass (share)", "the &lt;needle&gt;"]
        {
            assert!(svg.contains(part), "{part}");
        }
        assert_eq!(svg.matches(&shade(1.0)).count(), 1);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
        let empty = Heat { rows: &[], marks: &[], ..heat }.svg();
        assert!(!empty.contains("NaN") && !empty.contains("inf"));
    }
}
