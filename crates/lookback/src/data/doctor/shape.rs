//! What only the corpus as a whole tells: which lengths and which scripts are the usual ones.
use std::collections::BTreeMap;

use unicode_script::Script;

use super::check::Check;
use super::report::{Examples, Findings, Spot};
use super::scripts::script_of;

/// Steps of the histogram: each is 1/50 more than the one before.
const STEP: f64 = 1.02;
/// Steps on either side of 1.
const STEPS: usize = 300;
/// Ratios of short texts mean nothing.
const SHORT: usize = 20;
/// Fewer pairs have no usual ratio.
const FEW: u64 = 20;
/// Nearer to the median than a factor of three is never unusual (1.02⁵⁶ = 3.03).
const USUAL: i64 = 56;
/// Nor is what is within this many times the distance of the quartiles.
const QUARTILES: i64 = 4;
/// A script that fewer sentences in a hundred have is not the usual one.
const MOST: u64 = 90;

/// Lengths and scripts of pairs.
#[derive(Debug)]
pub(super) struct Shape {
    /// `ratios[i]` is the least ratio of step i + 1.
    ratios: Vec<f64>,
    histogram: Vec<u64>,
    /// The pairs of least and of largest ratio.
    extremes: [Examples<(i64, String)>; 2],
    scripts: BTreeMap<[&'static str; 2], (u64, Examples<String>)>,
}

/// What is usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usual {
    /// The steps between which ratios are, both included.
    steps: Option<(i64, i64)>,
    /// The median of the ratios.
    pub(super) ratio: Option<f64>,
    /// The scripts of the sides.
    pub(super) scripts: Option<[&'static str; 2]>,
    /// Scripts of sides that nearly always stand the other way round.
    swapped: Vec<[&'static str; 2]>,
}

impl Default for Shape {
    fn default() -> Self {
        let ratios = ratios();
        let histogram = vec![0; ratios.len() + 1];
        Self { ratios, histogram, extremes: Default::default(), scripts: BTreeMap::new() }
    }
}

/// The bounds of the steps, by multiplication alone, which is the same everywhere.
fn ratios() -> Vec<f64> {
    let above: Vec<f64> = std::iter::successors(Some(1.0), |ratio| Some(ratio * STEP)).take(STEPS).collect();
    let below = above[1..].iter().rev().map(|ratio| 1.0 / ratio);
    below.chain(above.iter().copied()).collect()
}

/// The names of a pair's scripts; empty without letters.
fn scripts_of(src: &str, tgt: &str) -> [&'static str; 2] {
    [src, tgt].map(|side| script_of(side).map_or("", |script: Script| script.full_name()))
}

/// The step of a pair's ratio; none of a short pair.
fn step_of(ratios: &[f64], src: &str, tgt: &str) -> Option<usize> {
    let [src, tgt] = [src, tgt].map(|side| side.chars().count());
    (src.max(tgt) >= SHORT).then(|| {
        let ratio = (tgt + 1) as f64 / (src + 1) as f64;
        ratios.partition_point(|&bound| bound <= ratio)
    })
}

impl Shape {
    pub(super) fn see(&mut self, spot: Spot, src: &str, tgt: &str, most: usize, shown: impl Fn() -> String) {
        if let Some(step) = step_of(&self.ratios, src, tgt) {
            self.histogram[step] += 1;
            let step = step as i64;
            for (extremes, rank) in self.extremes.iter_mut().zip([step, -step]) {
                if extremes.has_room(most, rank, spot) {
                    extremes.keep(most, rank, spot, (step, shown()));
                }
            }
        }
        let (count, examples) = self.scripts.entry(scripts_of(src, tgt)).or_default();
        *count += 1;
        if examples.has_room(most, 0, spot) {
            examples.keep(most, 0, spot, shown());
        }
    }

    /// Tells what is unusual, and what is usual.
    pub(super) fn finish(self, findings: &mut Findings) -> Usual {
        let (steps, ratio) = self.usual_steps();
        let scripts = usual_scripts(&self.scripts);
        let usual = Usual { steps, ratio, scripts, swapped: swapped(&self.scripts) };
        if let Some((least, largest)) = steps {
            let unusual = (0..).zip(&self.histogram).filter(|(step, _)| !(least..=largest).contains(step));
            findings.count(Check::LengthRatio, unusual.map(|(_, count)| count).sum());
            for (spot, (step, shown)) in self.extremes.into_iter().flat_map(Examples::into_items) {
                if !(least..=largest).contains(&step) {
                    // The farthest from the usual first.
                    let rank = -(least - step).max(step - largest);
                    findings.show(Check::LengthRatio, spot, rank, || shown);
                }
            }
        }
        for (found, (count, examples)) in self.scripts {
            let Some(check) = usual.check_of(found) else { continue };
            findings.count(check, count);
            for (spot, shown) in examples.into_items() {
                findings.show(check, spot, 0, || format!("{}: {shown}", named(found)));
            }
        }
        usual
    }

    fn usual_steps(&self) -> (Option<(i64, i64)>, Option<f64>) {
        let all: u64 = self.histogram.iter().sum();
        if all < FEW {
            return (None, None);
        }
        let at = |share: u64| {
            let mut seen = 0;
            let of = |&count: &u64| {
                seen += count;
                4 * seen >= share * all
            };
            self.histogram.iter().position(of).unwrap_or(STEPS) as i64
        };
        let (low, median, high) = (at(1), at(2), at(3));
        let most = USUAL.max(QUARTILES * (high - low));
        let ratio = usize::try_from(median).ok().and_then(|step| self.ratios.get(step.saturating_sub(1)).copied());
        (Some((median - most, median + most)), ratio)
    }
}

impl Usual {
    /// Everything about a pair that is unusual.
    pub(super) fn checks_of(&self, src: &str, tgt: &str, ratios: &Ratios) -> impl Iterator<Item = Check> {
        let step = step_of(&ratios.0, src, tgt).map(|step| step as i64);
        let is_far = self.steps.zip(step).is_some_and(|((least, largest), step)| step < least || step > largest);
        let is_any = self.scripts.is_some() || !self.swapped.is_empty();
        let script = is_any.then(|| self.check_of(scripts_of(src, tgt))).flatten();
        is_far.then_some(Check::LengthRatio).into_iter().chain(script)
    }

    fn check_of(&self, found: [&str; 2]) -> Option<Check> {
        if self.swapped.contains(&found) {
            return Some(Check::Swapped);
        }
        let [src, tgt] = self.scripts?;
        let differs = |found: &str, usual: &str| !found.is_empty() && found != usual;
        (differs(found[0], src) || differs(found[1], tgt)).then_some(Check::Script)
    }
}

/// The bounds of the histogram's steps, for [`Usual::checks_of`].
#[derive(Debug)]
pub(super) struct Ratios(Vec<f64>);

impl Default for Ratios {
    fn default() -> Self {
        Self(ratios())
    }
}

fn named(scripts: [&str; 2]) -> String {
    let [src, tgt] = scripts.map(|script| if script.is_empty() { "no letters" } else { script });
    format!("{src} → {tgt}")
}

/// The scripts nearly all pairs with letters on both sides have.
fn usual_scripts<T>(scripts: &BTreeMap<[&'static str; 2], (u64, T)>) -> Option<[&'static str; 2]> {
    let lettered = || scripts.iter().filter(|([src, tgt], _)| !src.is_empty() && !tgt.is_empty());
    let all: u64 = lettered().map(|(_, (count, _))| count).sum();
    let (names, (count, _)) = lettered().max_by_key(|(names, (count, _))| (*count, std::cmp::Reverse(**names)))?;
    (all >= FEW && 100 * count >= MOST * all).then_some(*names)
}

/// The scripts of source and target that nearly always stand the other way round, whatever else there is.
fn swapped<T>(scripts: &BTreeMap<[&'static str; 2], (u64, T)>) -> Vec<[&'static str; 2]> {
    let is_swapped = |&(&[src, tgt], (count, _)): &(&[&'static str; 2], &(u64, T))| {
        let others = scripts.get(&[tgt, src]).map_or(0, |(others, _)| *others);
        let has_letters = !src.is_empty() && !tgt.is_empty();
        has_letters && src != tgt && others >= FEW && 100 * others >= MOST * (others + count)
    };
    scripts.iter().filter(is_swapped).map(|(names, _)| *names).collect()
}

#[cfg(test)]
mod tests {
    use super::super::row::RowId;
    use super::*;

    fn seen(pairs: &[(&str, &str, usize)]) -> (Vec<(Check, u64, Vec<u64>)>, Usual) {
        let mut shape = Shape::default();
        let mut line = 0;
        for &(src, tgt, times) in pairs {
            for _ in 0..times {
                line += 1;
                shape.see((RowId::new(0, line), 0), src, tgt, 2, String::new);
            }
        }
        let mut findings = Findings::new(2);
        let usual = shape.finish(&mut findings);
        let found = findings.into_findings(|_| String::new());
        let found = found.into_iter().map(|f| (f.check, f.count, f.examples.iter().filter_map(|p| p.line).collect()));
        (found.collect(), usual)
    }

    #[test]
    fn ratios_far_from_the_median_are_unusual() {
        let long = "wort ".repeat(30);
        let (found, usual) = seen(&[
            ("ein Satz von dreißig Zeichen", "a sentence of thirty signs", 50),
            (&long, "word", 1),
            ("ja", &long, 2),
            ("x", "yyyyyyy", 1),
        ]);
        assert_eq!(found, [(Check::LengthRatio, 3, vec![52, 53])], "the farthest are examples");
        assert!((usual.ratio.unwrap() - 27.0 / 29.0).abs() < 0.02);
        let of = |src, tgt| usual.checks_of(src, tgt, &Ratios::default()).collect::<Vec<_>>();
        assert_eq!((of(&long, "word"), of(&long, &long)), (vec![Check::LengthRatio], vec![]));
    }

    #[test]
    fn scripts_tell_what_is_swapped_and_what_is_foreign() {
        let (found, usual) = seen(&[
            ("Привет", "Hello", 95),
            ("Hello", "Привет", 2),
            ("你好", "Hello", 1),
            ("42", "Hello", 3),
            ("42", "?", 1),
        ]);
        assert_eq!(usual.scripts, Some(["Cyrillic", "Latin"]));
        assert_eq!(found, [(Check::Swapped, 2, vec![96, 97]), (Check::Script, 1, vec![98])]);
        let (found, usual) = seen(&[("Привет", "Hello", 50), ("Hello", "Hi", 50)]);
        assert_eq!((found, usual.scripts), (vec![], None), "where scripts are mixed none is usual");
        let (found, _) = seen(&[("Привет", "Hello", 50), ("Zdravo", "Hello", 50), ("Hello", "Привет", 2)]);
        assert_eq!(found, [(Check::Swapped, 2, vec![101, 102])], "but swapped sides are");
        let (found, _) = seen(&[("Привет", "Hello", 50), ("42", "Привет", 1), ("Hello", "42", 1), ("7", "7", 1)]);
        assert_eq!(found, [(Check::Script, 2, vec![51, 52])], "a side without letters is not swapped");
    }

    #[test]
    fn a_handful_of_pairs_has_no_usual_shape() {
        let long = "wort ".repeat(30);
        assert_eq!(seen(&[("a", "b", 9), (&long, "b", 3)]).0, []);
    }
}
