//! `lookback translate`.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use lookback::data::{DataError, read_lines};
use lookback::search::{Constraints, KeepWeights, SearchOptions};
use lookback::{Request, TranslateError, Translation, Translator};

use crate::args::{Common, TranslateArgs, alignment};
use crate::data::shell;
use crate::display::{Screen, counted};
use crate::exit::{Done, Usage};
use crate::input::{Rounds, name, up_to_fault};
use crate::written::{output, spare};

mod json;
mod looks;

pub(crate) use json::BadRequest;
use json::JsonLine;
use looks::Looks;

pub(crate) fn run(args: &TranslateArgs, common: Common) -> anyhow::Result<Done> {
    check(args)?;
    let translator = args.search.translator(&args.model, &args.processor.cpu(common)?)?;
    Looks::check(args, &translator)?;
    let weights = if Looks::are_asked(args) { KeepWeights::Yes } else { KeepWeights::No };
    let options = SearchOptions { weights, ..options(args, &translator)? };
    options.check().map_err(TranslateError::from)?;
    let mut lines = Lines::open(args)?;
    // Nothing that can be known to fail fails after this: what stood in these files is gone.
    let mut looks = Looks::open(args, common, &translator)?;
    let mut out = output(args.output.as_deref())?;
    let mut counts = Counts::default();
    while let Some(round) = lines.next()? {
        let requests: Vec<Request> = round.iter().map(|line| line.request.clone()).collect();
        let (translations, fault) =
            up_to_fault(&requests, |requests| translator.translate_requests(requests, &options))
                .map_err(|error| lines.place(error, &round))?;
        counts.take(&translations);
        let answered = &round[..translations.len()];
        let alignments = looks.take(&translator, answered, &translations)?;
        write(&mut out, answered, &translations, &alignments, args, &translator)
            .context("cannot write translations")?;
        if let Some(fault) = fault {
            // Maps that came before are not lost; that they cannot be written would not be the error.
            drop(looks.finish());
            return Err(fault.at(lines.name(), lines.seen - round.len() + 1));
        }
    }
    lines.finish()?;
    looks.finish()?;
    counts.tell(&mut Screen::new(common));
    Ok(Done::Whole)
}

fn check(args: &TranslateArgs) -> Result<(), Usage> {
    for (value, flag) in [(args.batch, "--batch"), (args.n_best, "--n-best")] {
        if value == 0 {
            return Err(Usage(format!("{flag} must be at least 1")));
        }
    }
    if let (Some(_), Some(word)) = (args.alignment, args.sentences.first().filter(|word| alignment(word).is_ok())) {
        return Err(Usage(format!(
            "`{word}` would be a sentence to translate; write --alignment={word}, or the sentence on standard input"
        )));
    }
    if let Some(dir) = model_folder(&args.sentences) {
        return Err(Usage(format!("`{dir}` is a model folder; give every model its own -m")));
    }
    no_files(&args.sentences)?;
    let read = [&args.input, &args.prefix_file].into_iter().filter_map(Option::as_deref);
    for output in [&args.output, &args.attention] {
        spare(output.as_deref(), read.clone())?;
    }
    if args.prefix_file.is_some() && !args.sentences.is_empty() {
        return Err(Usage("--prefix-file goes with lines of a file or of standard input; use --prefix".into()));
    }
    Ok(())
}

/// The first sentence that is a folder of a model: it was meant to be one.
pub(crate) fn model_folder(sentences: &[String]) -> Option<&str> {
    sentences.iter().map(String::as_str).find(|sentence| Path::new(sentence).join("config.json").exists())
}

/// Refuses sentences that are all names of files: their lines were meant.
pub(crate) fn no_files(sentences: &[String]) -> Result<(), Usage> {
    match sentences.first().filter(|_| sentences.iter().all(|sentence| Path::new(sentence).is_file())) {
        Some(file) => Err(Usage(format!(
            "`{file}` is a file; `-i {}` reads its lines, and a sentence that is called so comes on standard input",
            shell(Path::new(file))
        ))),
        None => Ok(()),
    }
}

