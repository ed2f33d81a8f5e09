//! Random numbers from a seed: splitmix64.

/// Numbers that follow from a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in [0, 1).
    #[allow(clippy::cast_precision_loss)] // 53 bits are exact
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `count`; `None` where there is none.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn below(&mut self, count: usize) -> Option<usize> {
        (count > 0).then(|| ((self.unit() * count as f64) as usize).min(count - 1))
    }

    /// An index, as likely as its weight is large; `None` when all weights are 0.
    pub fn weighted(&mut self, weights: &[f32]) -> Option<usize> {
        let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut left = self.unit() * sum;
        let mut last = None;
        for (index, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            last = Some(index);
            left -= f64::from(*weight);
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// One of `items`; the empty text when there is none.
    pub fn one_of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        self.below(items.len()).and_then(|index| items.get(index)).copied().unwrap_or("")
    }

    /// `count` different ones of `items`, in an order that was drawn; all of them when there are fewer.
    pub fn some_of<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut left = items.to_vec();
        let count = count.min(left.len());
        (0..count).filter_map(|_| self.below(left.len()).map(|index| left.swap_remove(index))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn draws_repeat_and_do_not_repeat_items() {
        let draw = || Random::new(3).some_of(&[1, 2, 3, 4, 5, 6], 4);
        assert_eq!(draw(), draw());
        let mut drawn = draw();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 4);
        assert_eq!(Random::new(3).some_of(&[1, 2], 9).len(), 2);
        assert_eq!((Random::new(1).below(0), Random::new(1).one_of(&[])), (None, ""));
    }
}
