//! XML as it is written: escaped by quick-xml, and of characters that XML has.

use std::{borrow::Cow, io};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

/// A document being written.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document without an element yet.
    pub(super) fn document() -> io::Result<Self> {
        let mut writer = Writer::new(Vec::new());
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self(writer))
    }

    /// An element with what `content` writes in it.
    pub(super) fn within(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut start = BytesStart::new(name);
        for (attribute, value) in attributes {
            let value = possible(value);
            start.push_attribute((*attribute, &*value));
        }
        self.0.write_event(Event::Start(start))?;
        content(self)?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
        self.within(name, attributes, |xml| xml.0.write_event(Event::Text(BytesText::new(&possible(text)))))
    }

    /// An element with such a part for each of these; nothing if there are none.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: &[T],
        part: impl Fn(&mut Self, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        self.within(name, &[], |xml| items.iter().try_for_each(|item| part(xml, item)))
    }

    /// The whole document.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0.into_inner()
    }
}

/// The text with U+FFFD in the place of each character that no XML document may hold, not even as a reference (XML 1.0,
/// production 2): what was not empty stays so.
fn possible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_possible) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_possible(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

pub(super) fn is_possible(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut xml = Xml::document().unwrap();
        xml.text("a", &[("b", "<\"&'>\u{1}")], "<&>\u{0}\u{FFFE}é\n").unwrap();
        let written = String::from_utf8(xml.finish()).unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
                        <a b=\"&lt;&quot;&amp;&apos;&gt;\u{FFFD}\">&lt;&amp;&gt;\u{FFFD}\u{FFFD}é\n</a>";
        assert_eq!(written, expected);
    }

    #[test]
    fn a_list_of_nothing_is_not_written() {
        let mut xml = Xml::document().unwrap();
        xml.list("many", &[1, 2], |xml, number| xml.text("one", &[], &number.to_string())).unwrap();
        xml.list("none", &[] as &[u8], |xml, number| xml.text("one", &[], &number.to_string())).unwrap();
        assert!(xml.finish().ends_with(b"<many><one>1</one><one>2</one></many>"));
    }
}
