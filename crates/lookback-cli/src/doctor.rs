//! `lookback doctor`.

use std::io::{self, Write};

use lookback::data::doctor::{
    Check, CorpusFiles, DoctorError, Fixed, Options, Part, Report, Severity, check_output, examine, fix,
};
use lookback::data::{Corpus, PairFiles};
use lookback::view::visible;
use serde::Serialize;

use crate::args::{Common, DoctorArgs};
use crate::data::is_stream;
use crate::display::{Screen, counted, grouped};
use crate::exit::{BadData, Done, Usage};

/// Columns of the names of checks.
const NAMES: usize = 16;

pub(crate) fn run(args: &DoctorArgs, common: Common) -> anyhow::Result<Done> {
    let corpora = corpora(args)?;
    let options = options(args)?;
    if let Some(dir) = &args.fix {
        check_output(&corpora, dir)?;
    }
    let mut screen = Screen::new(common);
    let examination = examine(&corpora, &options, &mut |lines| {
        let text = format!("read {}", counted(usize::try_from(lines).unwrap_or(usize::MAX), "line"));
        if screen.is_line_due() {
            screen.line(&text);
        }
        screen.live(|_| text);
    })?;
    screen.clear();
    let report = examination.report.clone();
    if !args.json {
        io::stdout().write_all(summary(&report).as_bytes())?;
        io::stdout().flush()?;
    }
    let fixed = args.fix.as_ref().map(|dir| fix(&corpora, examination, &options, dir)).transpose();
    if args.json {
        let told = Told { report: &report, fixed: fixed.as_ref().ok().and_then(Option::as_ref) };
        // Not written by `serde_json`, whose errors hide that the reader has left.
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&told)?)?;
    }
    match &fixed? {
        Some(fixed) => tell_fixed(&mut screen, fixed, &corpora),
        None if report.is_refused() => {
            return Err(BadData(refused(&report)).into());
        }
        None => {}
    }
    Ok(Done::Whole)
}

/// What can be done for a corpus that training would refuse.
fn refused(report: &Report) -> String {
    let beyond = [Check::Unreadable, Check::LineCount].into_iter().filter(|&check| report.count(check) > 0);
    let beyond: Vec<&str> = beyond.map(Check::name).collect();
    if beyond.is_empty() {
        return "`train` would refuse this corpus; `--fix DIR` writes what is left of it".to_owned();
    }
    format!("`train` would refuse this corpus, and --fix cannot repair it; first mend by hand: {}", beyond.join(", "))
}

/// The report as JSON.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<&'a Fixed>,
}

fn corpora(args: &DoctorArgs) -> Result<Vec<CorpusFiles>, Usage> {
    args.pairs.check_columns(args.valid.iter().chain(&args.test))?;
    let train = args.pairs.files()?;
    let measured = [
        (Part::Valid, &args.valid, &args.valid_src, &args.valid_tgt),
        (Part::Test, &args.test, &args.test_src, &args.test_tgt),
    ];
    let mut corpora: Vec<_> = train.into_iter().map(|files| CorpusFiles { part: Part::Train, files }).collect();
    for (part, tables, src, tgt) in measured {
        let tables = tables.iter().map(|path| PairFiles::Table(path.clone(), args.pairs.columns));
        let beside = src.iter().zip(tgt).map(|(src, tgt)| PairFiles::Parallel(src.clone(), tgt.clone()));
        corpora.extend(tables.chain(beside).map(|files| CorpusFiles { part, files }));
    }
    if corpora.iter().flat_map(|corpus| corpus.files.paths()).any(is_stream) {
        return Err(Usage("a stream cannot be examined: `doctor` tells places in files; name the files".into()));
    }
    Ok(corpora)
}

