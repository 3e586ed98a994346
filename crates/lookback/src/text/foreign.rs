//! A `tokenizer.json` that somebody else made: BPE, Unigram, WordPiece or word vocabularies as Hugging Face's libraries write them.
//!
//! The file is used and kept as it is, and all text goes through it. Only ids differ: ours are the four specials, 0 to 3, then all other
//! tokens of the file in the order of theirs. A special is found by the names in use (`</s>`, `[SEP]`, `<|endoftext|>`, …); one that the file
//! lacks gets an id all the same. What such a file does to text it decides itself: it may change or lose some.
use std::collections::HashMap;

use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer as _};

use super::escape::{ESCAPE, META};
use super::tokenizer::{Piece, parse_byte};
use super::{BOS, EOS, PAD, SPECIALS, UNK};

/// What specials are called, in the order of our ids.
const NAMES: [&[&str]; 4] = [
    &["<pad>", "[PAD]", "<PAD>", "<|pad|>", "<blank>"],
    &["<unk>", "[UNK]", "<UNK>", "<|unk|>"],
    &["<s>", "[CLS]", "<bos>", "[BOS]", "<BOS>", "<|startoftext|>", "<|begin_of_text|>"],
    &["</s>", "[SEP]", "<eos>", "[EOS]", "<EOS>", "<|endoftext|>", "<|end_of_text|>"],
];

/// The file and the way between its ids and ours.
pub(super) struct Foreign {
    json: String,
    tokenizer: tokenizers::Tokenizer,
    /// The file's id of each of ours.
    theirs: Vec<Option<u32>>,
    ours: HashMap<u32, u32>,
    is_word_level: bool,
}

/// Whether a file says that lookback made it: only ours have the escape.
pub(super) fn is_ours(file: &serde_json::Map<String, Value>) -> bool {
    let holds_escape = |key: &str| file.get(key).is_some_and(|value| holds(value, ESCAPE));
    holds_escape("normalizer") || holds_escape("decoder")
}

fn holds(value: &Value, c: char) -> bool {
    match value {
        Value::String(text) => text.contains(c),
        Value::Array(values) => values.iter().any(|value| holds(value, c)),
        Value::Object(map) => map.values().any(|value| holds(value, c)),
        _ => false,
    }
}

impl Foreign {
    /// Reads a file; returns its pieces in the order of our ids as well.
    pub(super) fn read(json: &str) -> Result<(Self, Vec<Piece>), String> {
        let file: serde_json::Map<String, Value> =
            serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(json)
            .map_err(|error| format!("not a tokenizer.json of Hugging Face's `tokenizers`: {error}"))?;
        // How a file was cut or padded for another program is not how it is here, and no text is a special.
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        tokenizer.with_padding(None);
        tokenizer.set_encode_special_tokens(true);

        let mut vocab: Vec<(u32, String)> =
            tokenizer.get_vocab(true).into_iter().map(|(name, id)| (id, name)).collect();
        vocab.sort_unstable();
        if vocab.is_empty() {
            return Err("there is no token under `model.vocab`".to_owned());
        }
        let specials = specials(&tokenizer, &file["model"]);
        let rest = vocab.iter().map(|(id, _)| Some(*id)).filter(|id| !specials.contains(id));
        let theirs: Vec<Option<u32>> = specials.iter().copied().chain(rest).collect();
        let ours = (0..).zip(&theirs).filter_map(|(ours, theirs)| Some(((*theirs)?, ours))).collect();
        let is_word_level = file["model"]["type"] == "WordLevel";
        let foreign = Self { json: json.to_owned(), tokenizer, theirs, ours, is_word_level };
        foreign.try_encode("a \u{E000}\u{10FFFF}").map_err(|reason| {
            format!("text outside its vocabulary cannot be encoded ({reason}); give the file an unknown token")
        })?;
        let pieces = foreign.pieces(file.get("decoder").unwrap_or(&Value::Null));
        Ok((foreign, pieces))
    }

    pub(super) fn json(&self) -> &str {
        &self.json
    }

    pub(super) fn is_word_level(&self) -> bool {
        self.is_word_level
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        // That unknown text can be encoded was tried when the file was read.
        self.try_encode(text).unwrap_or_else(|_| vec![UNK])
    }

