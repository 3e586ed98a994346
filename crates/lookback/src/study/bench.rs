//! The frame of every study: runs one after the other, each trained, resumed or found done, then measured.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::command::line;
use super::measured::{Measured, Of};
use super::{Divided, Extent, Stage, Study, StudyError, StudyObserver};
use crate::Translator;
use crate::backend::Cpu;
use crate::checkpoint::{CONFIG_FILE, Checkpoint, CheckpointError};
use crate::config::{Config, CorpusSize, TrainPrecision};
use crate::data::{file_sha256, fingerprint};
use crate::eval::Pool;
use crate::train::{
    Aligned, Ending, Finding, GoldPairs, Initial, Input, Job, Provenance, Receipt, RunOptions, Start, StopFlag, train,
};

/// What is the same in all runs of a study.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) study: Study,
    pub(super) extent: Extent,
    /// What was asked for, `key=value`.
    pub(super) given: Vec<String>,
}

impl Settings {
    /// The study's own values, those that were asked for in their place, and `own`, a run's.
    pub(super) fn common(&self, own: &[String]) -> Vec<String> {
        let base = match self.study {
            Study::Bottleneck => super::bottleneck::base(self.extent),
            Study::Scores => super::scores::base(self.extent),
            Study::Gradients => super::gradients::base(self.extent),
        };
        let is_given = |set: &&str| self.given.iter().any(|given| key(given) == key(set));
        let base = base.iter().copied().filter(|set| !is_given(set)).map(str::to_owned);
        base.chain(own.iter().cloned()).chain(self.given.iter().cloned()).collect()
    }

    /// Fails if a value was asked for that the runs differ in.
    fn check(&self, own: &[String]) -> Result<(), StudyError> {
        match self.given.iter().find(|given| own.iter().any(|own| key(own) == key(given))) {
            Some(given) => Err(StudyError::Varied { key: key(given).to_owned(), study: self.study.name() }),
            None => Ok(()),
        }
    }
}

fn key(set: &str) -> &str {
    set.split('=').next().unwrap_or(set).trim()
}

/// A run to be made.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Its name, that of its folder.
    pub(super) name: String,
    /// What charts and tables call it.
    pub(super) label: String,
    /// What it has of its own, `key=value`.
    pub(super) own: Vec<String>,
}

/// A run that was made.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunRecord {
    pub(super) name: String,
    pub(super) label: String,
    /// What trains it without a study.
    pub(super) command: String,
    pub(super) parameters: usize,
    pub(super) updates: u64,
    /// Seconds of training, on whatever else the machine had to do.
    pub(super) seconds: f64,
    pub(super) threads: usize,
    pub(super) instruction_set: String,
    pub(super) precision: TrainPrecision,
}

