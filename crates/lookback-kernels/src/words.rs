//! Rows laid out in panels of words, as the register tiles of packed weights read them.

/// Words that are read of a row at a time: of four bytes each, a cache line, which is then done with.
const RUN: usize = 16;

/// Lays rows of `cols` values, which follow each other in `from`, out in a panel for `nr` of them: word w of row r, made of N values, goes to `out[w·nr + r]`. `zero` stands
/// beyond the columns, and where the panel has more rows than there are.
///
/// # Panics
/// If there are more rows than the panel has, or `out` has not its size.
pub(crate) fn panel<S: Copy, W: Copy, const N: usize>(
    out: &mut [W],
    nr: usize,
    from: &[S],
    cols: usize,
    zero: S,
    word: impl Fn([S; N]) -> W,
) {
    let rows = from.len() / cols;
    assert!(rows <= nr && out.len() == cols.div_ceil(N) * nr, "a panel of {nr} rows");
    for (run, groups) in out.chunks_mut(RUN * nr).enumerate() {
        for (r, row) in from.chunks_exact(cols).enumerate() {
            let row = &row[run * RUN * N..];
            let (whole, rest) = row[..row.len().min(RUN * N)].as_chunks::<N>();
            for (group, &values) in groups.chunks_exact_mut(nr).zip(whole) {
                group[r] = word(values);
            }
            if !rest.is_empty() {
                let mut values = [zero; N];
                values[..rest.len()].copy_from_slice(rest);
                groups[whole.len() * nr + r] = word(values);
            }
        }
        if rows < nr {
            groups.chunks_exact_mut(nr).for_each(|group| group[rows..].fill(word([zero; N])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_place_and_zeros_fill_the_rest() {
        // Runs that are whole and not, words that are whole and not, panels that are full and not.
        for (rows, cols) in [(1, 1), (3, 7), (8, 32), (8, 33), (5, 70), (8, 64)] {
            let nr = 8;
            let from: Vec<u16> = (0..).take(rows * cols).map(|i| 100 + i).collect();
            let mut out = vec![u32::MAX; cols.div_ceil(2) * nr];
            panel(&mut out, nr, &from, cols, 7u16, |[low, high]| u32::from(low) | u32::from(high) << 16);
            for (at, &word) in out.iter().enumerate() {
                let (k, r) = (at / nr * 2, at % nr);
                let want = [k, k + 1].map(|k| if r < rows && k < cols { from[r * cols + k] } else { 7 });
                assert_eq!([word & 0xffff, word >> 16], want.map(u32::from), "{rows} × {cols}: word {at}");
            }
        }
    }
}
