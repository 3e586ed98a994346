//! Attention maps as an `.npz` file: what `numpy.load` reads, without pickle.
//!
//! An uncompressed zip archive of `.npy` arrays. For the hypothesis of rank r (0 is the best) of input line n (from 0):
//!
//! | array | shape | type | what |
//! |---|---|---|---|
//! | `n.r.weights` | (T, S) | `<f4` | weights between pieces, row-major |
//! | `n.r.src_tokens`, `n.r.tgt_tokens` | (S,), (T,) | `<U…` | the pieces, `</s>` included |
//! | `n.r.word_weights` | (T′, S′) | `<f4` | weights between words |
//! | `n.r.src_words`, `n.r.tgt_words` | (S′,), (T′,) | `<U…` | the words, `</s>` included |
//! | `n.r.src`, `n.r.tgt` | () | `<U…` | the texts |
//!
//! and for all of them, in the order of writing: `id` (N,) and `rank` (N,) of `<i8`, rank −1 for a target that was given, whose arrays are named
//! `n.0.…`; `log_prob` (N,) of `<f8`, nats. Arrays are written as they come: only their names and these three stay in memory.
//!
//! ```python
//! maps = numpy.load("maps.npz")
//! for n, r in zip(maps["id"], maps["rank"].clip(0)):
//!     print(maps[f"{n}.{r}.tgt"], maps[f"{n}.{r}.weights"].shape)
//! ```

use std::io::{self, Write};

use rawzip::{ErrorKind, ZipArchiveWriter};

use super::AttentionMap;

/// Writes maps into an `.npz` file. Each line and rank may be written once; without [`finish`](Self::finish) the file cannot be read.
#[derive(Debug)]
pub struct NpzWriter<W> {
    zip: ZipArchiveWriter<W>,
    ids: Vec<u8>,
    ranks: Vec<u8>,
    log_probs: Vec<u8>,
}

impl<W: Write> NpzWriter<W> {
    /// Begins a file.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self { zip: ZipArchiveWriter::new(out), ids: Vec::new(), ranks: Vec::new(), log_probs: Vec::new() }
    }

    /// Writes the arrays of `map`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&mut self, map: &AttentionMap) -> io::Result<()> {
        let prefix = format!("{}.{}", map.id(), map.rank().unwrap_or(0));
        let words = map.merged();
        for (map, weights, sides) in
            [(map, "weights", ["src_tokens", "tgt_tokens"]), (&words, "word_weights", ["src_words", "tgt_words"])]
        {
            let values: Vec<u8> = map.weights().iter().flat_map(|w| w.to_le_bytes()).collect();
            let shape = [map.tgt().tokens.len(), map.src().tokens.len()];
            self.array(&format!("{prefix}.{weights}"), "<f4", &shape, &values)?;
            for (name, side) in sides.into_iter().zip([map.src(), map.tgt()]) {
                self.texts(&format!("{prefix}.{name}"), &[side.tokens.len()], &side.tokens)?;
            }
        }
        for (name, side) in [("src", map.src()), ("tgt", map.tgt())] {
            self.texts(&format!("{prefix}.{name}"), &[], std::slice::from_ref(&side.text))?;
        }
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.ids.extend(number(map.id()).to_le_bytes());
        self.ranks.extend(map.rank().map_or(-1, number).to_le_bytes());
        self.log_probs.extend(map.log_prob().to_le_bytes());
        Ok(())
    }

    /// Writes the arrays over all maps and the archive's directory, and gives back what was written to, flushed.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        let [ids, ranks, log_probs] = [&mut self.ids, &mut self.ranks, &mut self.log_probs].map(std::mem::take);
        for (name, kind, values) in [("id", "<i8", ids), ("rank", "<i8", ranks), ("log_prob", "<f8", log_probs)] {
            self.array(name, kind, &[values.len() / 8], &values)?;
        }
        let mut out = self.zip.finish().map_err(of_zip)?;
        out.flush()?;
        Ok(out)
    }

    /// Unicode texts, UTF-32, all as wide as the widest.
    fn texts(&mut self, name: &str, shape: &[usize], texts: &[String]) -> io::Result<()> {
        // NumPy reads a width of 0, but makes arrays of at least 1.
        let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let mut values = Vec::with_capacity(4 * width * texts.len());
        for text in texts {
            let padded = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
            values.extend(padded.flat_map(u32::to_le_bytes));
        }
        self.array(name, &format!("<U{width}"), shape, &values)
    }

    fn array(&mut self, name: &str, kind: &str, shape: &[usize], values: &[u8]) -> io::Result<()> {
        let (mut entry, config) = self.zip.new_file(format!("{name}.npy")).start().map_err(of_zip)?;
        let mut data = config.wrap(&mut entry);
        data.write_all(&header(kind, shape))?;
        data.write_all(values)?;
        let (_, descriptor) = data.finish().map_err(of_zip)?;
        entry.finish(descriptor).map_err(of_zip)?;
        Ok(())
    }
}

