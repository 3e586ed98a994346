//! The promises of the module page, on tokenizers trained on a handful of sentences.
use std::collections::BTreeSet;
use std::sync::LazyLock;

use lookback_kernels::RandomKey;
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

use super::escape::META;
use super::normalize::Normalizer;
use super::*;

/// Repeated, so that pairs are frequent enough to be merged.
const SENTENCES: [&str; 8] = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Two young, white males are outside near many bushes.",
    "Ein kleines Mädchen klettert in ein Spielhaus aus Holz.",
    "나는 학교에 갔습니다. 날씨가 좋네요.",
    "私は学校に行きました。コーヒーを飲みます。",
    "The end is spelt </s> and a byte <0x41>; so </s> <0x41> </s> <0x41> again.",
    "a\u{2581}b \u{2581}\u{2581} \u{10}_ tab\there",
    "  two  spaces  ",
];

fn trained(mode: TextMode, vocab_size: usize) -> Tokenizer {
    trained_as(&TokenizerSpec { mode, vocab_size, ..TokenizerSpec::default() })
}

fn trained_as(spec: &TokenizerSpec) -> Tokenizer {
    Tokenizers::train(spec, SENTENCES.repeat(3), []).unwrap().src
}

static BPE: LazyLock<Tokenizer> = LazyLock::new(|| trained(TextMode::Bpe, 600));
static CHAR: LazyLock<Tokenizer> = LazyLock::new(|| trained(TextMode::Char, 600));

static UNIGRAM: LazyLock<Tokenizer> = LazyLock::new(|| trained(TextMode::Unigram, 500));
static WORD: LazyLock<Tokenizer> = LazyLock::new(|| trained(TextMode::Word, 60));
/// Every normalisation, with every kind of pieces.
static NORMALISING: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let modes = [TextMode::Bpe, TextMode::Unigram, TextMode::Char];
    let specs = modes.into_iter().flat_map(|mode| {
        Normalizer::all().map(move |Normalizer { form, lowercase }| TokenizerSpec {
            mode,
            vocab_size: 500,
            normalization: form,
            lowercase,
            ..TokenizerSpec::default()
        })
    });
    specs.map(|spec| trained_as(&spec)).collect()
});

/// The vocabularies of subwords.
fn subwords() -> [&'static Tokenizer; 3] {
    [&BPE, &CHAR, &UNIGRAM]
}

fn all() -> [&'static Tokenizer; 4] {
    [&BPE, &CHAR, &UNIGRAM, &WORD]
}

