//! `lookback study`.

use std::path::Path;

use lookback::data::{Corpus, PairFiles};
use lookback::study::{
    Divided, Extent, Stage, Study, StudyData, StudyError, StudyJob, StudyObserver, shell_word, study,
};
use lookback::train::{Event, GoldPairs, Observer};

use crate::args::{Common, PairArgs, StudyArgs, StudyName};
use crate::data::{Sources, read_aloud};
use crate::display::{Screen, TrainingDisplay, counted};
use crate::eval::gold_pairs;
use crate::exit::{Done, Usage};
use crate::signals::Watch;

pub(crate) fn run(args: &StudyArgs, common: Common) -> anyhow::Result<Done> {
    let mut screen = Screen::new(common);
    refuse_others(args)?;
    let data = data(args, &mut screen)?;
    let gold = gold(args, &mut screen)?;
    let watch = Watch::start()?;
    let job = StudyJob {
        study: match args.name {
            StudyName::Bottleneck => Study::Bottleneck,
            StudyName::Scores => Study::Scores,
            StudyName::Gradients => Study::Gradients,
        },
        extent: if args.quick { Extent::Quick } else { Extent::Full },
        settings: args.set.iter().cloned().chain(args.seed.map(|seed| format!("seed={seed}"))).collect(),
        data,
        edges: (!args.by_length.is_empty()).then(|| args.by_length.clone()),
        gold,
        dir: args.out.clone(),
        cpu: args.processor.cpu(common)?,
        command: typed(),
    };
    let mut display = StudyDisplay { training: TrainingDisplay::new(screen) };
    match study(job, &watch.stop, &mut display) {
        Ok(report) => {
            let mut screen = display.training.into_parts().0;
            screen.line(&format!("open {} in a browser", report.display()));
            Ok(Done::Whole)
        }
        Err(error @ StudyError::Stopped) => {
            let mut screen = display.training.into_parts().0;
            screen.line(&error.to_string());
            Ok(watch.done())
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses what another study is told.
fn refuse_others(args: &StudyArgs) -> Result<(), Usage> {
    let others = [
        (args.name != StudyName::Bottleneck && !args.by_length.is_empty(), "--by-length", "bottleneck"),
        (args.name != StudyName::Scores && args.known.align_pairs.is_some(), "--align-pairs", "scores"),
    ];
    match others.iter().find(|(given, ..)| *given) {
        Some((_, option, study)) => Err(Usage(format!("{option} is for the study `{study}`; leave it out"))),
        None => Ok(()),
    }
}

/// Pairs with gold links, if any were named.
fn gold(args: &StudyArgs, screen: &mut Screen) -> anyhow::Result<Option<GoldPairs>> {
    let Some((pairs, path)) = args.known.files() else { return Ok(None) };
    let pairs = read_aloud([&PairFiles::Table(pairs.to_owned(), None)], screen)?;
    Ok(Some(gold_pairs(pairs, path, args.known.gold_base.unwrap_or(0), args.gold_format)?))
}

/// What the study is given.
fn data(args: &StudyArgs, screen: &mut Screen) -> anyhow::Result<Option<StudyData>> {
    let PairArgs { pairs, src, columns, .. } = &args.pairs;
    if args.name == StudyName::Gradients {
        let given = [!pairs.is_empty(), !src.is_empty(), columns.is_some(), args.valid.is_some(), args.test.is_some()];
        if given.contains(&true) {
            let what = "the study `gradients` makes the pairs it learns from; give none, and neither --columns, --valid nor --test";
            return Err(Usage(what.into()).into());
        }
        return Ok(None);
    }
    if pairs.is_empty() && src.is_empty() {
        return Err(Usage("give PAIRS, or --src FILE and --tgt FILE".into()).into());
    }
    args.pairs.check_columns(args.valid.iter().chain(&args.test))?;
    let sources = args.pairs.sources()?;
    if matches!(sources, Sources::Stream(_)) {
        return Err(Usage("a study reads its pairs several times; write the stream to a file".into()).into());
    }
    let (pairs, _) = sources.read_aloud(usize::MAX, screen)?;
    let mut table = |path: Option<&Path>| -> anyhow::Result<Option<Corpus>> {
        let read = |path: &Path| read_aloud([&PairFiles::Table(path.to_owned(), *columns)], screen);
        Ok(path.map(read).transpose()?)
    };
    let (valid, test) = (table(args.valid.as_deref())?, table(args.test.as_deref())?);
    Ok(Some(StudyData { pairs, valid, test }))
}

/// The command as it was typed, the program by its name.
fn typed() -> String {
    let arguments = std::env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()));
    std::iter::once("lookback".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Tells about a study: every training as it is told alone.
struct StudyDisplay {
    training: TrainingDisplay,
}

impl Observer for StudyDisplay {
    fn event(&mut self, event: Event<'_>) {
        self.training.event(event);
    }
}

impl StudyObserver for StudyDisplay {
    fn stage(&mut self, stage: Stage<'_>) {
        match stage {
            Stage::Divided(divided) => self.training.screen().line(&told(divided)),
            Stage::Run { number, of, name, has_ended } => {
                self.training.begin();
                let done = if has_ended { ": trained already" } else { "" };
                self.training.screen().good_line(&format!("run {number} of {of}: {name}{done}"));
            }
            Stage::Translating { done, all } => self.training.screen().progress("translating", done, all),
            _ => {}
        }
    }
}

fn told(divided: &Divided) -> String {
    let [train, valid, test] = divided.pairs;
    let mut text = format!("{} to learn from, {valid} to validate on, {test} to test on", counted(train, "pair"));
    if divided.left_out > 0 {
        text += &format!("; {} left out that share a sentence with those", counted(divided.left_out, "pair"));
    }
    text
}
