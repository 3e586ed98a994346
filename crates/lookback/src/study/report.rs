//! The report of a study: one self-contained page with figures, tables and commands. It makes no request and needs no script.

use super::bench::{RunRecord, Settings};
use super::table::{Table, time};
use super::{Divided, Extent};
use crate::view::{BASE, Chart, escape, facts, fill, grouped, visible};

const TEMPLATE: &str = include_str!("report.html");
const CSS: &str = include_str!("report.css");

/// What a study found.
pub(super) struct Findings {
    pub(super) title: String,
    /// The question and the answer, a paragraph each.
    pub(super) lead: Vec<String>,
    pub(super) sections: Vec<Section>,
    /// What goes into `results.json`.
    pub(super) results: serde_json::Value,
}

/// A part of the report.
pub(super) struct Section {
    pub(super) title: String,
    /// Paragraphs.
    pub(super) text: Vec<String>,
    /// Figures and the names of their files.
    pub(super) figures: Vec<(String, Chart)>,
    pub(super) tables: Vec<Table>,
}

impl Findings {
    /// All figures and the names of their files.
    pub(super) fn figures(&self) -> impl Iterator<Item = &(String, Chart)> {
        self.sections.iter().flat_map(|section| &section.figures)
    }
}

/// The page.
pub(super) fn page(
    findings: &Findings,
    settings: &Settings,
    data: Option<&Divided>,
    command: &str,
    runs: &[RunRecord],
) -> String {
    let title = text(&findings.title);
    let mut about = vec![("Study".to_owned(), settings.study.name().to_owned())];
    if let Some(data) = data {
        let [train, valid, test] = data.pairs.map(grouped);
        about.extend([
            ("Learned from".to_owned(), format!("{train} pairs")),
            ("Validated on".to_owned(), valid),
            ("Tested on".to_owned(), test),
        ]);
    }
    if settings.extent == Extent::Quick {
        about.push(("Extent".to_owned(), "quick: small models of few pairs, to see how it works".to_owned()));
    }
    let lead: String = findings.lead.iter().map(|line| format!("<p class=\"lead\">{}</p>\n", text(line))).collect();
    let body: String = findings.sections.iter().map(section).collect();
    let css = format!("{BASE}\n{CSS}");
    let commands = commands(command, runs);
    let version = env!("CARGO_PKG_VERSION");
    fill(
        TEMPLATE,
        &[
            ("title", &title),
            ("css", &css),
            ("facts", &facts(&about)),
            ("lead", &lead),
            ("body", &body),
            ("runs", &runs_table(runs).html()),
            ("commands", &commands),
            ("version", version),
        ],
    )
}

fn section(section: &Section) -> String {
    let paragraphs: String = section.text.iter().map(|line| format!("<p>{}</p>\n", text(line))).collect();
    let figure = |(name, chart): &(String, Chart)| {
        format!("<figure>\n{}<figcaption>{}</figcaption></figure>\n", chart.to_svg(), text(name))
    };
    let figures: String = section.figures.iter().map(figure).collect();
    let tables: String = section.tables.iter().map(Table::html).collect();
    format!("<section>\n<h2>{}</h2>\n{paragraphs}{figures}{tables}</section>\n", text(&section.title))
}

/// How each run was trained.
fn runs_table(runs: &[RunRecord]) -> Table {
    let columns = ["run", "parameters", "updates", "training", "threads", "instructions", "products"];
    let mut table = Table::new("Times are those of the machine with whatever else it had to do.", columns);
    for run in runs {
        table.row([
            run.name.clone(),
            grouped(run.parameters),
            run.updates.to_string(),
            time(run.seconds),
            run.threads.to_string(),
            run.instruction_set.clone(),
            run.precision.name().to_owned(),
        ]);
    }
    table
}

/// The command of the study, and for each run the one that trains it alone.
fn commands(command: &str, runs: &[RunRecord]) -> String {
    let code = |line: &str| format!("<pre><code>{}</code></pre>\n", text(line));
    let trainings: String = runs.iter().map(|run| code(&run.command)).collect();
    format!("{}<p>Each run by itself:</p>\n{trainings}", code(command))
}

fn text(raw: &str) -> String {
    escape(&visible(raw))
}
