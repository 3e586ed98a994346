//! What can be chosen for a model, and which choices exclude each other.

use std::ops::Range;

use lookback::config::Config;

/// A choice between values, of which a model has one.
pub(crate) struct Dimension {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [Value],
}

/// A value and the keys that choose it.
pub(crate) struct Value {
    pub(crate) name: &'static str,
    pub(crate) sets: &'static [&'static str],
}

const fn value(name: &'static str, sets: &'static [&'static str]) -> Value {
    Value { name, sets }
}

/// The places of the dimensions in a [`Combination`].
pub(crate) const CELLS: usize = 0;
pub(crate) const SCORE: usize = 4;
pub(crate) const HEADS: usize = 5;
pub(crate) const WINDOW: usize = 6;
pub(crate) const ORDER: usize = 7;
pub(crate) const FEEDING: usize = 8;
pub(crate) const BRIDGE: usize = 9;

/// Encoders stand before decoders. The cells of one decoder stand together.
pub(crate) const DIMENSIONS: [Dimension; 13] = [
    Dimension {
        name: "cells",
        values: &[
            value("lstm → lstm", &["model.cell=lstm", "model.encoder_cell=lstm"]),
            value("gru → lstm", &["model.cell=lstm", "model.encoder_cell=gru"]),
            value("rnn → lstm", &["model.cell=lstm", "model.encoder_cell=rnn"]),
            value("gru → gru", &["model.cell=gru", "model.encoder_cell=gru"]),
            value("lstm → gru", &["model.cell=gru", "model.encoder_cell=lstm"]),
            value("rnn → gru", &["model.cell=gru", "model.encoder_cell=rnn"]),
            value("rnn → rnn", &["model.cell=rnn", "model.encoder_cell=rnn"]),
            value("lstm → rnn", &["model.cell=rnn", "model.encoder_cell=lstm"]),
            value("gru → rnn", &["model.cell=rnn", "model.encoder_cell=gru"]),
        ],
    },
    Dimension {
        name: "encoder",
        values: &[
            value("both directions", &["model.bidirectional=true"]),
            value("one direction", &["model.bidirectional=false"]),
        ],
    },
    Dimension {
        name: "layers",
        values: &[
            value("1 → 1", &["model.encoder_layers=1", "model.decoder_layers=1"]),
            value("2 → 2", &["model.encoder_layers=2", "model.decoder_layers=2"]),
            value("1 → 2", &["model.encoder_layers=1", "model.decoder_layers=2"]),
            value("2 → 1", &["model.encoder_layers=2", "model.decoder_layers=1"]),
        ],
    },
    Dimension {
        name: "widths",
        values: &[
            value("8 → 8", &["model.hidden=8", "model.encoder_hidden=8"]),
            value("6 → 8", &["model.hidden=8", "model.encoder_hidden=6"]),
        ],
    },
    Dimension {
        name: "score",
        values: &[
            value("dot", &["model.attention=dot"]),
            value("scaled_dot", &["model.attention=scaled_dot"]),
            value("general", &["model.attention=general"]),
            value("concat", &["model.attention=concat"]),
            value("location", &["model.attention=location"]),
            value("none", &["model.attention=none"]),
        ],
    },
    Dimension { name: "heads", values: &[value("1", &["model.heads=1"]), value("2", &["model.heads=2"])] },
    Dimension {
        name: "window",
        values: &[
            value("global", &["model.window=global"]),
            // Narrower than the sources, which are dates letter by letter.
            value("local_m", &["model.window=local_m", "model.window_width=3"]),
            value("local_p", &["model.window=local_p", "model.window_width=3"]),
        ],
    },
    Dimension {
        name: "order",
        values: &[value("luong", &["model.decoder=luong"]), value("bahdanau", &["model.decoder=bahdanau"])],
    },
    Dimension {
        name: "input feeding",
        values: &[value("no", &["model.input_feeding=false"]), value("yes", &["model.input_feeding=true"])],
    },
    Dimension {
        name: "bridge",
        values: &[
            value("copy", &["model.bridge=copy"]),
            value("project", &["model.bridge=project"]),
            value("zero", &["model.bridge=zero"]),
        ],
    },
    Dimension {
        name: "tied",
        values: &[
            value("none", &["model.tied_embeddings=none"]),
            value("target", &["model.tied_embeddings=target"]),
            value("all", &["model.tied_embeddings=all"]),
        ],
    },
    Dimension {
        name: "vocabulary",
        values: &[value("separate", &["text.sharing=separate"]), value("joint", &["text.sharing=joint"])],
    },
    Dimension {
        name: "embedding",
        values: &[value("6, narrower", &["model.embedding=6"]), value("8, as hidden", &["model.embedding=8"])],
    },
];

/// Values of two dimensions of which none of the one goes with any of the other.
pub(crate) struct Rule {
    pub(crate) one: (&'static str, &'static [&'static str]),
    pub(crate) other: (&'static str, &'static [&'static str]),
    /// The key that the refusal names.
    pub(crate) key: &'static str,
}

/// All there are.
pub(crate) const RULES: [Rule; 10] = [
    Rule { one: ("score", &["dot", "scaled_dot"]), other: ("widths", &["6 → 8"]), key: "model.attention" },
    Rule { one: ("heads", &["2"]), other: ("score", &["location", "none"]), key: "model.heads" },
    Rule { one: ("window", &["local_m", "local_p"]), other: ("score", &["none"]), key: "model.window" },
    Rule { one: ("order", &["bahdanau"]), other: ("score", &["none"]), key: "model.decoder" },
    Rule { one: ("input feeding", &["yes"]), other: ("order", &["bahdanau"]), key: "model.input_feeding" },
    Rule {
        one: ("bridge", &["copy"]),
        other: ("cells", &["gru → lstm", "rnn → lstm", "lstm → gru", "rnn → gru", "lstm → rnn", "gru → rnn"]),
        key: "model.bridge",
    },
    Rule { one: ("bridge", &["copy"]), other: ("layers", &["1 → 2", "2 → 1"]), key: "model.bridge" },
    Rule { one: ("bridge", &["copy"]), other: ("widths", &["6 → 8"]), key: "model.bridge" },
    Rule { one: ("bridge", &["zero"]), other: ("score", &["none"]), key: "model.bridge" },
    Rule { one: ("vocabulary", &["separate"]), other: ("tied", &["all"]), key: "model.tied_embeddings" },
];

/// The value of every dimension.
pub(crate) type Combination = [usize; DIMENSIONS.len()];

/// A dimension and one of its values.
pub(crate) type Choice = (usize, usize);

/// Which choices exclude each other, looked up.
pub(crate) struct Space {
    /// Where the values of each dimension stand in a row of all.
    places: Vec<Range<usize>>,
    refused: Vec<Vec<Option<usize>>>,
}

impl Space {
    pub(crate) fn new() -> Self {
        let mut places = Vec::new();
        for dimension in &DIMENSIONS {
            let start = places.last().map_or(0, |range: &Range<usize>| range.end);
            places.push(start..start + dimension.values.len());
        }
        let all = choices();
        let is = |(d, v): Choice, (name, values): (&str, &[&str])| {
            DIMENSIONS[d].name == name && values.contains(&DIMENSIONS[d].values[v].name)
        };
        let rule =
            |a, b| RULES.iter().position(|r| (is(a, r.one) && is(b, r.other)) || (is(b, r.one) && is(a, r.other)));
        let refused = all.iter().map(|&a| all.iter().map(|&b| rule(a, b)).collect()).collect();
        Self { places, refused }
    }

    /// A choice's place in the row of all.
    pub(crate) fn place(&self, (dimension, value): Choice) -> usize {
        self.places[dimension].start + value
    }

    /// The rule by which two choices exclude each other.
    pub(crate) fn refusal(&self, a: Choice, b: Choice) -> Option<usize> {
        self.refused[self.place(a)][self.place(b)]
    }

    /// Every rule that a combination breaks.
    pub(crate) fn broken(&self, combination: &Combination) -> Vec<usize> {
        let pairs = pairs(combination);
        pairs.iter().filter_map(|&(a, b)| self.refusal(a, b)).collect()
    }

    /// Values that go with everything, the first of each dimension.
    pub(crate) fn neutral(&self) -> Combination {
        std::array::from_fn(|dimension| {
            let free = |&value: &usize| self.refused[self.place((dimension, value))].iter().all(Option::is_none);
            let name = DIMENSIONS[dimension].name;
            (0..DIMENSIONS[dimension].values.len())
                .find(free)
                .unwrap_or_else(|| panic!("no {name} goes with everything"))
        })
    }
}

/// Every value of every dimension.
pub(crate) fn choices() -> Vec<Choice> {
    let of = |(d, dimension): (usize, &Dimension)| (0..dimension.values.len()).map(move |v| (d, v)).collect::<Vec<_>>();
    DIMENSIONS.iter().enumerate().flat_map(of).collect()
}

/// The pairs of choices in a combination.
pub(crate) fn pairs(combination: &Combination) -> Vec<(Choice, Choice)> {
    let of = |a: usize| (0..a).map(move |b| ((a, combination[a]), (b, combination[b])));
    (0..combination.len()).flat_map(of).collect()
}

/// What a combination is called.
pub(crate) fn name(combination: &Combination) -> String {
    let of = |(dimension, &value): (&Dimension, &usize)| format!("{} {}", dimension.name, dimension.values[value].name);
    DIMENSIONS.iter().zip(combination).map(of).collect::<Vec<_>>().join(", ")
}

/// The configuration of a short run.
pub(crate) fn config(combination: &Combination) -> Config {
    let tiny = [
        "seed=3",
        "text.mode=char",
        "model.dropout=0.1",
        "data.max_src=40",
        "train.batch_tokens=120",
        "train.max_updates=3",
        "train.warmup=1",
        "train.learning_rate=0.02",
        "train.validate_sentences=2",
        "search.beam_size=3",
        "search.max_length_ratio=0.0",
        "search.max_length_extra=6",
    ];
    let own = DIMENSIONS.iter().zip(combination).flat_map(|(dimension, &value)| dimension.values[value].sets);
    let sets: Vec<String> = tiny.iter().chain(own).map(ToString::to_string).collect();
    Config::from_layers(&[], &sets).expect("the keys exist")
}
