//! Heat maps of few cells side by side, one for each method, every cell with its number.

use super::canvas::{Anchor, Canvas, GREY, INK, LEFT, RIGHT, TOP, ticks};
use super::names::{Name, width, wrapped};
use super::shades::{bar, ink_on, shade};

/// Between panels, sideways and downwards.
const GAP: f64 = 24.0;
/// A panel is no narrower, so that a name has room above it.
const NARROWEST: f64 = 150.0;
/// Where nothing was measured.
const MISSING: &str = "#e3e5e8";
const LABEL: f64 = 12.0;

/// One heat map of a `Grid`.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What was measured, such as a method with its parameters.
    pub name: String,
    /// `[rows][columns]`, shares between 0 and 1. `None`, what is no number and what lacks: not measured.
    pub cells: Vec<Vec<Option<f64>>>,
}

/// Panels with the same rows and columns and one scale of colours from 0 to 1, such as the accuracy of several methods
/// by length and depth.
#[derive(Clone, Debug)]
pub struct Grid<'a> {
    /// Title.
    pub title: &'a str,
    /// The line below it.
    pub below: &'a str,
    /// The panels, in lines from the left.
    pub panels: &'a [Panel],
    /// Names of the columns. Cells beyond them are not drawn.
    pub columns: &'a [String],
    /// Names of the rows, the first on top. Cells beyond them are not drawn.
    pub rows: &'a [String],
    /// Name of the horizontal axis with its unit.
    pub x: &'a str,
    /// Name of the vertical axis with its unit.
    pub y: &'a str,
    /// What the colours mean, with its unit.
    pub colours: &'a str,
}

/// Sizes and places of a grid.
struct Layout<'a> {
    /// The left edge of the first panel.
    left: f64,
    /// Panels in a line.
    beside: usize,
    cell: (f64, f64),
    /// Of one panel, without its name.
    panel: (f64, f64),
    /// The upper edge of each line of panels.
    tops: Vec<f64>,
    /// The upper end of the name of the horizontal axis.
    below: f64,
    names: Vec<Name<'a>>,
    columns: Vec<Vec<String>>,
}

