//! The operations of the reference step by themselves: milliseconds, arithmetic and traffic, and the share of what the machine can do.
//!
//! `cargo bench -p lookback-kernels -- [--bf16] [--threads N]`
//!
//! 64 sentences of 16 tokens, vocabulary 8,000, width 512, a bidirectional encoder of 256 a direction. Every operation runs 9 times after a warm-up; the median counts.
//! Arithmetic is held against the register tile on operands in the first-level cache, probed before each operation; traffic is what an operation must read and write at least once.

use std::time::Instant;

use lookback_kernels::{
    AdamStep, AttentionShape, CellTrace, Direction, Exec, Init, Isa, LstmCell, MatRef, Operand, PackedMatrix, Pool,
    Products, RecurrentShape, Score, ScoreBackward, Smoothing, SparseRows, Store, Window, adam, adam_rows, attend,
    attend_backward_scores, attend_backward_values, attend_backward_weights, column_sums, concat_columns,
    cross_entropy_rows, embed, gemm, multiply_adds_from_cache, recurrent, recurrent_backward, squared_norm, tanh,
    tanh_backward,
};

const BATCH: usize = 64;
const STEPS: usize = 16;
const ROWS: usize = BATCH * STEPS;
const VOCABULARY: usize = 8000;
const WIDTH: usize = 512;
const RUNS: usize = 9;
/// Parameters of the reference step.
const PARAMETERS: usize = 16_514_880;

/// What an operation does at least.
#[derive(Clone, Copy)]
enum Work {
    /// Multiply-adds.
    Products(usize),
    /// Numbers read or written.
    Traffic(usize),
}

struct Table<'a> {
    exec: Exec<'a>,
    total: f64,
}

impl Table<'_> {
    /// GFLOP/s of the register tile at this moment.
    fn ceiling(&self) -> f64 {
        let start = Instant::now();
        let operations = 2 * multiply_adds_from_cache::<f32>(self.exec, 10_000);
        giga(operations) / start.elapsed().as_secs_f64()
    }

    /// Times `work`, which happens `times` times in a step, and prints its line.
    fn row(&mut self, name: &str, times: usize, work: Work, mut run: impl FnMut()) {
        run();
        let ceiling = self.ceiling();
        let mut seconds: Vec<f64> = (0..RUNS)
            .map(|_| {
                let start = Instant::now();
                (0..times).for_each(|_| run());
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[RUNS / 2];
        self.total += median;
        let rate = match work {
            Work::Products(count) => {
                let rate = giga(2 * times * count) / median;
                format!("{rate:.0} GFLOP/s | {:.0} % of {ceiling:.0}", 100.0 * rate / ceiling)
            }
            Work::Traffic(count) => format!("{:.0} GB/s |", giga(4 * times * count) / median),
        };
        say(&format!("| {name} | {:.2} | {rate} |", 1e3 * median));
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn giga(count: usize) -> f64 {
    count as f64 / 1e9
}

#[allow(clippy::print_stdout, reason = "what a bench is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Numbers in ±0.1 without a pattern.
#[allow(clippy::cast_precision_loss, reason = "test values")]
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 2_654_435_761 % 1_000_003) as f32 / 1_000_003.0 - 0.5) * 0.2).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let threads = args.iter().position(|a| a == "--threads").and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(2);
    let products = if args.iter().any(|a| a == "--bf16") { Products::Bf16 } else { Products::Full };
    let pool = Pool::new(threads);
    let exec = Exec::new(&pool, Isa::detect()).with(products);
    let mut table = Table { exec, total: 0.0 };
    say(&format!("{}, {threads} threads, products {products:?}\n", exec.isa.name()));
    say("| operation | ms | rate | share of the ceiling |\n|---|---|---|---|");
    embeddings(&mut table);
    layer(&mut table, "encoder", 2, WIDTH / 2);
    layer(&mut table, "decoder", 1, WIDTH);
    attention(&mut table);
    linear(&mut table, "W_c", 1, 2 * WIDTH, WIDTH);
    pointwise(&mut table);
    output(&mut table);
    update(&mut table);
    say(&format!("| all | {:.1} | | |", 1e3 * table.total));
}

