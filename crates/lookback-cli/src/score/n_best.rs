//! Rescoring of n-best lists.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use lookback::Translator;

use crate::args::ScoreArgs;
use crate::data::lines;
use crate::exit::Usage;
use crate::input::{Rounds, at_line};
use crate::translate::{ESCAPED_BARS, one_field};

/// A line of a list that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{list}:{line}: {message}")]
pub(crate) struct BadEntry {
    list: String,
    line: usize,
    message: String,
}

/// `id ||| text ||| [more] ||| features ||| score`
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    /// Where it stands in the list, from 1.
    line: usize,
    id: usize,
    text: String,
    /// Fields between text and features, as they are.
    between: Vec<String>,
    features: String,
    score: f64,
}

impl Entry {
    fn parse(line: usize, text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split("|||").map(str::trim).collect();
        let [id, text, between @ .., features, _] = fields.as_slice() else {
            return Err(format!("{} fields; `id ||| text ||| features ||| score` are needed", fields.len()));
        };
        let id = id.parse().map_err(|_| format!("the id `{id}` is not a number from 0"))?;
        let between = between.iter().map(ToString::to_string).collect();
        let text = text.replace(ESCAPED_BARS, "|||");
        Ok(Self { line, id, text, between, features: (*features).to_owned(), score: 0.0 })
    }

    /// The values of all features, in their order.
    fn values(&self) -> Result<Vec<f64>, String> {
        let values = self.features.split_whitespace().filter(|word| !word.ends_with(['=', ':']));
        values.map(|word| word.parse().map_err(|_| format!("the feature `{word}` is not a number"))).collect()
    }

    /// Adds `F<n>= value`, n the first that is free.
    fn add(&mut self, value: f64) {
        let is_taken = |word: &str, n: &usize| word.trim_end_matches(['=', ':']) == format!("F{n}");
        let is_free = |n: &usize| !self.features.split_whitespace().any(|word| is_taken(word, n));
        let n = (0..).find(is_free).unwrap_or(0);
        let space = if self.features.is_empty() { "" } else { " " };
        self.features += &format!("{space}F{n}= {value:.6}");
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{} ||| {}", self.id, one_field(&self.text))?;
        self.between.iter().try_for_each(|field| write!(out, " ||| {field}"))?;
        writeln!(out, " ||| {} ||| {:.6}", self.features, self.score)
    }
}

/// Entries of one id after another.
struct Groups {
    rounds: Rounds,
    list: String,
    lines: usize,
    ready: std::vec::IntoIter<String>,
    next: Option<Entry>,
}

impl Groups {
    fn open(list: &Path, most: usize) -> anyhow::Result<Self> {
        let rounds = Rounds::open(Some(list), most)?;
        Ok(Self { rounds, list: list.display().to_string(), lines: 0, ready: Vec::new().into_iter(), next: None })
    }

    fn wrong(&self, line: usize, message: String) -> BadEntry {
        BadEntry { list: self.list.clone(), line, message }
    }

    fn entry(&mut self) -> anyhow::Result<Option<Entry>> {
        if self.ready.len() == 0 {
            self.ready = self.rounds.next()?.unwrap_or_default().into_iter();
        }
        let Some(line) = self.ready.next() else { return Ok(None) };
        self.lines += 1;
        let entry = Entry::parse(self.lines, &line).map_err(|message| self.wrong(self.lines, message))?;
        Ok(Some(entry))
    }

    /// All entries of the next id.
    fn next(&mut self) -> anyhow::Result<Vec<Entry>> {
        let mut group: Vec<Entry> = self.next.take().into_iter().collect();
        while let Some(entry) = self.entry()? {
            match group.first() {
                Some(first) if entry.id < first.id => {
                    let message = format!("id {} after {}; entries are in the order of their ids", entry.id, first.id);
                    return Err(self.wrong(entry.line, message).into());
                }
                Some(first) if entry.id > first.id => {
                    self.next = Some(entry);
                    break;
                }
                _ => group.push(entry),
            }
        }
        Ok(group)
    }
}

