//! Studies: trainings that answer a question together, and the report of what they answer.
//!
//! ```text
//! pairs ─divide→ DIR/data ─train→ DIR/runs/NAME ─translate→ DIR/measured/NAME.json ─→ results.json, figures, report.html
//! ```
//! A run is a training like any other: its folder is a model folder, and the report has the command that makes it. [`study`] goes on where it was stopped: a run that has ended is not
//! trained again, one that was interrupted is resumed, what was translated is not translated again.

mod bench;
mod bottleneck;
mod command;
mod divide;
mod folder;
mod gradients;
mod measured;
mod paper;
mod reach;
mod report;
mod scores;
mod table;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::TranslateError;
use crate::backend::Cpu;
use crate::checkpoint::CheckpointError;
use crate::config::{Config, ConfigError};
use crate::data::DataError;
use crate::eval::{EdgesError, EvalError, LinkError};
use crate::train::{GoldPairs, Observer, StopFlag, TrainError};

use bench::{Bench, Settings};
use report::Findings;

pub use command::shell_word;
pub use divide::{Divided, StudyData};

/// What to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Study {
    /// What is lost when the whole source has to pass through one vector: translation by length of the source, with and without attention.
    Bottleneck,
    /// Every attention score, over the whole source and in both windows, with and without input feeding, in the layout of Luong et al. (2015).
    Scores,
    /// How far gradients reach back, by cell, with and without attention, and which model learns to copy after a delay. It makes its own pairs.
    Gradients,
}

impl Study {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bottleneck => "bottleneck",
            Self::Scores => "scores",
            Self::Gradients => "gradients",
        }
    }
}

/// How much is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// Small models of part of the pairs, in minutes: shows how the study works, and little else.
    Quick,
    /// Models of a usual size of all pairs.
    Full,
}

/// A study to be made.
#[derive(Debug)]
pub struct StudyJob {
    /// Which.
    pub study: Study,
    /// How much is trained.
    pub extent: Extent,
    /// Values of the configuration, `key=value`, that all runs have in common.
    pub settings: Vec<String>,
    /// What is learned from and tested on; none for [`Study::Gradients`], which makes its own.
    pub data: Option<StudyData>,
    /// Lengths of the source that part the test ([`Study::Bottleneck`]); chosen from it if not given.
    pub edges: Option<Vec<usize>>,
    /// Links that people say are right ([`Study::Scores`]); without them there is no alignment error rate.
    pub gold: Option<GoldPairs>,
    /// The folder of the study: created if need be.
    pub dir: PathBuf,
    /// What computes. Its threads never change the result.
    pub cpu: Cpu,
    /// How the study was called, for its report.
    pub command: String,
}

/// What a study tells while it goes on, beside what its trainings tell.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Stage<'a> {
    /// The pairs were divided.
    Divided(&'a Divided),
    /// A run begins, or has ended before.
    Run {
        /// Its place, from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// Its name.
        name: &'a str,
        /// Whether it had ended before and is taken as it is.
        has_ended: bool,
    },
    /// Test sentences are translated.
    Translating {
        /// How many are.
        done: usize,
        /// Of how many.
        all: usize,
    },
}

/// Hears of a study and of its trainings.
pub trait StudyObserver: Observer {
    /// Something happened beside the trainings.
    fn stage(&mut self, stage: Stage<'_>);
}

/// Why a study could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// Someone asked to stop; the same study goes on there.
    #[error("stopped; the same command goes on there")]
    Stopped,
    /// A configuration cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A training cannot begin or go on.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A model folder or a file of the study cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A test sentence cannot be translated.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// Translations cannot be scored.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Links cannot be compared.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Lengths that do not part sentences.
    #[error(transparent)]
    Edges(#[from] EdgesError),
    /// A folder with something else in it.
    #[error("`{}` is not empty and holds no study; use another folder", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// A folder with another study in it.
    #[error("`{}` holds another study, in which {what}; use another folder", dir.display())]
    Another {
        /// The folder.
        dir: PathBuf,
        /// What differs.
        what: String,
    },
    /// A value that the study gives itself.
    #[error("`{key}` is what the runs of the study `{study}` differ in; leave it out")]
    Varied {
        /// The key.
        key: String,
        /// The study.
        study: &'static str,
    },
    /// Pairs for a study that makes its own, or none for one that does not.
    #[error("the study `{study}` {}", if *study == "gradients" { "makes the pairs it learns from; give none" } else { "needs pairs to learn from" })]
    Pairs {
        /// The study.
        study: &'static str,
    },
    /// A pair that cannot be written into a table.
    #[error(
        "{which} pair of line {line}: a tab is inside the sentence, and the study writes tables; replace it by a space"
    )]
    Tab {
        /// `training`, `validation` or `test`.
        which: &'static str,
        /// Its line in what was read.
        line: u64,
    },
}

/// Makes a study, or what is left of it to be made, and returns the place of its report.
///
/// The same data, settings and seed give the same results, times aside, for any number of threads and whether or not the study was interrupted.
///
/// # Errors
/// If the folder, the data or the settings cannot be used, a file cannot be written, or someone asked to stop ([`StudyError::Stopped`]).
pub fn study(job: StudyJob, stop: &StopFlag, observer: &mut dyn StudyObserver) -> Result<PathBuf, StudyError> {
    let StudyJob { study, extent, settings, data, edges, gold, dir, cpu, command } = job;
    let settings = Settings { study, extent, given: settings };
    let seed = Config::from_layers(&[], &settings.common(&[]))?.seed;
    let wrong_pairs = || StudyError::Pairs { study: study.name() };
    if data.is_some() == (study == Study::Gradients) {
        return Err(wrong_pairs());
    }
    folder::take(&dir, &settings, data.as_ref())?;
    let divided = data.map(|data| divide::divide(data, seed, extent, &dir)).transpose()?;
    if let Some(divided) = &divided {
        observer.stage(Stage::Divided(divided));
    }
    let mut bench = Bench::new(&dir, &cpu, &settings, gold.as_ref(), stop, observer);
    let findings = match (study, &divided) {
        (Study::Bottleneck, Some(data)) => bottleneck::find(&mut bench, data, edges)?,
        (Study::Scores, Some(data)) => scores::find(&mut bench, data)?,
        (Study::Gradients, None) => gradients::find(&mut bench, seed)?,
        _ => return Err(wrong_pairs()),
    };
    write(&dir, &settings, divided.as_ref(), &command, &findings, &bench)
}

/// Writes figures, results and the report.
fn write(
    dir: &Path,
    settings: &Settings,
    divided: Option<&Divided>,
    command: &str,
    findings: &Findings,
    bench: &Bench<'_>,
) -> Result<PathBuf, StudyError> {
    for (name, chart) in findings.figures() {
        folder::write(&dir.join(name), chart.to_svg().as_bytes())?;
    }
    let results = json!({
        "study": settings.study,
        "extent": settings.extent,
        "version": env!("CARGO_PKG_VERSION"),
        "command": command,
        "settings": settings.given,
        "data": divided,
        "runs": bench.runs(),
        "results": findings.results,
    });
    folder::write(&dir.join("results.json"), format!("{results:#}\n").as_bytes())?;
    let report = dir.join("report.html");
    let page = report::page(findings, settings, divided, command, bench.runs());
    folder::write(&report, page.as_bytes())?;
    Ok(report)
}
