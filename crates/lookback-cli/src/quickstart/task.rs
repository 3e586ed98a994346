//! What a quickstart learns: names, recipe, data.

use std::fs;
use std::path::Path;

use anyhow::Context;
use lookback::data::dates::{DatePair, splits};
use lookback::data::{Corpus, Pair, read_tsv};

use super::places::{test_file, train_file};
use crate::args::Task;

/// The corpus of the repository; its licence asks for the attribution beside it.
const TRAIN: &[u8] = include_bytes!("../../data/tatoeba-deu-eng/train.tsv.zst");
const VALID: &[u8] = include_bytes!("../../data/tatoeba-deu-eng/valid.tsv.zst");
const TEST: &[u8] = include_bytes!("../../data/tatoeba-deu-eng/test.tsv.zst");
const ATTRIBUTION: &[u8] = include_bytes!("../../data/tatoeba-deu-eng/ATTRIBUTION");

/// Written dates: to learn from, to validate on, to test on.
const DATES: [usize; 3] = [30_000, 500, 1000];
/// The dates are the same for everybody.
const DATES_SEED: u64 = 1;

impl Task {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Translation => "German to English",
            Self::Dates => "Written dates to ISO",
        }
    }

    /// Model folder and page.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Translation => ("lookback-quickstart", "attention"),
            Self::Dates => ("lookback-dates", "attention-dates"),
        }
    }

    /// Name and text of the recipe.
    pub(super) fn recipe(self) -> (&'static str, &'static str) {
        match self {
            Self::Translation => ("recipes/quickstart.toml", include_str!("../../../../recipes/quickstart.toml")),
            Self::Dates => ("recipes/dates.toml", include_str!("../../../../recipes/dates.toml")),
        }
    }

    /// Something to try.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Translation => "Wo ist der Bahnhof?",
            Self::Dates => "the fifth of March, nineteen eighty-seven",
        }
    }
}

/// Three sets of pairs that share no sentence.
#[derive(Debug)]
pub(super) struct Corpora {
    pub(super) train: Corpus,
    pub(super) valid: Corpus,
    pub(super) test: Vec<Pair>,
}

impl Corpora {
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.train.pairs.len(), self.valid.pairs.len(), self.test.len()]
    }
}

/// Writes the task's data into the model folder, `data/` and `test.tsv`, and reads them: what was learned from stays to be looked at.
pub(super) fn corpora(task: Task, dir: &Path) -> anyhow::Result<Corpora> {
    let data = dir.join("data");
    fs::create_dir_all(&data).with_context(|| format!("cannot make `{}`", data.display()))?;
    let train = train_file(dir, task);
    let write = |path: &Path, content: &[u8]| {
        fs::write(path, content).with_context(|| format!("cannot write `{}`", path.display()))
    };
    let (valid, test) = match task {
        Task::Translation => {
            let (valid, packed) = (data.join("valid.tsv.zst"), data.join("test.tsv.zst"));
            for (path, content) in
                [(&train, TRAIN), (&valid, VALID), (&packed, TEST), (&data.join("ATTRIBUTION"), ATTRIBUTION)]
            {
                write(path, content)?;
            }
            let pairs = read_tsv(&packed, None)?.pairs.to_vec()?.into_iter().map(|pair| (pair.src, pair.tgt));
            (valid, table(&pairs.collect::<Vec<_>>()))
        }
        Task::Dates => {
            let [train_pairs, valid_pairs, test_pairs] = DATES;
            let pairs = splits(train_pairs, valid_pairs, test_pairs, DATES_SEED);
            let valid = data.join("valid.tsv");
            write(&train, table(&pairs.train).as_bytes())?;
            write(&valid, table(&pairs.valid).as_bytes())?;
            (valid, table(&pairs.test))
        }
    };
    write(&test_file(dir), test.as_bytes())?;
    let read = |path: &Path| read_tsv(path, None);
    Ok(Corpora { train: read(&train)?, valid: read(&valid)?, test: read(&test_file(dir))?.pairs.to_vec()? })
}

fn table(pairs: &[DatePair]) -> String {
    pairs.iter().map(|(src, tgt)| format!("{src}\t{tgt}\n")).collect()
}

#[cfg(test)]
mod tests {
    use lookback::config::Config;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn recipes_are_valid_configurations() {
        for task in [Task::Translation, Task::Dates] {
            let (name, text) = task.recipe();
            let config = Config::from_layers(&[(name.to_owned(), text.to_owned())], &[]).expect("known keys");
            config.check().expect("values that go together");
        }
    }

    #[test]
    fn the_corpora_are_written_where_they_are_looked_for() {
        let root = TempDir::new().expect("a folder");
        let corpora = corpora(Task::Translation, root.path()).expect("the corpus inside");
        assert_eq!(corpora.sizes(), [163_966, 500, 1000]);
        assert!(root.path().join("data/ATTRIBUTION").is_file());
        let test = fs::read_to_string(test_file(root.path())).expect("plain text");
        assert_eq!(test.lines().count(), 1000);
    }
}