/// Any text, with what could go wrong made likely.
fn text() -> impl Strategy<Value = String> {
    let snippets = vec![
        " ",
        "  ",
        "\u{2581}",
        "\u{10}",
        "\u{10}_",
        "\u{10}-",
        "_",
        "-",
        "</s>",
        "<s>",
        "<pad>",
        "<unk>",
        "<0x41>",
        "<0xE4>",
        "\u{308}",
        "\u{338}",
        "a",
        "ä",
        "학교",
        "\u{1112}\u{1161}\u{11AB}",
        "学校",
        "👩‍👩‍👧",
        "\r\n",
        "\0",
        "\u{85}",
        "\u{2028}",
        "\u{FFFD}",
        "\u{10FFFF}",
        "Männer",
        "\u{1E0B}\u{323}",
    ];
    let part = prop_oneof![
        4 => proptest::sample::select(snippets).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        1 => proptest::sample::select(SENTENCES.to_vec()).prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_comes_back_in_nfc(text in text()) {
        for tokenizer in subwords() {
            let ids = tokenizer.encode(&text);
            prop_assert_eq!(tokenizer.decode(&ids), text.nfc().collect::<String>());
            prop_assert!(ids.iter().all(|&id| id > EOS && (id as usize) < tokenizer.vocab_size()));
        }
    }

    #[test]
    fn every_text_comes_back_normalised_as_configured(text in text()) {
        for tokenizer in NORMALISING.iter() {
            let back = tokenizer.decode(&tokenizer.encode(&text));
            prop_assert_eq!(&back, &tokenizer.normalize(&text));
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&back)), back);
        }
    }

    #[test]
    fn dropped_merges_change_the_pieces_and_not_the_text(text in text(), step: u64) {
        let drawn = |p| BPE.encode_with_dropout(&text, p, RandomKey { seed: 1, stream: 0, step }).unwrap();
        prop_assert_eq!(drawn(0.0), BPE.encode(&text));
        for p in [0.1, 0.5, 1.0] {
            prop_assert_eq!(BPE.decode(&drawn(p)), BPE.normalize(&text));
            prop_assert_eq!(drawn(p), drawn(p));
        }
        prop_assert!(drawn(1.0).iter().all(|&id| BPE.byte_value(id).is_some() || BPE.piece(id).unwrap().chars().count() == 1));
    }

    #[test]
    fn a_word_is_itself_or_unknown(text in text()) {
        let ids = WORD.encode(&text);
        let normal: String = text.nfc().collect();
        prop_assert_eq!(ids.len(), normal.split_whitespace().count());
        let joined: Vec<&str> = normal
            .split_whitespace()
            .zip(&ids)
            .map(|(word, &id)| if id == UNK { "<unk>" } else { word })
            .collect();
        prop_assert_eq!(WORD.decode(&ids), joined.join(" "));
        prop_assert!(ids.iter().all(|&id| id == UNK || id > EOS));
    }

    #[test]
    fn another_reader_of_the_file_encodes_and_decodes_alike(text in text()) {
        static READERS: LazyLock<Vec<(&Tokenizer, tokenizers::Tokenizer)>> = LazyLock::new(|| {
            let all = all().into_iter().chain(NORMALISING.iter());
            all.map(|ours| (ours, tokenizers::Tokenizer::from_bytes(ours.to_json()).unwrap())).collect()
        });
        for (ours, theirs) in READERS.iter() {
            // Normalised by us: both compose, but with tables of different years.
            let text = ours.normalize(&text);
            let ids = ours.encode(&text);
            let encoding = theirs.encode(text.as_str(), true).unwrap();
            prop_assert_eq!(encoding.get_ids(), &ids);
            let closed: Vec<u32> = [BOS].into_iter().chain(ids.iter().copied()).chain([EOS, PAD]).collect();
            prop_assert_eq!(theirs.decode(&closed, true).unwrap(), ours.decode(&ids));
        }
    }

    #[test]
    fn words_cover_the_pieces_and_split_no_segment(text in text()) {
        use unicode_segmentation::UnicodeSegmentation as _;
        for tokenizer in subwords() {
            let ids = tokenizer.encode(&text);
            let words = tokenizer.words(&ids);
            let mut at = 0;
            for word in &words {
                prop_assert!(word.start == at && word.end > at);
                at = word.end;
            }
            prop_assert_eq!(at, ids.len());
            // Whole characters and whole segments: each part decodes by itself, and the boundaries of the whole are kept.
            let parts: Vec<String> = words.iter().map(|word| tokenizer.decode(&ids[word.start..word.end])).collect();
            let decoded = parts.concat();
            prop_assert_eq!(&decoded, &tokenizer.decode(&ids));
            let starts: BTreeSet<usize> = parts.iter().scan(0, |at, part| { *at += part.len(); Some(*at) }).collect();
            for (start, segment) in decoded.split_word_bound_indices() {
                if !segment.trim().is_empty() {
                    prop_assert_eq!(starts.range(start + 1..start + segment.len()).count(), 0, "{:?} is split", segment);
                }
            }
        }
    }

    #[test]
    fn what_encode_writes_passes_the_utf8_guard(text in text()) {
        for tokenizer in all() {
            let mut state = Utf8State::default();
            for id in tokenizer.encode(&text) {
                let byte = tokenizer.byte_value(id);
                prop_assert!(state.allows(byte));
                state = state.next(byte);
            }
            prop_assert!(state.is_complete());
        }
    }
}

proptest! {
    // Each case trains twice.
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn training_ties_are_broken_alike(corpus in proptest::collection::vec("[ab ]{1,12}", 1..20)) {
        let json = || {
            [TextMode::Bpe, TextMode::Unigram].map(|mode| {
                let spec = TokenizerSpec { mode, vocab_size: 268, ..TokenizerSpec::default() };
                Tokenizers::train(&spec, corpus.iter().map(String::as_str), []).unwrap().src.to_json()
            })
        };
        prop_assert_eq!(json(), json());
    }
}

