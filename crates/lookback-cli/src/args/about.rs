//! The arguments of the verbs that tell about the program itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const HELP: &str = "\
Examples:
  lookback help              verbs and topics
  lookback help train        as lookback train --help
  lookback help formats      files in and out";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct HelpArgs {
    /// A verb, or a topic; without it, all of them.
    #[arg(value_name = "TOPIC", hide_possible_values = true)]
    pub(crate) subject: Option<String>,
}

const COMPLETIONS: &str = "\
Examples:
  lookback completions bash > ~/.local/share/bash-completion/completions/lookback
  lookback completions zsh > ~/.zfunc/_lookback      with ~/.zfunc in $fpath
  lookback completions fish > ~/.config/fish/completions/lookback.fish";

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

const MAN: &str = "\
Examples:
  lookback man | man -l -            the page of lookback, at once
  lookback man ~/.local/share/man/man1";

#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub(crate) struct ManArgs {
    /// A folder for the page of every verb; without it, the page of lookback goes to standard output.
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
