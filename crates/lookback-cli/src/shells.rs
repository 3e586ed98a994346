//! `lookback completions` and `lookback man`: from the same definitions as the arguments.

use std::fs;
use std::io::{self, Write};

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;

use crate::args::{CompletionsArgs, ManArgs};
use crate::exit::Done;
use crate::help::command;

/// The program's name, as completions know it.
const NAME: &str = "lookback";

pub(crate) fn completions(args: &CompletionsArgs) -> io::Result<Done> {
    // In memory first: the generator takes a closed pipe for a bug.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), NAME, &mut script);
    show(&script)
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<Done> {
    let mut command = command();
    command.build();
    let Some(dir) = &args.dir else { return Ok(show(&page(&command)?)?) };
    let write = || {
        fs::create_dir_all(dir)?;
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            fs::write(dir.join(format!("{}.1", name(command))), page(command)?)?;
        }
        Ok::<(), io::Error>(())
    };
    write().with_context(|| format!("cannot write pages to `{}`", dir.display()))?;
    Ok(Done::Whole)
}

/// `lookback-train` for the verb.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or(NAME).to_owned()
}

/// A manual page. Examples are a section of their own, in lines as they are.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let (title, version) = (name(command), env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(title).source(format!("{NAME} {version}"));
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    writeln!(out, ".SH EXAMPLES\n.nf")?;
    for line in after.trim_start_matches("Examples:\n").lines() {
        writeln!(out, "{}", in_roff(line))?;
    }
    writeln!(out, ".fi")?;
    Ok(out)
}

/// A line of text that roff shows as it is.
fn in_roff(line: &str) -> String {
    // A line that begins with one of these would be an instruction.
    let start = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
    let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    format!("{start}{escaped}")
}

fn show(text: &[u8]) -> io::Result<Done> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Done::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_an_instruction_to_roff() {
        assert_eq!(in_roff(".so 'x' `-o` a\\b"), "\\&.so \\(aqx\\(aq \\(ga\\-o\\(ga a\\eb");
        assert_eq!(in_roff("  .TH"), "  .TH");
    }
}
