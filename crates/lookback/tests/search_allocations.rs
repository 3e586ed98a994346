//! A step of the search allocates nothing once its sizes were seen, counted by the allocator itself: longer translations ask for as many blocks as shorter ones.

use lookback::backend::{Cpu, Purpose};
use lookback::config::Config;
use lookback::data::Batch;
use lookback::model::Seq2Seq;
use lookback::params::Params;
use lookback::search::{Constraints, Member, SearchOptions, Sentence, search_together};
use lookback::stored::{Storage, Stored};
use lookback::tape::Tape;
use lookback::text::{TextMode, Tokenizer, TokenizerSpec, Tokenizers};
use lookback_kernels::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

const VOCABULARY: usize = 300;
/// Pieces of a source.
const LENGTH: u32 = 10;

fn tgt() -> Tokenizer {
    let spec = TokenizerSpec { mode: TextMode::Word, vocab_size: VOCABULARY, ..TokenizerSpec::default() };
    let words: Vec<String> = (0..VOCABULARY).map(|i| format!("w{i}")).collect();
    Tokenizers::train(&spec, [words.join(" ").as_str()], [""]).expect("a vocabulary").tgt
}

/// Translations of exactly `ratio` times as many pieces as their sources have.
fn options(beam: usize, ratio: f64) -> SearchOptions {
    let mut options = SearchOptions::default();
    (options.config.beam_size, options.config.min_length_ratio) = (beam, ratio);
    (options.config.max_length_ratio, options.config.max_length_extra) = (ratio, 0);
    options
}

/// One test, because all threads of a program share the count.
#[test]
fn a_step_of_the_search_allocates_nothing_once_its_sizes_were_seen() {
    let tgt = tgt();
    let common = "model.hidden=32 model.embedding=24 model.encoder_hidden=32 model.bridge=project model.attention_width=16 \
                  model.location_length=40 model.window_width=3";
    let batch = Batch::from_sources(&[0, 1, 2].map(|b| (0..LENGTH).map(|t| 4 + (b * 97 + t * 31) % 290).collect()));
    for (sets, storage) in [
        ("model.attention=dot", Storage::F32),
        ("model.attention=dot model.input_feeding=true", Storage::Int8),
        ("model.attention=general model.heads=2 model.window=local_p model.cell=gru", Storage::Bf16),
        ("model.attention=concat model.decoder=bahdanau", Storage::Int8),
        ("model.attention=location model.window=local_m model.cell=rnn model.tied_embeddings=target", Storage::F32),
        ("model.attention=none model.encoder_layers=2 model.decoder_layers=3", Storage::Int8),
    ] {
        let sets: Vec<String> = common.split_whitespace().chain(sets.split_whitespace()).map(str::to_owned).collect();
        let config = Config::from_layers(&[], &sets).expect("known keys");
        let (model, specs) = Seq2Seq::new(&config.model, VOCABULARY, VOCABULARY);
        let stored: Vec<Stored> =
            (0..).zip(&specs).map(|(place, spec)| Stored::new(spec, &spec.initial(1, place), storage)).collect();
        for threads in [1, 2] {
            let cpu = Cpu::<f32>::detect(threads);
            let mut params = Params::from_stored(&cpu, specs.clone(), &stored);
            params.prepare(&cpu, Purpose::Decode);
            // All pieces, and lists that overlap.
            let lists = [0, 1, 2].map(|b| (4 + b * 40..200 + b * 40).collect::<Vec<u32>>());
            for (beam, is_listed) in [(1, false), (4, false), (1, true), (4, true)] {
                let mut tape = Tape::new();
                let constraints = Constraints::default();
                let sentences = [0, 1, 2].map(|number| Sentence {
                    constraints: &constraints,
                    number,
                    candidates: is_listed.then_some(&lists[number as usize][..]),
                });
                let mut blocks = |ratio: f64| {
                    let before = ALLOCATOR.blocks();
                    let options = options(beam, ratio);
                    let mut members = [Member { model: &model, params: &params, tape: &mut tape }];
                    let found =
                        search_together(&cpu, &mut members, &tgt, &batch, &sentences, &options).expect("finite");
                    let steps = (ratio * f64::from(LENGTH)).round() as usize;
                    assert!(found.iter().all(|found| found[0].ids.len() == steps), "{steps} steps");
                    ALLOCATOR.blocks() - before
                };
                // Lists of both lengths grow to the same powers of two. Which thread computes what is luck, and each has scratch memory of its own, so some searches come first,
                // and of several the one counts in which no thread saw something new.
                for _ in 0..5 {
                    blocks(6.0);
                }
                let mut least = |ratio| (0..5).map(|_| blocks(ratio)).min();
                let (short, long) = (least(4.0), least(6.0));
                let case = format!("{sets:?}, beam {beam}, {threads} threads, lists: {is_listed}");
                assert_eq!(short, long, "blocks for 40 and for 60 steps, {case}");
            }
        }
    }
}
