//! What every operation is checked with: central differences and PyTorch's values and gradients, in double precision. (Single precision is checked against
//! double in the kernels, and against PyTorch in whole models.)

use crate::backend::{Cpu, Real};
use crate::params::{Gradients, Init, ParamId, ParamSpec, Params, Role};
use crate::tape::{Graph, Recording, Shape, Tape, Var};
use lookback_testkit::{Golden, assert_close_f64, max_grad_error};

/// A fixed sequence of values in −0.8..0.8.
pub(crate) fn wave(len: usize, frequency: f64) -> Vec<f64> {
    (0..len).map(|i| (i as f64 * frequency + 0.3).sin() * 0.8).collect()
}

/// A matrix parameter.
pub(crate) fn matrix(name: &str, rows: usize, cols: usize) -> ParamSpec {
    ParamSpec { name: name.into(), shape: vec![rows, cols], init: Init::Constant(0.0), role: Role::Product }
}

/// A vector parameter.
pub(crate) fn vector(name: &str, len: usize) -> ParamSpec {
    ParamSpec { name: name.into(), shape: vec![len], init: Init::Constant(0.0), role: Role::Product }
}

type Inputs<'a> = &'a [(Vec<f64>, Shape)];
/// Computes outputs from inputs and parameters.
type Build<'a, T> = dyn Fn(&mut Graph<'_, Cpu<T>>, &[Var], &[ParamId]) -> Vec<Var> + 'a;

/// Values of the outputs, and gradients of inputs and parameters of `Σ outputs·factors`.
struct Ran {
    outputs: Vec<Vec<f64>>,
    gradients: Vec<Vec<f64>>,
}

fn run<T: Real>(
    inputs: Inputs<'_>,
    params: &[(ParamSpec, Vec<f64>)],
    factors: Option<&[Vec<f64>]>,
    recording: Recording,
    build: &Build<'_, T>,
) -> Ran {
    let cpu = Cpu::<T>::detect(2);
    let specs: Vec<ParamSpec> = params.iter().map(|p| p.0.clone()).collect();
    let ids: Vec<ParamId> = (0..specs.len()).map(ParamId).collect();
    let mut store = Params::init(&cpu, specs, 0);
    store.set_exact(&cpu, &params.iter().map(|p| p.1.clone()).collect::<Vec<_>>());
    let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &store));
    let mut g = Graph::training(&cpu, &store, &mut tape, &mut gradients, recording);
    let exact = |x: &[f64]| x.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
    let wide = |x: &[T]| x.iter().map(|v| v.to_f64()).collect::<Vec<f64>>();
    let vars: Vec<Var> = inputs.iter().map(|(values, shape)| g.input(&exact(values), *shape)).collect();
    let outputs = build(&mut g, &vars, &ids);
    let values: Vec<Vec<f64>> = outputs.iter().map(|&y| wide(&g.download(y))).collect();
    let mut grads = Vec::new();
    if let Some(factors) = factors {
        for (&y, r) in outputs.iter().zip(factors) {
            g.seed_gradient(y, &exact(r));
        }
        g.backward();
        for (&x, (values, _)) in vars.iter().zip(inputs) {
            grads.push(g.gradient(x).map_or_else(|| vec![0.0; values.len()], |d| wide(&d)));
        }
        grads.extend(gradients.values(&cpu).iter().map(|values| wide(values)));
    }
    Ran { outputs: values, gradients: grads }
}

fn check(inputs: Inputs<'_>, params: Vec<(ParamSpec, Vec<f64>)>, recording: Recording, build: &Build<'_, f64>) {
    let first = run(inputs, &params, None, recording, build);
    let factors: Vec<Vec<f64>> = first.outputs.iter().zip([0.37, 0.59, 0.83]).map(|(y, f)| wave(y.len(), f)).collect();
    let ran = run(inputs, &params, Some(&factors), recording, build);
    let loss = |inputs: Inputs<'_>, params: &[(ParamSpec, Vec<f64>)]| -> f64 {
        let outputs = run(inputs, params, None, recording, build).outputs;
        outputs.iter().zip(&factors).map(|(y, r)| y.iter().zip(r).map(|(y, r)| y * r).sum::<f64>()).sum()
    };
    for (i, grad) in ran.gradients.iter().enumerate() {
        let error = if let Some((values, _)) = inputs.get(i) {
            max_grad_error(&mut values.clone(), grad, |v| {
                let mut changed = inputs.to_vec();
                changed[i].0 = v.to_vec();
                loss(&changed, &params)
            })
        } else {
            let p = i - inputs.len();
            max_grad_error(&mut params[p].1.clone(), grad, |v| {
                let mut changed = params.clone();
                changed[p].1 = v.to_vec();
                loss(inputs, &changed)
            })
        };
        // Central differences of sums of a few dozen terms near 1, relative to no less than 1e-4: rounding alone reaches 1e-6.
        assert!(error < 1e-5, "gradient {i}: relative error {error}");
    }
}

