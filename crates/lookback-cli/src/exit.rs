//! How the program ends: exit codes and the line that says why.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use lookback::checkpoint::{AverageError, CheckpointError};
use lookback::config::ConfigError;
use lookback::data::DataError;
use lookback::data::doctor::DoctorError;
use lookback::eval::{EvalError, LinkError, NbestError};
use lookback::search::SearchError;
use lookback::study::StudyError;
use lookback::text::TextError;
use lookback::train::TrainError;
use lookback::{EnsembleError, TranslateError};

use crate::display::harmless;
use crate::score::BadEntry;
use crate::tokenize::Unknown;
use crate::translate::BadRequest;

/// A usage error found after parsing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// An error in what was read, found by the program.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadData(pub(crate) String);

/// A run without error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// All is done.
    Whole,
    /// Stopped by this signal, everything saved.
    Interrupted(i32),
}

impl Done {
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Self::Whole => ExitCode::SUCCESS,
            Self::Interrupted(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        }
    }
}

/// Says what went wrong. A reader that has seen enough is not an error.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let is_pipe = |e: &io::Error| e.kind() == ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_pipe)) {
        return ExitCode::SUCCESS;
    }
    // Nothing can be done if even this cannot be written.
    drop(writeln!(io::stderr(), "error: {}", harmless(&chain(error))));
    ExitCode::from(code(error))
}

/// The error and its causes; many errors quote their cause already.
fn chain(error: &anyhow::Error) -> String {
    let mut out = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if out.is_empty() {
            out = cause;
        } else if !out.ends_with(&cause) {
            out = format!("{out}: {cause}");
        }
    }
    out
}

fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(
        AverageError::Configuration { .. }
        | AverageError::Tokenizers { .. }
        | AverageError::TooFew(_)
        | AverageError::Checkpoint(CheckpointError::Converted { .. }),
    ) = cause.downcast_ref()
    {
        return Some(2);
    }
    if cause.is::<Usage>() || cause.is::<ConfigError>() {
        return Some(2);
    }
    if let Some(DataError::Temporary { .. }) = cause.downcast_ref() {
        return Some(1);
    }
    let is_data = cause.is::<DataError>() || cause.is::<BadData>() || cause.is::<Unknown>();
    let is_list = cause.is::<BadRequest>() || cause.is::<BadEntry>() || cause.is::<NbestError>();
    if is_data || is_list || cause.is::<EvalError>() || cause.is::<LinkError>() {
        return Some(3);
    }
    if let Some(
        TranslateError::Search(SearchError::Option { .. } | SearchError::Constraint { .. })
        | TranslateError::NoAttention,
    ) = cause.downcast_ref()
    {
        return Some(2);
    }
    match cause.downcast_ref() {
        None | Some(EnsembleError::Checkpoint(_)) => {}
        Some(_) => return Some(2),
    }
    if let Some(TranslateError::Search(SearchError::SourceTooLong { .. }) | TranslateError::OtherWords { .. }) =
        cause.downcast_ref()
    {
        return Some(3);
    }
    match cause.downcast_ref() {
        // Transparent variants are not causes of their own.
        Some(StudyError::Config(inner)) => return code_of(inner),
        Some(StudyError::Data(inner)) => return code_of(inner),
        Some(StudyError::Train(inner)) => return code_of(inner),
        Some(StudyError::Translate(inner)) => return code_of(inner),
        Some(StudyError::Eval(inner)) => return code_of(inner),
        Some(StudyError::Tab { .. } | StudyError::Link(_)) => return Some(3),
        Some(
            StudyError::Edges(_)
            | StudyError::Occupied { .. }
            | StudyError::Another { .. }
            | StudyError::Varied { .. }
            | StudyError::Pairs { .. },
        ) => return Some(2),
        _ => {}
    }
    match cause.downcast_ref() {
        Some(DoctorError::Occupied { .. } | DoctorError::Input { .. }) => return Some(2),
        Some(DoctorError::Data(inner)) => return code_of(inner),
        Some(DoctorError::Beyond { .. } | DoctorError::NothingLeft { .. } | DoctorError::Changed { .. }) => {
            return Some(3);
        }
        _ => {}
    }
    // What a vocabulary is made by are values of the configuration.
    if let Some(TextError::VocabTooSmall { .. } | TextError::TooRare { .. }) = cause.downcast_ref() {
        return Some(2);
    }
    match cause.downcast_ref::<TrainError>()? {
        TrainError::Config(_)
        | TrainError::OtherModel { .. }
        | TrainError::Occupied { .. }
        | TrainError::Changed { .. }
        | TrainError::Converted { .. }
        | TrainError::Unchangeable { .. }
        | TrainError::NothingToResume { .. } => Some(2),
        TrainError::Text(TextError::VocabTooSmall { .. } | TextError::TooRare { .. })
        | TrainError::Search(SearchError::Option { .. }) => Some(2),
        TrainError::Data(inner) => code_of(inner),
        TrainError::Eval(_)
        | TrainError::NothingLeft { .. }
        | TrainError::OtherWords { .. }
        | TrainError::Links(_)
        | TrainError::ValidationTooLong { .. } => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Context;

    use super::*;

    #[test]
    fn codes_tell_whose_fault_it_was() {
        let empty = || DataError::Empty { path: PathBuf::from("p.tsv") };
        assert_eq!(code(&anyhow::Error::new(empty()).context("reading")), 3);
        assert_eq!(code(&TrainError::from(empty()).into()), 3);
        let full = || DataError::Temporary { folder: "/tmp".into(), source: ErrorKind::StorageFull.into() };
        assert_eq!((code(&full().into()), code(&TrainError::from(full()).into())), (1, 1));
        assert_eq!(code(&Usage("no".into()).into()), 2);
        assert_eq!(code(&TrainError::Occupied { dir: PathBuf::from("m") }.into()), 2);
        assert_eq!(code(&anyhow::anyhow!("out of luck")), 1);
        assert_eq!(Done::Interrupted(2).code(), ExitCode::from(130));
    }

    #[test]
    fn causes_are_told_once() {
        let missing = || io::Error::new(ErrorKind::NotFound, "no such file");
        let data = DataError::Io { path: PathBuf::from("p.tsv"), source: missing() };
        assert_eq!(chain(&data.into()), "p.tsv: no such file");
        assert_eq!(chain(&Err::<(), _>(missing()).context("cannot open").unwrap_err()), "cannot open: no such file");
    }
}
