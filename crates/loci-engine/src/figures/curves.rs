//! Several series over the same few places, each value with its interval.

use std::ops::Range;

use super::canvas::{Anchor, Canvas, GREY, INK, LEFT, TOP, WIDTH, number, ticks};
use super::marks::Style;
use super::names::{Name, width, wrapped};

const BOTTOM: f64 = TOP + 392.0;
/// The axis is drawn so far beyond its range, so that a mark at its end is seen whole.
const MARGIN: f64 = 10.0;
const LABEL: f64 = 12.0;
/// The sample of a line in the legend, and the room a name may take there.
const SAMPLE: f64 = 44.0;
const NAME: f64 = 220.0;

/// A value with its interval, in units of the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// What was measured.
    pub value: f64,
    /// The lower end of its interval. No interval is drawn where one of its ends is no number.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
}

/// What was measured of one method.
#[derive(Clone, Debug)]
pub struct Series {
    /// The method with its parameters.
    pub name: String,
    /// One for each column; `None` and what is no number: not measured.
    pub points: Vec<Option<Point>>,
}

/// Series over named columns, such as the accuracy of several methods by length. Series stand a little beside each
/// other in a column, so that no interval hides another. Up to 49 of them differ in colour or mark.
#[derive(Clone, Debug)]
pub struct Curves<'a> {
    /// Title.
    pub title: &'a str,
    /// The line below it; it should say what the intervals are.
    pub below: &'a str,
    /// The series.
    pub series: &'a [Series],
    /// Names of the columns. Points beyond them are not drawn.
    pub columns: &'a [String],
    /// Name of the horizontal axis with its unit.
    pub x: &'a str,
    /// Name of the vertical axis with its unit.
    pub y: &'a str,
    /// What the vertical axis covers. What lies outside is not drawn.
    pub range: Range<f64>,
    /// For each column the value of who guesses, a thin dashed line; none where it is not known.
    pub chance: &'a [Option<f64>],
}

/// Where columns and values stand.
struct Field {
    right: f64,
    slot: f64,
    /// From one series to the next.
    step: f64,
    count: usize,
    range: Range<f64>,
}

impl Field {
    fn x(&self, series: usize, column: usize) -> f64 {
        let aside = self.step * (series as f64 - self.count.saturating_sub(1) as f64 / 2.0);
        LEFT + self.slot * (column as f64 + 0.5) + aside
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        BOTTOM - MARGIN - (BOTTOM - TOP - 2.0 * MARGIN) * share
    }

    /// The part of a line inside the range; its ends are a place and a value.
    fn inside(&self, from: (f64, f64), to: (f64, f64)) -> Option<[(f64, f64); 2]> {
        let (low, high) = (self.range.start, self.range.end);
        let finite = from.1.is_finite() && to.1.is_finite();
        if !finite || from.1.max(to.1) < low || from.1.min(to.1) > high {
            return None;
        }
        Some([from, to].map(|(x, value)| {
            let kept = value.clamp(low, high);
            let share = (kept - from.1) / (to.1 - from.1);
            let x = if kept == value { x } else { from.0 + (to.0 - from.0) * share };
            (x, self.y(kept))
        }))
    }
}