    fn try_encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| error.to_string())?;
        let id = |theirs| match self.ours.get(theirs) {
            // A name that somebody typed.
            Some(&(PAD | BOS | EOS)) | None => UNK,
            Some(&id) => id,
        };
        Ok(encoding.get_ids().iter().map(id).collect())
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let known =
            |&id: &u32| self.theirs.get(id as usize).copied().flatten().filter(|_| !matches!(id, PAD | BOS | EOS));
        self.decode_theirs(&ids.iter().filter_map(known).collect::<Vec<_>>())
    }

    fn decode_theirs(&self, ids: &[u32]) -> String {
        // Some decoders cannot do with nothing.
        if ids.is_empty() { String::new() } else { self.tokenizer.decode(ids, true).unwrap_or_default() }
    }

    pub(super) fn normalize(&self, text: &str) -> String {
        let mut normalized = NormalizedString::from(text);
        match self.tokenizer.get_normalizer() {
            Some(normalizer) if normalizer.normalize(&mut normalized).is_ok() => normalized.get().to_owned(),
            _ => text.to_owned(),
        }
    }

    /// What each of our ids is called and adds to a text.
    fn pieces(&self, decoder: &Value) -> Vec<Piece> {
        let spelling = Spelling::of(decoder);
        let anchor = self.anchor();
        let piece = |(id, theirs): (usize, &Option<u32>)| {
            let found = theirs.and_then(|theirs| Some((theirs, self.tokenizer.id_to_token(theirs)?)));
            let Some((theirs, name)) = found else {
                return Piece { name: SPECIALS[id.min(SPECIALS.len() - 1)].to_owned(), raw: Vec::new(), byte: None };
            };
            if id < SPECIALS.len() {
                return Piece { name, raw: Vec::new(), byte: None };
            }
            let byte = parse_byte(&name).filter(|_| spelling == Spelling::ByteFallback);
            let raw = match (&spelling, byte) {
                (_, Some(byte)) => vec![byte],
                (Spelling::Bytes, _) => byte_level(&name),
                (Spelling::Suffix(suffix), _) => name.replace(suffix.as_str(), " ").into_bytes(),
                _ => anchor
                    .as_ref()
                    .map_or_else(|| name.replace(META, " "), |anchor| self.after(anchor, theirs))
                    .into_bytes(),
            };
            Piece { name, raw, byte }
        };
        self.theirs.iter().enumerate().map(piece).collect()
    }

    /// An ordinary token and what it spells: what another adds is seen after it.
    fn anchor(&self) -> Option<(u32, String)> {
        let ordinary = self.theirs[SPECIALS.len()..].iter().flatten();
        ordinary
            .map(|&id| (id, self.decode_theirs(&[id])))
            .find(|(_, text)| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric()))
    }

    fn after(&self, (anchor, text): &(u32, String), id: u32) -> String {
        let both = self.decode_theirs(&[*anchor, id]);
        both.strip_prefix(text.as_str()).map_or(both.clone(), str::to_owned)
    }
}

/// The file's ids of our specials.
fn specials(tokenizer: &tokenizers::Tokenizer, model: &Value) -> Vec<Option<u32>> {
    let mut found: Vec<Option<u32>> =
        NAMES.iter().map(|names| names.iter().find_map(|name| tokenizer.token_to_id(name))).collect();
    let unk = match (&model["unk_token"], &model["unk_id"]) {
        (Value::String(name), _) => tokenizer.token_to_id(name),
        (_, id) => id.as_u64().and_then(|id| u32::try_from(id).ok()),
    };
    found[UNK as usize] = unk.or(found[UNK as usize]);
    // One token cannot be two of them: the earlier has it.
    for id in 1..found.len() {
        if found[..id].contains(&found[id]) {
            found[id] = None;
        }
    }
    found
}

/// How a decoder makes text of names.
#[derive(PartialEq)]
enum Spelling {
    /// A character of the name is a byte (Radford et al. 2019).
    Bytes,
    /// `<0x41>` is a byte.
    ByteFallback,
    /// The end of a word is marked.
    Suffix(String),
    /// Any other.
    Plain,
}

impl Spelling {
    fn of(decoder: &Value) -> Self {
        let parts = decoder["decoders"].as_array().cloned().unwrap_or_else(|| vec![decoder.clone()]);
        let found = parts.iter().find_map(|part| match part["type"].as_str()? {
            "ByteLevel" => Some(Self::Bytes),
            "ByteFallback" => Some(Self::ByteFallback),
            "BPEDecoder" => Some(Self::Suffix(part["suffix"].as_str().filter(|s| !s.is_empty())?.to_owned())),
            _ => None,
        });
        found.unwrap_or(Self::Plain)
    }
}

