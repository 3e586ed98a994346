//! The files a training reads, for its receipt, and the arguments that name them again.

use std::path::{Path, PathBuf};

use lookback::checkpoint::MODEL_FILE;
use lookback::data::{DataError, file_sha256};
use lookback::train::{Input, Provenance};

use crate::args::TrainArgs;

/// The role of files without an option.
const PAIRS: &str = "pairs";

/// The files of these arguments, in order, with their sums.
pub(crate) fn provenance(args: &TrainArgs) -> Result<Provenance, DataError> {
    let one = |role: &'static str, path: &Option<PathBuf>| path.iter().map(|p| (role, p.clone())).collect::<Vec<_>>();
    let many = |role: &'static str, paths: &[PathBuf]| paths.iter().map(|p| (role, p.clone())).collect::<Vec<_>>();
    let files = [
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
    ];
    let input = |(role, path): (&str, PathBuf)| {
        let sha256 = if path.as_os_str() == "-" { None } else { Some(sum(&path)?) };
        Ok(Input { role: role.to_owned(), path, sha256 })
    };
    let columns = args.pairs.columns.map(|columns| format!("{},{}", columns.src + 1, columns.tgt + 1));
    Ok(Provenance { inputs: files.into_iter().flatten().map(input).collect::<Result<_, _>>()?, columns })
}

/// The arguments of `train` that read these files, from other places if `paths` are given.
pub(super) fn arguments(provenance: &Provenance, paths: &[PathBuf]) -> Vec<std::ffi::OsString> {
    let mut arguments = Vec::new();
    let mut tables = Vec::new();
    for (i, input) in provenance.inputs.iter().enumerate() {
        let path = paths.get(i).unwrap_or(&input.path).clone().into_os_string();
        if input.role == PAIRS {
            tables.push(path);
        } else {
            arguments.extend([format!("--{}", input.role).into(), path]);
        }
    }
    if let Some(columns) = &provenance.columns {
        arguments.extend(["--columns".into(), columns.into()]);
    }
    if !tables.is_empty() {
        arguments.push("--".into());
        arguments.extend(tables);
    }
    arguments
}

/// The sum of a file; of a model folder, that of its weights.
pub(super) fn sum(path: &Path) -> Result<String, DataError> {
    let path = if path.is_dir() { &path.join(MODEL_FILE) } else { path };
    file_sha256(path).map_err(|source| DataError::Io { path: path.to_owned(), source })
}
