//! Orders of many items by a sorter that sees a window of them at a time.
//!
//! Source: Liu et al., "Sliding Windows Are Not the End: Exploring Full Ranking with Long-Context Large Language Models",
//! 2024, and the sliding window it compares with (Sun et al., "Is ChatGPT Good at Search?", 2023).

/// Orders a window: gets items, returns the same items, best first.
pub type Sorter<'a, E> = dyn FnMut(&[usize]) -> Result<Vec<usize>, E> + 'a;

/// One pass over `items`, first-stage order, from the bottom up: windows of `window` items that begin `step` apart are
/// ordered, each takes its best items along to the next. With a perfect sorter the first `window - step` items are then
/// right; with `window` at the number of items all of them, by one call.
///
/// # Errors
/// What `sort` fails with.
pub fn slide<E>(items: &mut [usize], window: usize, step: usize, sort: &mut Sorter<'_, E>) -> Result<(), E> {
    let (window, step) = (window.max(1), step.clamp(1, window.max(1)));
    let mut end = items.len();
    while end > 0 {
        let start = end.saturating_sub(window);
        if let Some(part) = items.get_mut(start..end) {
            let sorted = sort(part)?;
            // A sorter that loses or invents items changes nothing.
            if is_permutation(part, &sorted) {
                part.copy_from_slice(&sorted);
            }
        }
        if start == 0 {
            break;
        }
        end = end.saturating_sub(step);
    }
    Ok(())
}

/// A complete order by repeated passes: each fixes the items that one pass makes sure of, and the next goes over the rest,
/// until one window holds it. How labels for training are made.
///
/// # Errors
/// What `sort` fails with.
pub fn complete<E>(
    items: &mut [usize],
    window: usize,
    step: usize,
    sort: &mut Sorter<'_, E>,
) -> Result<(), E> {
    // A window that steps by its whole length takes nothing along.
    let (window, step) = (window.max(2), step.clamp(1, window.max(2) - 1));
    let sure = window - step;
    let mut done = 0;
    loop {
        let rest = items.get_mut(done..).unwrap_or_default();
        slide(rest, window, step, sort)?;
        if rest.len() <= window {
            return Ok(());
        }
        done += sure;
    }
}

fn is_permutation(one: &[usize], other: &[usize]) -> bool {
    let (mut one, mut other) = (one.to_vec(), other.to_vec());
    one.sort_unstable();
    other.sort_unstable();
    one == other
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Sorts rightly: the larger the better. Counts its calls.
    fn perfect(calls: &mut usize) -> impl FnMut(&[usize]) -> Result<Vec<usize>, Infallible> + '_ {
        |items| {
            *calls += 1;
            let mut items = items.to_vec();
            items.sort_unstable_by(|one, other| other.cmp(one));
            Ok(items)
        }
    }

    #[test]
    fn a_hundred_passages_take_nine_windows_and_one_when_all_fit() {
        let mut calls = 0;
        let mut items: Vec<usize> = (0..100).collect();
        slide(&mut items, 20, 10, &mut perfect(&mut calls)).unwrap();
        assert_eq!(calls, 9);
        assert!(items[..10].iter().copied().eq((90..100).rev()), "{items:?}");
        let mut calls = 0;
        slide(&mut items, 100, 10, &mut perfect(&mut calls)).unwrap();
        assert_eq!(calls, 1);
        assert!(items.iter().copied().eq((0..100).rev()));
        let mut calls = 0;
        let mut items: Vec<usize> = (0..100).collect();
        complete(&mut items, 20, 10, &mut perfect(&mut calls)).unwrap();
        assert!(items.iter().copied().eq((0..100).rev()));
        assert_eq!(calls, 45, "9 + 8 + … + 1");
    }

    proptest! {
        #[test]
        fn one_pass_finds_the_best_and_repeated_passes_the_order(
            items in Just((0..37_usize).collect::<Vec<_>>()).prop_shuffle(),
            count in 0..37_usize,
            window in 2..40_usize,
            step in 1..20_usize,
        ) {
            let step = step.min(window - 1);
            let items = &items[..count];
            let mut right = items.to_vec();
            right.sort_unstable_by(|one, other| other.cmp(one));
            let mut calls = 0;
            let mut once = items.to_vec();
            slide(&mut once, window, step, &mut perfect(&mut calls)).unwrap();
            let sure = (window - step).min(count);
            prop_assert_eq!(&once[..sure], &right[..sure]);
            let mut all = items.to_vec();
            complete(&mut all, window, step, &mut perfect(&mut calls)).unwrap();
            prop_assert_eq!(all, right);
        }

        #[test]
        fn any_sorter_gives_an_order(
            count in 0..30_usize,
            window in 0..12_usize,
            step in 0..12_usize,
            replies in prop::collection::vec(prop::collection::vec(0..30_usize, 0..12), 1..9),
        ) {
            let mut items: Vec<usize> = (0..count).collect();
            let mut next = replies.iter().cycle();
            slide(&mut items, window, step, &mut |_| Ok::<_, Infallible>(next.next().unwrap().clone())).unwrap();
            items.sort_unstable();
            prop_assert!(items.into_iter().eq(0..count));
        }
    }
}