impl Grid<'_> {
    /// The figure.
    pub fn svg(&self) -> String {
        if self.panels.is_empty() || self.columns.is_empty() || self.rows.is_empty() {
            let mut canvas = Canvas::new(640.0, TOP + 40.0);
            canvas.title(self.title, self.below);
            canvas.text(LEFT, TOP + 18.0, 13.0, GREY, Anchor::Start, "no values");
            return canvas.finish();
        }
        let layout = self.layout();
        let first = layout.tops.first().copied().unwrap_or(TOP);
        let right = layout.left + layout.beside as f64 * (layout.panel.0 + GAP) - GAP;
        let missing = self.panels.iter().any(|panel| {
            (0..self.rows.len()).any(|row| (0..self.columns.len()).any(|at| panel.cell(row, at).is_none()))
        });
        let end = first + (layout.below - first - 30.0).clamp(120.0, 220.0);
        let height = (layout.below + 28.0).max(end + if missing { 60.0 } else { 24.0 });
        let mut canvas = Canvas::new((right + 144.0).max(640.0), height);
        canvas.title(self.title, self.below);
        for (index, (panel, name)) in self.panels.iter().zip(&layout.names).enumerate() {
            let x = layout.left + (index % layout.beside) as f64 * (layout.panel.0 + GAP);
            let y = layout.tops.get(index / layout.beside).copied().unwrap_or(first);
            name.draw(&mut canvas, x, y - name.height() - 4.0);
            self.panel(&mut canvas, panel, (x, y), &layout);
            if index % layout.beside == 0 {
                self.rows_named(&mut canvas, x, y, layout.cell.1);
            }
        }
        let middle = layout.left.midpoint(right);
        canvas.text(middle, layout.below + 14.0, 13.0, INK, Anchor::Middle, self.x);
        let (middle, room) = (first.midpoint(layout.below - 24.0), (layout.below - TOP).max(180.0));
        for (line, part) in wrapped(self.y, 13.0, room, 2).iter().rev().enumerate() {
            canvas.text_upwards(layout.left - self.beside_rows() - 16.0 * line as f64, middle, part);
        }
        let places = ticks(&(0.0..1.0), 5).into_iter().map(|share| (share, format!("{share:.1}")));
        let x = right + 30.0;
        bar(&mut canvas, x, first..end, &places.collect::<Vec<_>>(), self.colours);
        if missing {
            nothing(&mut canvas, (x - 4.0, end + 22.0), (24.0, 18.0));
            canvas.text(x + 26.0, end + 35.0, 11.5, INK, Anchor::Start, "not measured");
        }
        canvas.finish()
    }

    /// The room that the names of the rows take.
    fn beside_rows(&self) -> f64 {
        self.rows.iter().map(|row| width(row, LABEL)).fold(0.0, f64::max).min(120.0) + 24.0
    }

    fn layout(&self) -> Layout<'_> {
        let count = self.columns.len() as f64;
        let left = LEFT.max(self.beside_rows() + 34.0);
        let label = self.columns.iter().map(|column| width(column, LABEL)).fold(0.0, f64::max);
        let narrowest = (label + 8.0).clamp(42.0, 80.0).max(NARROWEST / count);
        // As many beside each other as fit, then as few as make no more lines.
        let room = RIGHT - left + GAP;
        let most = (room / (narrowest * count + GAP)).floor().max(1.0) as usize;
        let lines = self.panels.len().div_ceil(most);
        let beside = self.panels.len().div_ceil(lines);
        let wide = ((room / beside as f64 - GAP) / count).clamp(narrowest, narrowest.max(66.0));
        let tall = if self.rows.len() > 6 { 24.0 } else { 32.0 };
        let columns: Vec<_> =
            self.columns.iter().map(|column| wrapped(column, LABEL, wide - 4.0, 2)).collect();
        let labels = 15.0 * columns.iter().map(Vec::len).max().unwrap_or(1) as f64 + 4.0;
        let panel = (wide * count, tall * self.rows.len() as f64);
        let names: Vec<_> = self.panels.iter().map(|panel| Name::new(&panel.name, wide * count)).collect();
        let (mut y, mut tops) = (TOP + 8.0, Vec::new());
        for line in names.chunks(beside) {
            y += line.iter().map(Name::height).fold(0.0, f64::max) + 4.0;
            tops.push(y);
            y += panel.1 + labels + GAP * 0.75;
        }
        let below = y - GAP * 0.75 + 8.0;
        Layout { left, beside, cell: (wide, tall), panel, tops, below, names, columns }
    }

    fn panel(&self, canvas: &mut Canvas, panel: &Panel, (x, y): (f64, f64), layout: &Layout<'_>) {
        let (wide, tall) = layout.cell;
        for (row, row_name) in self.rows.iter().enumerate() {
            for (column, column_name) in self.columns.iter().enumerate() {
                let at = (x + wide * column as f64, y + tall * row as f64);
                let place = format!("{}, {column_name}, {row_name}", panel.name);
                let Some(value) = panel.cell(row, column) else {
                    canvas
                        .group(&format!("{place}: not measured"), |canvas| nothing(canvas, at, layout.cell));
                    continue;
                };
                let shown = format!("{value:.2}");
                let size = ((wide - 6.0) / width(&shown, 1.0)).min(12.5);
                canvas.group(&format!("{place}: {shown}"), |canvas| {
                    canvas.rect(at.0..at.0 + wide, at.1..at.1 + tall, &shade(value));
                    let base = at.1 + tall / 2.0 + size * 0.36;
                    canvas.text(at.0 + wide / 2.0, base, size, ink_on(value), Anchor::Middle, &shown);
                });
            }
        }
        let (width, height) = layout.panel;
        for column in 1..self.columns.len() {
            let x = x + wide * column as f64;
            canvas.line((x, y), (x, y + height), "#ffffff", 1.5, "");
        }
        for row in 1..self.rows.len() {
            let y = y + tall * row as f64;
            canvas.line((x, y), (x + width, y), "#ffffff", 1.5, "");
        }
        canvas.frame(x..x + width, y..y + height, GREY, 0.8);
        for (column, lines) in layout.columns.iter().enumerate() {
            let x = x + wide * (column as f64 + 0.5);
            for (line, part) in lines.iter().enumerate() {
                canvas.text(x, y + height + 16.0 + 15.0 * line as f64, LABEL, INK, Anchor::Middle, part);
            }
        }
    }

    fn rows_named(&self, canvas: &mut Canvas, x: f64, y: f64, tall: f64) {
        for (row, name) in self.rows.iter().enumerate() {
            let base = y + tall * (row as f64 + 0.5) + 4.0;
            canvas.group(name, |canvas| {
                for part in wrapped(name, LABEL, 120.0, 1) {
                    canvas.text(x - 9.0, base, LABEL, INK, Anchor::End, &part);
                }
            });
        }
    }
}

