//! The models that PyTorch computed, by name: the files of `fixtures/`.

use lookback_testkit::Golden;

use super::*;
use crate::config::{AttentionKind, Bridge, CellKind, Config, DecoderOrder, WindowKind};

pub(super) fn config(bidirectional: bool, layers: usize, attention: AttentionKind, input_feeding: bool) -> ModelConfig {
    ModelConfig {
        embedding: Some(6),
        hidden: Some(8),
        encoder_hidden: Some(8),
        encoder_layers: layers,
        decoder_layers: layers,
        bidirectional,
        attention,
        input_feeding,
        dropout: Some(0.0),
        ..Config::default().model
    }
}

/// The models of every score, with and without heads, in both orders.
fn scores_and_orders() -> Vec<(String, ModelConfig)> {
    use AttentionKind::{Concat, Dot, General, Location, ScaledDot};
    let mut all = Vec::new();
    let scores =
        [(Dot, "dot"), (ScaledDot, "scaled_dot"), (General, "general"), (Concat, "concat"), (Location, "location")];
    for (attention, score) in scores {
        for heads in [1, 2].into_iter().filter(|&heads| heads == 1 || attention != Location) {
            let of = |layers, decoder, input_feeding| ModelConfig {
                embedding: Some(4),
                hidden: Some(6),
                encoder_hidden: Some(6),
                heads,
                attention_width: (attention == Concat).then_some(8),
                location_length: (attention == Location).then_some(6),
                decoder,
                ..config(true, layers, attention, input_feeding)
            };
            let luong = format!("order_luong_{score}_{heads}h");
            all.push((format!("{luong}_nofeed"), of(1, DecoderOrder::Luong, false)));
            all.push((format!("{luong}_feed"), of(1, DecoderOrder::Luong, true)));
            all.push((format!("order_bahdanau_{score}_{heads}h"), of(1, DecoderOrder::Bahdanau, false)));
            if (attention, heads) == (Concat, 1) {
                all.push(("order_bahdanau_concat_2l".into(), of(2, DecoderOrder::Bahdanau, false)));
            }
        }
    }
    all
}

/// The models that look through windows.
fn windows() -> Vec<(String, ModelConfig)> {
    let plain = scores_and_orders();
    let base = |name: &str| plain.iter().find(|(n, _)| n == name).expect("in the list").1.clone();
    let mut all = Vec::new();
    for (window, kind, width) in [(WindowKind::LocalM, "local_m", 1), (WindowKind::LocalP, "local_p", 2)] {
        let mut add = |name: String, of: &str| {
            all.push((name, ModelConfig { window, window_width: Some(width), ..base(of) }));
        };
        for score in ["dot", "scaled_dot", "general", "concat", "location"] {
            add(format!("order_luong_{score}_{kind}_feed"), &format!("order_luong_{score}_1h_feed"));
        }
        add(format!("order_luong_dot_{kind}_nofeed"), "order_luong_dot_1h_nofeed");
        add(format!("order_luong_general_{kind}_2h"), "order_luong_general_2h_nofeed");
        add(format!("order_bahdanau_concat_{kind}"), "order_bahdanau_concat_1h");
    }
    all
}

/// Every cell, direction, score and way of the decoder, in small.
fn grid() -> Vec<(String, ModelConfig)> {
    use AttentionKind::{Concat, Dot, General, Location, None, ScaledDot};
    use CellKind::{Gru, Lstm, Rnn};
    let ways = [
        ("luong_feed", DecoderOrder::Luong, true),
        ("luong_nofeed", DecoderOrder::Luong, false),
        ("bahdanau", DecoderOrder::Bahdanau, false),
    ];
    let mut all = Vec::new();
    for cell in [Lstm, Gru, Rnn] {
        for (direction, bidirectional) in [("uni", false), ("bi", true)] {
            for (way, decoder, input_feeding) in ways {
                for attention in [Dot, ScaledDot, General, Concat, Location, None] {
                    // Bahdanau's order makes the context an input of every step.
                    if (decoder, attention) == (DecoderOrder::Bahdanau, None) {
                        continue;
                    }
                    let score = serde_json::to_value(attention).expect("a name");
                    let score = score.as_str().expect("a name");
                    let model = ModelConfig {
                        cell,
                        embedding: Some(3),
                        hidden: Some(4),
                        encoder_hidden: Some(4),
                        attention_width: (attention == Concat).then_some(5),
                        location_length: (attention == Location).then_some(6),
                        decoder,
                        ..config(bidirectional, 1, attention, input_feeding)
                    };
                    all.push((format!("grid_{}_{direction}/{way}_{score}", cell.name()), model));
                }
            }
        }
    }
    all
}