/// The model's own search, changed by what was given. More translations than the model's beam holds widen it; a beam that was given stays.
fn options(args: &TranslateArgs, translator: &Translator) -> Result<SearchOptions, Usage> {
    let mut config = args.search.over(&translator.config().search);
    let sampling = args.sample.sampling();
    if args.n_best > config.beam_size && args.n_best > 1 && sampling.is_none() {
        if let Some(beam) = args.search.beam_size {
            let n_best = args.n_best;
            return Err(Usage(format!("--n-best {n_best} needs --beam-size {n_best} or more; it is {beam}")));
        }
        config.beam_size = args.n_best;
    }
    Ok(SearchOptions { nbest: args.n_best, sampling, ..config.into() })
}

/// A line to translate.
struct Line {
    request: Request,
    /// What stood beside it in its JSON object.
    beside: serde_json::Map<String, serde_json::Value>,
}

/// Lines to translate, in rounds.
struct Lines<'a> {
    args: &'a TranslateArgs,
    rounds: Rounds,
    /// The lines of `--prefix-file`.
    prefixes: Option<(&'a Path, Vec<String>)>,
    constraints: Constraints,
    /// Lines so far.
    seen: usize,
}

impl<'a> Lines<'a> {
    fn open(args: &'a TranslateArgs) -> anyhow::Result<Self> {
        let rounds = Rounds::of(&args.sentences, args.input.as_deref(), args.batch)?;
        let prefixes = match &args.prefix_file {
            Some(path) => Some((path.as_path(), read_lines(path)?.0)),
            None => None,
        };
        let (prefix, must) = (args.prefix.clone().unwrap_or_default(), args.must.clone());
        let constraints = Constraints { prefix, must, must_not: args.must_not.clone() };
        Ok(Self { args, rounds, prefixes, constraints, seen: 0 })
    }

    fn next(&mut self) -> anyhow::Result<Option<Vec<Line>>> {
        let Some(texts) = self.rounds.next()? else { return Ok(None) };
        texts.into_iter().map(|text| self.line(text)).collect::<Result<_, _>>().map(Some)
    }

    fn line(&mut self, text: String) -> anyhow::Result<Line> {
        let number = self.seen;
        self.seen += 1;
        let mut constraints = self.constraints.clone();
        if let Some((path, prefixes)) = &self.prefixes {
            let prefix = prefixes.get(number).ok_or_else(|| {
                let (path, lines) = (path.display(), prefixes.len());
                BadRequest::new(self.name(), number, format!("{path} has {lines} lines; it needs one for every source"))
            })?;
            constraints.prefix.clone_from(prefix);
        }
        let request = |text, constraints| Request { text, constraints, number: number as u64 };
        if !self.args.json_input {
            return Ok(Line { request: request(text, constraints), beside: serde_json::Map::new() });
        }
        let parsed = JsonLine::parse(&text, constraints);
        let JsonLine { text, constraints, beside } =
            parsed.map_err(|message| BadRequest::new(self.name(), number, message))?;
        Ok(Line { request: request(text, constraints), beside })
    }

    /// The input, as messages call it.
    fn name(&self) -> String {
        name(&self.args.sentences, self.args.input.as_deref())
    }

    /// An error of a sentence of the last round, with the line of the input where constraints came with it.
    fn place(&self, error: lookback::TranslateError, round: &[Line]) -> anyhow::Error {
        use lookback::search::SearchError;
        match error {
            lookback::TranslateError::Search(SearchError::Constraint { sentence, source })
                if self.args.json_input || self.prefixes.is_some() =>
            {
                BadRequest::new(self.name(), self.seen - round.len() + sentence, source.to_string()).into()
            }
            lookback::TranslateError::Search(SearchError::Constraint { source, .. }) => {
                Usage(source.to_string()).into()
            }
            other => other.of_sentence(|sentence| self.seen - round.len() + sentence).into(),
        }
    }