#[test]
fn two_trainings_give_the_same_bytes() {
    for mode in [TextMode::Bpe, TextMode::Char, TextMode::Unigram, TextMode::Word] {
        assert_eq!(trained(mode, 500).to_json(), trained(mode, 500).to_json());
    }
}

#[test]
fn specials_and_bytes_come_first_and_the_size_is_kept() {
    for tokenizer in subwords() {
        assert_eq!([PAD, UNK, BOS, EOS].map(|id| tokenizer.piece(id).unwrap()), SPECIALS);
        for byte in 0..=255 {
            assert_eq!(tokenizer.byte_value(4 + u32::from(byte)), Some(byte));
        }
        assert!(tokenizer.byte_value(260).is_none() && tokenizer.byte_value(EOS).is_none());
        assert!(tokenizer.vocab_size() <= 600);
        assert_eq!(tokenizer.piece(tokenizer.vocab_size() as u32), None);
    }
    let small = trained(TextMode::Bpe, 300);
    assert_eq!(small.vocab_size(), 300);
    let characters = (260..300).filter(|&id| small.piece(id).unwrap().chars().count() == 1).count();
    assert_eq!(characters, 20, "characters take at most half");
}

#[test]
fn a_vocabulary_without_room_is_refused() {
    let spec = TokenizerSpec { vocab_size: 100, ..TokenizerSpec::default() };
    let error = Tokenizers::train(&spec, ["a"], ["b"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "vocab_size 100 is too small: 4 specials and 256 byte pieces come first, ask for at least 262"
    );
}

#[test]
fn no_merge_spells_a_special_or_a_byte() {
    let corpus = ["</s> <0x41> <pad> </s>x <0x41>x"; 20];
    let tokenizer = Tokenizers::train(&TokenizerSpec::default(), corpus, []).unwrap().src;
    for text in ["</s>", "<0x41>", "<pad>"] {
        let ids = tokenizer.encode(text);
        assert!(ids.len() > 1, "{text} is {ids:?}");
        assert_eq!(tokenizer.decode(&ids), text);
    }
    assert_eq!(Tokenizer::from_json("it", &tokenizer.to_json()).unwrap().vocab_size(), tokenizer.vocab_size());
}

#[test]
fn char_mode_has_one_piece_per_character_and_bytes_for_the_rest() {
    assert_eq!(CHAR.merge_count(), 0);
    assert_eq!(CHAR.encode("Männer sind").len(), 11);
    assert_eq!(CHAR.display_pieces(&CHAR.encode("ä ß€")), ["ä", "▁", "ß", "<0xE2>", "<0x82>", "<0xAC>"]);
    assert!(BPE.encode("Männer sind").len() < 11);
}

#[test]
fn a_space_never_becomes_the_bytes_of_its_mark() {
    let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
    let tokenizer = Tokenizers::train(&spec, ["no-space-here"], []).unwrap().src;
    assert_eq!(tokenizer.decode(&tokenizer.encode("a b\u{2581}c")), "a b\u{2581}c");
    assert_eq!(tokenizer.display_pieces(&tokenizer.encode(" ")), ["▁"]);
}

#[test]
fn decoding_skips_specials_and_survives_anything() {
    let mut ids = BPE.encode("Ein Haus");
    ids.insert(0, BOS);
    ids.extend([EOS, PAD, UNK, u32::MAX]);
    assert_eq!(BPE.decode(&ids), "Ein Haus");
    assert_eq!(BPE.decode(&[4 + 0xE2, 4 + 0x82]), "\u{FFFD}");
    assert_eq!(BPE.display_pieces(&[EOS, u32::MAX]), ["</s>", "\u{FFFD}"]);
}

#[test]
fn labels_hold_no_control_characters() {
    assert_eq!(CHAR.display_pieces(&CHAR.encode("a\tb")), ["a", "␉", "b"]);
    assert_eq!(CHAR.display_pieces(&CHAR.encode("\u{2581}")), ["␐", "_"]);
}

#[test]
fn tokenizers_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Tokenizers>();
    let expected = BPE.encode(SENTENCES[0]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(BPE.encode(SENTENCES[0]), expected));
        }
    });
}

