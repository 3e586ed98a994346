//! Search among some pieces alone: a shortlist for every sentence.

use crate::text::{EOS, Tokenizer};

use super::Sentence;
use super::beam::Beam;

/// The pieces that may be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Narrowed {
    /// Of all sentences, ascending.
    pub(super) ids: Vec<u32>,
    /// Of each, as places in `ids`, ascending.
    pub(super) lists: Vec<Vec<u32>>,
}

impl Narrowed {
    /// Each sentence's candidates with the end, all bytes and what its constraints may have to write; none unless all sentences have candidates.
    pub(super) fn new(tgt: &Tokenizer, sentences: &[Sentence<'_>], beams: &[Beam<'_>]) -> Option<Self> {
        let all = 0..u32::try_from(tgt.vocab_size()).unwrap_or(u32::MAX);
        let bytes: Vec<u32> = all.filter(|&id| tgt.byte_value(id).is_some()).collect();
        let of_sentence = |(sentence, beam): (&Sentence<'_>, &Beam<'_>)| {
            let mut ids = sentence.candidates?.to_vec();
            ids.push(EOS);
            ids.extend(&bytes);
            beam.needs(&mut ids);
            ids.sort_unstable();
            ids.dedup();
            Some(ids)
        };
        let mut lists = sentences.iter().zip(beams).map(of_sentence).collect::<Option<Vec<Vec<u32>>>>()?;
        let mut ids = lists.concat();
        ids.sort_unstable();
        ids.dedup();
        let place = |id: &mut u32| {
            let place = ids.binary_search(id).expect("every id of a list is among all of them");
            *id = u32::try_from(place).unwrap_or(u32::MAX);
        };
        lists.iter_mut().flatten().for_each(place);
        Some(Self { ids, lists })
    }

    /// The pieces of a sentence, ascending.
    pub(super) fn of(&self, sentence: usize) -> impl Iterator<Item = u32> {
        self.lists[sentence].iter().map(|&place| self.ids[place as usize])
    }
}
