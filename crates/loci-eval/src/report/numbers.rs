//! Numbers as reports show them.

use super::Estimate;

/// Nothing to show.
pub(super) fn dash() -> String {
    "-".to_owned()
}

/// A number of tokens as it was typed; a dash where texts come as they are.
pub(super) fn length(tokens: usize) -> String {
    match tokens {
        0 => dash(),
        _ if tokens.is_multiple_of(1000) => format!("{}k", tokens / 1000),
        _ => tokens.to_string(),
    }
}

/// A p-value; very small ones as a bound.
pub(super) fn p(value: f64) -> String {
    if value < 0.0001 { "<0.0001".to_owned() } else { format!("{value:.4}") }
}

/// A score, or a dash.
pub(super) fn score(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.3}"))
}

/// A mean with its interval.
pub(super) fn estimate(one: &Estimate) -> String {
    format!("{:.2} ({:.2} to {:.2})", one.mean, one.low, one.high)
}

/// Values of one column with as many digits each: three that count of the largest, and a fourth from 1 on, so that
/// shares stand as 0.667 beside 1.000, perplexities as 23.40 and small divergences as 0.0123.
pub(super) fn column(values: &[Option<f64>]) -> Vec<String> {
    let largest = values.iter().flatten().map(|value| value.abs()).fold(0.0, f64::max);
    let digits = match largest {
        0.0 => 3,
        largest => {
            let order = largest.log10().floor() as i32;
            (if order < 0 { 2 - order } else { 3 - order }).clamp(0, 12) as usize
        }
    };
    values.iter().map(|value| value.map_or_else(dash, |value| format!("{value:.digits$}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_small_p_read_well() {
        assert_eq!([length(0), length(2000), length(4096)], ["-", "2k", "4096"]);
        assert_eq!([p(0.00001), p(0.5)], ["<0.0001", "0.5000"]);
    }

    #[test]
    fn columns_have_digits_enough() {
        let shown = |values: &[f64]| column(&values.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(shown(&[2.0 / 3.0, 0.05]), ["0.667", "0.050"]);
        assert_eq!(shown(&[1.0, 0.5]), ["1.000", "0.500"]);
        assert_eq!(shown(&[23.4, 9.876]), ["23.40", "9.88"]);
        assert_eq!(shown(&[0.0123, 0.0045]), ["0.0123", "0.0045"]);
        assert_eq!(shown(&[12_345.6, -2.0]), ["12346", "-2"]);
        assert_eq!(column(&[None, Some(0.0)]), ["-", "0.000"]);
    }
}
