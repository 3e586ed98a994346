//! Holes of any size, anywhere.
use proptest::prelude::*;

use super::super::signs::tests::corpus;
use super::*;
use crate::data::Draws;

fn found(src: &[String], tgt: &[String]) -> Place {
    let chars = |side: &[String]| side.iter().map(|text| text.len() + 1).sum::<usize>() as f64;
    let mut hole = Hole::new([src, tgt].map(|side| side.len() as u64), chars(tgt) / chars(src));
    for i in 0..src.len().max(tgt.len()) {
        hole.push(src.get(i).map(|text| Signs::of(text)), tgt.get(i).map(|text| Signs::of(text)));
    }
    hole.finish()
}

/// Which of three kinds the place is, if it is right for `size` lines that are missing from line `at` on.
fn judged(place: Place, at: u64) -> Result<usize, String> {
    const NEAR: u64 = 5;
    match place {
        Place::Known { first, line, last, .. } if first <= at + NEAR && at <= last + NEAR => {
            assert!((first..=last).contains(&line));
            Ok(0)
        }
        Place::Open { first } if first <= at + NEAR => Ok(1),
        Place::Unknown => Ok(2),
        wrong => Err(format!("{wrong:?} for {at}")),
    }
}

proptest! {
    #[test]
    fn a_hole_is_placed_or_not_placed_but_never_elsewhere(
        count in 40..1200_usize, at in 0.0..1.0, size in 1..100_usize, is_src in any::<bool>(), seed in any::<u64>(),
        // Lengths alone, which vary by so much.
        vague in prop::option::of(0.0..0.6),
    ) {
        let (mut src, mut tgt) = corpus(count, seed);
        if let Some(vague) = vague {
            let mut draws = Draws::new(seed, 2);
            for text in src.iter_mut().chain(&mut tgt) {
                let factor = 1.0 + vague * (draws.below(1000) as f64 / 500.0 - 1.0);
                *text = "x".repeat((text.len() as f64 * factor) as usize);
            }
        }
        let size = size.min(count / 3);
        let at = ((count - size) as f64 * at) as usize;
        let side = if is_src { &mut src } else { &mut tgt };
        side.drain(at..at + size);
        let kind = judged(found(&src, &tgt), at as u64 + 1).map_err(TestCaseError::fail)?;
        // Lines enough before and behind place it.
        if vague.is_none() && at >= 100 && at + size + 100 <= count {
            prop_assert_eq!(kind, 0);
        }
    }

    #[test]
    fn where_nothing_fits_no_place_is_told(count in 40..800_usize, less in 1..30_usize, seed in any::<u64>()) {
        let (src, _) = corpus(count, seed);
        let (_, tgt) = corpus(count - less, seed ^ 1);
        prop_assert_eq!(found(&src, &tgt), Place::Unknown);
    }
}

#[test]
fn a_file_that_was_cut_off_has_no_hole() {
    for (seed, cut) in [(1, 1), (2, 7), (3, 300)] {
        let (src, mut tgt) = corpus(1000, seed);
        tgt.truncate(1000 - cut);
        for place in [found(&src, &tgt), found(&tgt, &src)] {
            let Place::Open { first } = place else { panic!("{place:?}") };
            assert!(first > 900 - cut as u64, "{first}");
        }
    }
}

#[test]
fn the_first_of_several_holes_is_told() {
    let (src, mut tgt) = corpus(1000, 3);
    tgt.remove(200);
    tgt.drain(600..620);
    let Place::Known { line, is_followed, .. } = found(&src, &tgt) else { panic!("no place") };
    assert!(line.abs_diff(201) <= 12 && !is_followed, "{line}");
}

#[test]
fn blocks_of_lines_place_a_hole_nearly() {
    let (src, mut tgt) = corpus(3000, 9);
    tgt.drain(1700..1790);
    let mut hole = Hole::new([3000, 2910], 1.0);
    hole.block = 16;
    hole.gains.iter_mut().for_each(|gains| gains.truncate(3000_usize.div_ceil(16)));
    for i in 0..3000 {
        hole.push(Some(Signs::of(&src[i])), tgt.get(i).map(|text| Signs::of(text)));
    }
    let Place::Known { line, .. } = hole.finish() else { panic!("no place") };
    assert!(line.abs_diff(1701) <= 32, "{line}");
}
