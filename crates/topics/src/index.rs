//! Two tries over segments: patterns found by a name, and names found by a pattern.
//!
//! Both cost in proportion to what they find, not to how much they hold.

use rustc_hash::FxHashMap;

use crate::{Pattern, TopicName};

/// Values kept for patterns; a name finds those of the patterns that cover it.
#[derive(Debug)]
pub struct PatternIndex<V> {
    root: PatternNode<V>,
    length: usize,
}

#[derive(Debug)]
struct PatternNode<V> {
    children: FxHashMap<Box<str>, PatternNode<V>>,
    star: Option<Box<PatternNode<V>>>,
    here: Option<V>,
    tail: Option<V>,
}

impl<V> Default for PatternNode<V> {
    fn default() -> Self {
        Self { children: FxHashMap::default(), star: None, here: None, tail: None }
    }
}

impl<V> Default for PatternIndex<V> {
    fn default() -> Self {
        Self { root: PatternNode::default(), length: 0 }
    }
}

impl<V> PatternIndex<V> {
    /// How many patterns have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The value of `pattern`, made by `default` if there was none.
    pub fn get_or_insert_with(&mut self, pattern: &Pattern, default: impl FnOnce() -> V) -> &mut V {
        let mut node = &mut self.root;
        for segment in pattern.segments() {
            match segment {
                ">" => {
                    return node.tail.get_or_insert_with(|| {
                        self.length += 1;
                        default()
                    });
                }
                "*" => node = node.star.get_or_insert_default(),
                name => node = node.children.entry(name.into()).or_default(),
            }
        }
        node.here.get_or_insert_with(|| {
            self.length += 1;
            default()
        })
    }

    /// The value of `pattern`.
    #[must_use]
    pub fn get(&self, pattern: &Pattern) -> Option<&V> {
        let mut node = &self.root;
        for segment in pattern.segments() {
            match segment {
                ">" => return node.tail.as_ref(),
                "*" => node = node.star.as_ref()?,
                name => node = node.children.get(name)?,
            }
        }
        node.here.as_ref()
    }

    /// Takes the value of `pattern` out, and every node that stood for it alone.
    pub fn remove(&mut self, pattern: &Pattern) -> Option<V> {
        let segments: Vec<&str> = pattern.segments().collect();
        let removed = self.root.remove(&segments);
        self.length -= usize::from(removed.is_some());
        removed
    }

    /// Calls `found` with the value of each pattern that covers `name`.
    pub fn for_each_match<'a>(&'a self, name: &TopicName, mut found: impl FnMut(&'a V)) {
        let mut starts = [""; TopicName::SEGMENTS_MAX];
        let mut length = 0;
        for (slot, segment) in starts.iter_mut().zip(name.segments()) {
            *slot = segment;
            length += 1;
        }
        self.root.visit(&starts[..length], &mut found);
    }
}

impl<V> PatternNode<V> {
    fn visit<'a>(&'a self, segments: &[&str], found: &mut impl FnMut(&'a V)) {
        let Some((first, rest)) = segments.split_first() else {
            self.here.iter().for_each(found);
            return;
        };
        self.tail.iter().for_each(&mut *found);
        if let Some(child) = self.children.get(*first) {
            child.visit(rest, found);
        }
        if let Some(star) = &self.star {
            star.visit(rest, found);
        }
    }

    fn remove(&mut self, segments: &[&str]) -> Option<V> {
        let Some((first, rest)) = segments.split_first() else { return self.here.take() };
        match *first {
            ">" => self.tail.take(),
            "*" => {
                let star = self.star.as_mut()?;
                let removed = star.remove(rest);
                if star.is_unused() {
                    self.star = None;
                }
                removed
            }
            name => {
                let child = self.children.get_mut(name)?;
                let removed = child.remove(rest);
                if child.is_unused() {
                    self.children.remove(name);
                }
                removed
            }
        }
    }

    fn is_unused(&self) -> bool {
        self.here.is_none()
            && self.tail.is_none()
            && self.star.is_none()
            && self.children.is_empty()
    }
}

/// Values kept for names; a pattern finds those of the names it covers.
#[derive(Debug)]
pub(crate) struct NameIndex<V> {
    children: FxHashMap<Box<str>, NameIndex<V>>,
    here: Option<V>,
}

impl<V> Default for NameIndex<V> {
    fn default() -> Self {
        Self { children: FxHashMap::default(), here: None }
    }
}

