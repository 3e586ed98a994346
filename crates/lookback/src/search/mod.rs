//! From a model to hypotheses: greedy and beam search.
