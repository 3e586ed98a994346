//! Sequence-to-sequence models with attention: trained, measured, run, and seen through.
//!
//! The program `lookback` is a thin cover of this library: what it does can be done from here, and a model folder that one wrote the other reads.
//!
//! # Translate
//! A [`Translator`] is a model folder, loaded. It may be shared by threads; results have the order of the input.
//!
//! ```
//! use lookback::Translator;
//! # #[cfg(feature = "files")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//!
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sentence-model");
//! // As `lookback train --out` writes it; this one is `docs/sentence-model` of the repository.
//! let translator = Translator::load(folder)?;
//! let english = translator.translate(&["Wo ist der Bahnhof?", "Guten Tag!"])?;
//! assert_eq!(english[0], "Where's the station?");
//!
//! // How probable a given translation is, in nats.
//! let scores = translator.score_pairs(&[("Wo ist der Bahnhof?", "Where's the station?"), ("Wo ist der Bahnhof?", "No.")])?;
//! assert!(scores[0].log_prob > scores[1].log_prob);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "files"))]
//! # fn main() {}
//! ```
//! Beam size, n-best lists, sampling: [`search::SearchOptions`]. Prefixes, words that must or must not be said: [`Request`].
//!
//! # See where it looks
//! A [`view::AttentionMap`] has a row of weights for every piece that was written, over the pieces that were read. [`view`] draws it for terminals, as SVG
//! or as a page, and writes it for NumPy, Pharaoh, Nematus and Marian; [`explain`] has every other number of the way, too.
//!
//! ```
//! # use lookback::Translator;
//! use lookback::view::{Ink, to_terminal};
//! # #[cfg(feature = "files")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//!
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sentence-model");
//! # let translator = Translator::load(folder)?;
//! let maps = translator.attend(&["Wo ist der Bahnhof?"], &translator.search_options())?;
//! let map = maps[0][0].merged(); // of the first sentence, its best translation, piece by piece made whole words
//! for (word, weights) in map.tgt().tokens.iter().zip(map.rows()) {
//!     let strongest = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap();
//!     println!("{word} ← {}", map.src().tokens[strongest]);
//!     # assert!(word != "station" || map.src().tokens[strongest] == "Bahnhof");
//! }
//! print!("{}", to_terminal(&map, 80, Ink::Plain));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "files"))]
//! # fn main() {}
//! ```
//!
//! # Train
//! [`train::train`] turns pairs into a model folder. What a [`config::Config`] leaves open is chosen from the data, and an interrupted training goes on with
//! [`train::Start::Resume`]. The number of threads changes no result.
//!
//! ```
//! # #[cfg(feature = "train")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use lookback::Translator;
//! use lookback::backend::Cpu;
//! use lookback::config::Config;
//! use lookback::data::{Corpus, dates};
//! use lookback::train::{Aligned, Initial, Job, RunOptions, Silent, Start, StopFlag, train};
//!
//! // Written dates and their ISO form. Pairs in files: `data::read_tsv`, `data::read_parallel`.
//! let pairs = dates::splits(120, 10, 1, 1);
//! // Keys of a configuration, as in `lookback train --set`. Three updates teach nothing; leave the limit out.
//! let sets = ["model.hidden=16", "model.embedding=8", "train.max_updates=3"].map(str::to_owned);
//! let folder = tempfile::tempdir()?;
//! let job = Job {
//!     config: Config::from_layers(&[], &sets)?,
//!     train: Corpus::from_pairs(pairs.train),
//!     rest: None,
//!     tokenizers: None,
//!     initial: Initial::Random,
//!     valid: Corpus::from_pairs(pairs.valid),
//!     dir: folder.path().join("dates"),
//!     cpu: Cpu::detect(0),
//!     start: Start::Fresh,
//!     aligned: Aligned::default(),
//!     options: RunOptions::default(),
//! };
//! let outcome = train(job, &StopFlag::default(), &mut Silent)?;
//! assert_eq!(outcome.updates, 3);
//! let translator = Translator::load(folder.path().join("dates"))?;
//! assert_eq!(translator.translate(&["3 May 1999"])?.len(), 1);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "train"))]
//! # fn main() {}
//! ```
//!
//! # The way of a sentence
//! | module | what it is |
//! |---|---|
//! | [`text`], [`data`] | text to ids and back; files to pairs to batches |
//! | [`backend`], [`tape`], [`ops`], [`params`] | the seam for hardware; values, operations and their gradients |
//! | [`model`], [`config`] | encoders, decoders, attention; everything that can be chosen |
//! | [`train`], [`checkpoint`] | the training and the model folder it leaves |
//! | [`search`], [`shortlist`], [`translator`] | translations of a trained model |
//! | [`eval`], [`align`], [`study`] | BLEU and other scores, word links, questions that several trainings answer |
//! | [`view`], [`explain`] | where it looked, and every number of it |
//!
//! # Features
//! All are on unless switched off. Without any, what is left runs a model that is handed over in memory ([`Translator::new`]).
//!
//! - `train`: optimisers, the training loop, studies; needs `files`.
//! - `files`: corpora, compressed input, model folders.
//! - `threads`: work on several threads.
#![forbid(unsafe_code)]

pub mod align;
pub mod backend;
#[cfg(feature = "files")]
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod eval;
pub mod explain;
pub mod model;
pub mod ops;
pub mod params;
#[cfg(feature = "files")]
mod read_bounded;
pub mod search;
pub mod shortlist;
pub mod stored;
#[cfg(feature = "train")]
pub mod study;
pub mod tape;
pub mod text;
#[cfg(feature = "train")]
pub mod train;
pub mod translator;
pub mod view;

pub use translator::{EnsembleError, PairScore, Request, TranslateError, Translation, Translator};
