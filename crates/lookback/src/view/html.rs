//! stub
use super::AttentionMap;

/// A self-contained HTML page of attention maps.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    facts: Vec<(String, String)>,
}

impl Page {
    /// A page with this heading.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), facts: Vec::new() }
    }

    /// The same page with one more fact under the heading, such as `BLEU` and `31.2`.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The page as one HTML document.
    #[must_use]
    pub fn render(&self, maps: &[AttentionMap]) -> String {
        let _ = (&self.facts, maps);
        self.title.clone()
    }
}
