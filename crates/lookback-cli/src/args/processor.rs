//! What a verb computes with.

use clap::{Args, ValueEnum};
use lookback::backend::{Cpu, Isa};

use super::Common;
use crate::exit::Usage;

/// Which instructions to compute with.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ProcessorArgs {
    /// Compute with portable, avx2 or avx512 instructions instead of the best there are; portable gives the same bytes on every machine.
    #[arg(
        long,
        value_enum,
        value_name = "SET",
        hide_possible_values = true,
        hide_short_help = true,
        display_order = 899
    )]
    isa: Option<InstructionSet>,
}

/// The instruction sets, whether or not this processor has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InstructionSet {
    Portable,
    Avx2,
    Avx512,
}

impl ProcessorArgs {
    /// The processor, as far as it has the instructions asked for.
    pub(crate) fn cpu(self, common: Common) -> Result<Cpu, Usage> {
        let Some(asked) = self.isa else { return Ok(Cpu::detect(common.threads)) };
        let name = match asked {
            InstructionSet::Portable => "portable",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::Avx512 => "avx512",
        };
        let isa = Isa::named(name).ok_or_else(|| {
            let there: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
            Usage(format!("--isa {name}: this processor does not have it; it has {}", there.join(", ")))
        })?;
        Ok(Cpu::with_threads(common.threads, isa))
    }

    /// Whether one was asked for.
    pub(crate) fn is_given(self) -> bool {
        self.isa.is_some()
    }
}
