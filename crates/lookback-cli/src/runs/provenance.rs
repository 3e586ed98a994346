//! The files a training reads, for its receipt, and the arguments that name them again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};
use lookback::checkpoint::MODEL_FILE;
use lookback::data::{DataError, file_sha256};
use lookback::train::{Input, Provenance};

use crate::args::TrainArgs;
use crate::exit::BadData;

/// The role of files without an option.
const PAIRS: &str = "pairs";

/// Every argument of `train` that names files to read, and the files, in order.
fn files(args: &TrainArgs) -> Vec<(&'static str, Vec<PathBuf>)> {
    let one = |role: &'static str, path: &Option<PathBuf>| (role, path.iter().cloned().collect());
    let many = |role: &'static str, paths: &[PathBuf]| (role, paths.to_vec());
    vec![
        many(PAIRS, &args.pairs.pairs),
        many("src", &args.pairs.src),
        many("tgt", &args.pairs.tgt),
        one("valid", &args.valid),
        one("valid-src", &args.valid_src),
        one("valid-tgt", &args.valid_tgt),
        one("tokenizer", &args.tokenizer),
        one("src-tokenizer", &args.src_tokenizer),
        one("tgt-tokenizer", &args.tgt_tokenizer),
        one("src-vectors", &args.src_vectors),
        one("tgt-vectors", &args.tgt_vectors),
        one("init-from", &args.init_from),
        many("guided-alignment", &args.guided.files),
        one("align-pairs", &args.guided.known.align_pairs),
        one("align-gold", &args.guided.known.align_gold),
    ]
}

/// The files of these arguments, in order, with their sums.
pub(crate) fn provenance(args: &TrainArgs) -> Result<Provenance, DataError> {
    let input = |(role, path): (&str, PathBuf)| {
        let sha256 = if path.as_os_str() == "-" { None } else { Some(sum(&path)?) };
        Ok(Input { role: role.to_owned(), path, sha256 })
    };
    let columns = args.pairs.columns.map(|columns| format!("{},{}", columns.src + 1, columns.tgt + 1));
    let files = files(args).into_iter().flat_map(|(role, paths)| paths.into_iter().map(move |path| (role, path)));
    Ok(Provenance { inputs: files.map(input).collect::<Result<_, _>>()?, columns })
}

/// The arguments of `train` that read these files, from other places if `paths` are given. A receipt chooses files, no other option.
pub(super) fn arguments(provenance: &Provenance, paths: &[PathBuf]) -> Result<Vec<OsString>, BadData> {
    let any = TrainArgs::augment_args(Command::new("train")).try_get_matches_from(["train", "--out", "-", "-"]);
    let any = any.and_then(|any| TrainArgs::from_arg_matches(&any)).map_err(|error| BadData(error.to_string()))?;
    let roles: Vec<&str> = files(&any).into_iter().map(|(role, _)| role).collect();
    let mut arguments = Vec::new();
    let mut tables = Vec::new();
    for (i, input) in provenance.inputs.iter().enumerate() {
        let path = paths.get(i).unwrap_or(&input.path).clone().into_os_string();
        if !roles.contains(&input.role.as_str()) {
            let role = &input.role;
            return Err(BadData(format!(
                "the receipt: `{role}` is not an argument of `train` that names a file to read"
            )));
        }
        if input.role == PAIRS {
            tables.push(path);
        } else {
            arguments.push(joined(&format!("--{}=", input.role), path));
        }
    }
    if let Some(columns) = &provenance.columns {
        arguments.push(format!("--columns={columns}").into());
    }
    if !tables.is_empty() {
        arguments.push("--".into());
        arguments.extend(tables);
    }
    Ok(arguments)
}

/// An option and its value as one argument, so that no value is taken for an option.
fn joined(option: &str, value: OsString) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(value);
    argument
}

/// The sum of a file; of a model folder, that of its weights.
pub(super) fn sum(path: &Path) -> Result<String, DataError> {
    let path = if path.is_dir() { &path.join(MODEL_FILE) } else { path };
    file_sha256(path).map_err(|source| DataError::Io { path: path.to_owned(), source })
}