impl Curves<'_> {
    /// The figure.
    pub fn svg(&self) -> String {
        let names: Vec<_> = self.series.iter().map(|series| Name::new(&series.name, NAME)).collect();
        let tall: f64 = names.iter().map(|name| name.height() + 6.0).sum();
        let wide = SAMPLE + names.iter().map(Name::width).fold(0.0, f64::max);
        // Beside the field in the order of the series while there is room, else below it.
        let beside = tall <= BOTTOM - TOP + 30.0;
        let right = if beside && !names.is_empty() { WIDTH - wide - 44.0 } else { WIDTH - 24.0 };
        let field = self.field(right);
        let labels = self.labels(&field);
        let lines = labels.iter().map(|(_, lines)| lines.len()).max().unwrap_or(1);
        let axis = BOTTOM + 15.0 * lines as f64 + 24.0;
        let (legend, end) = if beside {
            let places = stacked(&names, names.len(), (right + 18.0, TOP), 0.0);
            (places, axis)
        } else {
            let places = stacked(&names, names.len().div_ceil(3), (LEFT, axis + 22.0), NAME + SAMPLE + 22.0);
            let end = places.iter().zip(&names).map(|((_, y), name)| y + name.height()).fold(axis, f64::max);
            (places, end)
        };
        let mut canvas = Canvas::new(WIDTH, (end + 18.0).ceil());
        canvas.title(self.title, self.below);
        self.axes(&mut canvas, &field, &labels, axis);
        self.chances(&mut canvas, &field);
        for (index, series) in self.series.iter().enumerate() {
            self.line(&mut canvas, &field, index, series);
        }
        for (index, series) in self.series.iter().enumerate() {
            self.points(&mut canvas, &field, index, series);
        }
        for (index, (name, (x, y))) in names.iter().zip(legend).enumerate() {
            let (style, height) = (Style::of(index), y + 9.5);
            canvas.line((x, height), (x + 36.0, height), style.colour, 1.3, style.dash);
            style.mark(&mut canvas, x + 18.0, height);
            name.draw(&mut canvas, x + SAMPLE, y);
        }
        if self.series.is_empty() || self.columns.is_empty() {
            canvas.text(LEFT.midpoint(right), TOP.midpoint(BOTTOM), 13.0, GREY, Anchor::Middle, "no values");
        }
        canvas.finish()
    }

    fn field(&self, right: f64) -> Field {
        let Range { start, end } = self.range;
        let range = match end > start && (end - start).is_finite() {
            true => start..end,
            false => 0.0..1.0,
        };
        let count = self.series.len();
        let slot = (right - LEFT) / self.columns.len().max(1) as f64;
        Field { right, slot, step: (slot * 0.76 / count.max(1) as f64).min(14.0), count, range }
    }

    /// The middle and the lines of the names of the columns. Where there are very many, some go unnamed.
    fn labels(&self, field: &Field) -> Vec<(f64, Vec<String>)> {
        let widest = self.columns.iter().map(|name| width(name, LABEL)).fold(0.0, f64::max);
        let step = ((widest.min(40.0) + 8.0) / field.slot).ceil().max(1.0) as usize;
        let room = field.slot * step as f64 - 6.0;
        let named = self.columns.iter().enumerate().step_by(step);
        let lines = |(column, name): (usize, &String)| {
            (LEFT + field.slot * (column as f64 + 0.5), wrapped(name, LABEL, room, 2))
        };
        named.map(lines).collect()
    }

    fn axes(&self, canvas: &mut Canvas, field: &Field, labels: &[(f64, Vec<String>)], axis: f64) {
        for column in (1..self.columns.len()).step_by(2) {
            let x = LEFT + field.slot * column as f64;
            canvas.rect(x..x + field.slot, TOP..BOTTOM, "#f5f7f9");
        }
        let levels: Vec<_> = ticks(&field.range, 6).into_iter().map(|tick| (tick, number(tick))).collect();
        let digits = |text: &String| text.split_once('.').map_or(0, |(_, digits)| digits.len());
        let most = levels.iter().map(|(_, text)| digits(text)).max().unwrap_or(0);
        for (tick, text) in &levels {
            // As many digits in each, so that 1 stands as 1.0 above 0.8.
            let text = if most > 0 { format!("{tick:.most$}") } else { text.clone() };
            canvas.level(LEFT..field.right, field.y(*tick), &text);
        }
        canvas.frame(LEFT..field.right, TOP..BOTTOM, INK, 1.0);
        for (x, lines) in labels {
            canvas.line((*x, BOTTOM), (*x, BOTTOM + 5.0), INK, 1.0, "");
            for (line, part) in lines.iter().enumerate() {
                canvas.text(*x, BOTTOM + 19.0 + 15.0 * line as f64, LABEL, INK, Anchor::Middle, part);
            }
        }
        canvas.text(LEFT.midpoint(field.right), axis, 13.0, INK, Anchor::Middle, self.x);
        for part in wrapped(self.y, 13.0, BOTTOM - TOP, 1) {
            canvas.text_upwards(LEFT - 50.0, TOP.midpoint(BOTTOM), &part);
        }
    }

    /// The level of chance across each column, named where it begins.
    fn chances(&self, canvas: &mut Canvas, field: &Field) {
        let shown = |value: &f64| field.range.start <= *value && *value <= field.range.end;
        let mut named = false;
        for (column, value) in self.chance.iter().take(self.columns.len()).enumerate() {
            let Some(value) = value.filter(shown) else { continue };
            let (x, y) = (LEFT + field.slot * column as f64, field.y(value));
            canvas.group(&format!("chance: {value:.3}"), |canvas| {
                canvas.line((x, y), (x + field.slot, y), GREY, 1.0, "stroke-dasharray=\"4 4\"");
                if !named {
                    canvas.text(x + 6.0, y - 4.0, 11.0, GREY, Anchor::Start, "chance");
                }
            });
            named = true;
        }
    }

    /// Thin lines between neighbours that were both measured.
    fn line(&self, canvas: &mut Canvas, field: &Field, index: usize, series: &Series) {
        let style = Style::of(index);
        canvas.group(&series.name, |canvas| {
            for column in 1..self.columns.len() {
                let (Some(before), Some(here)) = (series.point(column - 1), series.point(column)) else {
                    continue;
                };
                let from = (field.x(index, column - 1), before.value);
                if let Some([from, to]) = field.inside(from, (field.x(index, column), here.value)) {
                    let extra = format!("stroke-opacity=\"0.6\" {}", style.dash);
                    canvas.line(from, to, style.colour, 1.1, &extra);
                }
            }
        });
    }

    fn points(&self, canvas: &mut Canvas, field: &Field, index: usize, series: &Series) {
        let style = Style::of(index);
        for (column, name) in self.columns.iter().enumerate() {
            let Some(Point { value, low, high }) = series.point(column) else { continue };
            let x = field.x(index, column);
            let whole = match low.is_finite() && high.is_finite() {
                true => format!("{}, {name}: {value:.3} ({low:.3} to {high:.3})", series.name),
                false => format!("{}, {name}: {value:.3}", series.name),
            };
            canvas.group(&whole, |canvas| {
                if let Some([from, to]) = field.inside((x, low), (x, high)) {
                    canvas.line(from, to, style.colour, 1.2, "");
                    let cap = (field.step * 0.3).clamp(1.0, 3.0);
                    for (end, place) in [(low, from.1), (high, to.1)] {
                        if field.range.start <= end && end <= field.range.end {
                            canvas.line((x - cap, place), (x + cap, place), style.colour, 1.2, "");
                        }
                    }
                }
                if field.range.start <= value && value <= field.range.end {
                    style.mark(canvas, x, field.y(value));
                }
            });
        }
    }
}

