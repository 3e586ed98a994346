//! The pool that buffers come from and go back to.

use crate::backend::Backend;

/// Buffers of one capacity.
#[derive(Debug)]
struct Class<B: Backend> {
    capacity: usize,
    /// How many there are, free or not.
    made: usize,
    free: Vec<B::Tensor>,
}

/// Buffers by size class: a class spans an eighth of a power of two, so shapes of neighbouring buckets share buffers.
///
/// Which buffers serve a class is settled when it is first met. So what a step takes from where does not depend on what came before it, and a step whose shapes were seen finds what it needs.
#[derive(Debug)]
pub(super) struct FreeList<B: Backend> {
    /// By capacity.
    classes: Vec<Class<B>>,
    /// Sizes of classes that were met, and the capacity of the buffers that serve them.
    homes: Vec<(usize, usize)>,
    /// Buffers that came back and wait to be sorted by their class.
    returned: Vec<B::Tensor>,
    pub(super) allocations: usize,
}

impl<B: Backend> Default for FreeList<B> {
    fn default() -> Self {
        Self { classes: Vec::new(), homes: Vec::new(), returned: Vec::new(), allocations: 0 }
    }
}

/// The capacity a buffer of `len` numbers gets.
fn class(len: usize) -> usize {
    let len = len.max(64);
    let step = (len.next_power_of_two() / 16).max(1);
    len.next_multiple_of(step)
}

impl<B: Backend> FreeList<B> {
    pub(super) fn put(&mut self, tensor: B::Tensor) {
        self.returned.push(tensor);
    }

    pub(super) fn take(&mut self, backend: &B, len: usize) -> B::Tensor {
        while let Some(tensor) = self.returned.pop() {
            // A value that was forgotten has no room, and no class.
            if let Ok(place) = self.place(backend.capacity(&tensor)) {
                self.classes[place].free.push(tensor);
            }
        }
        let place = self.home(class(len));
        let class = &mut self.classes[place];
        let mut tensor = class.free.pop().unwrap_or_else(|| {
            // With room in the lists for it to come back.
            class.made += 1;
            class.free.reserve(class.made);
            self.allocations += 1;
            self.returned.reserve(self.allocations.saturating_sub(self.returned.len()));
            let tensor = backend.alloc(class.capacity);
            debug_assert_eq!(backend.capacity(&tensor), class.capacity, "a buffer has the room that was asked for");
            tensor
        });
        backend.set_len(&mut tensor, len);
        tensor
    }

    /// The place of the buffers that serve a class of `size`: of those there are already, the smallest that are large enough and no more than twice as large, which is better than holding
    /// memory for every class.
    fn home(&mut self, size: usize) -> usize {
        let capacity = match self.homes.binary_search_by_key(&size, |home| home.0) {
            Ok(i) => self.homes[i].1,
            Err(i) => {
                let next = self.classes.get(self.classes.partition_point(|c| c.capacity < size));
                let capacity = next.map(|c| c.capacity).filter(|&capacity| capacity <= 2 * size).unwrap_or(size);
                self.homes.insert(i, (size, capacity));
                capacity
            }
        };
        self.place(capacity).unwrap_or_else(|i| {
            self.classes.insert(i, Class { capacity, made: 0, free: Vec::new() });
            i
        })
    }

    fn place(&self, capacity: usize) -> Result<usize, usize> {
        self.classes.binary_search_by_key(&capacity, |c| c.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_class_wastes_at_most_an_eighth() {
        for len in (1..5000).chain([100_000, 123_457, 1 << 20]) {
            let class = class(len);
            assert!(class >= len && (len < 64 || class <= len + len / 8 + 1), "{len}: {class}");
        }
    }
}
