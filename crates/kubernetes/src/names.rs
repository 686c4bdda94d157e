//! One copy of each text: labels, namespaces and node names repeat in thousands of objects.

use std::collections::HashSet;
use std::sync::Arc;

/// Texts in use. Its size is bounded by the objects that hold them: [`Names::sweep`] lets go of
/// the others.
#[derive(Debug, Default)]
pub struct Names {
    texts: HashSet<Arc<str>>,
}

impl Names {
    pub fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = Arc::from(text);
        self.texts.insert(text.clone());
        text
    }

    /// Forgets what nobody holds any more.
    pub fn sweep(&mut self) {
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.texts.shrink_to_fit();
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.texts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_while_it_is_used() {
        let mut names = Names::default();
        let (one, two) = (names.get("app"), names.get("app"));
        assert!(Arc::ptr_eq(&one, &two));
        names.get("gone");
        names.sweep();
        assert_eq!(names.len(), 1);
    }
}
