//! Word alignments from files: hypotheses and what people say is right.
//!
//! **Pharaoh** (`0-0 1-2 2p1`): a line per sentence pair, a link is `source-target`; in a gold file `p` in place of `-` marks a link that is
//! possible but not sure. **NAACL** (`12 3 4 P`, Mihalcea & Pedersen 2003): a line per link with the sentence's number from 1, source and target
//! position, and `S` or `P`, sure if neither stands there; what follows (a confidence) is not read. Position 0 there is the empty word if positions
//! count from 1: such links are counted, not scored.
//!
//! Positions count from 0 or from 1 as the caller says: nothing in a file tells which, and a wrong guess is a wrong score. A link that stands twice counts
//! once; one that is both sure and possible is sure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::eval::LinkError;

/// A link: positions in source and target, from 0.
pub type Link = (usize, usize);

/// Where positions in a file start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The first token is 0.
    Zero,
    /// The first token is 1.
    One,
}

/// A file of links, and what its links are checked against.
#[derive(Debug, Clone, Copy)]
pub struct LinkFile<'f> {
    /// The file, for messages.
    pub path: &'f Path,
    /// Its lines.
    pub lines: &'f [String],
    /// Where its positions start.
    pub base: Base,
    /// Tokens of source and target of every sentence, if they are known; links outside are then errors.
    pub lengths: Option<&'f [(usize, usize)]>,
}

/// What people say is right: links of every sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gold {
    pub(super) sentences: Vec<GoldSentence>,
    /// Links that stood there again.
    pub duplicates: usize,
    /// Links to the empty word (NAACL only), left out.
    pub null_links: usize,
    /// Sentences no line speaks of (NAACL only); they count as without links.
    pub unmentioned: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GoldSentence {
    pub(super) sure: BTreeSet<Link>,
    /// Possible links; the sure ones are among them.
    pub(super) possible: BTreeSet<Link>,
}

/// A hypothesis: links of every sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alignments {
    pub(super) path: PathBuf,
    pub(super) sentences: Vec<BTreeSet<Link>>,
    /// Links that stood there again.
    pub duplicates: usize,
}

impl Alignments {
    /// Links that were found rather than read; `path` is for messages.
    #[must_use]
    pub fn of_links(path: PathBuf, links: impl IntoIterator<Item = Vec<Link>>) -> Self {
        Self { path, sentences: links.into_iter().map(|links| links.into_iter().collect()).collect(), duplicates: 0 }
    }

    /// The links of every sentence.
    #[must_use]
    pub fn sentences(&self) -> &[BTreeSet<Link>] {
        &self.sentences
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Sure,
    Possible,
}

impl Gold {
    /// Reads Pharaoh lines with `-` for sure and `p` for possible links.
    ///
    /// # Errors
    /// What is no link, starts below the base or lies outside its sentence, with `file:line`.
    pub fn pharaoh(file: &LinkFile<'_>) -> Result<Self, LinkError> {
        file.check_count(file.lines.len())?;
        let mut gold = Self { sentences: vec![GoldSentence::default(); file.lines.len()], ..Self::default() };
        for (i, line) in file.lines.iter().enumerate() {
            for token in line.split_whitespace() {
                let (link, certainty) = file.parse(i, token)?;
                gold.add(i, link, certainty);
            }
        }
        Ok(gold.closed())
    }

    /// Reads NAACL lines about `sentences` sentences.
    ///
    /// # Errors
    /// As [`Gold::pharaoh`], and numbers of sentences that are not 1 to `sentences`.
    pub fn naacl(file: &LinkFile<'_>, sentences: usize) -> Result<Self, LinkError> {
        file.check_count(sentences)?;
        let mut gold = Self { sentences: vec![GoldSentence::default(); sentences], ..Self::default() };
        let mut mentioned = vec![false; sentences];
        for (i, line) in file.lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = || file.wrong(i, line, "a line `sentence source target`, perhaps with `S` or `P`");
            let mut fields = line.split_whitespace();
            let mut number = || fields.next().and_then(|field| field.parse::<usize>().ok()).ok_or_else(wrong);
            let (sentence, src, tgt) = (number()?, number()?, number()?);
            let certainty = match fields.next() {
                Some("P" | "p") => Certainty::Possible,
                Some("S" | "s") | None => Certainty::Sure,
                // A confidence may follow at once.
                Some(other) if other.parse::<f64>().is_ok() => Certainty::Sure,
                Some(_) => return Err(wrong()),
            };
            if sentence == 0 || sentence > sentences {
                return Err(LinkError::Sentence { path: file.path.into(), line: i + 1, sentence, sentences });
            }
            mentioned[sentence - 1] = true;
            if file.base == Base::One && (src == 0 || tgt == 0) {
                gold.null_links += 1;
                continue;
            }
            let link = file.place(i, sentence - 1, (src, tgt))?;
            gold.add(sentence - 1, link, certainty);
        }
        gold.unmentioned = mentioned.iter().filter(|mentioned| !**mentioned).count();
        Ok(gold.closed())
    }

