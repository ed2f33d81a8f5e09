//! The instruction sets the kernels are written for, chosen at run time.

use std::sync::OnceLock;

/// Environment variable that forces a lower instruction set: `portable`, `avx2` or `avx512`.
pub const ISA_VARIABLE: &str = "LOCI_ISA";

/// An instruction set that the kernels know, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust, on any processor.
    Portable,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, VL, DQ and VNNI.
    Avx512,
}

impl Isa {
    /// All instruction sets, weakest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The name used in [`ISA_VARIABLE`] and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The strongest instruction set of this processor.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vnni");
            if avx512 {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// The instruction sets that this processor can run, weakest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let best = Self::best();
        Self::ALL.into_iter().filter(move |isa| *isa <= best)
    }

    /// The instruction set in use: [`Isa::best`], or the weaker one named by [`ISA_VARIABLE`].
    ///
    /// A name that is unknown or stronger than the processor is ignored here; [`requested`] reports it.
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| match requested() {
            Ok(Some(isa)) => isa,
            _ => Self::best(),
        })
    }
}

/// The instruction set asked for by [`ISA_VARIABLE`], if any.
///
/// # Errors
/// A sentence naming the value and the way out, when the value is unknown or the processor lacks it.
pub fn requested() -> Result<Option<Isa>, String> {
    let Ok(value) = std::env::var(ISA_VARIABLE) else { return Ok(None) };
    let best = Isa::best();
    match Isa::ALL.into_iter().find(|isa| isa.name() == value) {
        None => Err(format!("{ISA_VARIABLE}={value} is unknown; use portable, avx2 or avx512")),
        Some(isa) if isa > best => Err(format!(
            "{ISA_VARIABLE}={value} asks for more than this processor has; the strongest here is {}",
            best.name()
        )),
        Some(isa) => Ok(Some(isa)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_sets_end_with_the_best_and_start_portable() {
        let sets: Vec<Isa> = Isa::available().collect();
        assert_eq!(sets.first(), Some(&Isa::Portable));
        assert_eq!(sets.last(), Some(&Isa::best()));
    }

    #[test]
    fn active_is_never_stronger_than_the_processor() {
        assert!(Isa::active() <= Isa::best());
    }
}