    /// Whether everything was used.
    fn finish(&self) -> Result<(), DataError> {
        match &self.prefixes {
            Some((path, prefixes)) if prefixes.len() != self.seen => Err(DataError::LineCounts {
                src: self.name().into(),
                src_lines: self.seen as u64,
                tgt: (*path).to_owned(),
                tgt_lines: prefixes.len() as u64,
            }),
            _ => Ok(()),
        }
    }
}

/// What went less well, to be told at the end.
#[derive(Debug, Default)]
struct Counts {
    translations: usize,
    cut: usize,
    unmet: usize,
}

impl Counts {
    fn take(&mut self, round: &[Vec<Translation>]) {
        for best in round.iter().filter_map(|translations| translations.first()) {
            self.translations += 1;
            self.cut += usize::from(best.hypothesis.is_cut);
            self.unmet += usize::from(!best.hypothesis.unmet.is_empty());
        }
    }

    fn tell(&self, screen: &mut Screen) {
        let all = counted(self.translations, "translation");
        if self.cut > 0 {
            let (met, are) = (self.cut, if self.cut == 1 { "is" } else { "are" });
            screen.line(&format!("{met} of {all} met the length limit and {are} cut"));
        }
        if self.unmet > 0 {
            let (unmet, lack) = (self.unmet, if self.unmet == 1 { "lacks" } else { "lack" });
            screen.line(&format!("{unmet} of {all} {lack} words that must be said"));
        }
    }
}

/// Writes a round; `alignments` are those of every translation, or none.
fn write(
    out: &mut impl Write,
    round: &[Line],
    translations: &[Vec<Translation>],
    alignments: &[Vec<String>],
    args: &TranslateArgs,
    translator: &Translator,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for ((line, translations), alignments) in round.iter().zip(translations).zip(alignments) {
        if args.json || args.json_input {
            let tgt = &translator.tokenizers().tgt;
            writeln!(out, "{}", json::object(line, translations, alignments, args.n_best, tgt))?;
            continue;
        }
        for (i, t) in translations.iter().enumerate() {
            let alignment = alignments.get(i).map_or(String::new(), |alignment| format!(" ||| {alignment}"));
            if args.n_best == 1 {
                // With a field after it, the text is one, too.
                let text = if alignment.is_empty() { one_line(&t.text) } else { one_field(&t.text) };
                writeln!(out, "{text}{alignment}")?;
            } else {
                let (id, text, found) = (line.request.number, one_field(&t.text), &t.hypothesis);
                writeln!(out, "{id} ||| {text}{alignment} ||| F0= {:.6} ||| {:.6}", found.log_prob, found.score)?;
            }
        }
    }
    out.flush()
}

/// A model may write any character; a line ends where we say, and holds no NUL, which no file of text may.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\n', '\0'], " ")
}

/// A field of an n-best list ends where we say, too.
pub(crate) fn one_field(text: &str) -> String {
    one_line(text).replace("|||", ESCAPED_BARS)
}

/// `|||` in a field of an n-best list.
pub(crate) const ESCAPED_BARS: &str = "&#124;&#124;&#124;";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_a_line_is_one_that_can_be_read_again() {
        let text = "a\nb\0c\rd\u{2028}e";
        assert_eq!(one_line(text), "a b c\rd\u{2028}e");
        let line = one_line(text);
        let mut read = lookback::data::Lines::new("out".into(), line.as_bytes());
        assert_eq!(read.next_line().unwrap(), Some((1, "a b c\rd\u{2028}e")));
        assert_eq!(read.next_line().unwrap(), None);
        assert_eq!(one_field("a ||| b\n"), format!("a {ESCAPED_BARS} b "));
    }
}
