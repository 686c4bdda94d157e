//! Paths into templates: `/users/4711/orders` is `/users/{id}/orders`.
//!
//! Two things fold a segment. What it looks like: numbers, UUIDs, hashes, tokens and dates are
//! `{id}` (see [`segment`]). And how many there are: where one parent has more than
//! [`CHILDREN_MAX`] different segments below it, they are names of things and not of routes, and
//! become `{name}`, all of them from then on. What still exceeds the bounds is the one template
//! [`OTHER`]. The same paths in the same order always give the same templates.

mod segment;

use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use weir_model::L7Protocol;

/// Most templates of one service; further paths are [`OTHER`].
pub const TEMPLATES_PER_SERVICE_MAX: usize = 100;
/// Most templates of all services together; further paths are [`OTHER`].
pub const TEMPLATES_MAX: usize = 4096;
/// Most segments below one parent, `{id}` not counted; with the next one they become `{name}`.
pub const CHILDREN_MAX: usize = 20;
/// The same for first segments: many services have that many routes, few have names there.
pub const ROOT_CHILDREN_MAX: usize = 60;
/// Segments beyond this depth are [`REST`].
const DEPTH_MAX: usize = 16;

/// The template of paths beyond the bounds.
pub const OTHER: &str = "{other}";
const ID: &str = "{id}";
const NAME: &str = "{name}";
const REST: &str = "{rest}";

/// Templates by service. `K` names a service: whatever the caller counts as one.
#[derive(Debug)]
pub struct Templates<K> {
    services: HashMap<K, Service, FixedState>,
    count: usize,
    /// See [`Templates::changes`].
    changes: u64,
    other: Arc<str>,
    /// For the segment that is being folded.
    scratch: String,
}

#[derive(Debug, Default)]
struct Service {
    root: Node,
    /// Paths that are their own templates.
    literals: HashMap<Arc<str>, (), FixedState>,
    count: usize,
    /// How often a template was added, or segments became names.
    changes: u64,
    /// Asked for since the last window's end.
    is_used: bool,
}

/// What follows one beginning of a path.
#[derive(Debug, Default)]
struct Node {
    /// The template that ends here.
    template: Option<Arc<str>>,
    /// Sorted by segment.
    children: Vec<(Box<str>, Node)>,
    /// All segments but `{id}` and the empty one are [`NAME`] here.
    has_names: bool,
}

impl<K: Hash + Eq + Clone> Templates<K> {
    pub fn new() -> Self {
        Self {
            services: HashMap::with_hasher(FixedState::default()),
            count: 0,
            changes: 0,
            other: OTHER.into(),
            scratch: String::new(),
        }
    }

    /// The template of a path as [`weir_model::Exchange`] has it. Paths of gRPC name methods and
    /// are their own templates, and so is what is no path (`*`, the target of CONNECT).
    pub fn fold(&mut self, service: &K, protocol: L7Protocol, path: &str) -> Arc<str> {
        let is_full = self.count >= TEMPLATES_MAX;
        let state = match self.services.get_mut(service) {
            Some(state) => state,
            None if is_full => return self.other.clone(),
            None => self.services.entry(service.clone()).or_default(),
        };
        state.is_used = true;
        let (count, changes) = (state.count, state.changes);
        let template = match path.strip_prefix('/').filter(|_| protocol != L7Protocol::Grpc) {
            Some(segments) => state
                .find(segments, &mut self.scratch)
                .or_else(|| state.learn(segments, is_full, &mut self.scratch)),
            None => state.literal(path, is_full),
        };
        self.count = self.count + state.count - count;
        self.changes += state.changes - changes;
        template.unwrap_or_else(|| self.other.clone())
    }

    /// How often something was learnt: as long as this stays the same, and until
    /// [`Self::end_window`], the same path has the same template.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Ends a stretch of time. If there is no more room, the services that were not asked for in
    /// it are forgotten, and with them what was learnt of them.
    pub fn end_window(&mut self) {
        if self.count >= TEMPLATES_MAX {
            self.services.retain(|_, state| state.is_used);
            self.count = self.services.values().map(|state| state.count).sum();
        }
        self.services.values_mut().for_each(|state| state.is_used = false);
    }