/// Writes the list again, scored by the model and best first.
pub(super) fn run(args: &ScoreArgs, translator: &Translator, list: &Path, src: &Path) -> anyhow::Result<()> {
    let sources = lines(src)?;
    let mut groups = Groups::open(list, args.batch)?;
    let alpha = args.length_penalty.unwrap_or(translator.config().search.length_penalty);
    if !(alpha.is_finite() && alpha >= 0.0) || args.weights.iter().any(|weight| !weight.is_finite()) {
        return Err(
            Usage("--length-penalty and --weights take finite numbers, and the penalty at least 0".into()).into()
        );
    }
    let mut out = BufWriter::new(io::stdout().lock());
    loop {
        let mut group = groups.next()?;
        let Some(first) = group.first() else { break };
        let source = sources.get(first.id).ok_or_else(|| {
            let (id, path, lines) = (first.id, src.display(), sources.len());
            groups.wrong(first.line, format!("no source for id {id}: {path} has {lines} lines, which count from 0"))
        })?;
        let first = first.id;
        for part in group.chunks_mut(args.batch) {
            let pairs: Vec<(&str, &str)> = part.iter().map(|entry| (source.as_str(), entry.text.as_str())).collect();
            // Whichever it is, its source is that line.
            let scores = translator
                .score_pairs(&pairs)
                .map_err(|error| at_line(error.of_sentence(|_| 0), src.display(), first + 1))?;
            for (entry, score) in part.iter_mut().zip(scores) {
                let wrong = |message| groups.wrong(entry.line, message);
                let values = entry.values().map_err(wrong)?;
                let combined = combined(args, &values, score.log_prob, score.tokens, alpha).map_err(wrong)?;
                entry.score = combined;
                entry.add(score.log_prob);
            }
        }
        group.sort_by(|a, b| b.score.total_cmp(&a.score));
        group.iter().try_for_each(|entry| entry.write(&mut out)).context("cannot write the list")?;
    }
    out.flush().context("cannot write the list")
}

/// What entries are ordered by.
fn combined(args: &ScoreArgs, values: &[f64], log_prob: f64, tokens: usize, alpha: f64) -> Result<f64, String> {
    if args.weights.is_empty() {
        #[allow(clippy::cast_precision_loss, reason = "a length is far below 2^52")]
        return Ok(log_prob / (tokens as f64).powf(alpha));
    }
    if args.weights.len() != values.len() + 1 {
        let (found, given) = (values.len(), args.weights.len());
        return Err(format!("{found} features and the new one need as many --weights, but there are {given}"));
    }
    Ok(values.iter().chain([&log_prob]).zip(&args.weights).map(|(value, weight)| value * weight).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entry: &Entry) -> String {
        let mut out = Vec::new();
        entry.write(&mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_entry_keeps_its_fields_and_gains_a_feature() {
        let mut entry =
            Entry::parse(1, "3 ||| a &#124;&#124;&#124; b ||| 0-0 ||| F0= -1.5 LM= -2 -3 ||| -1.5").expect("valid");
        assert_eq!((entry.id, entry.text.as_str()), (3, "a ||| b"));
        assert_eq!(entry.values(), Ok(vec![-1.5, -2.0, -3.0]));
        entry.add(-4.0);
        assert_eq!(
            written(&entry),
            "3 ||| a &#124;&#124;&#124; b ||| 0-0 ||| F0= -1.5 LM= -2 -3 F1= -4.000000 ||| 0.000000\n"
        );
        let mut empty = Entry::parse(1, "0 |||  |||  ||| 0").expect("valid");
        empty.add(-1.0);
        assert_eq!(written(&empty), "0 |||  ||| F0= -1.000000 ||| 0.000000\n");
    }

    #[test]
    fn features_are_named_as_by_moses_too() {
        let mut entry = Entry::parse(1, "0 ||| a ||| F0: -7 lm: -1 -2 tm: 3 ||| 0").expect("valid");
        assert_eq!(entry.values(), Ok(vec![-7.0, -1.0, -2.0, 3.0]));
        entry.add(-4.0);
        assert_eq!(entry.features, "F0: -7 lm: -1 -2 tm: 3 F1= -4.000000");
    }

    #[test]
    fn what_is_no_entry_is_named() {
        assert!(Entry::parse(1, "0 ||| a ||| b").expect_err("refused").starts_with("3 fields"));
        assert!(Entry::parse(1, "x ||| a ||| F0= 1 ||| 1").expect_err("refused").starts_with("the id `x`"));
        let entry = Entry::parse(1, "0 ||| a ||| F0= one ||| 1").expect("features are read later");
        assert_eq!(entry.values(), Err("the feature `one` is not a number".into()));
    }
}