impl Panel {
    fn cell(&self, row: usize, column: usize) -> Option<f64> {
        self.cells.get(row)?.get(column).copied().flatten().filter(|value| value.is_finite())
    }
}

/// A cell without a value.
fn nothing(canvas: &mut Canvas, (x, y): (f64, f64), (wide, tall): (f64, f64)) {
    canvas.rect(x..x + wide, y..y + tall, MISSING);
    canvas.text(x + wide / 2.0, y + tall / 2.0 + 4.5, 12.5, GREY, Anchor::Middle, "–");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn grid<'a>(panels: &'a [Panel], columns: &'a [String], rows: &'a [String]) -> Grid<'a> {
        Grid {
            title: "A title",
            below: "below it",
            panels,
            columns,
            rows,
            x: "length (tokens)",
            y: "depth",
            colours: "accuracy (share)",
        }
    }

    /// The left edges of the frames of panels.
    fn frames(svg: &str) -> Vec<String> {
        let frames =
            svg.lines().filter(|line| line.contains("fill=\"none\"") && !line.contains("width=\"16.00"));
        frames.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
    }

    #[test]
    fn every_cell_shows_its_number_or_that_there_is_none() {
        let panel = Panel {
            name: "a<b:window=4".to_owned(),
            cells: vec![vec![Some(0.8), None], vec![Some(f64::NAN), Some(1.0), Some(0.3)]],
        };
        let (panels, columns, rows) = ([panel], names(&["2k", "8k"]), names(&["0.1", "0.5", "0.9"]));
        let svg = grid(&panels, &columns, &rows).svg();
        for part in ["A title", "below it", "length (tokens)", "depth", "accuracy (share)", "a&lt;b</text>"] {
            assert!(svg.contains(part), "{part}");
        }
        let cells: Vec<&str> =
            svg.lines().filter_map(|line| line.strip_prefix("<g><title>a&lt;b:window=4, ")).collect();
        let expected = [
            "2k, 0.1: 0.80",
            "8k, 0.1: not measured",
            "2k, 0.5: not measured",
            "8k, 0.5: 1.00",
            "2k, 0.9: not measured",
            "8k, 0.9: not measured",
        ];
        assert_eq!(cells, expected.map(|cell| format!("{cell}</title>")));
        assert!(svg.contains(">0.80</text>") && svg.contains(">1.00</text>") && !svg.contains("0.30"));
        assert!(svg.contains(&shade(0.8)) && !svg.contains("NaN"));
        // Four cells and the legend.
        assert_eq!((svg.matches(MISSING).count(), svg.matches(">–<").count()), (5, 5));
        let whole = [Panel { name: "full".to_owned(), cells: vec![vec![Some(0.5); 2]; 3] }];
        assert!(!grid(&whole, &columns, &rows).svg().contains("not measured"));
    }

    #[test]
    fn panels_stand_in_even_lines() {
        let (columns, rows) = (names(&["2k", "8k", "16k"]), names(&["0.1"]));
        let panels: Vec<Panel> =
            (0..12).map(|at| Panel { name: format!("m{at}"), cells: vec![vec![Some(0.5); 3]] }).collect();
        for (count, beside) in [(1, 1), (3, 3), (5, 3), (8, 4), (12, 4)] {
            let svg = grid(&panels[..count], &columns, &rows).svg();
            let mut lefts = frames(&svg);
            assert_eq!(lefts.len(), count);
            lefts.sort();
            lefts.dedup();
            assert_eq!(lefts.len(), beside, "{count}");
            assert_eq!(svg.matches(">16k</text>").count(), count);
        }
    }

    #[test]
    fn nothing_to_show_is_said() {
        let panels = [Panel { name: String::new(), cells: Vec::new() }];
        let (columns, rows) = (names(&["2k"]), names(&["0.1"]));
        for empty in [grid(&[], &columns, &rows), grid(&panels, &[], &rows), grid(&panels, &columns, &[])] {
            let svg = empty.svg();
            assert!(svg.contains("A title") && svg.contains("no values") && !svg.contains("NaN"));
        }
        let svg = grid(&panels, &columns, &rows).svg();
        assert!(svg.contains("not measured") && !svg.contains("inf") && !svg.contains("NaN"));
    }
}
