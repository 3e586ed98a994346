//! Running the program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use lookback::data::dates::dates;
use tempfile::TempDir;

/// The program, ready to be run in `dir`.
pub(crate) fn command(dir: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookback"));
    command.current_dir(dir).args(args);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// Standard output of a run that went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// Standard error of a run that failed like this.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}

/// Runs the program in `dir` with `input`, the arguments split at spaces.
pub(crate) fn run(dir: &Path, args: &str, input: impl AsRef<[u8]>) -> Ran {
    let mut child = command(dir, args.split_whitespace()).spawn().expect("the program starts");
    // A program that refuses its arguments does not read.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_ref()));
    child.wait_with_output().expect("the program ends").into()
}

/// The smallest training that makes sense: a few updates of a small model on written dates.
pub(crate) const SMALL: &str = "--set text.mode=char --set model.hidden=32 --set model.embedding=16 --set train.warmup=5 \
    --set train.batch_tokens=600 --set data.hold_out=20 --set search.max_length_extra=4 --set search.max_length_ratio=1.0";

/// 220 written dates, a line each.
pub(crate) fn pairs() -> String {
    dates(220, 3).iter().map(|(written, iso)| format!("{written}\t{iso}\n")).collect()
}

/// A folder with `pairs.tsv` and the model trained on it, `m`; made once.
pub(crate) fn trained() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("pairs.tsv"), pairs()).expect("a file");
        let args = format!("train pairs.tsv --out m {SMALL} --set train.max_updates=12");
        let ran = run(folder.path(), &args, "");
        assert_eq!(ran.out, "", "results go to standard output, and a training has none");
        assert!(ran.err.contains("read pairs.tsv: 220 lines") && ran.err.contains("held out 20 pairs"), "{}", ran.err);
        assert!(ran.err.contains(": BLEU ") && ran.err.contains("done after 12 updates"), "{}", ran.err);
        assert!(!ran.err.contains('\x1b') && !ran.err.contains('\r'), "a pipe is no terminal: {:?}", ran.err);
        ran.ok();
        folder
    });
    folder.path()
}
