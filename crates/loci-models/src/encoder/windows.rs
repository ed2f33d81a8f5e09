//! Cutting a long text.

/// Cuts `tokens` into as few windows of at most `limit` tokens as needed, all about as long, between words where a word
/// is not longer than a window. `inner` tells which tokens go on within a word. No token at all is one empty window.
pub(super) fn windows(tokens: &[u32], limit: usize, inner: impl Fn(u32) -> bool) -> Vec<&[u32]> {
    let limit = limit.max(1);
    let mut out = Vec::new();
    let mut rest = tokens;
    loop {
        let count = rest.len().div_ceil(limit);
        if count <= 1 {
            out.push(rest);
            return out;
        }
        let even = rest.len().div_ceil(count);
        let begins_word = |at: &usize| rest.get(*at).is_some_and(|id| !inner(*id));
        let cut = (1..=even).rev().find(begins_word).unwrap_or(even);
        let (window, later) = rest.split_at(cut);
        out.push(window);
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tokens from 100 on go on within a word.
    fn cut(tokens: &[u32], limit: usize) -> Vec<&[u32]> {
        windows(tokens, limit, |id| id >= 100)
    }

    #[test]
    fn windows_are_about_equal_and_begin_with_words() {
        assert_eq!(cut(&[1, 2, 3], 3), [&[1, 2, 3][..]]);
        assert_eq!(cut(&[1, 2, 3, 4], 3), [&[1, 2][..], &[3, 4]]);
        assert_eq!(cut(&[1, 2, 100, 3], 3), [&[1][..], &[2, 100, 3]]);
        assert_eq!(cut(&[1, 100, 101, 102], 3), [&[1, 100][..], &[101, 102]]);
        assert_eq!(cut(&[], 3), [&[0_u32; 0][..]]);
    }

    proptest! {
        #[test]
        fn windows_hold_every_token_once(
            tokens in proptest::collection::vec(90_u32..110, 0..60), limit in 1_usize..20) {
            let windows = cut(&tokens, limit);
            prop_assert!(windows.iter().all(|window| window.len() <= limit));
            prop_assert!(windows.len() == 1 || windows.iter().all(|window| !window.is_empty()));
            prop_assert_eq!(windows.concat(), tokens);
        }
    }
}
