//! Validation: the unsmoothed loss, and BLEU of greedy translations.

use std::time::Instant;

use super::{TrainError, Validation};
use crate::backend::{Cpu, Purpose};
use crate::config::{Config, SearchConfig};
use crate::data::{Batch, BatchOptions, Batcher, Corpus, Example};
use crate::eval::{Bleu, ExactMatch};
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::search::{SearchOptions, search};
use crate::tape::{Graph, Tape};
use crate::text::Tokenizers;

/// What is validated on.
#[derive(Debug)]
pub(super) struct ValidationSet {
    examples: Vec<Example>,
    /// Batches for the loss.
    plan: Vec<Vec<u32>>,
    /// Sources to be translated, by length, with their place among the references.
    sources: Vec<(usize, Vec<u32>)>,
    references: Vec<String>,
}

/// Sentences translated at a time.
const SENTENCES: usize = 64;

impl ValidationSet {
    pub(super) fn new(corpus: &Corpus, examples: Vec<Example>, tokenizers: &Tokenizers, config: &Config) -> Self {
        let tokens = config.train.batch_tokens.unwrap_or(2_000);
        let plan = Batcher::new(&examples, BatchOptions { tokens, seed: 0 }).plan(1);
        let limit = match config.train.validate_sentences {
            0 => usize::MAX,
            n => n,
        };
        let pairs = corpus.pairs.iter().take(limit);
        let references = pairs.clone().map(|p| p.tgt.clone()).collect();
        let mut sources: Vec<(usize, Vec<u32>)> = pairs.map(|p| tokenizers.src.encode(&p.src)).enumerate().collect();
        sources.sort_by_key(|(place, ids)| (ids.len(), *place));
        Self { examples, plan, sources, references }
    }

    /// Validates the weights in `params`. Whether it is the best is for the caller to say.
    pub(super) fn run(
        &self,
        cpu: &Cpu,
        model: &Seq2Seq,
        params: &mut Params<Cpu>,
        tape: &mut Tape<Cpu>,
        tokenizers: &Tokenizers,
        config: &Config,
    ) -> Result<Validation, TrainError> {
        let start = Instant::now();
        params.prepare(cpu, Purpose::Decode);
        let (mut nll, mut tokens) = (0.0, 0);
        for plan in &self.plan {
            let examples: Vec<&Example> = plan.iter().map(|&i| &self.examples[i as usize]).collect();
            tape.reset();
            let loss = model.loss(&mut Graph::inference(cpu, params, tape), &Batch::new(&examples), 0.0);
            nll += loss.nll;
            tokens += loss.tokens;
        }
        let mut translations = vec![String::new(); self.references.len()];
        let greedy = SearchConfig { beam_size: 1, ..config.search.clone() };
        let options = SearchOptions::from(greedy);
        for part in self.sources.chunks(SENTENCES) {
            let sources: Vec<Vec<u32>> = part.iter().map(|(_, ids)| ids.clone()).collect();
            let found = search(cpu, params, tape, model, &tokenizers.tgt, &Batch::from_sources(&sources), &options)?;
            for ((place, _), hypotheses) in part.iter().zip(&found) {
                if let Some(best) = hypotheses.first() {
                    translations[*place] = tokenizers.tgt.decode(&best.ids);
                }
            }
        }
        tape.reset();
        #[allow(clippy::cast_precision_loss, reason = "tokens are far below 2⁵²")]
        let nll = nll / tokens.max(1) as f64;
        Ok(Validation {
            update: 0,
            epoch: 0,
            nll,
            bleu: Bleu::corpus(&translations, &self.references)?.score,
            exact: ExactMatch::corpus(&translations, &self.references)?.share(),
            is_best: false,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}
