//! Which instructions a kernel may use: detected once, carried as a proof.
//!
//! Elementwise kernels are plain Rust, marked inline and cloned by [`multiversion!`] into wrappers compiled for each
//! instruction set; the compiler vectorises each clone for its own registers. Products use explicit vectors (`microkernel`).

/// An instruction set this processor was found to have (or the portable one, which every processor has).
///
/// The value is a proof: it can only be had from [`Isa::detect`] or [`Isa::PORTABLE`], so code that holds one may run
/// the matching instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Plain Rust: no instruction set beyond the compiler's baseline; exponentials, logarithms and powers from our own polynomials, so that the bits of a result do not depend
    /// on the machine.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The best instruction set of this processor.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("fma")
            {
                return Self(Level::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self(Level::Avx2);
            }
        }
        Self::PORTABLE
    }

    /// Every instruction set this processor has, portable first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        match Self::detect().0 {
            Level::Avx512 => return vec![Self::PORTABLE, Self(Level::Avx2), Self(Level::Avx512)],
            Level::Avx2 => return vec![Self::PORTABLE, Self(Level::Avx2)],
            Level::Portable => {}
        }
        vec![Self::PORTABLE]
    }

    /// The instruction set of this name, if this processor has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// The name: `portable`, `avx2` or `avx512`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    /// Whether products of bfloat16 have an instruction of their own here (AVX512-BF16). Elsewhere they are computed in single precision, from rounded operands:
    /// as exact, and no faster than products without rounding.
    #[must_use]
    pub fn has_bf16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => is_x86_feature_detected!("avx512bf16"),
            _ => false,
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// Defines a generic function once and compiles its body for every instruction set; the first argument of the function
/// is the [`Isa`] that chooses among them.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$t:ident>($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$t: $crate::real::Real>(isa: $crate::isa::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$t: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$t: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? {
                body::<$t>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
            fn avx512<$t: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? {
                body::<$t>($($arg),*)
            }

            match isa.level() {
                $crate::isa::Level::Portable => body::<$t>($($arg),*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: this level exists only if the processor was found to have these features.
                $crate::isa::Level::Avx2 => unsafe { avx2::<$t>($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::isa::Level::Avx512 => unsafe { avx512::<$t>($($arg),*) },
            }
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_instruction_set_is_the_last_available_one() {
        assert_eq!(Isa::available().last(), Some(&Isa::detect()));
        assert_eq!(Isa::available()[0].name(), "portable");
    }
}
