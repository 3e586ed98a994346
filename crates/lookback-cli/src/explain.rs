//! `lookback explain`.

use std::fs;
use std::io::{self, Write};

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
    let translator = Translator::load_on(&args.model, args.processor.cpu(common)?)?;
    let mut explained = translator.explain(&args.sentence, &translator.search_options(), args.top)?;
    if let Some(number) = args.step {
        let steps = explained.steps.len();
        explained.steps.retain(|step| step.number == number);
        if explained.steps.is_empty() {
            return Err(Usage(format!("--step {number}: the translation has steps 1 to {steps}")).into());
        }
    }
    let text = if args.html {
        to_page(&explained)
    } else if args.json {
        format!("{}\n", serde_json::to_string(&explained)?)
    } else {
        tables(&explained)
    };
    match &args.output {
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?,
        None => io::stdout().lock().write_all(text.as_bytes()).context("cannot write the explanation")?,
    }
    Ok(Done::Whole)
}

fn tables(explained: &Explanation) -> String {
    let mut out = head(explained);
    for of in &explained.steps {
        out.push('\n');
        out.push_str(&step(explained, of));
    }
    out
}
