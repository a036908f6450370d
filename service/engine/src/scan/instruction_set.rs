//! One body, compiled for each instruction set that a processor may have, chosen when the program runs: the same
//! binary serves everywhere, and the answer is the same integers.

use super::{Scan, Tally, scan_blocks};
use crate::ranking::TopKeys;

/// What the scan's loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// What every processor of the target has: SSE2 on x86-64, NEON on AArch64.
    Baseline,
    /// 256-bit vectors of x86-64.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors of x86-64, of bytes and words too.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Up to how many blocks are few: 16,384 cars. There 512 bits would save some 3 µs, reckoned from what they save among a
/// million; on a Xeon, among 378 cars, they cost every request 8.
const FEW_BLOCKS: usize = 16;

impl InstructionSet {
    /// Those that this processor has, the widest last.
    pub fn available() -> impl Iterator<Item = Self> {
        let all = [
            Self::Baseline,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512,
        ];
        all.into_iter().filter(|set| set.is_available())
    }

    /// The widest that this processor has.
    #[must_use]
    pub fn widest() -> Self {
        Self::available().last().unwrap_or(Self::Baseline)
    }

    /// The one to search a catalogue of so many blocks with. Where 512 bits make a processor lower its clock, a short scan
    /// wins less by them than the rest of the request loses.
    pub(crate) fn for_blocks(blocks: usize) -> Self {
        let is_worth_it = |set: &Self| blocks > FEW_BLOCKS || !set.may_lower_the_clock();
        Self::available()
            .filter(is_worth_it)
            .last()
            .unwrap_or(Self::Baseline)
    }

    fn may_lower_the_clock(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => true,
            _ => false,
        }
    }

    /// Its name in benchmarks: `baseline`, `avx2`, `avx512`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    /// The standard library asks the processor once and remembers.
    fn is_available(self) -> bool {
        match self {
            Self::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
        }
    }

    /// Runs a scan; on a processor without this set, on what it has.
    pub(super) fn run(self, scan: &Scan<'_>, tally: Option<&mut Tally>, top: &mut TopKeys) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has the features that the function is compiled for, as just asked.
            Self::Avx512 if self.is_available() => unsafe { scan_avx512(scan, tally, top) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 if self.is_available() => unsafe { scan_avx2(scan, tally, top) },
            _ => scan_blocks(scan, tally, top),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn scan_avx512(scan: &Scan<'_>, tally: Option<&mut Tally>, top: &mut TopKeys) {
    scan_blocks(scan, tally, top);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scan_avx2(scan: &Scan<'_>, tally: Option<&mut Tally>, top: &mut TopKeys) {
    scan_blocks(scan, tally, top);
}

#[cfg(feature = "reference")]
mod reading {
    use super::InstructionSet;
    use crate::{
        catalogue::Catalogue,
        scan::{Bounds, read_blocks},
    };

    impl InstructionSet {
        /// Reads what a scan reads, and sums it.
        pub(in crate::scan) fn read(self, catalogue: &Catalogue, bounds: &Bounds<'_>) -> u64 {
            match self {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the processor has the features that the function is compiled for, as just asked.
                Self::Avx512 if self.is_available() => unsafe { read_avx512(catalogue, bounds) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Self::Avx2 if self.is_available() => unsafe { read_avx2(catalogue, bounds) },
                _ => read_blocks(catalogue, bounds),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn read_avx512(catalogue: &Catalogue, bounds: &Bounds<'_>) -> u64 {
        read_blocks(catalogue, bounds)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn read_avx2(catalogue: &Catalogue, bounds: &Bounds<'_>) -> u64 {
        read_blocks(catalogue, bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a small catalogue from slowing everything else down for a scan of a microsecond, and a large one from being
    /// scanned in narrow vectors.
    #[test]
    fn wide_vectors_are_for_many_cars() {
        for blocks in [0, 1, 16] {
            assert_ne!(InstructionSet::for_blocks(blocks).word(), "avx512");
        }
        assert_eq!(InstructionSet::for_blocks(17), InstructionSet::widest());
        let narrower = InstructionSet::available()
            .filter(|set| set.word() != "avx512")
            .last();
        assert_eq!(Some(InstructionSet::for_blocks(1)), narrower);
    }
}