#[test]
fn no_piece_reaches_over_a_space() {
    let mut pieces = (260..BPE.vocab_size() as u32).map(|id| BPE.piece(id).unwrap());
    assert!(pieces.all(|piece| piece.chars().skip(1).all(|c| c != META)));
}

#[test]
fn separate_sides_know_only_their_own_characters() {
    let spec =
        TokenizerSpec { mode: TextMode::Char, vocab_size: 300, sharing: Sharing::Separate, ..TokenizerSpec::default() };
    let sides = Tokenizers::train(&spec, ["abc"], ["xyz"]).unwrap();
    assert_eq!((sides.src.encode("abx").len(), sides.tgt.encode("abx").len()), (3, 3));
    assert!(sides.src.byte_value(sides.src.encode("x")[0]).is_some());
    assert!(sides.tgt.byte_value(sides.tgt.encode("x")[0]).is_none());
}

#[test]
fn unigram_pieces_are_whole_frequent_strings() {
    assert!(UNIGRAM.vocab_size() <= 500 && UNIGRAM.merge_count() == 0);
    assert!(UNIGRAM.encode("Männer sind").len() < 11);
    let longer = (260..UNIGRAM.vocab_size() as u32).filter(|&id| UNIGRAM.piece(id).unwrap().chars().count() > 1);
    assert!(longer.count() > 20);
    for text in ["</s>", "<0x41>", "<unk>", "<s><pad>"] {
        let ids = UNIGRAM.encode(text);
        assert!(ids.len() > 1 && ids.iter().all(|&id| id > EOS), "{text} is {ids:?}");
        assert_eq!(UNIGRAM.decode(&ids), text);
    }
    assert_eq!(UNIGRAM.display_pieces(&UNIGRAM.encode("€")), ["<0xE2>", "<0x82>", "<0xAC>"]);
}

#[test]
fn frequent_words_have_a_piece_and_the_rest_is_unknown() {
    let spec = TokenizerSpec { mode: TextMode::Word, vocab_size: 7, ..TokenizerSpec::default() };
    let train = |spec| Tokenizers::train(&spec, ["b c a a </s> </s>", "a  b\tc </s> d <unk>"], []).unwrap().src;
    let words = train(spec.clone());
    assert_eq!((4..7).map(|id| words.piece(id).unwrap()).collect::<Vec<_>>(), ["<\u{10}/s>", "a", "b"]);
    assert_eq!(words.encode(" a x </s>  <unk> b"), [5, UNK, 4, UNK, 6]);
    assert_eq!(words.decode(&[BOS, 5, UNK, 4, EOS, 6, PAD]), "a <unk> </s> b");
    assert_eq!(
        words.words(&[5, UNK, 6]).iter().map(|word| word.text.as_str()).collect::<Vec<_>>(),
        ["a", "<unk>", "b"]
    );
    assert!(words.is_word_level() && words.encode(" \n").is_empty() && words.decode(&[]).is_empty());
    assert_eq!(train(TokenizerSpec { min_frequency: Some(2), vocab_size: 50, ..spec.clone() }).vocab_size(), 8);
    let error = Tokenizers::train(&TokenizerSpec { vocab_size: 4, ..spec }, ["a"], []).unwrap_err().to_string();
    assert_eq!(error, "vocab_size 4 is too small: 4 specials come first, ask for at least 5");
}

#[test]
fn rare_pairs_and_characters_can_be_left_out() {
    let of = |mode, min_frequency| {
        let spec = TokenizerSpec { mode, min_frequency, ..TokenizerSpec::default() };
        Tokenizers::train(&spec, ["ab ab ab cd cd x"], []).unwrap().src
    };
    let pieces = |tokenizer: &Tokenizer| {
        (260..tokenizer.vocab_size() as u32).filter_map(|id| tokenizer.piece(id).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(of(TextMode::Bpe, None).merge_count(), 4);
    assert_eq!(of(TextMode::Bpe, Some(3)).merge_count(), 1);
    assert_eq!(pieces(&of(TextMode::Char, Some(3))), ["a", "b", "▁"]);
    assert_eq!(pieces(&of(TextMode::Char, None)), ["a", "b", "c", "d", "x", "▁"]);
}
