//! A training, told line by line in the field's manner.
//!
//! ```text
//! Ep. 2 : Up. 1200 : Cost 3.4125 : Time 10.2s : 7100 tok/s : gNorm 0.84 : L.r. 5.8e-4 : 31 % : left 2m40s
//! Ep. 2 : Up. 1200 : valid nll 2.8311 : ppl 16.96 : BLEU 18.42 : exact 3.1 % : Time 2.3s : new best
//! ```

use lookback::config::{Metric, Reached, Sharing, TrainPrecision};
use lookback::data::{FilterReport, Reason, Skipped, VectorReport};
use lookback::train::{Asked, BufferReport, Estimate, Event, Observer, Ready, UpdateReport, Validation};

use super::{Screen, bar, counted, duration, grouped, megabytes};

/// Seconds over which the live numbers are smoothed.
const SMOOTHING: f64 = 5.0;

/// Tells about a training on a [`Screen`].
#[derive(Debug)]
pub(crate) struct TrainingDisplay {
    screen: Screen,
    /// Sums since the last log line.
    since: Sums,
    /// Sums that fade.
    recent: Sums,
    /// What was reached at the last line.
    logged: Reached,
    last: Option<UpdateReport>,
    best: Option<Validation>,
    /// What is known before the first update.
    ready: Option<Ready>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    loss: f64,
    tokens: f64,
    seconds: f64,
}

impl Sums {
    #[allow(clippy::cast_precision_loss, reason = "tokens of an update are few")]
    fn add(&mut self, update: &UpdateReport) {
        let tokens = update.tokens as f64;
        self.loss += update.loss * tokens;
        self.tokens += tokens;
        self.seconds += update.seconds;
    }

    fn fade(&mut self, seconds: f64) {
        let keep = (-seconds / SMOOTHING).exp();
        for sum in [&mut self.loss, &mut self.tokens, &mut self.seconds] {
            *sum *= keep;
        }
    }

    fn cost(&self) -> f64 {
        self.loss / self.tokens
    }

    fn speed(&self) -> f64 {
        self.tokens / self.seconds
    }
}

impl TrainingDisplay {
    pub(crate) fn new(screen: Screen) -> Self {
        Self {
            screen,
            since: Sums::default(),
            recent: Sums::default(),
            logged: Reached::default(),
            last: None,
            best: None,
            ready: None,
        }
    }

    /// The screen, for lines between trainings.
    pub(crate) fn screen(&mut self) -> &mut Screen {
        &mut self.screen
    }

    /// Forgets the training before, so that the next one is told from its beginning.
    pub(crate) fn begin(&mut self) {
        (self.since, self.recent, self.logged) = (Sums::default(), Sums::default(), Reached::default());
        (self.last, self.best, self.ready) = (None, None, None);
    }

    /// The screen, once the training is over.
    pub(crate) fn into_parts(self) -> (Screen, Option<Ready>) {
        (self.screen, self.ready)
    }

    fn ready(&mut self, ready: &Ready) {
        for (what, report) in ["training pair", "validation pair"].iter().zip(&ready.skipped) {
            for line in skipped(what, report) {
                self.screen.line(&line);
            }
        }
        if ready.config.text.lowercase {
            self.screen
                .line("warning: `text.lowercase` is on: capitals are lost on both sides, the model will write none");
        }
        let [src, tgt] = ready.vocab;
        let vocabulary = match ready.config.text.sharing {
            Some(Sharing::Joint) => format!("{} pieces for both sides", grouped(src)),
            _ => format!("{} + {} pieces", grouped(src), grouped(tgt)),
        };
        self.screen.line(&format!(
            "{} to learn from, {} to validate on; vocabulary: {vocabulary}; {}",
            counted(ready.train_pairs, "pair"),
            counted(ready.valid_pairs, "pair"),
            counted(ready.parameters, "parameter"),
        ));
        self.screen.line(&format!(
            "{} {}, {:.1} % of their positions real tokens; {}, {}{}",
            if ready.batches == 1 { "1 batch".to_owned() } else { format!("{} batches", grouped(ready.batches)) },
            if ready.is_stream { "in this buffer" } else { "an epoch" },
            100.0 * ready.fill.both,
            counted(ready.threads, "thread"),
            ready.isa,
            if ready.config.train.precision == TrainPrecision::Bf16 { ", products in bf16" } else { "" },
        ));
        let Estimate { memory, model, epoch_seconds } = ready.estimate;
        self.screen.line(&format!(
            "about {} of memory, {} {} without validation; the model takes {}",
            megabytes(memory),
            duration(epoch_seconds),
            if ready.is_stream { "a buffer" } else { "an epoch" },
            megabytes(model),
        ));
        if let Some(most) = ready.config.train.memory {
            self.screen.line(&format!(
                "for at most {most}: batches of {} tokens, {} an update",
                grouped(ready.config.train.batch_tokens.unwrap_or(0)),
                ready.config.train.accumulate
            ));
        }
        if let Some(update) = ready.resumed_at {
            self.screen.line(&format!("resumed after update {update}"));
            if ready.is_log_lost {
                self.screen.line("warning: its metrics.jsonl is gone; a new one begins here");
            }
            if let Some(before) = ready.isa_before.as_ref().filter(|before| *before != ready.isa) {
                self.screen.line(&format!(
                    "warning: it was computed with {before} so far, and goes on with {}: results agree within rounding only",
                    ready.isa
                ));
            }
        }
        self.ready = Some(ready.clone());
    }

