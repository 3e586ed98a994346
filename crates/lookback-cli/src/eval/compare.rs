//! `eval --compare`: whether systems differ from the first one, or by luck only.

use std::io::{self, Write};

use lookback::eval::{Compared, PairedTest, Pool, Sampling, compare};
use serde_json::{Map, Value, json};

use super::args::EvalArgs;
use super::measures::Measure;
use super::read::{self, Test};
use super::table::{Align, Table};
use crate::args::Common;
use crate::display::counted;

/// What is shown as significant.
const LEVEL: f64 = 0.05;

/// Scores and p-values of every system, measure by measure.
struct Report {
    systems: Vec<String>,
    measures: Vec<Tested>,
    test: PairedTest,
    sampling: Sampling,
}

struct Tested {
    name: String,
    signature: String,
    lines: Vec<Compared>,
}

pub(super) fn run(
    args: &EvalArgs,
    common: Common,
    measures: Vec<Measure>,
    test: &Test,
    sampling: Sampling,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let paired = args.resampling.paired();
    let systems = systems(args, common, test)?;
    let pool = Pool::new(common.threads);
    let mut tested = Vec::with_capacity(measures.len());
    for measure in measures {
        let statistics = systems
            .iter()
            .map(|system| measure.collect(&system.lists, test, &pool))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let metric = &*measure.metric;
        tested.push(Tested {
            name: metric.name(),
            signature: paired.signature(metric, statistics[0].references(), sampling),
            lines: compare(metric, &statistics, paired, sampling, &pool)?,
        });
    }
    let names = systems.into_iter().map(|system| system.name).collect();
    let report = Report { systems: names, measures: tested, test: paired, sampling };
    if args.json {
        writeln!(out, "{:#}", report.json())?
    } else {
        report.text(out)?
    }
    Ok(())
}

/// A system's translations, in lists as the measures take them.
struct System {
    name: String,
    lists: Vec<Vec<String>>,
}

/// The files in their order, then the model's.
fn systems(args: &EvalArgs, common: Common, test: &Test) -> anyhow::Result<Vec<System>> {
    let mut systems = Vec::new();
    for path in &args.compare {
        let lists = test.lists(path, args.n_best)?;
        systems.push(System { name: path.display().to_string(), lists });
    }
    if !args.model.is_empty() {
        let models: Vec<String> = args.model.iter().map(|dir| dir.display().to_string()).collect();
        systems.push(System { name: models.join(" + "), lists: read::translations(args, common, test)?.lists });
    }
    Ok(systems)
}

impl Report {
    fn test(&self) -> &'static str {
        match self.test {
            PairedTest::Bootstrap => "paired bootstrap",
            PairedTest::Randomization => "paired approximate randomisation",
        }
    }

    /// The list under `systems` has the form of sacreBLEU's.
    fn json(&self) -> Value {
        let system = |(i, name): (usize, &String)| {
            let mut system = Map::from_iter([("system".to_owned(), json!(name))]);
            system.extend(self.measures.iter().map(|measure| {
                let Compared { score, interval, p_value } = measure.lines[i];
                let (mean, ci) = (interval.map(|i| i.mean), interval.map(|i| i.half_width));
                (measure.name.clone(), json!({ "score": score, "p_value": p_value, "mean": mean, "ci": ci }))
            }));
            Value::Object(system)
        };
        let signatures: Map<String, Value> =
            self.measures.iter().map(|measure| (measure.name.clone(), json!(measure.signature))).collect();
        json!({
            "test": self.test(),
            "samples": self.sampling.samples,
            "seed": self.sampling.seed,
            "systems": self.systems.iter().enumerate().map(system).collect::<Vec<_>>(),
            "signatures": signatures,
        })
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let Sampling { samples, seed } = self.sampling;
        writeln!(out, "{}, {}, seed {seed}; baseline: {}\n", self.test(), counted(samples, "sample"), self.systems[0])?;
        let mut columns = vec![(Align::Left, "system".to_owned())];
        for measure in &self.measures {
            columns.extend([(Align::Right, measure.name.clone()), (Align::Right, "p".to_owned())]);
        }
        let mut table = Table::new(columns);
        for (i, system) in self.systems.iter().enumerate() {
            let cells = self.measures.iter().flat_map(|measure| {
                let Compared { score, interval, p_value } = measure.lines[i];
                let interval = interval.map(|i| format!(" ({:.2} ± {:.2})", i.mean, i.half_width));
                // Of equal scores no resampled difference is larger, so the p-value is the smallest there is.
                let differs = score.to_bits() != measure.lines[0].score.to_bits();
                let p_value = p_value.map(|p| format!("{p:.4}{}", if differs && p < LEVEL { " *" } else { "  " }));
                [format!("{score:.2}{}", interval.unwrap_or_default()), p_value.unwrap_or_else(|| "–  ".to_owned())]
            });
            table.row(std::iter::once(system.clone()).chain(cells).collect::<Vec<_>>());
        }
        table.write(out)?;
        writeln!(out, "\n* p < {LEVEL}: hardly luck")?;
        for measure in &self.measures {
            writeln!(out, "{}|{}", measure.name, measure.signature)?;
        }
        Ok(())
    }
}