/// The beginning of a `.npy` file, version 1.0: a Python dictionary, padded so that the values start at a multiple of 64 bytes.
fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let shape = if shape.len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    let before = 10; // magic, version, length
    let length = (before + text.len() + 1).next_multiple_of(64) - before;
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(length).unwrap_or_else(|_| unreachable!("two sizes are short")).to_le_bytes());
    out.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
    out
}

/// The error of the writer below, so that a closed pipe is known as one.
fn of_zip(error: rawzip::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::IO(error) => error,
        other => io::Error::other(rawzip::Error::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::view::test_maps::{german, map};

    /// The files of an archive, by name.
    fn entries(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let archive = rawzip::ZipArchive::from_slice(bytes).expect("an archive");
        let (mut entries, mut out) = (archive.entries(), BTreeMap::new());
        while let Some(entry) = entries.next_entry().expect("an entry") {
            let name = String::from_utf8(entry.file_path().as_ref().to_vec()).expect("a name");
            let data = archive.get_entry(entry.wayfinder()).expect("its data").data().to_vec();
            assert_eq!(entry.uncompressed_size_hint(), data.len() as u64, "stored as it is");
            assert!(out.insert(name, data).is_none(), "no name twice");
        }
        out
    }

    fn written(maps: &[AttentionMap]) -> Vec<u8> {
        let mut npz = NpzWriter::new(Vec::new());
        maps.iter().for_each(|map| npz.write(map).expect("a Vec takes whatever is written"));
        npz.finish().expect("a Vec takes whatever is written")
    }

    #[test]
    fn an_array_has_these_bytes() {
        let small = map(&["ä"], &["b", "c"], &[1.0, 1.0]).with_id(7).with_rank(2);
        let files = entries(&written(&[small]));
        let text = |dictionary: &str| {
            let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
            bytes.extend(format!("{dictionary:<117}\n").into_bytes());
            assert_eq!(bytes.len(), 128);
            bytes
        };
        let mut weights = text("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }");
        weights.extend([0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F]);
        assert_eq!(files["7.2.weights.npy"], weights);
        let mut tokens = text("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }");
        tokens.extend([0xE4, 0, 0, 0]);
        assert_eq!(files["7.2.src_tokens.npy"], tokens);
        let mut target = text("{'descr': '<U3', 'fortran_order': False, 'shape': (), }");
        target.extend(b"b\0\0\0 \0\0\0c\0\0\0");
        assert_eq!(files["7.2.tgt.npy"], target);
        let mut ranks = text("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }");
        ranks.extend(2_i64.to_le_bytes());
        assert_eq!(files["rank.npy"], ranks);
    }

    #[test]
    fn texts_of_different_length_are_padded_to_the_longest() {
        let files = entries(&written(&[german()]));
        let tokens = &files["3.0.src_words.npy"];
        assert!(tokens.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<U7', "), "Haustür has 7 letters");
        assert_eq!(tokens.len(), 128 + 3 * 7 * 4);
        assert_eq!(&tokens[128..128 + 16], b"D\0\0\0i\0\0\0e\0\0\0\0\0\0\0");
    }

    #[test]
    fn every_hypothesis_is_there_and_a_given_target_has_rank_minus_one() {
        let given = map(&["a"], &["b"], &[1.0]).with_id(5);
        let files = entries(&written(&[german(), german().with_rank(1), given]));
        assert_eq!(files.len(), 3 * 8 + 3);
        assert_eq!(files["rank.npy"][128..].chunks(8).map(|rank| rank[0]).collect::<Vec<_>>(), [0, 1, 0xFF]);
        assert_eq!(files["id.npy"][128..].chunks(8).map(|id| id[0]).collect::<Vec<_>>(), [3, 3, 5]);
        assert!(files.contains_key("3.1.word_weights.npy") && files.contains_key("5.0.weights.npy"));
        assert_eq!(entries(&written(&[]))["log_prob.npy"].len(), 128, "no maps are an archive too");
    }

    #[test]
    fn the_same_maps_give_the_same_bytes() {
        assert_eq!(written(&[german()]), written(&[german()]));
    }
}
