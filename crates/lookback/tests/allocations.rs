//! A training step allocates nothing once the shapes of its batches were seen, counted by the allocator itself.

use std::sync::{Arc, Barrier};

use lookback::backend::{Cpu, Isa, Products, Purpose};
use lookback::config::Config;
use lookback::data::{Batch, Example};
use lookback::model::Seq2Seq;
use lookback::params::{Gradients, Params};
use lookback::tape::{Graph, Recording, Tape};
use lookback::train::Optimizer;
use lookback_kernels::{CountingAllocator, Pool};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

const VOCABULARY: u32 = 300;

/// Sentences, source length, target length.
const SHAPES: [(u32, u32, u32); 4] = [(9, 7, 12), (20, 3, 4), (5, 19, 11), (1, 6, 6)];

/// Sentences of a shape; other words for another `salt`.
fn examples((batch, src, tgt): (u32, u32, u32), salt: u32) -> Vec<Example> {
    let sentence = |b: u32, len: u32, side: u32| -> Vec<u32> {
        // As many different words as there are positions, or one word again and again.
        let variety = if salt.is_multiple_of(3) { 1 } else { VOCABULARY - 4 };
        (0..len).map(|t| 4 + (b * 7919 + t * 104_729 + (salt + side) * 15_485_863) % variety).collect()
    };
    // The first sentence is the longest on both sides.
    let length = |b: u32, most: u32| most - (b * (salt + 1)) % most.min(3);
    let example = |b: u32| Example {
        src: sentence(b, length(b, src), 0),
        tgt: sentence(b, length(b, tgt), 1),
        line: u64::from(b),
    };
    (0..batch).map(example).collect()
}

/// Everything a training step needs.
struct Training {
    cpu: Cpu,
    model: Seq2Seq,
    params: Params<Cpu>,
    gradients: Gradients<Cpu>,
    optimizer: Optimizer<Cpu>,
    tape: Tape<Cpu>,
    batch: Batch,
    accumulate: usize,
    updates: u64,
}

impl Training {
    fn new(sets: &str, threads: usize, products: Products) -> Self {
        let common = "model.hidden=32 model.embedding=24 model.encoder_hidden=32 model.bridge=project model.dropout=0.2 \
                      model.attention_width=16 model.location_length=40 model.window_width=3";
        let sets: Vec<String> = common.split_whitespace().chain(sets.split_whitespace()).map(str::to_owned).collect();
        let config = Config::from_layers(&[], &sets).expect("known keys");
        let vocabulary = VOCABULARY as usize;
        let (model, specs) = Seq2Seq::new(&config.model, vocabulary, vocabulary);
        let pool = Arc::new(Pool::new(threads));
        // Every worker has come and made its scratch memory.
        let all = Barrier::new(threads);
        pool.run(threads, |_| {
            all.wait();
        });
        let cpu = Cpu::<f32>::new(pool, Isa::detect()).with_products(products);
        let params = Params::init(&cpu, specs, 1);
        Self {
            gradients: Gradients::zeros(&cpu, &params),
            optimizer: Optimizer::new(&cpu, params.specs(), &config.train),
            tape: Tape::new(),
            batch: Batch::default(),
            accumulate: config.train.accumulate,
            updates: 0,
            cpu,
            model,
            params,
        }
    }

    /// One update over as many of `lots` as an update takes.
    fn step(&mut self, lots: &[&[Example]]) -> f64 {
        self.updates += 1;
        self.params.prepare(&self.cpu, Purpose::Train);
        self.gradients.clear(&self.cpu);
        let mut tokens = 0;
        for examples in lots.iter().cycle().take(self.accumulate) {
            self.batch.fill(examples.iter());
            self.tape.reset();
            let recording = Recording::On { seed: 1, step: self.updates };
            let Self { cpu, params, tape, gradients, .. } = self;
            let mut graph = Graph::training(cpu, params, tape, gradients, recording);
            tokens += self.model.loss(&mut graph, &self.batch, 0.1).tokens;
            graph.backward();
        }
        self.optimizer.step(&self.cpu, &mut self.params, &mut self.gradients, 1e-3, tokens)
    }

    /// Blocks that steps over all shapes, which were seen before, ask for.
    fn steady(&mut self) -> u64 {
        let lots: Vec<Vec<Example>> = (0..3).flat_map(|salt| SHAPES.map(|shape| examples(shape, salt))).collect();
        let lots: Vec<&[Example]> = lots.iter().map(Vec::as_slice).collect();
        // Shapes are seen in one order, with one choice of words, and come in another, with others.
        for i in [0, 1, 2, 3] {
            self.step(&lots[i..=i]);
        }
        let before = ALLOCATOR.blocks();
        let mut norm = 0.0;
        for i in [7, 4, 10, 5, 9, 6, 8, 11] {
            norm += self.step(&lots[i..=i]);
            norm += self.step(&[lots[i], lots[11 - i % 4]]);
        }
        let asked = ALLOCATOR.blocks() - before;
        assert!(norm.is_finite() && norm > 0.0, "it learns: {norm}");
        asked
    }
}

/// One test, because all threads of a program share the count.
#[test]
fn a_steady_training_step_allocates_nothing() {
    for threads in [1, 2] {
        for (sets, products) in [
            ("model.attention=dot", Products::Full),
            ("model.attention=dot model.input_feeding=true train.accumulate=2", Products::Full),
            ("model.attention=dot model.input_feeding=true", Products::Bf16),
            ("model.attention=general model.cell=gru model.input_feeding=true", Products::Full),
            ("model.attention=general model.heads=2 model.window=local_p model.cell=gru", Products::Full),
            ("model.attention=concat model.input_feeding=true model.tied_embeddings=all", Products::Full),
            ("model.attention=concat model.cell=gru train.accumulate=3 train.optimizer=sgd", Products::Full),
            ("model.attention=concat model.decoder=bahdanau model.variational_dropout=true", Products::Full),
            ("model.attention=location model.window=local_m model.cell=rnn", Products::Full),
            ("model.attention=none model.encoder_layers=2 model.decoder_layers=3", Products::Full),
            (
                "model.encoder_layers=2 model.decoder_layers=2 model.variational_dropout=true train.optimizer=adamw",
                Products::Full,
            ),
        ] {
            let asked = Training::new(sets, threads, products).steady();
            assert_eq!(asked, 0, "blocks of memory, {sets}, {products:?}, {threads} threads");
        }
    }
}
