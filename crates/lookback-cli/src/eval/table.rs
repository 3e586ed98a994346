//! Tables for a terminal: columns as wide as their widest cell, whatever script stands in them.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of cells; the first one says what the columns are.
#[derive(Debug, Clone)]
pub(super) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = (Align, String)>) -> Self {
        let (columns, names) = columns.into_iter().unzip();
        Self { columns, rows: vec![names] }
    }

    /// Adds a row; missing cells stay empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), align) in row.iter().zip(&widths).zip(&self.columns) {
                let space = " ".repeat(width - cell.width());
                let (before, after) = if *align == Align::Left { ("", space.as_str()) } else { (space.as_str(), "") };
                line += &format!("  {before}{cell}{after}");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_keep_columns_straight() {
        let mut table = Table::new([(Align::Right, "n".to_owned()), (Align::Left, "text".to_owned())]);
        table.row(["12".to_owned(), "東京都庁".to_owned()]);
        table.row(["3".to_owned(), "a".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "   n  text\n  12  東京都庁\n   3  a\n");
    }
}
