//! What Luong, Pham & Manning (2015) report, to stand beside what a study finds: tables 1, 4 and 6, English to German, newstest2014.

/// Perplexity and BLEU of a system of table 1 or 4.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reported {
    pub(super) perplexity: &'static str,
    pub(super) bleu: &'static str,
    /// BLEU once unknown words are replaced by what was looked at (table 4).
    pub(super) bleu_replaced: &'static str,
}

const fn reported(perplexity: &'static str, bleu: &'static str, bleu_replaced: &'static str) -> Reported {
    Reported { perplexity, bleu, bleu_replaced }
}

/// Table 1: base; base with dropout (both with the source reversed but for the first); global attention (location); with input feeding; local-p (general) with input feeding.
pub(super) const PROGRESS: [Reported; 5] = [
    reported("9.9", "12.6", ""),
    reported("8.1", "14.0 (+1.4)", ""),
    reported("7.3", "16.8 (+2.8)", ""),
    reported("6.4", "18.1 (+1.3)", ""),
    reported("5.9", "19.0 (+0.9)", ""),
];

/// Table 4, by window and score, all with input feeding. local-m (dot) did not get below a perplexity of 7, and was not translated with.
pub(super) fn architecture(window: &str, score: &str) -> Option<Reported> {
    Some(match (window, score) {
        ("global", "location") => reported("6.4", "18.1", "19.3"),
        ("global", "dot") => reported("6.1", "18.6", "20.5"),
        ("global", "general") => reported("6.1", "17.3", "19.1"),
        ("local_m", "dot") => reported(">7.0", "x", "x"),
        ("local_m", "general") => reported("6.2", "18.6", "20.4"),
        ("local_p", "dot") => reported("6.6", "18.0", "19.6"),
        ("local_p", "general") => reported("5.9", "19", "20.9"),
        _ => return None,
    })
}

/// Table 6, in percent, by window and score.
pub(super) fn error_rate(window: &str, score: &str) -> Option<&'static str> {
    Some(match (window, score) {
        ("global", "location") => "39",
        ("local_m", "general") => "34",
        ("local_p", "general") => "36",
        _ => return None,
    })
}

/// In what the paper's numbers are of another setting.
pub(super) const DIFFERENCES: [&str; 7] = [
    "Data: the paper’s are 4.5 million pairs of WMT’14, English to German, tested on newstest2014. Only differences between rows can be compared with the paper, not the numbers themselves.",
    "Vocabulary: 50,000 words a side, and unknown words replaced by what was looked at in a second step; here pieces (bytes at worst), so nothing is unknown and there is nothing to replace.",
    "Perplexity: per word there, per piece here; a piece is more probable than a word.",
    "BLEU: of tokenised text with multi-bleu.perl there; here sacreBLEU’s with the signature below.",
    "Model: 4 layers of 1,000 there; here one layer of the width in the commands below. The paper reads the source backwards (first row of its table 1 aside); here the encoder reads it both ways, so there is no row for that.",
    "Training: SGD from a rate of 1, halved every epoch from the eighth, 12 epochs, dropout 0.2; here Adam, as in the commands.",
    "Windows: both look 10 positions to either side. The paper’s local-p leaves the sum of its weights below 1 after the Gaussian; here it is 1.",
];
