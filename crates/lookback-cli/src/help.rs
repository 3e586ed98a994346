//! `lookback help`: what there is, from the definitions of the arguments and of the configuration.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Command, CommandFactory};
use lookback::config::{Key, keys};

use crate::args::{Cli, Common, HelpArgs};
use crate::display::is_coloured;
use crate::exit::Done;

/// Columns of a text, as in the help of a verb.
const WIDTH: usize = 100;

/// What is explained beside the verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Formats,
    Config,
    Attention,
    Memory,
    ExitCodes,
}

impl Topic {
    pub(crate) const ALL: [Self; 5] = [Self::Formats, Self::Config, Self::Attention, Self::Memory, Self::ExitCodes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Formats => "formats",
            Self::Config => "config",
            Self::Attention => "attention",
            Self::Memory => "memory",
            Self::ExitCodes => "exit-codes",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Formats => "Files in and out",
            Self::Config => "Every key of a configuration",
            Self::Attention => "What the pictures mean",
            Self::Memory => "Batches, threads and memory",
            Self::ExitCodes => "How the program ends",
        }
    }

    fn text(self) -> String {
        match self {
            Self::Formats => include_str!("help/formats.txt").to_owned(),
            Self::Config => configuration(),
            Self::Attention => include_str!("help/attention.txt").to_owned(),
            Self::Memory => include_str!("help/memory.txt").to_owned(),
            Self::ExitCodes => include_str!("help/exit-codes.txt").to_owned(),
        }
    }
}

/// The command line as a whole: `help` knows the verbs and the topics.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let verbs: Vec<PossibleValue> = (command.get_subcommands())
        .map(|verb| {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            PossibleValue::new(verb.get_name().to_owned()).help(about)
        })
        .collect();
    let topics = Topic::ALL.map(|topic| PossibleValue::new(topic.name()).help(topic.about()));
    let subjects = PossibleValuesParser::new(verbs.into_iter().chain(topics));
    command.mut_subcommand("help", |help| help.mut_arg("subject", |subject| subject.value_parser(subjects)))
}

pub(crate) fn run(args: &HelpArgs, common: Common) -> io::Result<Done> {
    let with_colours = is_coloured(common.color, io::stdout().is_terminal());
    let topic = Topic::ALL.into_iter().find(|topic| args.subject.as_deref() == Some(topic.name()));
    let text = match (topic, &args.subject) {
        (Some(topic), _) => topic.text(),
        (None, Some(verb)) => help_of(&["lookback", verb, "--help"], with_colours),
        (None, None) => format!("{}\n{}", help_of(&["lookback", "--help"], with_colours), topics()),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Done::Whole)
}

/// What the program says to this command line, which asks for help.
fn help_of(line: &[&str], with_colours: bool) -> String {
    let help = command().try_get_matches_from(line).err().map(|help| help.render()).unwrap_or_default();
    if with_colours { help.ansi().to_string() } else { help.to_string() }
}

/// The topics as a list.
fn topics() -> String {
    let mut out = "Topics:\n".to_owned();
    for topic in Topic::ALL {
        push(&mut out, format_args!("  {:<12} {}\n", topic.name(), topic.about()));
    }
    out
}

/// Every key with its default and its explanation.
fn configuration() -> String {
    let mut out = include_str!("help/config.txt").to_owned();
    let mut section = String::new();
    for key in keys() {
        let (head, name) = key.name.split_once('.').unwrap_or(("", &key.name));
        if head != section {
            section = head.to_owned();
            push(&mut out, format_args!("\n[{section}]\n"));
        }
        entry(&mut out, name, &key);
    }
    out
}

fn entry(out: &mut String, name: &str, key: &Key) {
    match &key.default {
        Some(default) => push(out, format_args!("  {name} = {default}\n")),
        None => push(out, format_args!("  {name}\n")),
    }
    wrap(out, &key.about, 6);
    for (word, about) in &key.words {
        wrap(out, &format!("\"{word}\": {about}"), 8);
    }
}

/// Writes `text` in lines that start `indent` columns in; further lines two columns more.
fn wrap(out: &mut String, text: &str, indent: usize) {
    let mut line = " ".repeat(indent);
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            push(out, format_args!("{line}\n"));
            line = " ".repeat(indent + 2);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    push(out, format_args!("{line}\n"));
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(args);
    debug_assert!(written.is_ok(), "a String takes whatever is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_the_width_and_end_with_a_line() {
        for topic in Topic::ALL {
            let text = topic.text();
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{topic:?}");
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH && line == line.trim_end(), "{topic:?}: {line}");
            }
            if topic != Topic::Config {
                assert!(text.lines().count() <= 50, "{topic:?} has {} lines", text.lines().count());
            }
        }
    }

    #[test]
    fn a_long_explanation_is_continued_two_columns_in() {
        let mut out = String::new();
        wrap(&mut out, "word ".repeat(25).trim_end(), 6);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("      word") && lines[0].len() <= WIDTH && lines[1].starts_with("        word"));
    }

    #[test]
    fn the_overview_names_every_topic() {
        let overview = Cli::command().render_help().to_string();
        assert!(Topic::ALL.iter().all(|topic| overview.contains(topic.name())), "{overview}");
    }
}