    fn vectors(&mut self, report: &VectorReport) {
        let VectorReport { side, path, found, words, vectors } = report;
        if *found == 0 {
            self.screen.line(&format!(
                "warning: {} has no vector of any of the {}: are they of this language, in this spelling, for whole words (`text.mode = \"word\"`)?",
                path.display(),
                counted(*words, &format!("{side} word")),
            ));
            return;
        }
        self.screen.line(&format!(
            "vectors of {} of {} found among the {} of {}; the others start at random",
            grouped(*found),
            counted(*words, &format!("{side} word")),
            grouped(usize::try_from(*vectors).unwrap_or(usize::MAX)),
            path.display(),
        ));
    }

    fn buffer(&mut self, report: &BufferReport) {
        let (lines, kept) = (usize::try_from(report.lines).unwrap_or(usize::MAX), report.filter.kept.iter().sum());
        let mut text = format!("buffer {}, up to line {}: {}", report.number, grouped(lines), counted(kept, "pair"));
        if report.kept_out > 0 {
            text += &format!(
                "; {} that share a sentence with the validation pairs dropped",
                counted(report.kept_out, "pair")
            );
        }
        self.screen.line(&text);
        for line in skipped("training pair", &report.filter) {
            self.screen.line(&line);
        }
    }

    fn update(&mut self, update: &UpdateReport) {
        self.since.add(update);
        self.recent.fade(update.seconds);
        self.recent.add(update);
        self.last = Some(*update);
        let every = self.ready.as_ref().and_then(|ready| ready.config.train.log_every);
        if every.map_or(self.screen.is_line_due(), |every| every.is_met(&self.logged, &update.reached)) {
            self.log();
        }
        self.draw("");
    }

    /// A line of the log, over what happened since the last one.
    fn log(&mut self) {
        let Some(u) = self.last.filter(|_| self.since.tokens > 0.0) else { return };
        let s = self.since;
        self.screen.line(&format!(
            "Ep. {} : Up. {} : Cost {:.4}{} : Time {:.1}s : {:.0} tok/s : gNorm {:.2} : L.r. {:.1e} : {:.0} % : left {}",
            u.epoch,
            u.update,
            s.cost(),
            u.guided_alignment.map(|cost| format!(" : Align {cost:.3}")).unwrap_or_default(),
            s.seconds,
            s.speed(),
            u.gradient_norm,
            u.learning_rate,
            100.0 * u.done,
            left(&u),
        ));
        (self.since, self.logged) = (Sums::default(), u.reached);
    }

    fn draw(&mut self, now: &str) {
        let Some(u) = self.last else { return };
        let best = self.best_score();
        let recent = self.recent;
        let text = move |width: usize| live_line(&u, recent, &best, now, width);
        if now.is_empty() { self.screen.live(text) } else { self.screen.live_now(text) }
    }

    /// The best score by the metric that decides.
    fn best_score(&self) -> String {
        let metric = self.ready.as_ref().map_or(Metric::Bleu, |ready| ready.config.train.metric);
        let score = self.best.as_ref().and_then(|best| best.score(metric));
        format!("{} {}", metric.label(), score.map_or_else(|| "-".to_owned(), |score| metric.show(score)))
    }

    fn validated(&mut self, v: &Validation) {
        if !self.screen.is_live() {
            self.log();
        }
        let best = if v.is_best { " : new best" } else { "" };
        let text = format!(
            "Ep. {} : Up. {} : valid nll {:.4} : ppl {:.2} : accuracy {} : {}{}Time {:.1}s{best}",
            v.epoch,
            v.update,
            v.nll,
            v.nll.exp(),
            Metric::Accuracy.show(v.accuracy),
            v.scores.iter().map(|(m, score)| format!("{} {} : ", m.label(), m.show(*score))).collect::<String>(),
            v.attention.map(|attention| format!("entropy {:.2} : ", attention.entropy())).unwrap_or_default(),
            v.seconds,
        );
        if v.is_best {
            self.screen.good_line(&text)
        } else {
            self.screen.line(&text)
        }
        if v.is_best {
            self.best = Some(v.clone());
        }
    }
}

