//! Lines as they arrive, in rounds: a round ends when the input pauses, so that the program can be a coprocess.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use lookback::TranslateError;
use lookback::data::{DataError, Lines};
use lookback::search::SearchError;

use crate::data::is_stream;
use crate::exit::BadData;

/// The input pauses if nothing comes for so long.
const PAUSE: Duration = Duration::from_millis(100);
/// Lines read ahead.
const AHEAD: usize = 4096;

/// Lines of a file, of standard input or of the command line, in rounds.
#[derive(Debug)]
pub(crate) struct Rounds {
    lines: Receiver<Result<String, DataError>>,
    most: usize,
    failed: Option<DataError>,
}

impl Rounds {
    /// The lines of `file`, or of standard input, also as `-`, at most `most` a round.
    pub(crate) fn open(file: Option<&Path>, most: usize) -> Result<Self, DataError> {
        // An empty file has no lines, and is no error here.
        let is_file = |p: &Path| p.metadata().is_ok_and(|m| m.is_file() && m.len() > 0);
        let (send, lines) = sync_channel(AHEAD);
        match file.filter(|path| !is_stream(path)) {
            Some(path) if is_file(path) => {
                let lines = Lines::open(path)?;
                thread::spawn(move || forward(lines, &send));
            }
            Some(path) => {
                let file = File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
                let name = path.to_owned();
                thread::spawn(move || forward_stream(name, BufReader::new(file), &send));
            }
            None => {
                thread::spawn(move || forward_stream("standard input".into(), BufReader::new(io::stdin()), &send));
            }
        }
        Ok(Self { lines, most, failed: None })
    }

    /// The sentences of the command line, or if there are none the lines of `file` as [`Self::open`] reads them; at most `most` a round.
    pub(crate) fn of(sentences: &[String], file: Option<&Path>, most: usize) -> Result<Self, DataError> {
        if sentences.is_empty() { Self::open(file, most) } else { Ok(Self::given(sentences, most)) }
    }

    /// These lines, at most `most` a round.
    fn given(texts: &[String], most: usize) -> Self {
        let (send, lines) = sync_channel(texts.len());
        // The channel has room for all of them, and its other end stands here.
        texts.iter().for_each(|text| drop(send.send(Ok(text.clone()))));
        Self { lines, most, failed: None }
    }

    /// The next lines, at least one; `None` at the end. What came before an error is still given.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<String>>, DataError> {
        let mut round = Vec::new();
        let mut next = match self.failed.take() {
            Some(error) => Some(Err(error)),
            None => self.lines.recv().ok(),
        };
        while let Some(line) = next {
            match line {
                Ok(line) => round.push(line),
                Err(error) if round.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            if round.len() >= self.most {
                break;
            }
            next = self.lines.recv_timeout(PAUSE).ok();
        }
        Ok((!round.is_empty()).then_some(round))
    }
}

/// A text that a model cannot use, among those of a round.
#[derive(Debug)]
pub(crate) struct Fault {
    sentence: usize,
    /// Whether it is a pair's target, not its source.
    pub(crate) is_target: bool,
    message: String,
}

impl Fault {
    fn of(error: &TranslateError) -> Option<Self> {
        match error {
            TranslateError::Search(SearchError::SourceTooLong { sentence, source }) => {
                Some(Self { sentence: *sentence, is_target: false, message: source.to_string() })
            }
            TranslateError::OtherWords { pair, source } => {
                Some(Self { sentence: *pair, is_target: source.is_target, message: source.to_string() })
            }
            _ => None,
        }
    }

    /// The same of a model that reads the pairs the other way round.
    pub(crate) fn turned(self) -> Self {
        Self { is_target: !self.is_target, ..self }
    }

    /// The error, with the line of the text; that of the round's first is `first`, from 1.
    pub(crate) fn at(&self, name: impl Display, first: usize) -> anyhow::Error {
        BadData(format!("{name}:{}: {}", first + self.sentence, self.message)).into()
    }
}