impl<V> NameIndex<V> {
    pub(crate) fn insert(&mut self, name: &TopicName, value: V) {
        let mut node = self;
        for segment in name.segments() {
            if !node.children.contains_key(segment) {
                node.children.insert(segment.into(), Self::default());
            }
            node = node.children.get_mut(segment).expect("inserted when it was absent");
        }
        node.here = Some(value);
    }

    pub(crate) fn remove(&mut self, name: &TopicName) -> Option<V> {
        let segments: Vec<&str> = name.segments().collect();
        self.remove_segments(&segments)
    }

    fn remove_segments(&mut self, segments: &[&str]) -> Option<V> {
        let Some((first, rest)) = segments.split_first() else { return self.here.take() };
        let child = self.children.get_mut(*first)?;
        let removed = child.remove_segments(rest);
        if child.here.is_none() && child.children.is_empty() {
            self.children.remove(*first);
        }
        removed
    }

    /// Calls `found` with the value of each name that `pattern` covers, in no particular order.
    pub(crate) fn for_each_match<'a>(&'a self, pattern: &Pattern, mut found: impl FnMut(&'a V)) {
        let segments: Vec<&str> = pattern.segments().collect();
        self.visit(&segments, &mut found);
    }

    fn visit<'a>(&'a self, segments: &[&str], found: &mut impl FnMut(&'a V)) {
        let Some((first, rest)) = segments.split_first() else {
            self.here.iter().for_each(found);
            return;
        };
        match *first {
            ">" => self.children.values().for_each(|child| child.visit_all(found)),
            "*" => self.children.values().for_each(|child| child.visit(rest, found)),
            name => {
                if let Some(child) = self.children.get(name) {
                    child.visit(rest, found);
                }
            }
        }
    }

    fn visit_all<'a>(&'a self, found: &mut impl FnMut(&'a V)) {
        self.here.iter().for_each(&mut *found);
        self.children.values().for_each(|child| child.visit_all(found));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> impl Strategy<Value = TopicName> {
        prop::collection::vec("[abc]", 1..5)
            .prop_map(|segments| TopicName::parse(&segments.join(".")).unwrap())
    }

    fn patterns() -> impl Strategy<Value = Pattern> {
        (prop::collection::vec("[abc*]", 0..4), any::<bool>()).prop_map(|(mut segments, tail)| {
            if tail || segments.is_empty() {
                segments.push(">".into());
            }
            Pattern::parse(&segments.join(".")).unwrap()
        })
    }

    proptest! {
        #[test]
        fn both_indexes_agree_with_matching_one_by_one(
            names in prop::collection::hash_set(names(), 0..30),
            patterns in prop::collection::hash_set(patterns(), 0..30),
            removed in any::<prop::sample::Index>(),
        ) {
            let mut by_pattern = PatternIndex::default();
            for pattern in &patterns {
                by_pattern.get_or_insert_with(pattern, || pattern.clone());
            }
            let mut by_name = NameIndex::default();
            for name in &names {
                by_name.insert(name, name.clone());
            }
            let gone = patterns.iter().nth(removed.index(patterns.len().max(1)));
            if let Some(gone) = gone {
                prop_assert!(by_pattern.remove(gone).as_ref() == Some(gone));
                prop_assert_eq!(by_pattern.get(gone), None);
            }
            prop_assert_eq!(by_pattern.len(), patterns.len() - usize::from(gone.is_some()));
            for name in &names {
                let mut found = Vec::new();
                by_pattern.for_each_match(name, |pattern| found.push(pattern.clone()));
                let mut expected: Vec<_> = patterns
                    .iter()
                    .filter(|pattern| Some(*pattern) != gone && pattern.matches(name))
                    .cloned()
                    .collect();
                found.sort();
                expected.sort();
                prop_assert_eq!(found, expected);
            }
            for pattern in &patterns {
                let mut found = Vec::new();
                by_name.for_each_match(pattern, |name| found.push(name.clone()));
                let mut expected: Vec<_> =
                    names.iter().filter(|name| pattern.matches(name)).cloned().collect();
                found.sort();
                expected.sort();
                prop_assert_eq!(found, expected);
            }
            for name in &names {
                prop_assert!(by_name.remove(name).as_ref() == Some(name));
            }
            prop_assert!(by_name.children.is_empty());
        }
    }
}
