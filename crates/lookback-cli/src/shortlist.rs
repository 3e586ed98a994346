//! `lookback shortlist`.

use lookback::checkpoint::Checkpoint;
use lookback::data::FilterReport;
use lookback::shortlist::{Learner, SHORTLIST_FILE, Settings};

use crate::args::{Common, ShortlistArgs};
use crate::data::{read_once, shell};
use crate::display::{Screen, counted, grouped, skipped};
use crate::exit::{BadData, Done, Usage};

/// Pairs that are read at once.
const ROUND: usize = 4096;

pub(crate) fn run(args: &ShortlistArgs, common: Common) -> anyhow::Result<Done> {
    for (value, flag) in [(args.best, "--best"), (args.frequent, "--frequent")] {
        if value == 0 {
            return Err(Usage(format!("{flag} must be at least 1")).into());
        }
    }
    read_once(args.given.files())?;
    let tokenizers = Checkpoint::tokenizers(&args.model)?;
    let mut pairs = args.given.open(ROUND)?.refusing_blank();
    let mut learner = Learner::new(tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    let mut report = FilterReport::new(Checkpoint::config(&args.model)?.data.limits());
    let (mut screen, mut line) = (Screen::new(common), 0);
    while let Some(round) = pairs.next()? {
        for (src, tgt) in &round {
            line += 1;
            let (src, tgt) = (tokenizers.src.encode(src), tokenizers.tgt.encode(tgt));
            if report.admit((0, line), src.len(), tgt.len()) {
                learner.add(&src, &tgt);
            }
        }
        screen.live(|_| format!("{} read", counted(learner.pairs(), "pair")));
    }
    for line in skipped("pair", &report) {
        screen.line(&line);
    }
    if learner.pairs() == 0 {
        return Err(BadData("there are no pairs to learn a shortlist from".into()).into());
    }
    let read = learner.pairs();
    let shortlist = learner.learn(Settings { best: args.best, frequent: args.frequent });
    shortlist.save(&args.model, &tokenizers)?;
    let (pieces, candidates) = shortlist.size();
    let (pieces, candidates) = (grouped(pieces), grouped(candidates));
    screen.line(&format!(
        "{SHORTLIST_FILE}: {candidates} candidates of {pieces} source pieces, from {}",
        counted(read, "pair")
    ));
    screen.line(&format!("try it: lookback translate --shortlist -m {}", shell(&args.model)));
    Ok(Done::Whole)
}