/// The bytes of a byte-level name: printable characters of Latin-1 stand for themselves, the 68 other bytes, in their order, for
/// the characters from U+0100. What is no such character stands for itself.
fn byte_level(name: &str) -> Vec<u8> {
    let is_plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut bytes = Vec::new();
    for c in name.chars() {
        let plain = u8::try_from(u32::from(c)).ok().filter(|&byte| is_plain(byte));
        let shifted = || (0..=255).filter(|&byte| !is_plain(byte)).nth((u32::from(c).checked_sub(256)?) as usize);
        match plain.or_else(shifted) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Tokenizer;
    use super::*;

    fn file(model: Value, normalizer: Value, pre_tokenizer: Value, decoder: Value, added: &[(&str, u32)]) -> Value {
        let added: Vec<Value> = added
            .iter()
            .map(|(name, id)| {
                json!({"id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": true})
            })
            .collect();
        json!({"version": "1.0", "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
               "padding": null, "added_tokens": added, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
               "post_processor": null, "decoder": decoder, "model": model})
    }

    fn read(file: &Value) -> Tokenizer {
        Tokenizer::from_json("t.json", &file.to_string()).unwrap()
    }

    fn names(tokenizer: &Tokenizer) -> Vec<String> {
        (0..tokenizer.vocab_size() as u32).map(|id| tokenizer.piece(id).unwrap().to_owned()).collect()
    }

    fn words(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
        tokenizer.words(&tokenizer.encode(text)).into_iter().map(|word| word.text).collect()
    }

    /// As T5's: pad 0, eos 1, unk 2, no bos.
    fn unigram() -> Value {
        let vocab = json!([
            ["<pad>", 0.0],
            ["</s>", 0.0],
            ["<unk>", 0.0],
            ["▁", -2.0],
            ["▁Haus", -3.0],
            ["Haus", -9.0],
            ["es", -4.0],
            ["H", -20.0],
            ["a", -20.0],
            ["u", -20.0],
            ["s", -20.0],
            ["e", -20.0],
            [".", -5.0]
        ]);
        let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
        let added = [("<pad>", 0), ("</s>", 1), ("<unk>", 2)];
        file(json!({"type": "Unigram", "unk_id": 2, "vocab": vocab}), Value::Null, metaspace.clone(), metaspace, &added)
    }

    #[test]
    fn specials_come_first_whatever_their_ids_were_and_missing_ones_are_added() {
        let tokenizer = read(&unigram());
        assert_eq!(names(&tokenizer)[..6], ["<pad>", "<unk>", "<s>", "</s>", "▁", "▁Haus"]);
        assert_eq!(tokenizer.vocab_size(), 14);
        let ids = tokenizer.encode("Hauses Haus.");
        assert_eq!(tokenizer.display_pieces(&ids), ["▁Haus", "es", "▁Haus", "."]);
        assert_eq!(tokenizer.decode(&[[BOS].as_slice(), &ids, &[EOS, PAD, u32::MAX]].concat()), "Hauses Haus.");
        assert_eq!(words(&tokenizer, "Hauses Haus."), ["Hauses", "Haus", "."]);
        assert!(tokenizer.encode("Haus </s> <pad>").iter().all(|&id| id == UNK || id > EOS));
        assert_eq!(tokenizer.decode(&[]), "");
    }

    #[test]
    fn the_file_is_kept_as_it_is_and_reads_the_same_again() {
        let json = unigram().to_string();
        let tokenizer = Tokenizer::from_json("t.json", &json).unwrap();
        assert_eq!(tokenizer.to_json(), json);
        assert_eq!(names(&Tokenizer::from_json("t.json", &tokenizer.to_json()).unwrap()), names(&tokenizer));
    }

    #[test]
    fn wordpiece_vocabularies_work() {
        let names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "haus", "##es", "ein", "."];
        let vocab: Value = names
            .iter()
            .enumerate()
            .map(|(id, name)| ((*name).to_owned(), json!(id)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let model = json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                           "max_input_chars_per_word": 100, "vocab": vocab});
        let normalizer = json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                                "strip_accents": null, "lowercase": true});
        let decoder = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
        let added: Vec<(&str, u32)> = names[..5].iter().copied().zip(0..).collect();
        let tokenizer = read(&file(model, normalizer, json!({"type": "BertPreTokenizer"}), decoder, &added));
        let ids = tokenizer.encode("Ein Hauses. Xyz");
        assert_eq!(tokenizer.display_pieces(&ids), ["ein", "haus", "##es", ".", "[UNK]"]);
        assert_eq!(tokenizer.decode(&ids[..4]), "ein hauses.");
        assert_eq!(words(&tokenizer, "ein hauses."), ["ein", "hauses", "."]);
        assert_eq!(tokenizer.normalize("EIN"), "ein");
        assert_eq!(
            [PAD, UNK, BOS, EOS].map(|id| tokenizer.piece(id).unwrap().to_owned()),
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        );
    }

    #[test]
    fn byte_level_bpe_works() {
        let mut pieces: Vec<String> = vec!["<|endoftext|>".into()];
        pieces.extend("!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzĠÃ¤ĀĊ".chars().map(String::from));
        pieces.extend(["Ã¤".to_owned(), "Ġa".to_owned()]);
        let vocab: Value = pieces
            .iter()
            .enumerate()
            .map(|(id, name)| (name.clone(), json!(id)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let model = json!({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                           "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": ["Ã ¤", "Ġ a"]});
        let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        let tokenizer = read(&file(model, Value::Null, level.clone(), level, &[("<|endoftext|>", 0)]));
        let ids = tokenizer.encode("ä a\nb");
        assert_eq!(tokenizer.decode(&ids), "ä a\nb");
        assert_eq!(tokenizer.display_pieces(&ids), ["Ã¤", "Ġa", "Ċ", "b"]);
        assert_eq!(words(&tokenizer, "ä ab"), ["ä", "ab"]);
        assert_eq!(tokenizer.piece(EOS), Some("<|endoftext|>"));
        assert_eq!(tokenizer.piece(BOS), Some("<s>"));
        assert_eq!(byte_level("Āġ¡ÿĂ€"), [&[0x00, 0x7F, 0xA1, 0xFF, 0x02][..], "€".as_bytes()].concat());
    }

    #[test]
    fn word_vocabularies_and_marked_ends_work() {
        let model = json!({"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "Haus": 1, "ein": 2}});
        let tokenizer = read(&file(model, Value::Null, json!({"type": "WhitespaceSplit"}), Value::Null, &[]));
        assert!(tokenizer.is_word_level());
        let ids = tokenizer.encode("ein  Haus x");
        assert_eq!((ids[2], tokenizer.decode(&ids[..2])), (UNK, "ein Haus".to_owned()));
        assert_eq!(words(&tokenizer, "ein Haus"), ["ein", "Haus"]);

        let model = json!({"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                           "end_of_word_suffix": "</w>", "fuse_unk": false,
                           "vocab": {"<unk>": 0, "a": 1, "a</w>": 2, "b": 3, "b</w>": 4, "ab</w>": 5}, "merges": ["a b</w>"]});
        let decoder = json!({"type": "BPEDecoder", "suffix": "</w>"});
        let tokenizer = read(&file(model, Value::Null, json!({"type": "WhitespaceSplit"}), decoder, &[]));
        let ids = tokenizer.encode("ab ba");
        assert_eq!(tokenizer.display_pieces(&ids), ["ab</w>", "b", "a</w>"]);
        assert_eq!(
            (tokenizer.decode(&ids), words(&tokenizer, "ab ba")),
            ("ab ba".to_owned(), vec!["ab".to_owned(), "ba".to_owned()])
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_file_and_key() {
        let said = |file: &Value| {
            Tokenizer::from_json("t.json", &file.to_string()).err().map(|e| e.to_string()).unwrap_or_default()
        };
        let mut broken = unigram();
        broken["model"]["vocab"] = json!({"a": 1});
        assert!(
            said(&broken).starts_with("t.json: not a tokenizer.json of Hugging Face's `tokenizers`: "),
            "{}",
            said(&broken)
        );
        let model = json!({"type": "WordLevel", "unk_token": "<unk>", "vocab": {"Haus": 0}});
        let no_unk = file(model, Value::Null, json!({"type": "WhitespaceSplit"}), Value::Null, &[]);
        assert!(said(&no_unk).contains("text outside its vocabulary cannot be encoded"), "{}", said(&no_unk));
        let model = json!({"type": "WordLevel", "unk_token": "<unk>", "vocab": {}});
        assert!(
            said(&file(model, Value::Null, Value::Null, Value::Null, &[])).contains("no token under `model.vocab`")
        );
    }
}
