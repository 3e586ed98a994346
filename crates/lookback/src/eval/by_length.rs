//! Scores of parts of a corpus, by the length of the source, with intervals.
//!
//! Models with attention are most of all compared by how well they hold up on long sentences (Bahdanau et al. 2015, figure 2). A part is small, so
//! every score comes with the 95 % interval of the bootstrap, drawn from the part's own sentences: see [`bootstrap_interval`].

use lookback_kernels::Pool;

use super::{EvalError, Interval, Metric, Sampling, Statistics, bootstrap_difference, bootstrap_interval};

/// Edges that do not ascend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lengths {edges:?} do not part sentences; give ascending numbers from 1, such as 10,20,30")]
pub struct EdgesError {
    /// What was given.
    pub edges: Vec<usize>,
}

/// Sentences of similar length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LengthBucket {
    /// The lengths, such as `11–20` or `>30`.
    pub label: String,
    /// The sentences, by their place from 0.
    pub sentences: Vec<usize>,
}

/// Parts sentences by their lengths: up to the first edge, from there up to the second, …, beyond the last.
///
/// # Errors
/// If `edges` is empty, starts at 0 or does not ascend.
///
/// # Examples
/// ```
/// use lookback::eval::by_length;
///
/// let buckets = by_length(&[3, 12, 40, 10], &[10, 20])?;
/// let shown: Vec<_> = buckets.iter().map(|bucket| (bucket.label.as_str(), bucket.sentences.as_slice())).collect();
/// assert_eq!(shown, [("1–10", &[0, 3][..]), ("11–20", &[1]), (">20", &[2])]);
/// # Ok::<(), lookback::eval::EdgesError>(())
/// ```
pub fn by_length(lengths: &[usize], edges: &[usize]) -> Result<Vec<LengthBucket>, EdgesError> {
    if edges.first().is_none_or(|&first| first == 0) || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(EdgesError { edges: edges.to_vec() });
    }
    // An empty source has a length too.
    let mut from = usize::from(!lengths.contains(&0));
    let mut buckets = Vec::with_capacity(edges.len() + 1);
    for &edge in edges {
        let label = if from == edge { format!("{edge}") } else { format!("{from}–{edge}") };
        buckets.push(LengthBucket { label, sentences: Vec::new() });
        from = edge.saturating_add(1);
    }
    buckets.push(LengthBucket { label: format!(">{}", edges[edges.len() - 1]), sentences: Vec::new() });
    for (sentence, &length) in lengths.iter().enumerate() {
        buckets[edges.partition_point(|&edge| edge < length)].sentences.push(sentence);
    }
    Ok(buckets)
}

/// A score of some sentences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartScore {
    /// The score.
    pub score: f64,
    /// Its 95 % interval; `None` for a single sentence.
    pub interval: Option<Interval>,
}

impl PartScore {
    /// The lower and the upper end of the interval: percentiles of resampled scores.
    #[must_use]
    pub fn ends(&self) -> Option<(f64, f64)> {
        self.interval.map(|Interval { low, high, .. }| (low, high))
    }
}

/// The score of those sentences of `statistics`; `None` if there is none.
///
/// # Errors
/// If no sample is asked for.
pub fn part_score(
    metric: &(impl Metric + ?Sized),
    statistics: &Statistics,
    sentences: &[usize],
    sampling: Sampling,
    pool: &Pool,
) -> Result<Option<PartScore>, EvalError> {
    if sentences.is_empty() {
        return Ok(None);
    }
    let part = statistics.select(sentences);
    let interval = if sentences.len() > 1 { Some(bootstrap_interval(metric, &part, sampling, pool)?) } else { None };
    Ok(Some(PartScore { score: metric.score(&part.sums()), interval }))
}

/// How much higher the score of `statistics` is than that of `baseline` on those sentences; `None` if there is none.
///
/// # Errors
/// If the statistics are not of the same sentences, or no sample is asked for.
pub fn part_difference(
    metric: &(impl Metric + ?Sized),
    statistics: &Statistics,
    baseline: &Statistics,
    sentences: &[usize],
    sampling: Sampling,
    pool: &Pool,
) -> Result<Option<PartScore>, EvalError> {
    if statistics.sentences() != baseline.sentences() {
        let (baseline, other) = (baseline.sentences(), statistics.sentences());
        return Err(EvalError::UnequalSystems { baseline, other });
    }
    if sentences.is_empty() {
        return Ok(None);
    }
    let [ours, theirs] = [statistics, baseline].map(|all| all.select(sentences));
    let score = metric.score(&ours.sums()) - metric.score(&theirs.sums());
    let draw = || bootstrap_difference(metric, &ours, &theirs, sampling, pool);
    let interval = if sentences.len() > 1 { Some(draw()?) } else { None };
    Ok(Some(PartScore { score, interval }))
}