/// What `work` makes of `round`, up to the first text that the model cannot use, and what is wrong with that one.
pub(crate) fn up_to_fault<T, R>(
    round: &[T],
    work: impl Fn(&[T]) -> Result<Vec<R>, TranslateError>,
) -> Result<(Vec<R>, Option<Fault>), TranslateError> {
    let (mut good, mut fault) = (round.len(), None);
    loop {
        let error = match work(&round[..good]) {
            Ok(all) => return Ok((all, fault)),
            Err(error) => error,
        };
        let Some(found) = Fault::of(&error).filter(|found| found.sentence < good) else { return Err(error) };
        good = found.sentence;
        fault = Some(found);
        if good == 0 {
            return Ok((Vec::new(), fault));
        }
    }
}

/// An error of a sentence, with the line it was read from or, if the text is not to blame, counted through all rounds; `first` is the line of the round's first, from 1.
pub(crate) fn at_line(error: TranslateError, name: impl Display, first: usize) -> anyhow::Error {
    match Fault::of(&error) {
        Some(fault) => fault.at(name, first),
        None => error.of_sentence(|sentence| first - 1 + sentence).into(),
    }
}

/// Where sentences come from, as messages call it.
pub(crate) fn name(sentences: &[String], input: Option<&Path>) -> String {
    match (sentences, input.filter(|path| !is_stream(path))) {
        ([], Some(path)) => path.display().to_string(),
        ([], None) => "standard input".to_owned(),
        _ => "sentence".to_owned(),
    }
}

/// As [`forward`], of what is compressed if its first bytes say so; they are waited for here.
fn forward_stream(name: PathBuf, reader: impl BufRead + Send + 'static, to: &SyncSender<Result<String, DataError>>) {
    match Lines::of_stream(name, reader) {
        Ok(lines) => forward(lines, to),
        // Nobody may be listening any more.
        Err(error) => drop(to.send(Err(error))),
    }
}

/// Sends every line, up to the first error or until nobody listens.
fn forward<R: BufRead>(mut lines: Lines<R>, to: &SyncSender<Result<String, DataError>>) {
    loop {
        let line = match lines.next_line() {
            Ok(None) => return,
            Ok(Some((_, text))) => Ok(text.to_owned()),
            Err(error) => Err(error),
        };
        let is_last = line.is_err();
        if to.send(line).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sent_up_to_the_first_error() {
        let (send, lines) = sync_channel(8);
        forward(Lines::new("x".into(), &b"a\r\n\nb\xFF\nc\n"[..]), &send);
        drop(send);
        let said: Vec<Result<String, String>> = lines.iter().map(|line| line.map_err(|e| e.to_string())).collect();
        assert_eq!(said[..2], [Ok("a".to_owned()), Ok(String::new())]);
        assert_eq!(said[2], Err("x:3: not UTF-8 at byte 2 of the line; convert the file to UTF-8".into()));
        assert_eq!(said.len(), 3);
    }

    #[test]
    fn given_lines_come_in_rounds_and_end() {
        let mut rounds = Rounds::given(&["a".to_owned(), String::new(), "c".to_owned()], 2);
        assert_eq!(rounds.next().unwrap(), Some(vec!["a".to_owned(), String::new()]));
        assert_eq!(rounds.next().unwrap(), Some(vec!["c".to_owned()]));
        assert_eq!(rounds.next().unwrap(), None);
        assert_eq!(Rounds::given(&[], 2).next().unwrap(), None);
    }

    #[test]
    fn lines_before_an_error_are_given_first() {
        let (send, lines) = sync_channel(8);
        let mut rounds = Rounds { lines, most: 2, failed: None };
        let error = DataError::Empty { path: "x".into() };
        for line in [Ok("a".to_owned()), Ok("b".to_owned()), Ok("c".to_owned()), Err(error)] {
            send.send(line).expect("there is room");
        }
        assert_eq!(rounds.next().expect("lines"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(rounds.next().expect("a line"), Some(vec!["c".to_owned()]));
        assert!(rounds.next().is_err());
        drop(send);
        assert_eq!(rounds.next().expect("the end"), None);
    }

    #[test]
    fn a_pause_ends_a_round() {
        let (send, lines) = sync_channel(8);
        let mut rounds = Rounds { lines, most: 100, failed: None };
        send.send(Ok("a".to_owned())).expect("there is room");
        assert_eq!(rounds.next().expect("a line"), Some(vec!["a".to_owned()]));
    }
}
