//! `eval --confusions`: the most frequent errors, as tables and as JSON.

use std::io::{self, Write};

use lookback::eval::{Confusion, Confusions, ErrorKind, Unit};
use lookback::view::{fit, visible};
use serde_json::{Value, json};

use super::args::{ConfusionUnit, EvalArgs};
use super::read::{Test, first};
use super::table::Align::{Left, Right};
use super::table::Table;
use crate::display::{counted, grouped};

/// Widest token in the table, in columns of a terminal.
const TOKEN: usize = 24;
/// Widest example.
const EXAMPLE: usize = 60;

/// Errors of a corpus, and where to look for examples.
pub(super) struct Report<'t> {
    confusions: Confusions,
    /// Rows of each kind.
    most: usize,
    unit: ConfusionUnit,
    lists: &'t [Vec<String>],
    test: &'t Test,
}

impl<'t> Report<'t> {
    pub(super) fn new(args: &EvalArgs, most: usize, lists: &'t [Vec<String>], test: &'t Test) -> Self {
        let unit = match args.confusion_unit {
            ConfusionUnit::Words => Unit::Word,
            ConfusionUnit::Chars => Unit::Character,
        };
        let mut confusions = Confusions::new(unit);
        if args.lowercase {
            confusions = confusions.lowercased();
        }
        for (list, refs) in lists.iter().zip(&test.refs) {
            let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
            confusions.add(first(list), &refs);
        }
        Self { confusions, most, unit: args.confusion_unit, lists, test }
    }

    fn unit(&self) -> &'static str {
        if self.unit == ConfusionUnit::Words { "words" } else { "characters" }
    }

    pub(super) fn json(&self) -> Value {
        let edits = self.confusions.edits();
        json!({
            "unit": self.unit(),
            "matches": edits.matches,
            "substitutions": edits.substitutions,
            "deletions": edits.deletions,
            "insertions": edits.insertions,
            "distinct": self.confusions.distinct(ErrorKind::Substitution),
            "most_frequent": self.json_rows(ErrorKind::Substitution),
            "distinct_gaps": self.confusions.distinct(ErrorKind::Gap),
            "most_frequent_gaps": self.json_rows(ErrorKind::Gap),
        })
    }

    fn json_rows(&self, kind: ErrorKind) -> Vec<Value> {
        let row = |row: &Confusion| {
            json!({
                "reference": row.reference,
                "hyp": row.hyp,
                "count": row.count,
                "line": row.sentence + 1,
                "example": { "refs": self.test.refs[row.sentence], "hyp": first(&self.lists[row.sentence]) },
            })
        };
        self.confusions.most_frequent(kind, self.most).iter().map(row).collect()
    }

    /// Substitutions, then deletions and insertions.
    pub(super) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let edits = self.confusions.edits();
        let (substitutions, unit) = (counted(edits.substitutions, "substitution"), self.unit());
        self.table(ErrorKind::Substitution, &format!("confusions of {unit}: {substitutions}"), out)?;
        let (deletions, insertions) = (counted(edits.deletions, "deletion"), counted(edits.insertions, "insertion"));
        self.table(ErrorKind::Gap, &format!("{deletions}, {insertions} of {unit}"), out)
    }

    /// `∅` stands where a side has no token.
    fn table(&self, kind: ErrorKind, title: &str, out: &mut impl Write) -> io::Result<()> {
        let most = self.confusions.most_frequent(kind, self.most);
        let (shown, kinds) = (grouped(most.len()), counted(self.confusions.distinct(kind), "kind"));
        writeln!(out, "\n{title}; {shown} of {kinds}, the most frequent first")?;
        if most.is_empty() {
            return Ok(());
        }
        let token = |token: &Option<String>| {
            token.as_deref().map_or_else(|| "∅".to_owned(), |token| fit(&visible(token), TOKEN).into_owned())
        };
        let columns = [(Right, "count"), (Left, "reference"), (Left, ""), (Left, "translation"), (Left, "first in")];
        let mut table = Table::new(columns.map(|(align, name)| (align, name.to_owned())));
        for row in &most {
            let example = visible(first(&self.lists[row.sentence])).into_owned();
            let place = format!("line {}: {}", row.sentence + 1, fit(&example, EXAMPLE));
            table.row([grouped(row.count), token(&row.reference), "→".to_owned(), token(&row.hyp), place]);
        }
        table.write(out)
    }
}