#[cfg(test)]
mod tests {
    use super::super::ExactMetric;
    use super::*;

    fn statistics(right: usize, wrong: usize) -> Statistics {
        let hyps: Vec<&str> = std::iter::repeat_n("a", right).chain(std::iter::repeat_n("b", wrong)).collect();
        let refs = vec![["a"]; right + wrong];
        Statistics::collect(&ExactMetric, &hyps, &refs, &Pool::new(1)).unwrap()
    }

    fn score(statistics: &Statistics, sentences: &[usize], seed: u64) -> Option<PartScore> {
        part_score(&ExactMetric, statistics, sentences, Sampling { samples: 1000, seed }, &Pool::new(1)).unwrap()
    }

    #[test]
    fn every_sentence_is_in_one_bucket() {
        let lengths: Vec<usize> = (0..60).collect();
        let buckets = by_length(&lengths, &[1, 2, 30]).unwrap();
        let labels: Vec<&str> = buckets.iter().map(|bucket| bucket.label.as_str()).collect();
        assert_eq!(labels, ["0–1", "2", "3–30", ">30"]);
        assert_eq!(buckets.iter().flat_map(|bucket| bucket.sentences.clone()).collect::<Vec<_>>(), lengths);
        assert_eq!(buckets[2].sentences, (3..=30).collect::<Vec<_>>());
    }

    #[test]
    fn edges_that_do_not_ascend_are_refused() {
        for edges in [&[][..], &[0, 5], &[5, 5], &[9, 3]] {
            assert!(by_length(&[1], edges).is_err(), "{edges:?}");
        }
    }

    #[test]
    fn no_edge_is_too_large() {
        let buckets = by_length(&[1, 7], &[2, usize::MAX]).unwrap();
        assert_eq!(buckets[1].sentences, [1]);
        assert_eq!(buckets[2], LengthBucket { label: format!(">{}", usize::MAX), sentences: Vec::new() });
    }

    #[test]
    fn an_interval_stays_among_possible_scores() {
        // 1 of 50 right: resampled scores are skewed, and mean − half-width is below 0.
        let part = score(&statistics(1, 49), &(0..50).collect::<Vec<_>>(), 1).unwrap();
        let Interval { mean, half_width, .. } = part.interval.unwrap();
        assert!(mean < half_width, "{mean} {half_width}");
        let (low, high) = part.ends().unwrap();
        assert!(low.to_bits() == 0 && (2.0..=10.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn the_interval_is_that_of_the_binomial_distribution() {
        // 80 of 100 right: the standard deviation of the share is 4 points, 1.96 of them are 7.8.
        let all: Vec<usize> = (50..150).collect();
        let part = score(&statistics(130, 20), &all, 1).unwrap();
        let (low, high) = part.ends().unwrap();
        assert!((part.score - 80.0).abs() < 1e-12);
        assert!((70.5..=74.0).contains(&low) && (86.0..=89.5).contains(&high), "{low} {high}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_does_not() {
        let (statistics, all) = (statistics(37, 63), (0..100).collect::<Vec<_>>());
        assert_eq!(score(&statistics, &all, 1), score(&statistics, &all, 1));
        assert!((2..12).any(|seed| score(&statistics, &all, seed) != score(&statistics, &all, 1)));
    }

    #[test]
    fn a_difference_is_drawn_from_the_same_sentences_for_both() {
        let (all, sampling, pool) = ((0..100).collect::<Vec<_>>(), Sampling { samples: 1000, seed: 1 }, Pool::new(1));
        let difference = |a: &Statistics, b: &Statistics, sentences: &[usize]| {
            part_difference(&ExactMetric, a, b, sentences, sampling, &pool)
        };
        // 80 of 100 right, then the same 80 and 10 more: nothing is lost anywhere, so no sample has less. The standard deviation of 10 gains is 3.
        let (more, fewer) = (statistics(90, 10), statistics(80, 20));
        let part = difference(&more, &fewer, &all).unwrap().unwrap();
        let (low, high) = part.ends().unwrap();
        assert!((part.score - 10.0).abs() < 1e-12);
        assert!((3.0..=6.5).contains(&low) && (13.5..=18.0).contains(&high), "{low} {high}");
        let same = difference(&more, &more, &all).unwrap().unwrap();
        assert_eq!((same.score.to_bits(), same.ends()), (0.0_f64.to_bits(), Some((0.0, 0.0))));
        assert_eq!(difference(&more, &fewer, &[]).unwrap(), None);
        assert!(difference(&more, &statistics(1, 1), &[0]).is_err());
    }

    #[test]
    fn a_single_sentence_has_no_interval_and_an_empty_part_no_score() {
        let statistics = statistics(1, 1);
        assert_eq!(score(&statistics, &[], 1), None);
        assert_eq!(score(&statistics, &[1], 1), Some(PartScore { score: 0.0, interval: None }));
    }
}
