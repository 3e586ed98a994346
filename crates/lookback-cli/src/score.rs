//! `lookback score`.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use lookback::text::EOS;
use lookback::{PairScore, Translator};
use serde_json::json;

use crate::args::{Common, ScoreArgs};
use crate::data::read_once;
use crate::display::{Screen, counted, grouped};
use crate::exit::{Done, Usage};
use crate::input::up_to_fault;

mod n_best;

pub(crate) use n_best::BadEntry;

pub(crate) fn run(args: &ScoreArgs, common: Common) -> anyhow::Result<Done> {
    if args.batch == 0 {
        return Err(Usage("--batch must be at least 1".into()).into());
    }
    read_once(args.given.files().chain(args.n_best.as_deref()))?;
    let translator = Translator::load_ensemble(&args.model, &args.processor.cpu(common)?)?;
    if let (Some(list), Some(src)) = (&args.n_best, &args.given.src) {
        n_best::run(args, &translator, list, src)?;
        return Ok(Done::Whole);
    }
    let mut pairs = args.given.open(args.batch)?;
    let mut total = Total::default();
    while let Some(round) = pairs.next()? {
        let given: Vec<(&str, &str)> = round.iter().map(|(src, tgt)| (src.as_str(), tgt.as_str())).collect();
        let (scores, fault) = up_to_fault(&given, |given| translator.score_pairs(given))
            .map_err(|error| pairs.error(error, round.len()))?;
        write(total.pairs, &round, &scores, args, &translator).context("cannot write scores")?;
        if let Some(fault) = fault {
            return Err(pairs.fault(&fault, round.len()));
        }
        scores.iter().for_each(|score| total.take(score));
    }
    total.tell(&mut Screen::new(common));
    Ok(Done::Whole)
}

/// Writes a round whose first pair has number `first`, from 0.
fn write(
    first: usize,
    round: &[(String, String)],
    scores: &[PairScore],
    args: &ScoreArgs,
    translator: &Translator,
) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let tgt = &translator.tokenizers().tgt;
    for (i, ((_, target), score)) in round.iter().zip(scores).enumerate() {
        if args.json {
            let ids: Vec<u32> = tgt.encode(target).into_iter().chain([EOS]).collect();
            let tokens = tgt.display_pieces(&ids);
            let (id, log_prob, log_probs) = (first + i, score.log_prob, &score.per_token);
            writeln!(out, "{}", json!({"id": id, "log_prob": log_prob, "tokens": tokens, "log_probs": log_probs}))?;
        } else {
            writeln!(out, "{:.6}", score.log_prob)?;
        }
    }
    out.flush()
}

/// Sums over all pairs.
#[derive(Debug, Default)]
struct Total {
    pairs: usize,
    tokens: usize,
    log_prob: f64,
}

impl Total {
    fn take(&mut self, score: &PairScore) {
        self.pairs += 1;
        self.tokens += score.tokens;
        self.log_prob += score.log_prob;
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    fn tell(&self, screen: &mut Screen) {
        if self.tokens > 0 {
            let perplexity = (-self.log_prob / self.tokens as f64).exp();
            let (pairs, pieces) = (counted(self.pairs, "pair"), grouped(self.tokens));
            screen.line(&format!(
                "perplexity {perplexity:.4} over {pieces} pieces of {pairs}, log-probability {:.4}",
                self.log_prob
            ));
        }
    }
}
