//! Gradients of all parameters, summed over the batches of an update; division by the number of tokens happens in the update.
//!
//! A table that is only looked up has its gradient by rows ([`Gradient::Rows`]). No gradient is set to zero when a sum begins: what is computed first is written over what stands there.

use super::{ParamId, ParamSpec, Params, Role};
use crate::backend::{Backend, Gradient, Real, Store};

/// The gradient of a parameter on a device.
type Of<B> = Gradient<<B as Backend>::Tensor, <B as Backend>::Rows>;

/// One gradient per parameter.
#[derive(Debug)]
pub struct Gradients<B: Backend> {
    all: Vec<Of<B>>,
    /// Which of them belong to the sum at hand. The others are zero, whatever stands in them.
    reached: Vec<bool>,
}

impl<B: Backend> Gradients<B> {
    /// Gradients of zero.
    #[must_use]
    pub fn zeros(backend: &B, params: &Params<B>) -> Self {
        let zero = |spec: &ParamSpec| {
            if spec.role == Role::LookUp {
                let (rows, width) = spec.matrix();
                return Gradient::Rows(backend.alloc_rows(rows, width));
            }
            let mut tensor = backend.alloc(spec.len());
            backend.set_len(&mut tensor, spec.len());
            Gradient::Dense(tensor)
        };
        Self { all: params.specs.iter().map(zero).collect(), reached: vec![false; params.specs.len()] }
    }

    /// Begins a new sum: all are zero.
    pub fn clear(&mut self, backend: &B) {
        self.reached.fill(false);
        for gradient in &mut self.all {
            if let Gradient::Rows(rows) = gradient {
                backend.clear_rows(rows);
            }
        }
    }

    /// All gradients, in the order of the parameters, with zeros where nothing was reached.
    pub fn settled(&mut self, backend: &B) -> &[Gradient<B::Tensor, B::Rows>] {
        (0..self.all.len()).for_each(|i| self.fill_new(backend, i));
        &self.all
    }

    /// The values of every gradient, in the order of the parameters.
    pub fn values(&mut self, backend: &B) -> Vec<Vec<B::Elem>> {
        let values = |gradient: &Of<B>| match gradient {
            Gradient::Dense(tensor) => backend.download(tensor),
            Gradient::Rows(rows) => backend.download_rows(rows),
        };
        self.settled(backend).iter().map(values).collect()
    }

    /// Euclidean norm of all gradients together.
    pub fn norm(&mut self, backend: &B) -> f64 {
        self.settled(backend).iter().map(|gradient| backend.squared_norm(gradient)).sum::<f64>().sqrt()
    }

    /// A gradient to be added to.
    pub(crate) fn sum(&mut self, backend: &B, id: ParamId) -> &mut Gradient<B::Tensor, B::Rows> {
        self.fill_new(backend, id.0);
        &mut self.all[id.0]
    }

    /// The gradient of a parameter that takes part in products, to be added to.
    pub(crate) fn dense_sum(&mut self, backend: &B, id: ParamId) -> &mut B::Tensor {
        self.fill_new(backend, id.0);
        dense(&mut self.all[id.0])
    }

    /// The gradient of a parameter that takes part in products, and how something is brought into it.
    pub(crate) fn dense(&mut self, id: ParamId) -> (&mut B::Tensor, Store) {
        let store = if std::mem::replace(&mut self.reached[id.0], true) { Store::Add } else { Store::Set };
        (dense(&mut self.all[id.0]), store)
    }

    /// [`Gradients::dense`] of a matrix, and its bias to be added to.
    pub(crate) fn layer(
        &mut self,
        backend: &B,
        weight: ParamId,
        bias: ParamId,
    ) -> (&mut B::Tensor, Store, &mut B::Tensor) {
        self.fill_new(backend, bias.0);
        let store = self.dense(weight).1;
        let [weight, bias] = self.all.get_disjoint_mut([weight.0, bias.0]).expect("two different parameters");
        (dense(weight), store, dense(bias))
    }

    /// Makes a gradient zero that nothing has reached yet.
    fn fill_new(&mut self, backend: &B, i: usize) {
        if !std::mem::replace(&mut self.reached[i], true)
            && let Gradient::Dense(tensor) = &mut self.all[i]
        {
            backend.fill(tensor, B::Elem::ZERO);
        }
    }
}

fn dense<T, R>(gradient: &mut Gradient<T, R>) -> &mut T {
    match gradient {
        Gradient::Dense(tensor) => tensor,
        Gradient::Rows(_) => panic!("a table that is only looked up takes part in no product"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::ops::checks::{matrix, vector};

    #[test]
    fn what_an_earlier_sum_left_counts_for_nothing() {
        let cpu = Cpu::<f64>::detect(1);
        let table = ParamSpec { role: Role::LookUp, ..matrix("table", 3, 2) };
        let params = Params::init(&cpu, vec![matrix("w", 2, 2), vector("b", 2), table], 0);
        let mut gradients = Gradients::zeros(&cpu, &params);
        assert_eq!(gradients.values(&cpu), [vec![0.0; 4], vec![0.0; 2], vec![0.0; 6]]);
        let (w, table) = (ParamId(0), ParamId(2));
        for _ in 0..2 {
            gradients.clear(&cpu);
            assert!(gradients.norm(&cpu) < 1e-300);
            gradients.clear(&cpu);
            let (tensor, store) = gradients.dense(w);
            assert_eq!(store, Store::Set);
            cpu.upload(tensor, &[3.0, 0.0, 0.0, 0.0]);
            assert_eq!(gradients.dense(w).1, Store::Add);
            cpu.embed_backward(gradients.sum(&cpu, table), &vec![1], &vec![0.0, 4.0], 2);
            assert!((gradients.norm(&cpu) - 5.0).abs() < 1e-15);
            let want = [vec![3.0, 0.0, 0.0, 0.0], vec![0.0; 2], vec![0.0, 0.0, 0.0, 4.0, 0.0, 0.0]];
            assert_eq!(gradients.values(&cpu), want);
        }
    }

    #[test]
    #[should_panic(expected = "takes part in no product")]
    fn a_table_that_is_looked_up_has_no_dense_gradient() {
        let cpu = Cpu::<f64>::detect(1);
        let table = ParamSpec { role: Role::LookUp, ..matrix("table", 3, 2) };
        Gradients::zeros(&cpu, &Params::init(&cpu, vec![table], 0)).dense(ParamId(0));
    }
}