/// Every model PyTorch computed, by name.
pub(super) fn all() -> Vec<(String, ModelConfig)> {
    let mut all = Vec::new();
    for bidirectional in [false, true] {
        for layers in [1, 2] {
            for attention in [AttentionKind::Dot, AttentionKind::None] {
                for feeding in [false, true] {
                    let name = format!(
                        "model_{}_{layers}l_{}_{}",
                        if bidirectional { "bi" } else { "uni" },
                        if attention == AttentionKind::Dot { "dot" } else { "none" },
                        if feeding { "feed" } else { "nofeed" }
                    );
                    all.push((name, config(bidirectional, layers, attention, feeding)));
                }
            }
        }
    }
    let dot = AttentionKind::Dot;
    let mut add = |name: &str, config: ModelConfig| all.push((name.to_owned(), config));
    let tied = |of: TiedEmbeddings, base: ModelConfig| ModelConfig { tied_embeddings: of, ..base };
    add("model_tied", ModelConfig { embedding: Some(8), ..tied(TiedEmbeddings::Target, config(true, 1, dot, false)) });
    let project = ModelConfig { bridge: Bridge::Project, ..config(true, 2, dot, true) };
    add("model_bridge", project.clone());
    let (lstm, gru) = (CellKind::Lstm, CellKind::Gru);
    for cell in [gru, CellKind::Rnn] {
        for (direction, bidirectional) in [("uni", false), ("bi", true)] {
            for (feeding, input_feeding) in [("feed", true), ("nofeed", false)] {
                let config = ModelConfig { cell, ..config(bidirectional, 1, dot, input_feeding) };
                add(&format!("model_{direction}_{}_{feeding}", cell.name()), config);
            }
        }
    }
    add("model_gru_to_lstm", ModelConfig { encoder_cell: Some(gru), ..project.clone() });
    add("model_lstm_to_gru", ModelConfig { encoder_cell: Some(lstm), cell: gru, ..project });
    add("model_zero", ModelConfig { cell: gru, bridge: Bridge::Zero, ..config(true, 1, dot, false) });
    add("model_tied_projected", tied(TiedEmbeddings::Target, config(true, 1, dot, false)));
    add("model_tied_all", tied(TiedEmbeddings::All, ModelConfig { cell: gru, ..config(true, 1, dot, true) }));
    all.extend(scores_and_orders());
    all.extend(windows());
    all.extend(grid());
    all
}

#[test]
fn every_cell_direction_score_and_feeding_is_among_the_goldens() {
    let goldens = all();
    let luong = || goldens.iter().filter(|(_, m)| m.decoder == DecoderOrder::Luong && m.window == WindowKind::Global);
    let one_layer = || luong().filter(|(_, m)| (m.encoder_layers, m.decoder_layers, m.heads) == (1, 1, 1));
    let mut seen = Vec::new();
    for (_, m) in one_layer().filter(|(_, m)| m.encoder_cell() == m.cell) {
        let case = (m.cell, m.bidirectional, m.attention, m.input_feeding);
        if !seen.contains(&case) {
            seen.push(case);
        }
    }
    assert_eq!(seen.len(), 3 * 2 * 6 * 2, "cells, directions, scores with none, feeding or not");
    let mut before = Vec::new();
    for (_, m) in goldens.iter().filter(|(_, m)| m.decoder == DecoderOrder::Bahdanau) {
        let case = (m.cell, m.bidirectional, m.attention);
        if !before.contains(&case) {
            before.push(case);
        }
    }
    assert_eq!(before.len(), 3 * 2 * 5, "Bahdanau's order: cells, directions, scores");
}

#[test]
fn no_stored_case_of_the_grid_is_left_out() {
    let grid = grid();
    assert_eq!(grid.len(), 3 * 2 * (2 * 6 + 5));
    let files = ["lstm", "gru", "rnn"].iter().flat_map(|cell| ["uni", "bi"].map(|way| format!("grid_{cell}_{way}")));
    for file in files {
        let mut listed: Vec<&str> =
            grid.iter().filter_map(|(name, _)| name.strip_prefix(&format!("{file}/"))).collect();
        listed.sort_unstable();
        assert_eq!(Golden::cases(&file), listed, "{file}");
    }
}
