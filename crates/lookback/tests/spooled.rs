//! Trainings whose pairs do not fit into memory: the same bytes as those of trainings whose pairs do.

use std::path::Path;

use lookback::align::GivenLinks;
use lookback::backend::Cpu;
use lookback::config::Config;
use lookback::data::{Corpus, PairWriter, ReadReport, dates, hold_out};
use lookback::train::{Aligned, Ending, Initial, Job, RunOptions, Silent, Start, StopFlag, train};

use crate::common::{StopAfter, contents};

mod common;

const SMALL: [&str; 11] = [
    "seed=3",
    "text.vocab_size=330",
    "model.hidden=16",
    "model.embedding=8",
    "train.batch_tokens=300",
    "train.max_updates=20",
    "train.validate_every=6",
    "train.checkpoint_every=3",
    "train.warmup=4",
    "train.metric=loss",
    "train.validate_metrics=bleu",
];

/// Where pairs and the examples made of them are.
#[derive(Debug, Clone, Copy)]
enum Place {
    Memory,
    /// Nothing fits.
    File,
}

/// Three corpora: two to learn from, a third of which some is held out.
fn corpora(place: Place) -> [Corpus; 2] {
    let bytes = match place {
        Place::Memory => usize::MAX,
        Place::File => 0,
    };
    let mut writer = PairWriter::within(bytes);
    for pair in Corpus::from_pairs(dates::dates(240, 5)).pairs.iter() {
        let mut pair = pair.expect("memory");
        pair.corpus = u32::from(pair.line > 90);
        writer.push(pair.as_ref()).expect("a place");
    }
    let whole = Corpus { pairs: writer.finish().expect("a place"), report: ReadReport::default() };
    let (train, valid, _) = hold_out(whole, 7, Some(12)).expect("enough pairs");
    [train, valid]
}

fn job(dir: &Path, place: Place, sets: &[&str], is_guided: bool, start: Start) -> Job {
    let sets: Vec<String> = SMALL.iter().chain(sets).map(ToString::to_string).collect();
    let [train, valid] = corpora(place);
    // Links are for the whole of a corpus; here nobody has any but the first words.
    let guide = is_guided.then(|| {
        let mut links = GivenLinks::default();
        let count = train.pairs.iter().filter(|pair| pair.as_ref().is_ok_and(|pair| pair.corpus == 0)).count();
        links.insert(0, &train, Path::new("links"), &vec!["0-0".to_owned(); count]).expect("links");
        links
    });
    Job {
        config: Config::from_layers(&[], &sets).expect("known keys"),
        train,
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        valid,
        dir: dir.to_owned(),
        cpu: Cpu::detect(1),
        start,
        aligned: Aligned { guide, gold: None },
        options: RunOptions::default(),
    }
}

#[test]
fn a_training_is_the_same_wherever_its_pairs_are_and_goes_on_from_one_place_to_the_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let kinds: [(&str, &[&str], bool); 4] = [
        ("plain", &[], false),
        ("weighted", &["data.corpus_weights=[2.5, 0.7]", "data.sample=200", "data.max_src=12"], false),
        ("anew", &["text.mode=bpe", "text.bpe_dropout=0.2", "data.corpus_weights=[1.0, 0.5]"], false),
        ("guided", &["text.mode=bpe", "text.bpe_dropout=0.2", "train.guided_alignment_weight=0.5"], true),
    ];
    for (kind, sets, is_guided) in kinds {
        let out = |name: &str| dir.path().join(format!("{kind}-{name}"));
        let run = |name: &str, place, start| {
            let job = job(&out(name), place, sets, is_guided, start);
            train(job, &StopFlag::default(), &mut Silent).unwrap_or_else(|e| panic!("{kind}: {e}"))
        };
        assert_eq!(run("memory", Place::Memory, Start::Fresh).updates, 20, "{kind}");
        run("file", Place::File, Start::Fresh);
        let expected = contents(&out("memory"));
        assert!(expected.len() >= 4 && expected == contents(&out("file")), "{kind}");

        let stop = StopFlag::default();
        let stopped = job(&out("parts"), Place::File, sets, is_guided, Start::Fresh);
        let outcome = train(stopped, &stop, &mut StopAfter(8, &stop)).expect("the first part");
        assert_eq!(outcome.ending, Ending::Stopped);
        run("parts", Place::Memory, Start::Resume);
        assert!(expected == contents(&out("parts")), "{kind}: resumed");
    }
}