fn embeddings(table: &mut Table<'_>) {
    let exec = table.exec;
    let (words, mut rows) = (values(VOCABULARY * WIDTH), values(ROWS * WIDTH));
    let ids: Vec<u32> = (0..ROWS as u32).map(|i| i * 7919 % VOCABULARY as u32).collect();
    table.row("embeddings", 2, Work::Traffic(2 * rows.len()), || embed(exec, &mut rows, &words, &ids, WIDTH));
    let mut gradient = SparseRows::new(VOCABULARY, WIDTH);
    table.row("embeddings, backward", 2, Work::Traffic(3 * rows.len()), || {
        gradient.clear();
        gradient.add(exec, &ids, &rows);
    });
}

/// A product of all rows with a matrix (outputs, inputs), and the two products of its gradients with the sums of its bias'.
fn linear(table: &mut Table<'_>, name: &str, times: usize, inputs: usize, outputs: usize) {
    let exec = table.exec;
    let (x, w, bias) = (values(ROWS * inputs), values(inputs * outputs), values(outputs));
    let (mut y, mut dx, mut dw, mut db) =
        (values(ROWS * outputs), values(ROWS * inputs), values(inputs * outputs), values(outputs));
    let work = Work::Products(ROWS * inputs * outputs);
    let (left, weight) = (MatRef::new(&x, ROWS, inputs), MatRef::new(&w, outputs, inputs));
    table.row(&format!("{name}, product"), times, work, || {
        gemm(exec, &mut y, outputs, left, Operand::Plain(weight.t()), Init::Bias(&bias));
    });
    let dy = MatRef::new(&y, ROWS, outputs);
    table.row(&format!("{name}, input's gradient"), times, work, || {
        gemm(exec, &mut dx, inputs, dy, Operand::Plain(weight), Init::Keep);
    });
    table.row(&format!("{name}, matrix' gradient"), times, work, || {
        gemm(exec, &mut dw, inputs, dy.t(), Operand::Plain(left), Init::Zero);
    });
    table.row(&format!("{name}, bias' gradient"), times, Work::Traffic(y.len()), || column_sums(exec, &mut db, &y));
}

/// An LSTM layer over all steps: its input's projection, then the recurrence.
fn layer(table: &mut Table<'_>, name: &str, times: usize, hidden: usize) {
    let exec = table.exec;
    linear(table, &format!("{name} input"), times, WIDTH, 4 * hidden);
    let shape = RecurrentShape { steps: STEPS, batch: BATCH, hidden, direction: Direction::Forward };
    let (w, bias) = (values(4 * hidden * hidden), values(4 * hidden));
    let weight = MatRef::new(&w, 4 * hidden, hidden);
    let (mut forward, mut backward) = (PackedMatrix::empty(), PackedMatrix::empty());
    table.row(&format!("{name}, packing"), times, Work::Traffic(4 * w.len()), || {
        forward.pack(exec, weight.t());
        backward.pack(exec, weight);
    });
    let (mut y, mut h, mut c) = (values(ROWS * hidden), values(BATCH * hidden), values(BATCH * hidden));
    let [mut gates, mut saved, mut h_prev, mut c_prev] = [4, 1, 1, 1].map(|width| values(ROWS * width * hidden));
    let work = Work::Products(ROWS * 4 * hidden * hidden);
    table.row(&format!("{name}, recurrence"), times, work, || {
        let trace = CellTrace { gates: &mut gates, saved: &mut saved, h_prev: &mut h_prev, c_prev: &mut c_prev };
        let weight = Operand::Packed(&forward);
        recurrent::<LstmCell, _>(exec, shape, &mut y, &mut h, &mut c, trace, weight, &bias, None);
    });
    let (mut dw, mut db) = (values(w.len()), values(4 * hidden));
    table.row(
        &format!("{name}, recurrence, backward, with its matrix'"),
        times,
        Work::Products(2 * ROWS * 4 * hidden * hidden),
        || {
            let trace = CellTrace { gates: &mut gates, saved: &mut saved, h_prev: &mut h_prev, c_prev: &mut c_prev };
            let weight = Operand::Packed(&backward);
            recurrent_backward::<LstmCell, _>(
                exec,
                shape,
                &mut [],
                &mut h,
                &mut c,
                &mut dw,
                Store::Set,
                &mut db,
                Some(&y),
                trace,
                weight,
                None,
                None,
            );
        },
    );
}