impl Series {
    fn point(&self, column: usize) -> Option<Point> {
        self.points.get(column).copied().flatten().filter(|point| point.value.is_finite())
    }
}

/// The upper left corners of the names of a legend, `each` below another, columns `aside` from each other.
fn stacked(names: &[Name<'_>], each: usize, from: (f64, f64), aside: f64) -> Vec<(f64, f64)> {
    let mut places = Vec::with_capacity(names.len());
    for (column, names) in names.chunks(each.max(1)).enumerate() {
        let mut y = from.1;
        for name in names {
            places.push((from.0 + aside * column as f64, y));
            y += name.height() + 6.0;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: f64) -> Option<Point> {
        Some(Point { value, low: value - 0.1, high: value + 0.1 })
    }

    fn curves<'a>(series: &'a [Series], columns: &'a [String]) -> Curves<'a> {
        Curves {
            title: "A title",
            below: "below it",
            series,
            columns,
            x: "length (tokens)",
            y: "accuracy (share)",
            range: 0.0..1.0,
            chance: &[],
        }
    }

    #[test]
    fn chance_is_a_dashed_line_across_its_columns() {
        let series = [Series { name: "full".to_owned(), points: vec![point(0.5), point(0.6), point(0.7)] }];
        let columns = ["1k", "2k", "4k"].map(str::to_owned);
        let plain = curves(&series, &columns);
        let dashed = |chance: &[Option<f64>]| {
            let svg = Curves { chance, ..plain.clone() }.svg();
            (svg.matches("stroke-dasharray=\"4 4\"").count(), svg.matches(">chance</text>").count())
        };
        assert_eq!(dashed(&[]), (0, 0));
        assert_eq!(dashed(&[Some(0.25), None, Some(0.25), Some(0.25)]), (2, 1), "no line beyond the columns");
        assert_eq!(dashed(&[Some(1.5), Some(f64::NAN)]), (0, 0));
    }

    fn columns(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{}k", 1 << at)).collect()
    }

    /// Lines between neighbours, and marks in the field and in the legend.
    fn drawn(svg: &str) -> (usize, usize) {
        (svg.matches("stroke-opacity=\"0.6\"").count(), svg.matches("<circle").count())
    }

    #[test]
    fn every_point_shows_its_value_and_interval() {
        let points = vec![point(0.5), point(0.25), None, point(0.75)];
        let series = [Series { name: "a<b".to_owned(), points }];
        let columns = columns(5);
        let svg = curves(&series, &columns).svg();
        for part in
            ["A title", "below it", "length (tokens)", "accuracy (share)", ">1.0<", ">a&lt;b</text>", ">16k<"]
        {
            assert!(svg.contains(part), "{part}");
        }
        let shown: Vec<&str> =
            svg.lines().filter_map(|line| line.strip_prefix("<g><title>a&lt;b, ")).collect();
        let expected =
            ["1k: 0.500 (0.400 to 0.600)", "2k: 0.250 (0.150 to 0.350)", "8k: 0.750 (0.650 to 0.850)"];
        assert_eq!(shown, expected.map(|point| format!("{point}</title>")));
        assert_eq!(drawn(&svg), (1, 4), "no line over what was not measured");
    }

    #[test]
    fn nothing_is_drawn_outside_the_range() {
        let points = vec![
            Some(Point { value: 0.5, low: -3.0, high: f64::NAN }),
            Some(Point { value: 2.0, low: 1.5, high: 2.5 }),
            Some(Point { value: f64::NAN, low: 0.0, high: 1.0 }),
            Some(Point { value: 1.0, low: 0.9, high: 1.6 }),
        ];
        let series = [Series { name: "full".to_owned(), points }];
        let columns = columns(4);
        let svg = curves(&series, &columns).svg();
        assert_eq!(drawn(&svg), (1, 3));
        assert!(!svg.contains("NaN") && svg.contains("full, 1k: 0.500</title>"));
        let places = svg.split("y2=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse::<f64>());
        assert!(places.map(Result::unwrap).all(|y| (TOP..=BOTTOM + 5.0).contains(&y)), "{svg}");
        let field = curves(&series, &columns).field(700.0);
        let [from, to] = field.inside((0.0, 0.5), (10.0, 1.5)).unwrap();
        assert_eq!((from, to), ((0.0, field.y(0.5)), (5.0, field.y(1.0))));
        assert_eq!(field.inside((0.0, 1.5), (10.0, 1.5)), None);
    }

    #[test]
    fn series_stand_beside_each_other_and_differ() {
        let mut looks: Vec<_> = (0..49).map(Style::of).map(|style| (style.colour, style.shape)).collect();
        looks.sort_unstable();
        looks.dedup();
        assert_eq!(looks.len(), 49);
        let series: Vec<Series> =
            (0..18).map(|at| Series { name: format!("m{at}"), points: vec![point(0.5); 6] }).collect();
        let columns = columns(6);
        let figure = curves(&series, &columns);
        let field = figure.field(700.0);
        for at in 1..18 {
            assert!(field.x(at, 0) - field.x(at - 1, 0) > 3.0);
        }
        assert!(field.x(17, 0) + 3.0 < field.x(0, 1) - 3.0, "columns stay apart");
    }

    #[test]
    fn legends_do_not_overlap() {
        for (name, count) in
            [("full", 1), ("full", 18), ("inf-llm:window=512,top_k=16,block_size=64,more=1", 18)]
        {
            let names: Vec<Name<'_>> = (0..count).map(|_| Name::new(name, NAME)).collect();
            for each in [count, 6] {
                let places = stacked(&names, each, (LEFT, TOP), NAME + SAMPLE + 22.0);
                for (at, (x, y)) in places.iter().enumerate() {
                    assert!(x + SAMPLE + names[at].width() < WIDTH);
                    let below = places.get(at + 1).filter(|(other, _)| other == x);
                    assert!(below.is_none_or(|(_, other)| *other > y + names[at].height()));
                }
            }
        }
    }

    #[test]
    fn nothing_to_show_is_said() {
        let series = [Series { name: String::new(), points: Vec::new() }];
        let columns = columns(1);
        for empty in [curves(&[], &columns), curves(&series, &[]), curves(&[], &[])] {
            let svg = empty.svg();
            assert!(svg.contains("A title") && svg.contains("no values") && !svg.contains("NaN"));
        }
        for range in [1.0..0.0, 0.0..0.0, 0.0..f64::INFINITY, f64::NAN..1.0] {
            let svg = Curves { range, ..curves(&series, &columns) }.svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }
}
