//! As much XML as an MPD needs.

use std::{borrow::Cow, fmt::Write};

/// An element with attributes and child elements.
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, Cow<'static, str>)>,
    children: Vec<Element>,
    /// More children, as they are printed, each on a line without its indentation.
    lines: String,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), children: Vec::new(), lines: String::new() }
    }

    /// Behind all other children: elements that are printed already, each on a line.
    pub(super) fn lines(mut self, lines: String) -> Self {
        self.lines = lines;
        self
    }

    pub(super) fn attribute(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(super) fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// A whole document with this element as its root.
    pub(super) fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let _ = write!(out, "{:1$}<{2}", "", 2 * depth, self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escape(value));
        }
        if self.children.is_empty() && self.lines.is_empty() {
            out.push_str("/>\n");
            return;
        }
        out.push_str(">\n");
        self.children.iter().for_each(|child| child.write(out, depth + 1));
        for line in self.lines.lines() {
            let _ = writeln!(out, "{:1$}{line}", "", 2 * (depth + 1));
        }
        let _ = writeln!(out, "{:1$}</{2}>", "", 2 * depth, self.name);
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_quotes() {
        let text = Element::new("a").attribute("b", "\"><c & d").document();
        assert!(text.ends_with("<a b=\"&quot;&gt;&lt;c &amp; d\"/>\n"));
    }
}