/// Checks the gradients of every input and parameter of what `build` computes.
pub(crate) fn check_gradients(
    inputs: Inputs<'_>,
    params: Vec<(ParamSpec, Vec<f64>)>,
    build: impl Fn(&mut Graph<'_, Cpu<f64>>, &[Var], &[ParamId]) -> Vec<Var>,
) {
    check(inputs, params, Recording::Deterministic, &build);
}

/// The gradients of every input and parameter of `Σ outputs·factors`, with fixed factors.
pub(crate) fn gradients(
    inputs: Inputs<'_>,
    params: &[(ParamSpec, Vec<f64>)],
    build: impl Fn(&mut Graph<'_, Cpu<f64>>, &[Var], &[ParamId]) -> Vec<Var>,
) -> Vec<Vec<f64>> {
    let outputs = run(inputs, params, None, Recording::Deterministic, &build).outputs;
    let factors: Vec<Vec<f64>> = outputs.iter().zip([0.37, 0.59, 0.83]).map(|(y, f)| wave(y.len(), f)).collect();
    run(inputs, params, Some(&factors), Recording::Deterministic, &build).gradients
}

/// [`check_gradients`] with random masks, the same in every run.
pub(crate) fn check_gradients_random(
    inputs: Inputs<'_>,
    params: Vec<(ParamSpec, Vec<f64>)>,
    build: impl Fn(&mut Graph<'_, Cpu<f64>>, &[Var], &[ParamId]) -> Vec<Var>,
) {
    check(inputs, params, Recording::On { seed: 7, step: 3 }, &build);
}

/// Compares outputs and all gradients with a golden. Outputs are `name` or `name:factor`, where the factor of the loss is `r` if not named; the gradient of
/// `x` is stored as `dx`.
pub(crate) fn golden_op(
    name: &str,
    inputs: &[&str],
    params: &[&str],
    outputs: &[&str],
    build: impl Fn(&mut Graph<'_, Cpu<f64>>, &[Var], &[ParamId]) -> Vec<Var>,
) {
    golden(&Golden::read(name), inputs, params, outputs, &build);
}

/// [`golden_op`] with the ids or lengths stored as `ids`.
pub(crate) fn golden_with_ids(
    name: &str,
    ids: &str,
    inputs: &[&str],
    params: &[&str],
    outputs: &[&str],
    build: impl Fn(&mut Graph<'_, Cpu<f64>>, &[Var], &[ParamId], &[u32]) -> Vec<Var>,
) {
    let stored = Golden::read(name);
    let list = stored.ids(ids);
    golden(&stored, inputs, params, outputs, &|g, x, p| build(g, x, p, &list));
}

fn golden(stored: &Golden, inputs: &[&str], params: &[&str], outputs: &[&str], build: &Build<'_, f64>) {
    let shape = |name: &str| match stored.shape(name)[..] {
        [steps, batch, width] => Shape::new(steps, batch, width),
        [batch, width] => Shape::new(1, batch, width),
        ref other => panic!("{name} has shape {other:?}"),
    };
    let spec = |name: &str| ParamSpec {
        name: name.into(),
        shape: stored.shape(name),
        init: Init::Constant(0.0),
        role: Role::Product,
    };
    let given: Vec<(Vec<f64>, Shape)> = inputs.iter().map(|n| (stored.f64(n), shape(n))).collect();
    let weights: Vec<(ParamSpec, Vec<f64>)> = params.iter().map(|n| (spec(n), stored.f64(n))).collect();
    let names: Vec<(&str, &str)> = outputs.iter().map(|o| o.split_once(':').unwrap_or((o, "r"))).collect();
    let factors: Vec<Vec<f64>> = names.iter().map(|(_, r)| stored.f64(r)).collect();
    let ran = run(&given, &weights, Some(&factors), Recording::Deterministic, build);
    // PyTorch computed in double precision and stored in single: half a unit of the last place, 6e-8.
    for ((name, _), got) in names.iter().zip(&ran.outputs) {
        assert_close_f64(name, got, &stored.f64(name), 1e-7, 1e-7);
    }
    for (name, got) in inputs.iter().chain(params).zip(&ran.gradients) {
        let name = format!("d{name}");
        assert_close_f64(&name, got, &stored.f64(&name), 1e-7, 1e-7);
    }
}