    /// The links of every sentence, sure and possible, the sure ones among them.
    pub fn sentences(&self) -> impl Iterator<Item = [&BTreeSet<Link>; 2]> {
        self.sentences.iter().map(|gold| [&gold.sure, &gold.possible])
    }

    /// Sentences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sentences.len()
    }

    /// Whether there is no sentence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    fn add(&mut self, sentence: usize, link: Link, certainty: Certainty) {
        let GoldSentence { sure, possible } = &mut self.sentences[sentence];
        let known = sure.contains(&link) || possible.contains(&link);
        match certainty {
            Certainty::Sure => sure.insert(link),
            Certainty::Possible => possible.insert(link),
        };
        self.duplicates += usize::from(known);
    }

    /// With the sure links among the possible ones.
    fn closed(mut self) -> Self {
        for GoldSentence { sure, possible } in &mut self.sentences {
            possible.extend(sure.iter().copied());
        }
        self
    }
}

impl Alignments {
    /// Links that were found rather than read; `path` is for messages.
    #[must_use]
    pub fn from_links(path: &Path, sentences: &[Vec<Link>]) -> Self {
        let sentences = sentences.iter().map(|links| links.iter().copied().collect()).collect();
        Self { path: path.to_owned(), sentences, duplicates: 0 }
    }

    /// Reads Pharaoh lines.
    ///
    /// # Errors
    /// As [`Gold::pharaoh`]; a possible link is one too.
    pub fn pharaoh(file: &LinkFile<'_>) -> Result<Self, LinkError> {
        file.check_count(file.lines.len())?;
        let (mut sentences, mut duplicates) = (Vec::with_capacity(file.lines.len()), 0);
        for (i, line) in file.lines.iter().enumerate() {
            let mut links = BTreeSet::new();
            for token in line.split_whitespace() {
                let (link, certainty) = file.parse(i, token)?;
                if certainty == Certainty::Possible {
                    return Err(LinkError::Possible { path: file.path.into(), line: i + 1, link: token.to_owned() });
                }
                duplicates += usize::from(!links.insert(link));
            }
            sentences.push(links);
        }
        Ok(Self { path: file.path.to_owned(), sentences, duplicates })
    }
}

impl LinkFile<'_> {
    fn check_count(&self, sentences: usize) -> Result<(), LinkError> {
        match self.lengths {
            Some(lengths) if lengths.len() != sentences => {
                Err(LinkError::Texts { path: self.path.into(), lines: sentences, texts: lengths.len() })
            }
            _ => Ok(()),
        }
    }

    fn wrong(&self, line: usize, found: &str, expected: &'static str) -> LinkError {
        LinkError::Syntax { path: self.path.into(), line: line + 1, found: found.to_owned(), expected }
    }

    /// A Pharaoh link of line `line`, counted from 0, which is its sentence too.
    fn parse(&self, line: usize, token: &str) -> Result<(Link, Certainty), LinkError> {
        let wrong = || self.wrong(line, token, "links like `0-1`, or `0p1` for a possible one");
        let mark = token.find(['-', 'p']).ok_or_else(wrong)?;
        let certainty = if token[mark..].starts_with('p') { Certainty::Possible } else { Certainty::Sure };
        let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        let link = (number(&token[..mark])?, number(&token[mark + 1..])?);
        Ok((self.place(line, line, link)?, certainty))
    }

    /// Counts a link from 0 and checks that it lies inside its sentence.
    fn place(&self, line: usize, sentence: usize, (src, tgt): Link) -> Result<Link, LinkError> {
        let path = || PathBuf::from(self.path);
        let (src, tgt) = match self.base {
            Base::Zero => (src, tgt),
            Base::One => match (src.checked_sub(1), tgt.checked_sub(1)) {
                (Some(src), Some(tgt)) => (src, tgt),
                _ => return Err(LinkError::BelowBase { path: path(), line: line + 1, src, tgt }),
            },
        };
        if let Some(&(src_tokens, tgt_tokens)) = self.lengths.and_then(|lengths| lengths.get(sentence))
            && (src >= src_tokens || tgt >= tgt_tokens)
        {
            let base = usize::from(self.base == Base::One);
            let (src, tgt) = (src + base, tgt + base);
            return Err(LinkError::Outside { path: path(), line: line + 1, src, tgt, src_tokens, tgt_tokens, base });
        }
        Ok((src, tgt))
    }
}

