//! Where a quickstart writes. It takes names that are free, and overwrites only what an earlier one wrote.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lookback::train::Start;
use serde_json::{Value, json};

use crate::args::{QuickstartArgs, Task};
use crate::exit::Usage;

/// The mark of a quickstart, without which nothing is overwritten.
const MARK_FILE: &str = "quickstart.json";
/// The test pairs in the model folder.
const TEST_FILE: &str = "test.tsv";

/// The model folder and the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) dir: PathBuf,
    pub(super) page: PathBuf,
    pub(super) start: Start,
}

impl Places {
    /// The folder and page to write: those asked for, else the first of `name`, `name-2`, … of which neither is there yet.
    pub(super) fn choose(args: &QuickstartArgs) -> Result<Self, Usage> {
        let (folder, page) = args.task.names();
        if let Some(dir) = &args.out {
            let page = free(|n| numbered(page, n, ".html"), args.overwrite);
            return Self::in_folder(dir.clone(), page, args.overwrite);
        }
        if args.overwrite {
            return Self::in_folder(folder.into(), numbered(page, 1, ".html"), true);
        }
        let n = (1..).find(|&n| !numbered(folder, n, "").exists() && !numbered(page, n, ".html").exists()).unwrap_or(1);
        Ok(Self { dir: numbered(folder, n, ""), page: numbered(page, n, ".html"), start: Start::Fresh })
    }

    fn in_folder(dir: PathBuf, page: PathBuf, overwrite: bool) -> Result<Self, Usage> {
        let name = dir.display();
        match (state(&dir), overwrite) {
            (State::Free, _) => Ok(Self { dir, page, start: Start::Fresh }),
            (State::Ours, true) => Ok(Self { dir, page, start: Start::Overwrite }),
            (State::Ours, false) => Err(Usage(format!(
                "`{name}` holds an earlier quickstart; use --overwrite to replace it, or another folder"
            ))),
            (State::Foreign, _) => {
                Err(Usage(format!("`{name}` is not empty and was not made by quickstart; use another folder")))
            }
        }
    }

    /// Makes the folder and marks it as a quickstart's, before anything else is in it.
    pub(super) fn mark(&self, task: Task) -> anyhow::Result<()> {
        let path = self.dir.join(MARK_FILE);
        let mark = json!({ MADE_BY: task.title(), "version": env!("CARGO_PKG_VERSION") });
        fs::create_dir_all(&self.dir)
            .and_then(|()| fs::write(&path, format!("{mark}\n")))
            .with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Where the test pairs are.
    pub(super) fn test(&self) -> PathBuf {
        test_file(&self.dir)
    }

    /// Where the training pairs are.
    pub(super) fn train(&self, task: Task) -> PathBuf {
        train_file(&self.dir, task)
    }
}

/// The key of the mark.
const MADE_BY: &str = "lookback quickstart";

/// Takes the mark away from a folder that somebody's own training goes into.
pub(crate) fn no_longer_ours(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(MARK_FILE);
    if !path.exists() {
        return Ok(());
    }
    fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))
}

pub(super) fn test_file(dir: &Path) -> PathBuf {
    dir.join(TEST_FILE)
}

pub(super) fn train_file(dir: &Path, task: Task) -> PathBuf {
    dir.join("data").join(match task {
        Task::Translation => "train.tsv.zst",
        Task::Dates => "train.tsv",
    })
}

/// `name`, `name-2`, `name-3`, …
fn numbered(name: &str, n: usize, extension: &str) -> PathBuf {
    if n == 1 { format!("{name}{extension}") } else { format!("{name}-{n}{extension}") }.into()
}

fn free(name: impl Fn(usize) -> PathBuf, overwrite: bool) -> PathBuf {
    (1..).map(&name).find(|path| overwrite || !path.exists()).unwrap_or_else(|| name(1))
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Free,
    Ours,
    Foreign,
}

fn state(dir: &Path) -> State {
    if !dir.exists() || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) {
        State::Free
    } else if is_marked(dir) {
        State::Ours
    } else {
        State::Foreign
    }
}

fn is_marked(dir: &Path) -> bool {
    let mark = fs::read(dir.join(MARK_FILE)).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    mark.is_some_and(|mark| mark.get(MADE_BY).is_some())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn only_an_earlier_quickstart_is_overwritten_and_only_if_asked() {
        let root = TempDir::new().expect("a folder");
        let dir = root.path().join("m");
        let choose = |overwrite| Places::in_folder(dir.clone(), "p.html".into(), overwrite).map(|places| places.start);
        assert_eq!(choose(false).ok(), Some(Start::Fresh));
        fs::create_dir_all(dir.join("data")).expect("a folder");
        assert!(choose(true).is_err_and(|e| e.0.contains("not made by quickstart")));
        for (file, text) in [("test.tsv", "a\tb\n"), ("config.json", "{}"), (MARK_FILE, "{}")] {
            fs::write(dir.join(file), text).expect("a file");
            assert!(choose(true).is_err_and(|e| e.0.contains("not made by quickstart")), "{file} is no mark");
        }
        let places = Places { dir: dir.clone(), page: "p.html".into(), start: Start::Fresh };
        places.mark(Task::Dates).expect("a mark");
        assert!(choose(false).is_err_and(|e| e.0.contains("--overwrite")));
        assert_eq!(choose(true).ok(), Some(Start::Overwrite));
        no_longer_ours(&dir).expect("the mark is taken away");
        assert!(choose(true).is_err());
    }

    #[test]
    fn names_are_numbered_from_the_second_on() {
        assert_eq!(
            [1, 2].map(|n| numbered("attention", n, ".html")),
            ["attention.html", "attention-2.html"].map(PathBuf::from)
        );
    }
}