fn attention(table: &mut Table<'_>) {
    let exec = table.exec;
    let shape = AttentionShape {
        queries: STEPS,
        src_max: STEPS,
        batch: BATCH,
        group: 1,
        heads: 1,
        query_width: WIDTH,
        value_width: WIDTH,
    };
    let lengths = [STEPS as u32; BATCH];
    let (query, keys) = (values(ROWS * WIDTH), values(ROWS * WIDTH));
    let (mut context, mut weights, mut scores) = (query.clone(), values(ROWS * STEPS), values(ROWS * STEPS));
    let (window, work) = (Window::Global, Work::Products(2 * ROWS * STEPS * WIDTH));
    table.row("attention", 1, work, || {
        let score = Score::Dot { keys: &keys, scale: 1.0 };
        attend(exec, shape, score, window, &mut context, &mut weights, &mut scores, &query, &keys, &lengths);
    });
    let (mut dkeys, mut dquery, mut dweights) = (keys.clone(), query.clone(), weights.clone());
    table.row("attention, backward", 1, Work::Products(4 * ROWS * STEPS * WIDTH), || {
        attend_backward_weights(exec, shape, window, &mut dweights, &context, &keys, &lengths);
        attend_backward_values(exec, shape, window, &mut dkeys, &weights, &context, &lengths);
        let score = ScoreBackward::Dot { keys: &keys, scale: 1.0, dkeys: &mut dquery.clone() };
        attend_backward_scores(
            exec,
            shape,
            score,
            window,
            &mut dquery,
            &mut dweights,
            None,
            None,
            &weights,
            &query,
            &lengths,
        );
    });
}

fn pointwise(table: &mut Table<'_>) {
    let exec = table.exec;
    let (a, b) = (values(ROWS * WIDTH), values(ROWS * WIDTH));
    let (mut both, mut y, mut dy) = (values(2 * a.len()), a.clone(), a.clone());
    table.row("[a; s] side by side", 1, Work::Traffic(4 * a.len()), || {
        concat_columns(exec, &mut both, &a, &b, WIDTH, WIDTH);
    });
    table.row("tanh", 1, Work::Traffic(2 * a.len()), || tanh(exec, &mut y, &a));
    table.row("tanh, backward", 1, Work::Traffic(3 * a.len()), || tanh_backward(exec, &mut dy, &y));
}

fn output(table: &mut Table<'_>) {
    let exec = table.exec;
    linear(table, "output", 1, WIDTH, VOCABULARY);
    let (mut logits, mut losses) = (values(ROWS * VOCABULARY), vec![[0.0; 3]; ROWS]);
    let targets: Vec<u32> = (0..ROWS as u32).map(|i| i * 7919 % VOCABULARY as u32).collect();
    let smoothing = Smoothing { epsilon: 0.0, ignore: u32::MAX };
    table.row("softmax and loss", 1, Work::Traffic(2 * logits.len()), || {
        cross_entropy_rows(exec, &mut logits, &targets, VOCABULARY, smoothing, &mut losses);
    });
}

fn update(table: &mut Table<'_>) {
    let exec = table.exec;
    let step = AdamStep { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 10, decay: 0.0, scale: 1e-3 };
    let embedding = VOCABULARY * WIDTH;
    let rest = PARAMETERS - 2 * embedding;
    let [mut w, g, mut m, mut v] = [0; 4].map(|_| values(rest));
    v.iter_mut().for_each(|v| *v = v.abs());
    table.row("norm of the gradient", 1, Work::Traffic(rest), || {
        std::hint::black_box(squared_norm(exec, &g));
    });
    table.row("Adam", 1, Work::Traffic(7 * rest), || adam(exec, &mut w, &g, &mut m, &mut v, step));
    let mut rows = SparseRows::new(VOCABULARY, WIDTH);
    let ids: Vec<u32> = (0..ROWS as u32).map(|i| i * 7919 % VOCABULARY as u32).collect();
    rows.add(exec, &ids, &g[..ROWS * WIDTH]);
    let [mut w, mut m, mut v] = [0; 3].map(|_| values(embedding));
    v.iter_mut().for_each(|v| *v = v.abs());
    table.row("embeddings, norm of the gradient", 2, Work::Traffic(ROWS * WIDTH), || {
        std::hint::black_box(rows.squared_norm(exec));
    });
    table.row("embeddings, Adam", 2, Work::Traffic(6 * embedding + ROWS * WIDTH), || {
        adam_rows(exec, &mut w, &rows, &mut m, &mut v, step);
    });
}
