//! `lookback explain`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use lookback::Translator;
use lookback::explain::{Explanation, head, step, to_page};

use crate::args::{Common, ExplainArgs};
use crate::exit::{Done, Usage};

pub(crate) fn run(args: &ExplainArgs, common: Common) -> anyhow::Result<Done> {
    if args.sentence.trim().is_empty() {
        return Err(Usage("the sentence is blank: there is nothing to translate, so nothing to explain".into()).into());
    }
    if args.top == 0 {
        return Err(Usage("--top must be at least 1".into()).into());
    }
    let form = Form::chosen(args)?;
    let translator = Translator::load_on(&args.model, args.processor.cpu(common)?)?;
    let mut explained = translator.explain(&args.sentence, &translator.search_options(), args.top)?;
    if let Some(number) = args.step {
        let steps = explained.steps.len();
        explained.steps.retain(|step| step.number == number);
        if explained.steps.is_empty() {
            return Err(Usage(format!("--step {number}: the translation has steps 1 to {steps}")).into());
        }
    }
    let text = match form {
        Form::Page => to_page(&explained),
        Form::Json => format!("{}\n", serde_json::to_string(&explained)?),
        Form::Tables => tables(&explained),
    };
    match &args.output {
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?,
        None => io::stdout().lock().write_all(text.as_bytes()).context("cannot write the explanation")?,
    }
    Ok(Done::Whole)
}

/// How an explanation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Tables,
    Json,
    Page,
}

impl Form {
    /// The form that was asked for, or that the output's name says: a page for .html, JSON for .json, tables for every other.
    fn chosen(args: &ExplainArgs) -> Result<Self, Usage> {
        if args.html {
            return Ok(Self::Page);
        }
        if args.json {
            return Ok(Self::Json);
        }
        let named =
            args.output.as_deref().and_then(Path::extension).and_then(|end| end.to_str()).map(str::to_lowercase);
        match (named.as_deref(), &args.output, args.step) {
            (Some("html" | "htm"), Some(path), Some(_)) => {
                let path = path.display();
                Err(Usage(format!(
                    "`{path}` would be a page, which has all steps; leave out --step, or take a .txt file"
                )))
            }
            (Some("html" | "htm"), ..) => Ok(Self::Page),
            (Some("json"), ..) => Ok(Self::Json),
            _ => Ok(Self::Tables),
        }
    }
}

fn tables(explained: &Explanation) -> String {
    let mut out = head(explained);
    for of in &explained.steps {
        out.push('\n');
        out.push_str(&step(explained, of));
    }
    out
}
