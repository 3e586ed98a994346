//! Alignment error rate at every validation: the links that the attention makes of pairs whose links are known.
//!
//! Links are those of `lookback align`: each target word and the source word with its highest weight, of the steps that are guided, or that write it.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{GoldPairs, TrainError};
use crate::align::{Link, WeightsOf, checked_starts};
use crate::backend::Cpu;
use crate::config::{Config, GuidedStep};
use crate::data::{Batch, BatchOptions, Batcher, Example, fingerprint, hex};
use crate::eval::{AlignmentErrorRate, Alignments, Gold, LinkError};
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::tape::{Graph, Tape};
use crate::text::Tokenizers;

impl GoldPairs {
    /// SHA-256 over pairs and links, to recognise them.
    pub(super) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(fingerprint(&self.pairs.pairs));
        for links in self.gold.sentences().flatten() {
            hash.update((links.len() as u64).to_le_bytes());
            links.iter().for_each(|&(s, t)| hash.update([(s as u64).to_le_bytes(), (t as u64).to_le_bytes()].concat()));
        }
        hex(hash)
    }
}

/// Pairs with known links, in pieces.
#[derive(Debug)]
pub(super) struct GoldSet {
    examples: Vec<Example>,
    /// Where the words of source and target begin.
    words: Vec<[Box<[u32]>; 2]>,
    plan: Vec<Vec<u32>>,
    gold: Gold,
    path: PathBuf,
    step: WeightsOf,
}

impl GoldSet {
    pub(super) fn new(given: GoldPairs, config: &Config, tokenizers: &Tokenizers) -> Result<Self, TrainError> {
        let GoldPairs { pairs, gold, path } = given;
        let (mut examples, mut words) = (Vec::new(), Vec::new());
        for pair in &pairs.pairs {
            let (src, tgt) = (tokenizers.src.encode(&pair.src), tokenizers.tgt.encode(&pair.tgt));
            let of = || "those with known links".to_owned();
            let src_words = checked_starts(&tokenizers.src, (&pair.src, &src), pair.line, of)?;
            let tgt_words = checked_starts(&tokenizers.tgt, (&pair.tgt, &tgt), pair.line, of)?;
            if let Some(longest) = config.model.location_length.filter(|&longest| src.len() > longest) {
                return Err(TrainError::ValidationTooLong { line: pair.line, pieces: src.len(), longest });
            }
            words.push([src_words, tgt_words]);
            examples.push(Example { src, tgt, line: pair.line });
        }
        if gold.len() != examples.len() {
            return Err(LinkError::Texts { path, lines: gold.len(), texts: examples.len() }.into());
        }
        let tokens = config.train.batch_tokens.unwrap_or(2_000);
        let plan = Batcher::new(&examples, BatchOptions { tokens, seed: 0 }).plan(1);
        let step = match config.train.guided_alignment_step {
            Some(GuidedStep::Read) => WeightsOf::Reading,
            Some(GuidedStep::Write) | None => WeightsOf::Writing,
        };
        Ok(Self { examples, words, plan, gold, path, step })
    }

    /// The error rate of the model's links, 0 to 100.
    pub(super) fn error_rate(
        &self,
        cpu: &Cpu,
        model: &Seq2Seq,
        params: &Params<Cpu>,
        tape: &mut Tape<Cpu>,
    ) -> Result<f64, TrainError> {
        let mut links = vec![Vec::new(); self.examples.len()];
        for plan in &self.plan {
            let batch = Batch::new(&plan.iter().map(|&i| &self.examples[i as usize]).collect::<Vec<_>>());
            tape.reset();
            let mut graph = Graph::inference(cpu, params, tape);
            let Some(weights) = model.loss_and_weights(&mut graph, &batch, 0.0).1 else { continue };
            let weights = weights.mean(&mut graph);
            let weights = graph.download(weights);
            for (b, &i) in plan.iter().enumerate() {
                let columns = batch.src_len[b] as usize;
                links[i as usize] = self.links_of(i as usize, &batch.weights_of(&weights, b), columns);
            }
        }
        let found = Alignments::of_links(self.path.clone(), links);
        Ok(AlignmentErrorRate::corpus(&self.path, &self.gold, &found)?.score())
    }

    /// Each target word of pair `i` and the source word with its highest weight, the first of equals; `weights` are (T, `columns`), the ends included.
    fn links_of(&self, i: usize, weights: &[f32], columns: usize) -> Vec<Link> {
        let [src, tgt] = &self.words[i];
        let spans = |starts: &[u32], end: usize| -> Vec<(usize, usize)> {
            let ends = starts.iter().skip(1).map(|&at| at as usize).chain([end]);
            starts.iter().map(|&at| at as usize).zip(ends).collect()
        };
        let shift = usize::from(self.step == WeightsOf::Reading);
        let (sources, rows) = (spans(src, columns - 1), weights.len() / columns);
        let mut links = Vec::new();
        for (t, (from, to)) in spans(tgt, rows - 1).into_iter().enumerate() {
            // Rounded as the map between words is, so that equals are equal there, too.
            let weight = |&(start, end): &(usize, usize)| {
                let row = |piece: usize| &weights[(piece + shift).min(rows - 1) * columns..][start..end];
                let sum: f64 = (from..to).flat_map(row).map(|&w| f64::from(w)).sum();
                #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as maps do")]
                let mean = (sum / (to - from) as f64) as f32;
                mean
            };
            let best = sources.iter().map(weight).enumerate().rev().max_by(|a, b| a.1.total_cmp(&b.1));
            links.extend(best.map(|(s, _)| (s, t)));
        }
        links
    }
}