fn options(args: &DoctorArgs) -> Result<Options, Usage> {
    let mut options = Options { examples: args.examples, temporary: args.temp.clone(), ..Options::default() };
    for &check in &args.drop {
        if !check.is_of_pairs() {
            return Err(Usage(format!("--drop {check}: it is not found in single pairs, which could be removed")));
        }
        options.removes.insert(check);
        options.changes.remove(check);
    }
    for &check in &args.keep {
        if check.severity() == Severity::Error {
            return Err(Usage(format!("--keep {check}: `train` refuses {}", check.about())));
        }
        if args.drop.contains(&check) {
            return Err(Usage(format!("{check} is to be dropped and to be kept; choose one")));
        }
        if !options.removes.contains(check) && !options.changes.contains(check) {
            return Err(Usage(format!("--keep {check}: nothing is done about it anyway")));
        }
        options.removes.remove(check);
        options.changes.remove(check);
    }
    if options.removes.contains(Check::NearDuplicate) && !options.removes.contains(Check::Duplicate) {
        let said =
            "near duplicates cannot go while duplicates stay; leave --keep duplicate or --drop near-duplicate out";
        return Err(Usage(said.into()));
    }
    Ok(options)
}

/// The report for a person.
fn summary(report: &Report) -> String {
    let mut out = String::new();
    for file in &report.files {
        let part = match file.part {
            Part::Train => "train",
            Part::Valid => "valid",
            Part::Test => "test",
        };
        out += &format!("{part:<5} {}: {}\n", visible(&file.path), lines(file.lines));
    }
    out += &format!("{} to learn from and to measure on", counted(number(report.pairs), "pair"));
    if let Some([src, tgt]) = &report.scripts {
        out += &format!(", {src} → {tgt}");
    }
    if let Some(ratio) = report.length_ratio {
        out += &format!(", {ratio:.2} target characters for one of the source");
    }
    out.push('\n');
    for (severity, title) in [
        (Severity::Error, "Errors (`train` refuses the corpus)"),
        (Severity::Warning, "Warnings"),
        (Severity::Note, "Notes"),
    ] {
        let findings: Vec<_> = report.findings.iter().filter(|finding| finding.severity == severity).collect();
        if !findings.is_empty() {
            out += &format!("\n{title}\n");
        }
        for finding in findings {
            out += &format!(
                "  {:<NAMES$}{:>11}  {}\n",
                finding.check.name(),
                grouped(number(finding.count)),
                finding.about
            );
            for place in &finding.examples {
                let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
                let text = format!("    {}{line}  {}", visible(&place.file), shown(&place.detail));
                out += &format!("{}\n", text.trim_end());
            }
        }
    }
    if report.findings.is_empty() {
        out += "\nNothing was found.\n";
    }
    out
}

/// A detail, harmless for a terminal.
fn shown(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { visible(detail).into_owned() }
}

fn lines(count: u64) -> String {
    counted(number(count), "line")
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn tell_fixed(screen: &mut Screen, fixed: &Fixed, corpora: &[CorpusFiles]) {
    for file in &fixed.files {
        screen.line(&format!("wrote {}: {}", file.path.display(), lines(file.lines)));
    }
    screen.line(&format!(
        "{} removed, {} changed, each with its reason in {}; together they are the input, which was checked",
        counted(number(fixed.removed), "pair"),
        grouped(number(fixed.changed)),
        fixed.changes.display()
    ));
    if corpora.iter().any(|corpus| corpus.part != Part::Train) {
        screen.line(
            "what is measured on is as it was, but for lines that `train` refuses and, in validation, what is tested on",
        );
    }
}

/// The most memory a glance sorts in, in bytes: a training has other uses for it.
const GLANCE_MEMORY: usize = 32 << 20;

/// Names what a training would suffer from, in a line; says nothing of a clean corpus.
pub(crate) fn glance(screen: &mut Screen, train: &Corpus, valid: Option<&Corpus>) -> Result<(), DoctorError> {
    let options = Options { examples: 1, memory: GLANCE_MEMORY, ..Options::default() };
    let report = lookback::data::doctor::glance(train, valid, &options)?;
    let told = |check: Check| {
        let finding = report.findings.iter().find(|finding| finding.check == check)?;
        let place = finding.examples.first()?;
        let line = place.line.unwrap_or_default();
        let place =
            if place.file.is_empty() { format!("line {line}") } else { format!("{}:{line}", visible(&place.file)) };
        Some(format!("{} {check} ({place})", grouped(number(finding.count))))
    };
    let told: Vec<String> =
        Check::ALL.into_iter().filter(|c| c.severity() == Severity::Warning).filter_map(told).collect();
    if !told.is_empty() {
        screen.line(&format!("worth a look, with `lookback doctor`: {}", told.join(", ")));
    }
    Ok(())
}