/// How many links of a sentence stand in `a` and `b`.
pub(super) fn shared(a: &BTreeSet<Link>, b: &BTreeSet<Link>) -> usize {
    a.intersection(b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    fn file<'f>(lines: &'f [String], base: Base, lengths: Option<&'f [(usize, usize)]>) -> LinkFile<'f> {
        LinkFile { path: Path::new("gold"), lines, base, lengths }
    }

    #[test]
    fn pharaoh_and_naacl_tell_the_same() {
        let pharaoh = Gold::pharaoh(&file(&lines(&["1-1 2p3", "", "4-2"]), Base::One, None)).unwrap();
        let text = lines(&["1 1 1 S", "0001 2 3 P 0.5", "3 4 2"]);
        let naacl = Gold::naacl(&file(&text, Base::One, None), 3).unwrap();
        assert_eq!(pharaoh.sentences, naacl.sentences);
        assert_eq!((naacl.unmentioned, pharaoh.unmentioned), (1, 0));
        assert_eq!(naacl.sentences[0].possible, BTreeSet::from([(0, 0), (1, 2)]));
        assert_eq!(naacl.sentences[0].sure, BTreeSet::from([(0, 0)]));
    }

    #[test]
    fn a_link_counts_once_and_sure_wins() {
        let gold = Gold::pharaoh(&file(&lines(&["0-0 0-0 1p1 1-1"]), Base::Zero, None)).unwrap();
        assert_eq!(gold.duplicates, 2);
        assert_eq!(gold.sentences[0].sure, BTreeSet::from([(0, 0), (1, 1)]));
        let hyp = Alignments::pharaoh(&file(&lines(&["0-0 0-0"]), Base::Zero, None)).unwrap();
        assert_eq!((hyp.duplicates, hyp.sentences[0].len()), (1, 1));
    }

    #[test]
    fn links_to_the_empty_word_are_counted_and_left_out() {
        let gold = Gold::naacl(&file(&lines(&["1 0 2 P", "1 1 1"]), Base::One, None), 1).unwrap();
        assert_eq!((gold.null_links, gold.sentences[0].possible.len()), (1, 1));
    }

    #[test]
    fn what_is_wrong_is_named_by_line() {
        let one = [(2, 3)];
        let said =
            |text: &[&str], base, lengths| Gold::pharaoh(&file(&lines(text), base, lengths)).unwrap_err().to_string();
        assert_eq!(
            said(&["0-0", "1:2"], Base::Zero, None),
            "gold:2: `1:2`; expected links like `0-1`, or `0p1` for a possible one"
        );
        for wrong in ["-1", "1-", "1--2", "-1-2", "a-1", "1-2-3", "p"] {
            assert!(said(&[wrong], Base::Zero, None).starts_with("gold:1: `"), "{wrong}");
        }
        assert_eq!(said(&["1-0"], Base::One, None), "gold:1: link 1-0 has position 0, but positions count from 1");
        assert_eq!(
            said(&["1-2 2-1"], Base::Zero, Some(&one)),
            "gold:1: link 2-1 lies outside its sentences of 2 and 3 tokens, which are counted from 0; \
             say where positions start, or give the texts that were aligned"
        );
        assert!(Gold::pharaoh(&file(&lines(&["2-3"]), Base::One, Some(&one))).is_ok());
        assert!(said(&["2-4"], Base::One, Some(&one)).contains("link 2-4 lies outside"));
        assert_eq!(said(&["0-0", ""], Base::Zero, Some(&one)), "gold: links of 2 sentences, but the texts have 1");
    }

    #[test]
    fn naacl_lines_are_checked_as_well() {
        let said =
            |line: &str| Gold::naacl(&file(&lines(&["1 1 1", line]), Base::Zero, None), 2).unwrap_err().to_string();
        assert_eq!(said("3 1 1"), "gold:2: sentence 3; expected 1 to 2");
        assert_eq!(said("0 1 1"), "gold:2: sentence 0; expected 1 to 2");
        for wrong in ["1 1", "1 1 x", "1 1 1 Q"] {
            assert!(said(wrong).starts_with(&format!("gold:2: `{wrong}`; expected a line")), "{wrong}");
        }
    }

    #[test]
    fn a_hypothesis_has_no_possible_links() {
        let said = Alignments::pharaoh(&file(&lines(&["0p0"]), Base::Zero, None)).unwrap_err().to_string();
        assert_eq!(said, "gold:1: `0p0` is a possible link; a hypothesis has only sure ones, written `0-1`");
    }
}
