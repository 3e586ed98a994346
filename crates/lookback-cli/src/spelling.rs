//! Options as other toolkits spell them: underscores are read as hyphens, and where an option stands in the configuration, the error says so.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};
use lookback::config::keys;

/// Names that other toolkits have for keys of the configuration.
const NAMES: [(&str, &str); 10] = [
    ("after-epochs", "train.max_epochs"),
    ("after-batches", "train.max_updates"),
    ("batch-size", "train.batch_tokens"),
    ("dim-emb", "model.embedding"),
    ("dim-rnn", "model.hidden"),
    ("early-stopping", "train.patience"),
    ("epochs", "train.max_epochs"),
    ("hidden-size", "model.hidden"),
    ("lr", "train.learning_rate"),
    ("optim", "train.optimizer"),
];

/// The arguments with hyphens for underscores in names of long options, `--n_best=5`; what follows `--` stays.
pub(crate) fn hyphenated(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut is_over = false;
    let option = |arg: OsString| {
        is_over |= arg == "--";
        match arg.to_str().filter(|text| !is_over && text.starts_with("--") && text.contains('_')) {
            Some(text) => {
                let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
                (name.replace('_', "-") + value).into()
            }
            None => arg,
        }
    };
    args.map(option).collect()
}

/// The verb among the arguments.
pub(crate) fn verb_of<'a>(program: &'a Command, args: &[OsString]) -> Option<&'a Command> {
    args.iter().skip(1).find_map(|arg| program.find_subcommand(arg))
}

/// The error of an option that `verb` does not have, with what does the same.
pub(crate) fn pointed(mut error: Error, verb: Option<&Command>) -> Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) if error.kind() == ErrorKind::UnknownArgument => name.clone(),
        _ => return error,
    };
    let has = |option: &str| verb.is_some_and(|verb| verb.get_arguments().any(|arg| arg.get_long() == Some(option)));
    if let Some(tip) = tip(unknown.trim_start_matches('-'), has) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// What to write instead of an option of this name, where the options are those that the verb `has`.
fn tip(name: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    if ["max-length", "max-len", "max-output-length"].contains(&name) && has("max-length-extra") {
        return Some("--max-length-extra N limits a translation to N pieces if --max-length-ratio is 0".to_owned());
    }
    let last = name.replace('-', "_");
    let named = NAMES.into_iter().find(|(other, _)| *other == name).map(|(_, key)| key.to_owned());
    let key = named.or_else(|| {
        let is_meant = |key: &String| key.rsplit('.').next() == Some(&last);
        keys().into_iter().map(|key| key.name).find(is_meant)
    })?;
    let train = if has("set") { "" } else { "lookback train " };
    Some(format!("it is a value of a training's configuration: {train}--set {key}=…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_of_names_are_hyphens_and_nothing_else_is_changed() {
        let args = ["lookback", "train", "a_b.tsv", "--n_best=x_y", "--beam_size", "-x_y", "--", "--a_b"];
        let read = hyphenated(args.into_iter().map(OsString::from));
        assert_eq!(read, ["lookback", "train", "a_b.tsv", "--n-best=x_y", "--beam-size", "-x_y", "--", "--a_b"]);
    }

    #[test]
    fn a_name_from_elsewhere_leads_to_its_key() {
        for (_, key) in NAMES {
            assert!(keys().iter().any(|known| known.name == key), "{key}");
        }
        for (name, key) in [("lr", "train.learning_rate"), ("max-epochs", "train.max_epochs"), ("cell", "model.cell")] {
            for (option, before) in [("set", ": "), ("batch", "lookback train ")] {
                let end = format!("{before}--set {key}=…");
                assert!(tip(name, |has| has == option).is_some_and(|tip| tip.ends_with(&end)), "{name}");
            }
        }
        let translates = |option: &str| option == "max-length-extra";
        assert!(tip("max-length", translates).is_some_and(|tip| tip.contains("--max-length-extra")));
        assert_eq!(tip("max-length", |_| false), None);
        assert_eq!(tip("nonsense", translates), None);
    }
}
