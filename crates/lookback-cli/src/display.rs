//! What a person sees while the program works: lines that stay, and on a terminal one line that is redrawn in place.
//!
//! All of it goes to standard error; results go to standard output. Nothing here fails: a display that cannot be written must not end
//! hours of work.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

pub(crate) use lookback::view::grouped;
use lookback::view::visible;

use crate::args::{Colour, Common};

mod training;

pub(crate) use training::{TrainingDisplay, skipped};

/// The least time between two lines about work that goes on.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// The least time between two drawings of the live line.
const REDRAW: Duration = Duration::from_millis(100);

/// A message in which nothing steers the terminal: what comes from files stands in many. Lines stay lines.
pub(crate) fn harmless(text: &str) -> String {
    let seen = |line| if str::trim(line).is_empty() { "".into() } else { visible(line) };
    text.split('\n').map(seen).collect::<Vec<_>>().join("\n")
}

/// Standard error as a place for messages.
#[derive(Debug)]
pub(crate) struct Screen {
    mode: Mode,
    colours: bool,
    drawn: Option<Instant>,
    written: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quiet,
    Lines,
    Live,
}

impl Screen {
    pub(crate) fn new(common: Common) -> Self {
        let able = io::stderr().is_terminal() && !is_dumb();
        let mode = match (common.quiet, able) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Live,
            (false, false) => Mode::Lines,
        };
        let colours = is_coloured(common.color, io::stderr().is_terminal());
        Self { mode, colours, drawn: None, written: Instant::now() }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    /// Whether it is time for another line about work that goes on, where there is no live one.
    pub(crate) fn is_line_due(&self) -> bool {
        self.mode == Mode::Lines && self.written.elapsed() >= LOG_EVERY
    }

    /// Writes a line that stays.
    pub(crate) fn line(&mut self, text: &str) {
        self.inked(&harmless(text));
    }

    fn inked(&mut self, text: &str) {
        if self.mode != Mode::Quiet {
            self.clear();
            drop(writeln!(io::stderr(), "{text}"));
            self.written = Instant::now();
        }
    }

    /// Writes a line that stays, in green if there are colours.
    pub(crate) fn good_line(&mut self, text: &str) {
        let text = harmless(text);
        if self.colours { self.inked(&format!("\x1b[1;32m{text}\x1b[0m")) } else { self.inked(&text) }
    }

    /// Draws the live line, if there is one and the last drawing is long enough ago.
    pub(crate) fn live(&mut self, text: impl FnOnce(usize) -> String) {
        if self.mode != Mode::Live || self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.draw(&text(width() - 1));
    }

    /// Draws the live line now.
    pub(crate) fn live_now(&mut self, text: impl FnOnce(usize) -> String) {
        if self.mode == Mode::Live {
            self.draw(&text(width() - 1));
        }
    }

    fn draw(&mut self, text: &str) {
        let text: String = harmless(text).chars().take(width() - 1).collect();
        let mut out = io::stderr().lock();
        drop(write!(out, "\r{text}\x1b[K").and_then(|()| out.flush()));
        self.drawn = Some(Instant::now());
    }

    /// Takes the live line away.
    pub(crate) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }

    /// Tells from time to time that `done` of `all` pieces of work of a kind are done.
    pub(crate) fn progress(&mut self, what: &str, done: usize, all: usize) {
        #[allow(clippy::cast_precision_loss, reason = "a share for the eye")]
        let share = done as f64 / all.max(1) as f64;
        let count = format!("{} of {}", grouped(done), grouped(all));
        if self.is_line_due() {
            self.line(&format!("{what} : {count}"));
        }
        self.live(|_| format!("{what} : {} {count}", bar(share, 24)));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Whether colours are welcome on a stream that is, or is not, a terminal.
pub(crate) fn is_coloured(colour: Colour, on_terminal: bool) -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => automatic(on_terminal && !is_dumb(), variable),
    }
}

/// What the environment says: `NO_COLOR` (<https://no-color.org>) before `CLICOLOR_FORCE` and `CLICOLOR` (<https://bixense.com/clicolors>).
fn automatic(able: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    match variable("CLICOLOR_FORCE") {
        Some(force) if force != "0" => true,
        _ => able && variable("CLICOLOR").is_none_or(|value| value != "0"),
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Columns of the terminal, 100 if there is none.
pub(crate) fn width() -> usize {
    let size = terminal_size::terminal_size_of(io::stderr()).or_else(terminal_size::terminal_size);
    size.map_or(100, |(terminal_size::Width(columns), _)| usize::from(columns).max(20))
}

/// `[█████░░░░░] 50 %`
pub(crate) fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a small width"
    )]
    let full = (share * width as f64).floor() as usize;
    format!("[{}{}] {:.0} %", "█".repeat(full), "░".repeat(width - full), (100.0 * share).floor())
}

/// `1h02m`, `3m20s`, `7s`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".into();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above; saturates")]
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `412 MB`, at least 1.
pub(crate) fn megabytes(bytes: u64) -> String {
    let megabytes = bytes.div_ceil(1_000_000);
    format!("{} MB", grouped(usize::try_from(megabytes).unwrap_or(usize::MAX)))
}

/// `1 pair`, `2 pairs`
pub(crate) fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_a_say_in_colours() {
        let says = |able, variables: &[(&str, &str)]| {
            automatic(able, |name| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_owned()))
        };
        assert!(says(true, &[]) && !says(false, &[]));
        assert!(!says(true, &[("NO_COLOR", "1")]) && !says(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
        assert!(says(false, &[("CLICOLOR_FORCE", "1")]) && !says(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!says(true, &[("CLICOLOR", "0")]));
        assert!(is_coloured(Colour::Always, false) && !is_coloured(Colour::Never, true));
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(
            [0, 12, 123, 1234, 163_966, 1_000_000].map(grouped),
            ["0", "12", "123", "1,234", "163,966", "1,000,000"]
        );
        assert_eq!([0.4, 59.6, 200.0, 3720.0, f64::NAN].map(duration), ["0s", "1m00s", "3m20s", "1h02m", "?"]);
        assert_eq!([1, 0, 2].map(|n| counted(n, "pair")), ["1 pair", "0 pairs", "2 pairs"]);
    }

    #[test]
    fn a_bar_is_full_at_the_end_only() {
        assert_eq!(bar(0.999, 4), "[███░] 99 %");
        assert_eq!(bar(1.0, 4), "[████] 100 %");
        assert_eq!(bar(f64::NAN, 4), "[░░░░] 0 %");
    }
}
