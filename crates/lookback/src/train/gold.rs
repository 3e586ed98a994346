//! Alignment error rate at every validation: the links that the attention makes of pairs whose links are known.
//!
//! Links are those of `lookback align`: each target word and the source word with its highest weight, of the steps that are guided, or that write it.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{GoldPairs, TrainError};
use crate::align::{WeightsOf, between_words, checked_starts};
use crate::backend::Cpu;
use crate::config::{Config, GuidedStep};
use crate::data::{Batch, BatchOptions, Batcher, DataError, Example, Examples, Plan, fingerprint, hex};
use crate::eval::{AlignmentErrorRate, Alignments, Gold, LinkError};
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::tape::{Graph, Tape};
use crate::text::{EOS, Tokenizers};
use crate::translator::side;
use crate::view::{AttentionMap, Links, Side, links_of};

impl GoldPairs {
    /// SHA-256 over pairs and links, to recognise them.
    pub(super) fn sha256(&self) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        hash.update(fingerprint(&self.pairs.pairs)?);
        for links in self.gold.sentences().flatten() {
            hash.update((links.len() as u64).to_le_bytes());
            links.iter().for_each(|&(s, t)| hash.update([(s as u64).to_le_bytes(), (t as u64).to_le_bytes()].concat()));
        }
        Ok(hex(hash))
    }
}

/// Pairs with known links, in pieces.
#[derive(Debug)]
pub(super) struct GoldSet {
    examples: Examples,
    /// Source and target as a map has them.
    sides: Vec<[Side; 2]>,
    plan: Plan,
    gold: Gold,
    path: PathBuf,
    step: WeightsOf,
}

impl GoldSet {
    pub(super) fn new(given: GoldPairs, config: &Config, tokenizers: &Tokenizers) -> Result<Self, TrainError> {
        let GoldPairs { pairs, gold, path } = given;
        let (mut examples, mut sides) = (Vec::new(), Vec::new());
        for pair in pairs.pairs.iter() {
            let pair = pair?;
            let (src, tgt) = (tokenizers.src.encode(&pair.src), tokenizers.tgt.encode(&pair.tgt));
            checked_starts(tokenizers, [&pair.src, &pair.tgt], [&src, &tgt]).map_err(|source| {
                let of = "those with known links".to_owned();
                TrainError::OtherWords { line: pair.line, of, source }
            })?;
            if let Some(longest) = config.model.location_length.filter(|&longest| src.len() > longest) {
                return Err(TrainError::ValidationTooLong { line: pair.line, pieces: src.len(), longest });
            }
            let ended = |ids: &[u32]| [ids, &[EOS]].concat();
            sides.push([
                side(&tokenizers.src, pair.src.clone(), &ended(&src)),
                side(&tokenizers.tgt, pair.tgt.clone(), &ended(&tgt)),
            ]);
            examples.push(Example { src, tgt, line: pair.line });
        }
        if gold.len() != examples.len() {
            return Err(LinkError::Texts { path, lines: gold.len(), texts: examples.len() }.into());
        }
        let examples: Examples = examples.into_iter().collect();
        let tokens = config.train.batch_tokens.unwrap_or(2_000);
        let plan = Batcher::new(&examples, BatchOptions { tokens, seed: 0 }).plan(1);
        let step = match config.train.guided_alignment_step {
            Some(GuidedStep::Read) => WeightsOf::Reading,
            Some(GuidedStep::Write) | None => WeightsOf::Writing,
        };
        Ok(Self { examples, sides, plan, gold, path, step })
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
        for plan in self.plan.iter() {
            let examples = self.examples.some(plan)?;
            let batch = Batch::new(examples.iter());
            tape.reset();
            let mut graph = Graph::inference(cpu, params, tape);
            let Some(weights) = model.loss_and_weights(&mut graph, &batch, 0.0).1 else { continue };
            let weights = weights.mean(&mut graph);
            let weights = graph.download(weights);
            for (b, &i) in plan.iter().enumerate() {
                let i = i as usize;
                let [src, tgt] = self.sides[i].clone();
                let map = AttentionMap::new(i, src, tgt, batch.weights_of(&weights, b), 0.0)?;
                links[i] = links_of(&between_words(map, self.step), Links::Strongest);
            }
        }
        let found = Alignments::of_links(self.path.clone(), links);
        Ok(AlignmentErrorRate::corpus(&self.path, &self.gold, &found)?.score())
    }
}
