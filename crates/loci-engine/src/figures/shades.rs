//! The colours of values, and the bar that says what they stand for.

use std::ops::Range;

use super::canvas::{Anchor, Canvas, GREY, INK};
use super::names::{width, wrapped};

/// From nearly white over blue to dark, even in lightness.
pub(super) fn shade(share: f64) -> String {
    const STOPS: [(f64, [f64; 3]); 5] = [
        (0.0, [247.0, 249.0, 251.0]),
        (0.25, [188.0, 214.0, 235.0]),
        (0.5, [107.0, 166.0, 209.0]),
        (0.75, [42.0, 106.0, 165.0]),
        (1.0, [8.0, 36.0, 84.0]),
    ];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let mixed = STOPS.windows(2).find_map(|pair| match pair {
        [(low, from), (high, to)] if share <= *high => {
            let part = (share - low) / (high - low);
            let [red, green, blue] = [(from[0], to[0]), (from[1], to[1]), (from[2], to[2])]
                .map(|(from, to)| (from + (to - from) * part).round());
            Some(format!("rgb({red},{green},{blue})"))
        }
        _ => None,
    });
    mixed.unwrap_or_default()
}

/// The colour of a text on the shade of `share`.
pub(super) fn ink_on(share: f64) -> &'static str {
    if share > 0.62 { "#ffffff" } else { INK }
}

/// The shades from below upwards in `y`, what they stand for as share and text at the right, and `name` upwards.
pub(super) fn bar(canvas: &mut Canvas, x: f64, y: Range<f64>, values: &[(f64, String)], name: &str) {
    const STEPS: usize = 48;
    let height = y.end - y.start;
    for step in 0..STEPS {
        let share = 1.0 - (step as f64 + 0.5) / STEPS as f64;
        let top = y.start + height * step as f64 / STEPS as f64;
        // Each down to the end, so that no light shines between them.
        canvas.rect(x..x + 16.0, top..y.end, &shade(share));
    }
    canvas.frame(x..x + 16.0, y.clone(), GREY, 0.8);
    let mut widest = 0.0_f64;
    for (share, text) in values {
        let place = y.start + height * (1.0 - share);
        canvas.line((x + 16.0, place), (x + 20.0, place), GREY, 1.0, "");
        canvas.text(x + 24.0, place + 4.0, 11.5, INK, Anchor::Start, text);
        widest = widest.max(width(text, 11.5));
    }
    let beside = x + 24.0 + widest.min(48.0) + 18.0;
    canvas.group(name, |canvas| {
        for (line, part) in wrapped(name, 13.0, height.max(150.0), 2).iter().enumerate() {
            canvas.text_upwards(beside + 16.0 * line as f64, y.start + height / 2.0, part);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Luminance relative to white, as the guidelines for readable web pages define it.
    fn luminance(channels: [f64; 3]) -> f64 {
        let linear = channels.map(|channel| {
            let part = channel / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn channels(colour: &str) -> [f64; 3] {
        match colour.strip_prefix('#') {
            Some(digits) => {
                [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()))
            }
            None => {
                let inner = colour.trim_start_matches("rgb(").trim_end_matches(')');
                let parts: Vec<f64> = inner.split(',').map(|part| part.parse().unwrap()).collect();
                [parts[0], parts[1], parts[2]]
            }
        }
    }

    #[test]
    fn shades_darken_and_texts_on_them_can_be_read() {
        assert_eq!(shade(0.0), "rgb(247,249,251)");
        assert_eq!(shade(1.0), "rgb(8,36,84)");
        assert_eq!(shade(f64::INFINITY), shade(1.0));
        let mut before = 1.0;
        for step in 0..=100 {
            let share = f64::from(step) / 100.0;
            let ground = luminance(channels(&shade(share)));
            assert!(ground < before, "{share}");
            before = ground;
            let ink = luminance(channels(ink_on(share)));
            let contrast = (ground.max(ink) + 0.05) / (ground.min(ink) + 0.05);
            assert!(contrast > 3.5, "{share}: {contrast}");
        }
    }
}
