//! Tables of a report.

use crate::view::{escape, visible};

/// Rows of cells below the names of their columns. The first cell of a row says what the row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(caption: impl Into<String>, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { caption: caption.into(), columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn html(&self) -> String {
        // What is empty stays so; `visible` would show it.
        let text = |raw: &String| if raw.is_empty() { String::new() } else { escape(&visible(raw)) };
        let names: String = self.columns.iter().map(|name| format!("<th scope=\"col\">{}</th>", text(name))).collect();
        let row = |cells: &Vec<String>| {
            let mut cells = cells.iter();
            let head = cells.next().map(|cell| format!("<th scope=\"row\">{}</th>", text(cell))).unwrap_or_default();
            let rest: String = cells.map(|cell| format!("<td>{}</td>", text(cell))).collect();
            format!("<tr>{head}{rest}</tr>\n")
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!(
            "<div class=\"wide\"><table><caption>{}</caption>\n<thead><tr>{names}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
            text(&self.caption)
        )
    }
}

/// Seconds as people read them.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_escaped_and_times_rounded() {
        let mut table = Table::new("<c>", ["<a>", "b"]);
        table.row(["<d>".to_owned(), "1".to_owned(), String::new()]);
        let html = table.html();
        assert!(
            html.contains("<th scope=\"row\">&lt;d&gt;</th><td>1</td><td></td>") && html.contains("<caption>&lt;c&gt;")
        );
        assert_eq!([3.4, 119.0, 130.0].map(time), ["3 s", "119 s", "2 min"]);
    }
}
