//! `lookback quickstart`: from nothing to a translator, its score, and a page that shows where it looks.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use lookback::Translator;
use lookback::config::{AttentionKind, Config};
use lookback::data::Pair;
use lookback::eval::{Bleu, ExactMatch};
use lookback::search::{KeepWeights, SearchOptions};
use lookback::train::{Aligned, Ending, Initial, Job, Ready, RunOptions, train};
use lookback::view::{AttentionMap, Ink, Page, to_terminal};

use crate::args::{Colour, Common, QuickstartArgs, Task};
use crate::data::{shell, sources, targets};
use crate::display::{Screen, TrainingDisplay, counted, duration, grouped, is_coloured, width};
use crate::eval::best_of;
use crate::exit::Done;
use crate::signals::Watch;
use crate::train::tell_outcome;

mod places;
mod task;

use places::Places;
pub(crate) use places::no_longer_ours;

/// Test sentences on the page.
const ON_PAGE: usize = 40;
/// Test sentences in the terminal.
const IN_TERMINAL: usize = 3;

/// What has been made, and how well it does.
struct Made {
    task: Task,
    places: Places,
    test: Vec<Pair>,
    ready: Ready,
    seconds: f64,
    bleu: Bleu,
    exact: ExactMatch,
    maps: Vec<AttentionMap>,
}

pub(crate) fn run(args: &QuickstartArgs, common: Common) -> anyhow::Result<Done> {
    let start = Instant::now();
    let config = configuration(args)?;
    let cpu = args.processor.cpu(common)?;
    let places = Places::choose(args)?;
    let mut screen = Screen::new(common);
    places.mark(args.task)?;
    let corpora = task::corpora(args.task, &places.dir)?;
    let [train_pairs, valid_pairs, test_pairs] = corpora.sizes();
    screen.line(&format!(
        "{}: {} to learn from, {valid_pairs} to validate on, {test_pairs} to test on",
        args.task.title(),
        counted(train_pairs, "pair"),
    ));
    let watch = Watch::start()?;
    let dir = places.dir.clone();
    let job = Job {
        config,
        train: corpora.train,
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        valid: corpora.valid,
        dir: dir.clone(),
        cpu: cpu.clone(),
        start: places.start,
        aligned: Aligned::default(),
        options: RunOptions::default(),
    };
    let mut display = TrainingDisplay::new(screen);
    let outcome = train(job, &watch.stop, &mut display)?;
    let (mut screen, ready) = display.into_parts();
    tell_outcome(&mut screen, &outcome);
    if outcome.ending == Ending::Stopped || watch.done() != Done::Whole {
        screen.line(&format!("what was learned so far is in {}", shell(&dir)));
        return Ok(watch.done());
    }
    drop(watch);
    let ready = ready.context("the training told nothing")?;

    let translator = Translator::load_on(&dir, cpu)?;
    let options = SearchOptions::from(translator.config().search.clone());
    let test = corpora.test;
    let hyps = best_of(&translator, &sources(&test), &options, &mut screen)?;
    let (bleu, exact) = (Bleu::corpus(&hyps, &targets(&test))?, ExactMatch::corpus(&hyps, &targets(&test))?);
    let maps = look(&translator, &test, options)?;
    let seconds = start.elapsed().as_secs_f64();
    let made = Made { task: args.task, places, test, ready, seconds, bleu, exact, maps };
    fs::write(&made.places.page, made.page())
        .with_context(|| format!("cannot write `{}`", made.places.page.display()))?;
    drop(screen);
    made.tell(&mut io::stdout().lock(), common.color)?;
    Ok(Done::Whole)
}

fn configuration(args: &QuickstartArgs) -> anyhow::Result<Config> {
    let (name, recipe) = args.task.recipe();
    let minutes = args.minutes.map(|m| format!("train.max_minutes={m:?}"));
    let sets: Vec<String> = minutes.into_iter().chain(args.set.iter().cloned()).collect();
    let config = Config::from_layers(&[(name.to_owned(), recipe.to_owned())], &sets).context("configuration")?;
    // What the training would refuse is refused before a folder is made. What a size decides is chosen later, by the corpus.
    config.clone().unguided()?.without_gold()?.check_for_any_corpus(false)?;
    Ok(config)
}