    /// How many templates there are.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<K: Hash + Eq + Clone> Default for Templates<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl Service {
    fn literal(&mut self, path: &str, is_full: bool) -> Option<Arc<str>> {
        if let Some((known, ())) = self.literals.get_key_value(path) {
            return Some(known.clone());
        }
        if is_full || self.count >= TEMPLATES_PER_SERVICE_MAX {
            return None;
        }
        let template: Arc<str> = path.into();
        self.literals.insert(template.clone(), ());
        self.count += 1;
        self.changes += 1;
        Some(template)
    }

    /// The template of a path whose like was seen before.
    fn find(&self, segments: &str, scratch: &mut String) -> Option<Arc<str>> {
        let mut node = &self.root;
        for (_, segment) in split(segments) {
            let at = node.find(node.known_as(fold(segment, scratch))).ok()?;
            node = &node.children[at].1;
        }
        node.template.clone()
    }

    /// Adds a path, if there is room for one more template.
    fn learn(&mut self, segments: &str, is_full: bool, scratch: &mut String) -> Option<Arc<str>> {
        let freed = self.fold_names(segments, scratch);
        self.count -= freed;
        if (is_full && freed == 0) || self.count >= TEMPLATES_PER_SERVICE_MAX {
            return None;
        }
        let mut node = &mut self.root;
        let mut text = String::new();
        for (_, segment) in split(segments) {
            let known_as = node.known_as(fold(segment, scratch));
            text.push('/');
            text.push_str(known_as);
            let at = node.find(known_as).unwrap_or_else(|at| {
                node.children.insert(at, (known_as.into(), Node::default()));
                at
            });
            node = &mut node.children[at].1;
        }
        let template: Arc<str> = text.into();
        node.template = Some(template.clone());
        self.count += 1;
        self.changes += 1;
        Some(template)
    }

    /// Folds segments to names where this path would be one too many; says how many templates
    /// are gone with that.
    fn fold_names(&mut self, segments: &str, scratch: &mut String) -> usize {
        let mut node = &mut self.root;
        for (depth, segment) in split(segments) {
            let known_as = node.known_as(fold(segment, scratch));
            match node.find(known_as) {
                Ok(at) => node = &mut node.children[at].1,
                Err(_) if is_plain(known_as) => return 0,
                Err(_) => {
                    let most = if depth == 0 { ROOT_CHILDREN_MAX } else { CHILDREN_MAX };
                    let named = node.children.iter().filter(|(text, _)| !is_plain(text)).count();
                    if named < most {
                        return 0;
                    }
                    self.changes += 1;
                    return node.name_children();
                }
            }
        }
        0
    }
}

impl Node {
    fn find(&self, segment: &str) -> Result<usize, usize> {
        self.children.binary_search_by(|(text, _)| (**text).cmp(segment))
    }

    fn known_as<'a>(&self, segment: &'a str) -> &'a str {
        if self.has_names && !is_plain(segment) { NAME } else { segment }
    }

    fn name_children(&mut self) -> usize {
        self.has_names = true;
        let gone = self.children.extract_if(.., |(text, _)| !is_plain(text));
        gone.map(|(_, node)| node.templates()).sum()
    }

    fn templates(&self) -> usize {
        let below: usize = self.children.iter().map(|(_, node)| node.templates()).sum();
        below + usize::from(self.template.is_some())
    }
}

/// Segments that are not counted and never become a name.
fn is_plain(segment: &str) -> bool {
    segment.is_empty() || segment == ID
}

/// Segments with their depth; from [`DEPTH_MAX`] on the rest is one.
fn split(segments: &str) -> impl Iterator<Item = (usize, &str)> {
    segments.splitn(DEPTH_MAX, '/').enumerate()
}

fn fold<'a>(segment: &'a str, scratch: &'a mut String) -> &'a str {
    let Some(end) = memchr::memchr2(b'/', b';', segment.as_bytes()) else {
        return segment::fold(segment, scratch);
    };
    if segment[end..].contains('/') {
        return REST;
    }
    // Parameters of a segment (`;jsessionid=..`) are values, as a query's are.
    segment::fold(&segment[..end], scratch)
}

#[cfg(test)]
mod tests;