impl Observer for TrainingDisplay {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Vectors(report) => self.vectors(report),
            Event::Ready(ready) => self.ready(ready),
            Event::Buffer(report) => self.buffer(report),
            Event::Update(update) => self.update(update),
            Event::Validating => self.draw("validating"),
            Event::Validated(validation) => self.validated(validation),
            Event::Checkpoint { update, asked: Asked::Yes } => {
                self.screen.line(&format!("state written after update {update}, as asked"));
            }
            Event::RolledBack { error, update, rate_factor } => {
                self.screen.line(&format!("warning: {error}"));
                self.screen.line(&format!("back to update {update}, with {rate_factor} of the learning rate"));
            }
            _ => {}
        }
    }
}

fn live_line(u: &UpdateReport, recent: Sums, best: &str, now: &str, width: usize) -> String {
    let text = format!(
        "Ep. {} : Up. {} : Cost {:.3} : {:.0} tok/s : {best} : ",
        u.epoch,
        u.update,
        recent.cost(),
        recent.speed()
    );
    let end = if now.is_empty() { format!(" : left {}", left(u)) } else { format!(" : {now}") };
    // `[` and `] 100 %` around the bar.
    let room = width.saturating_sub(text.chars().count() + end.chars().count() + 8);
    format!("{text}{}{end}", bar(u.done, room.min(30)))
}

/// The time left, if the rest goes on as before.
fn left(u: &UpdateReport) -> String {
    if u.done <= 0.0 { "?".into() } else { duration(u.reached.seconds * (1.0 - u.done.min(1.0)) / u.done) }
}

/// A line for each reason for which pairs, called `what`, were left out.
pub(crate) fn skipped(what: &str, report: &FilterReport) -> Vec<String> {
    let limits = &report.limits;
    let several = report.kept.len() > 1;
    let line = |(reason, skipped): (Reason, &Skipped)| {
        let why = match reason {
            Reason::TooLong => format!("longer than {} source or {} target pieces", limits.max_src, limits.max_tgt),
            Reason::TooShort => format!("with a side shorter than {} pieces", limits.min),
            Reason::Ratio => {
                format!("with one side over {} times as long as the other", limits.max_ratio.unwrap_or_default())
            }
        };
        let place = |&(corpus, line): &(u32, u64)| match several {
            true => format!("{line} of corpus {}", corpus + 1),
            false => line.to_string(),
        };
        let places = skipped.places.iter().map(place).collect::<Vec<_>>().join(", ");
        let more = if skipped.count > skipped.places.len() { ", …" } else { "" };
        format!("skipped {} {why} (lines {places}{more})", counted(skipped.count, what))
    };
    let reasons = [Reason::TooLong, Reason::TooShort, Reason::Ratio].into_iter().zip(&report.skipped);
    reasons.filter(|(_, skipped)| skipped.count > 0).map(line).collect()
}

#[cfg(test)]
mod tests {
    use lookback::data::Limits;

    use super::*;

    const UPDATE: UpdateReport = UpdateReport {
        update: 1200,
        epoch: 2,
        loss: 3.0,
        guided_alignment: None,
        accuracy: 0.4,
        gradient_norm: 0.8,
        learning_rate: 5.8e-4,
        tokens: 2000,
        seconds: 0.5,
        done: 0.25,
        reached: Reached { updates: 1200, epochs: 1.5, tokens: 2_400_000, seconds: 60.0 },
    };

    #[test]
    fn the_live_line_fits_its_terminal() {
        let mut recent = Sums::default();
        recent.add(&UPDATE);
        let line = live_line(&UPDATE, recent, "BLEU -", "", 100);
        assert!(line.starts_with("Ep. 2 : Up. 1200 : Cost 3.000 : 4000 tok/s : BLEU - : [███"), "{line}");
        assert!(line.ends_with("] 25 % : left 3m00s"), "{line}");
        for width in [80, 100, 200] {
            assert!(live_line(&UPDATE, recent, "BLEU -", "", width).chars().count() <= width);
        }
    }

    #[test]
    fn skipped_pairs_name_their_first_lines() {
        let limits = Limits { max_src: 9, max_tgt: 8, min: 2, max_ratio: Some(2.5) };
        let mut report = FilterReport { kept: vec![1], ..FilterReport::new(limits) };
        assert!(skipped("training pair", &report).is_empty());
        report.skipped[0] = Skipped { count: 5, places: vec![(0, 3), (0, 4), (0, 7)] };
        report.skipped[2] = Skipped { count: 1, places: vec![(0, 9)] };
        let want = [
            "skipped 5 training pairs longer than 9 source or 8 target pieces (lines 3, 4, 7, …)",
            "skipped 1 training pair with one side over 2.5 times as long as the other (lines 9)",
        ];
        assert_eq!(skipped("training pair", &report), want);
        report.kept = vec![1, 1];
        report.skipped = [Skipped::default(), Skipped { count: 1, places: vec![(1, 9)] }, Skipped::default()];
        let want = ["skipped 1 training pair with a side shorter than 2 pieces (lines 9 of corpus 2)"];
        assert_eq!(skipped("training pair", &report), want);
    }
}