/// Makes runs.
pub(super) struct Bench<'a> {
    dir: &'a Path,
    pub(super) cpu: &'a Cpu,
    pub(super) pool: Pool,
    settings: &'a Settings,
    gold: Option<&'a GoldPairs>,
    stop: &'a StopFlag,
    observer: &'a mut dyn StudyObserver,
    runs: Vec<RunRecord>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        dir: &'a Path,
        cpu: &'a Cpu,
        settings: &'a Settings,
        gold: Option<&'a GoldPairs>,
        stop: &'a StopFlag,
        observer: &'a mut dyn StudyObserver,
    ) -> Self {
        Self { dir, cpu, pool: Pool::new(cpu.threads()), settings, gold, stop, observer, runs: Vec::new() }
    }

    /// The runs that were made, in order.
    pub(super) fn runs(&self) -> &[RunRecord] {
        &self.runs
    }

    pub(super) fn extent(&self) -> Extent {
        self.settings.extent
    }

    /// The gold links that models are tested on, too.
    pub(super) fn gold(&self) -> Option<&'a GoldPairs> {
        self.gold
    }

    /// The folder of a run.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.dir.join("runs").join(name)
    }

    /// Where the tables of pairs are.
    pub(super) fn data_folder(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Tells of pairs that a study made itself.
    pub(super) fn tell(&mut self, data: &Divided) {
        self.observer.stage(Stage::Divided(data));
    }

    /// Fails if a run cannot be.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), StudyError> {
        self.settings.check(&plan.own)?;
        Config::from_layers(&[], &self.settings.common(&plan.own))?;
        Ok(())
    }

    /// Makes all runs of a study, on the same pairs, and measures each on the test.
    pub(super) fn run_all(&mut self, plans: &[Plan], data: &Divided) -> Result<Vec<Measured>, StudyError> {
        plans.iter().try_for_each(|plan| self.check(plan))?;
        let mut measured = Vec::with_capacity(plans.len());
        for (number, plan) in (1..).zip(plans) {
            let translator = self.run(plan, data, (number, plans.len()))?;
            measured.push(self.measure(plan, &translator, data)?);
        }
        Ok(measured)
    }

    /// Trains what is left of a run, and loads its model.
    pub(super) fn run(
        &mut self,
        plan: &Plan,
        data: &Divided,
        (number, of): (usize, usize),
    ) -> Result<Translator, StudyError> {
        let dir = self.folder(&plan.name);
        let sets = self.settings.common(&plan.own);
        let config = Config::from_layers(&[], &sets)?;
        let done = ended(&dir, &config, data)?;
        self.observer.stage(Stage::Run { number, of, name: &plan.name, has_ended: done.is_some() });
        let receipt = match done {
            Some(receipt) => receipt,
            None => self.train(&dir, config, data)?,
        };
        let checkpoint = Checkpoint::load(&dir)?;
        self.runs.push(RunRecord {
            name: plan.name.clone(),
            label: plan.label.clone(),
            command: train_command(&dir, data, &sets),
            parameters: checkpoint.parameters(),
            updates: receipt.updates,
            seconds: receipt.seconds,
            threads: receipt.threads,
            instruction_set: receipt.instruction_set,
            precision: receipt.precision,
        });
        Ok(Translator::from_checkpoint(checkpoint, self.cpu.clone()))
    }

    fn train(&mut self, dir: &Path, config: Config, data: &Divided) -> Result<Receipt, StudyError> {
        if self.stop.is_set() {
            return Err(StudyError::Stopped);
        }
        fs::create_dir_all(dir).map_err(|source| CheckpointError::Write { path: dir.to_owned(), source })?;
        let job = Job {
            config,
            train: data.train.clone(),
            rest: None,
            tokenizers: None,
            initial: Initial::Random,
            valid: data.valid.clone(),
            dir: dir.to_owned(),
            cpu: self.cpu.clone(),
            // In an empty folder a resumed run begins.
            start: Start::Resume,
            aligned: Aligned::default(),
            options: RunOptions { provenance: provenance(data)?, ..RunOptions::default() },
        };
        let outcome = train(job, self.stop, &mut *self.observer)?;
        if outcome.ending == Ending::Stopped {
            return Err(StudyError::Stopped);
        }
        let path = dir.join(CONFIG_FILE);
        let no_receipt = || CheckpointError::Damaged { path, message: "there is no receipt of the training".into() };
        Ok(Receipt::read(dir)?.ok_or_else(no_receipt)?)
    }

    /// The model's translations of the test, and its perplexity.
    pub(super) fn measure(
        &mut self,
        plan: &Plan,
        translator: &Translator,
        data: &Divided,
    ) -> Result<Measured, StudyError> {
        let receipt = Receipt::read(self.folder(&plan.name))?;
        let model = receipt.map(|receipt| receipt.files).unwrap_or_default();
        let gold = self.gold.filter(|_| translator.need_attention().is_ok());
        let linked = gold.map(|gold| fingerprint(&gold.pairs.pairs)).transpose()?;
        let of = Of { model, test: data.test_sha256.clone(), linked };
        let path = self.dir.join("measured").join(format!("{}.json", plan.name));
        if let Some(kept) = Measured::read(&path, &of) {
            return Ok(kept);
        }
        let pairs: Vec<(&str, &str)> = data.test.iter().map(|pair| (pair.src.as_str(), pair.tgt.as_str())).collect();
        Measured::make(&path, of, translator, &pairs, gold, self.stop, self.observer)
    }
}

/// The receipt of a run that has ended, if that is what the folder holds: of the same configuration and pairs, with all files as they were written.
fn ended(dir: &Path, config: &Config, data: &Divided) -> Result<Option<Receipt>, StudyError> {
    let Some(receipt) = Receipt::read(dir)? else { return Ok(None) };
    let is_over = matches!(receipt.ended, Some(Ending::Limit | Ending::Patience));
    let same_pairs = receipt.pairs == [fingerprint(&data.train.pairs)?, fingerprint(&data.valid.pairs)?];
    if !is_over || !same_pairs || receipt.compare(dir)?.iter().any(|(_, finding)| *finding != Finding::Same) {
        return Ok(None);
    }
    let config = config.clone().resolve(CorpusSize::of(&data.train)?)?;
    Ok((Checkpoint::config(dir)? == config).then_some(receipt))
}

/// What a receipt says of the files.
fn provenance(data: &Divided) -> Result<Provenance, StudyError> {
    let input = |(role, path): (&str, &PathBuf)| {
        let sum = file_sha256(path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
        Ok(Input { role: role.to_owned(), path: path.clone(), sha256: Some(sum) })
    };
    let inputs = ["pairs", "valid"].into_iter().zip(&data.files).map(input).collect::<Result<_, StudyError>>()?;
    Ok(Provenance { inputs, columns: None })
}

/// What trains a run without a study.
fn train_command(dir: &Path, data: &Divided, sets: &[String]) -> String {
    let path = |path: &Path| path.display().to_string();
    let [train, valid, _] = &data.files;
    let mut words = ["lookback", "train"].map(str::to_owned).to_vec();
    words.extend([path(train), "--valid".into(), path(valid), "--out".into(), path(dir)]);
    words.extend(sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
    line(&words)
}
