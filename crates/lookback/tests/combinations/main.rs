//! The table of combinations: what can combine is trained for a few updates, saved, loaded and used for translation, and its step-by-step search agrees with reading the
//! same translation as a whole; what cannot combine is refused by its key with a remedy; and the document says what is so.

use lookback::config::CorpusSize;
use lookback::data::{Corpus, dates};

use space::{Combination, DIMENSIONS, RULES, Space, config};
use trial::Files;

mod cover;
mod document;
mod space;
mod trial;

/// Does `work` on every one of `items`, several at once: most of the time a run waits for its files to be written.
fn for_each<T: Sync>(items: &[T], work: impl Fn(usize, &T) + Sync) {
    let threads = 8 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || {
                items.iter().enumerate().skip(thread).step_by(threads).for_each(|(i, item)| work(i, item));
            });
        }
    });
}

/// What the program says of a combination that it refuses.
fn refusal(combination: &Combination) -> Option<String> {
    let resolved = config(combination).resolve(CorpusSize { pairs: 24, words: 3.0, characters: 17.0 });
    resolved.err().map(|error| error.to_string())
}

#[test]
fn what_can_combine_trains_saves_loads_and_translates_and_steps_agree_with_the_whole() {
    let splits = dates::splits(24, 4, 1, 5);
    let corpora = [Corpus::from_pairs(splits.train), Corpus::from_pairs(splits.valid)];
    let dir = tempfile::tempdir().expect("a folder");
    for_each(&cover::design(&Space::new()), |i, combination| {
        // Every write waits for the disk.
        let files = if i % 4 == 0 { Files::Both } else { Files::Trained };
        trial::run(combination, &dir.path().join(i.to_string()), &corpora, files);
    });
}

#[test]
fn every_pair_of_values_that_may_combine_is_tried() {
    let space = Space::new();
    let tried = cover::design(&space);
    for (a, b) in cover::possible_pairs(&space) {
        let name = |(d, v): (usize, usize)| format!("{} {}", DIMENSIONS[d].name, DIMENSIONS[d].values[v].name);
        assert!(tried.iter().any(|c| c[a.0] == a.1 && c[b.0] == b.1), "{} with {}", name(a), name(b));
    }
    // Cells × bridges × windows × (four scores with one head and two, location with one; Luong's order fed and not, Bahdanau's), and none with two bridges.
    let whole = 3 * (3 * 3 * (4 * 2 + 1) * 3 + 2 * 2);
    let mut products: Vec<_> =
        tried.iter().map(|c| (c[space::CELLS] / 3, c[space::SCORE..=space::BRIDGE].to_vec())).collect();
    products.sort();
    products.dedup();
    assert_eq!(products.len(), whole, "nothing was left out by accident");
}

#[test]
fn what_cannot_combine_is_refused_by_its_key_with_a_remedy() {
    let space = Space::new();
    let all = space::choices();
    for &a in &all {
        for &b in all.iter().filter(|b| b.0 < a.0) {
            let mut combination = space.neutral();
            (combination[a.0], combination[b.0]) = (a.1, b.1);
            expect(&space, &combination);
        }
    }
    // One value changed in what was tried: mostly several reasons at once.
    for_each(&cover::design(&space), |i, combination| {
        // Another part of the values at each combination.
        for &(dimension, value) in all.iter().skip(i % 5).step_by(5) {
            let mut changed = *combination;
            changed[dimension] = value;
            expect(&space, &changed);
        }
    });
}

/// A combination is let through if it breaks no rule, and else refused by the key of one it breaks.
fn expect(space: &Space, combination: &Combination) {
    let name = space::name(combination);
    let broken = space.broken(combination);
    match refusal(combination) {
        None => assert!(broken.is_empty(), "{name} was let through"),
        Some(message) => {
            let is_said = broken.iter().any(|&rule| message.starts_with(&format!("{}: ", RULES[rule].key)));
            assert!(is_said, "{name}: {message}");
            let has_remedy = ["set `", "leave it out", "leave `"].iter().any(|remedy| message.contains(remedy));
            assert!(has_remedy, "{name}: {message}");
        }
    }
}

#[test]
fn the_document_says_what_combines() {
    let space = Space::new();
    let reason = |rule: &space::Rule| {
        let place = |(name, values): (&str, &[&str])| {
            let dimension = DIMENSIONS.iter().position(|d| d.name == name).expect("a dimension");
            let value = DIMENSIONS[dimension].values.iter().position(|v| v.name == values[0]).expect("a value");
            (dimension, value)
        };
        let mut combination = space.neutral();
        for (dimension, value) in [place(rule.one), place(rule.other)] {
            combination[dimension] = value;
        }
        refusal(&combination).unwrap_or_else(|| panic!("{} was let through", space::name(&combination)))
    };
    let reasons: Vec<String> = RULES.iter().map(reason).collect();
    let text = document::text(&space, &cover::design(&space), &reasons);
    if std::env::var_os(document::VARIABLE).is_some() {
        std::fs::write(document::path(), &text).expect("the document can be written");
    }
    let stored = std::fs::read_to_string(document::path()).expect("the document is there");
    assert!(
        stored.replace("\r\n", "\n") == text,
        "docs/combinations.md is out of date; {}=1 writes it anew",
        document::VARIABLE
    );
}