/// Where the decoder looked in the first test sentences.
fn look(translator: &Translator, test: &[Pair], options: SearchOptions) -> anyhow::Result<Vec<AttentionMap>> {
    if translator.config().model.attention == AttentionKind::None {
        return Ok(Vec::new());
    }
    let shown: Vec<&str> = sources(test).into_iter().take(ON_PAGE).collect();
    let options = SearchOptions { nbest: 1, weights: KeepWeights::Yes, ..options };
    let found = translator.attend(&shown, &options)?;
    let with_reference = |map: AttentionMap| {
        let reference = test.get(map.id()).map_or("", |pair| &pair.tgt);
        map.with_reference(reference)
    };
    Ok(found.into_iter().flatten().map(with_reference).collect())
}

impl Made {
    /// The score that says most about the task, as printed.
    fn score(&self) -> String {
        match self.task {
            Task::Translation => format!("BLEU {:.1}", self.bleu.score),
            Task::Dates => format!("exact match {:.1} %", 100.0 * self.exact.share()),
        }
    }

    fn page(&self) -> String {
        let (name, value) = match self.task {
            Task::Translation => ("BLEU", format!("{:.1}", self.bleu.score)),
            Task::Dates => ("Exact match", format!("{:.1} %", 100.0 * self.exact.share())),
        };
        Page::new(format!("{}: where the decoder looked", self.task.title()))
            .fact(name, value)
            .fact("Measured on", format!("{} never seen in training", counted(self.test.len(), "pair")))
            .fact("Learned from", counted(self.ready.train_pairs, "pair"))
            .fact("Parameters", grouped(self.ready.parameters))
            .fact("Time", format!("{} with {}", duration(self.seconds), counted(self.ready.threads, "thread")))
            .fact("Sentences", format!("the first {} of the test", self.maps.len()))
            .render(&self.maps)
    }

    fn tell(&self, out: &mut impl Write, colour: Colour) -> io::Result<()> {
        let on_terminal = io::stdout().is_terminal();
        let ink = if is_coloured(colour, on_terminal) { Ink::Colour } else { Ink::Plain };
        let width = if on_terminal { width() } else { 100 };
        for map in self.typical() {
            let (src, tgt) = (&map.src().text, &map.tgt().text);
            writeln!(out, "\n  source       {src}\n  translation  {tgt}")?;
            writeln!(out, "  reference    {}\n", map.reference().unwrap_or_default())?;
            let map = if self.task == Task::Dates { map.clone() } else { map.merged() };
            write!(out, "{}", to_terminal(&map, width, ink))?;
        }
        let (program, dir) = (program(), shell(&self.places.dir));
        let (first, test) = (self.task.example(), shell(&self.places.test()));
        writeln!(out, "\nModel: {dir}/   Page: {}   Time: {}", self.places.page.display(), duration(self.seconds))?;
        writeln!(out, "\nWhat to type next:")?;
        for (why, command) in [
            ("translate", format!("echo '{first}' | {program} translate -m {dir}")),
            ("see where it looks", format!("echo '{first}' | {program} attend -m {dir}")),
            ("score it again", format!("{program} eval -m {dir} {test}")),
            ("look inside", format!("{program} inspect {dir}")),
            ("train your own way", format!("{program} train {} --out my-model", shell(&self.places.train(self.task)))),
        ] {
            writeln!(out, "  {why:<18}   {command}")?;
        }
        writeln!(out, "\nOpen {} in a browser and point at a word.\n", self.places.page.display())?;
        if self.task == Task::Translation {
            writeln!(out, "BLEU|{} = {:.2} {}", self.bleu.signature(), self.bleu.score, self.bleu.verbose_score())?;
        } else {
            writeln!(out, "{}", self.exact)?;
        }
        writeln!(out, "{}", self.score())?;
        out.flush()
    }

    /// The first maps of a size that is good to look at.
    fn typical(&self) -> impl Iterator<Item = &AttentionMap> {
        let words = |map: &&AttentionMap| {
            let words = map.src().text.split_whitespace().count();
            self.task == Task::Dates || (5..=9).contains(&words)
        };
        self.maps.iter().filter(words).take(IN_TERMINAL)
    }
}

/// This program as it was called.
fn program() -> String {
    let name = std::env::args_os().next().map_or_else(|| PathBuf::from("lookback"), PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    shell(name.strip_prefix(here).unwrap_or(&name))
}
