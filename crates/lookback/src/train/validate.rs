//! Validation: the unsmoothed loss, and scores of greedy translations.

use std::time::Instant;

use super::gold::GoldSet;
use super::{TrainError, Validation};
use crate::backend::{Cpu, Purpose};
use crate::config::{Config, Metric, SearchConfig};
use crate::data::{Batch, BatchOptions, Batcher, Corpus, DataError, Examples, Plan};
use crate::eval::{
    self, AttentionHealth, BleuMetric, ChrfMetric, ExactMetric, Rate, RateMetric, Statistics, TerMetric,
};
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::search::{SearchOptions, search};
use crate::tape::{Graph, Tape};
use crate::text::Tokenizers;

/// What is validated on.
#[derive(Debug)]
pub(super) struct ValidationSet {
    examples: Examples,
    /// Batches for the loss.
    plan: Plan,
    /// Sources to be translated, by length, with their place among the references.
    sources: Vec<(usize, Vec<u32>)>,
    references: Vec<String>,
    gold: Option<GoldSet>,
}

/// Sentences translated at a time.
pub(super) const SENTENCES: usize = 64;

impl ValidationSet {
    pub(super) fn new(
        corpus: &Corpus,
        examples: Examples,
        gold: Option<GoldSet>,
        tokenizers: &Tokenizers,
        config: &Config,
    ) -> Result<Self, DataError> {
        let tokens = config.train.batch_tokens.unwrap_or(2_000);
        let plan = Batcher::new(&examples, BatchOptions { tokens, seed: 0 }).plan(1);
        let limit = match config.train.validate_sentences {
            0 => usize::MAX,
            n => n,
        };
        let (mut references, mut sources) = (Vec::new(), Vec::new());
        for (place, pair) in corpus.pairs.iter().take(limit).enumerate() {
            let pair = pair?;
            sources.push((place, tokenizers.src.encode(&pair.src)));
            references.push(pair.tgt);
        }
        sources.sort_by_key(|(place, ids): &(usize, Vec<u32>)| (ids.len(), *place));
        Ok(Self { examples, plan, sources, references, gold })
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
        let (mut nll, mut right, mut tokens, mut attention) = (0.0, 0, 0, None::<AttentionHealth>);
        for plan in self.plan.iter() {
            let examples = self.examples.some(plan)?;
            tape.reset();
            let batch = Batch::new(examples.iter());
            let mut graph = Graph::inference(cpu, params, tape);
            let (loss, weights) = model.loss_and_weights(&mut graph, &batch, 0.0);
            nll += loss.nll;
            right += loss.right;
            tokens += loss.tokens;
            if let Some(weights) = weights {
                let weights = weights.mean(&mut graph);
                let weights = graph.download(weights);
                for (b, &columns) in batch.src_len.iter().enumerate() {
                    attention.get_or_insert_default().add(&batch.weights_of(&weights, b), columns as usize);
                }
            }
        }
        let metrics = config.train.reported();
        let mut scores = Vec::new();
        if !metrics.is_empty() {
            let translations = self.translate(cpu, model, params, tape, tokenizers, config)?;
            for metric in metrics {
                scores.push((metric, self.score(metric, &translations, cpu)?));
            }
        }
        if let Some(gold) = &self.gold {
            scores.push((Metric::Aer, gold.error_rate(cpu, model, params, tape)?));
        }
        tape.reset();
        #[allow(clippy::cast_precision_loss, reason = "tokens are far below 2⁵²")]
        let (nll, accuracy) = (nll / tokens.max(1) as f64, right as f64 / tokens.max(1) as f64);
        let seconds = start.elapsed().as_secs_f64();
        Ok(Validation { update: 0, epoch: 0, nll, accuracy, scores, attention, is_best: false, seconds })
    }

    /// Greedy translations, in the order of the references.
    fn translate(
        &self,
        cpu: &Cpu,
        model: &Seq2Seq,
        params: &mut Params<Cpu>,
        tape: &mut Tape<Cpu>,
        tokenizers: &Tokenizers,
        config: &Config,
    ) -> Result<Vec<String>, TrainError> {
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
        Ok(translations)
    }

    fn score(&self, metric: Metric, translations: &[String], cpu: &Cpu) -> Result<f64, TrainError> {
        let Some(scorer) = scorer(metric) else { return Ok(f64::NAN) };
        let references: Vec<[&str; 1]> = self.references.iter().map(|reference| [reference.as_str()]).collect();
        let statistics = Statistics::collect(&*scorer, translations, &references, cpu.pool())?;
        let score = scorer.score(&statistics.sums());
        // A share, as in every other place but the evaluation's percent.
        Ok(if metric == Metric::Exact { score / 100.0 } else { score })
    }
}

/// The measure of a metric, with its usual settings; none for those of the loss.
pub(super) fn scorer(metric: Metric) -> Option<Box<dyn eval::Metric>> {
    let rate = |rate| -> Box<dyn eval::Metric> { Box::new(RateMetric { rate, lowercase: false }) };
    Some(match metric {
        Metric::Bleu => Box::new(BleuMetric::default()),
        Metric::Chrf => Box::new(ChrfMetric::default()),
        Metric::Ter => Box::new(TerMetric::default()),
        Metric::Wer => rate(Rate::Wer),
        Metric::Cer => rate(Rate::Cer),
        Metric::Per => rate(Rate::Per),
        Metric::Exact => Box::new(ExactMetric),
        Metric::Loss | Metric::Ppl | Metric::Accuracy | Metric::Aer => return None,
    })
}
