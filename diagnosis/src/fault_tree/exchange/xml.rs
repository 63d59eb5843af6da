//! An XML document as a flat list of elements, within limits.
//!
//! Only what model files need: elements, attributes, text. A document type is refused, so that
//! no entity can be declared, and with it every bomb made of entities.

use std::borrow::Cow;

use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, escape};

use super::Source;
use crate::fault_tree::problem::{Problem, ProblemKind};

/// Deepest nesting of elements: formulas written by people and by other tools stay below 20.
pub(super) const MAX_DEPTH: usize = 1_000;
/// Most elements; at this number the list takes an eighth of a gigabyte.
const MAX_ELEMENTS: usize = 2_000_000;
/// Most attributes of one element; no format read here has more than a few.
const MAX_ATTRIBUTES: usize = 32;

/// Elements in the order of their start tags.
pub(super) struct Document<'t> {
    elements: Vec<Written<'t>>,
    attributes: Vec<(&'t str, Cow<'t, str>)>,
}

struct Written<'t> {
    tag: &'t str,
    line: u32,
    /// Index of the first element behind this one and all inside it.
    end: u32,
    /// Index of the first attribute; they end where the next element's begin.
    attributes: u32,
    /// The first text inside, without space around it.
    text: Cow<'t, str>,
}

/// One element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'d, 't> {
    document: &'d Document<'t>,
    index: usize,
}

impl<'d, 't> Element<'d, 't> {
    pub fn tag(self) -> &'t str {
        self.written().tag
    }

    pub fn line(self) -> usize {
        self.written().line as usize
    }

    pub fn text(self) -> &'d str {
        &self.written().text
    }

    pub fn attribute(self, key: &str) -> Option<&'d str> {
        let from = self.written().attributes as usize;
        let next = self.document.elements.get(self.index + 1);
        let to = next.map_or(self.document.attributes.len(), |next| next.attributes as usize);
        let found = self.document.attributes[from..to].iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.as_ref())
    }

    pub fn children(self) -> impl Iterator<Item = Self> + Clone {
        let document = self.document;
        let end = self.written().end as usize;
        let existing = move |index: usize| (index < end).then_some(Self { document, index });
        std::iter::successors(existing(self.index + 1), move |e| existing(e.written().end as usize))
    }

    pub fn child(self, tag: &str) -> Option<Self> {
        self.children().find(|child| child.tag() == tag)
    }

    fn written(self) -> &'d Written<'t> {
        &self.document.elements[self.index]
    }
}

impl<'t> Document<'t> {
    /// # Errors
    /// What is no XML, and what is beyond a limit.
    pub fn parse(source: Source<'t>) -> Result<Self, Problem> {
        let text = source.text.trim_start_matches('\u{feff}');
        let tags = text.bytes().filter(|byte| *byte == b'<').count().min(MAX_ELEMENTS);
        let mut parser = Parser {
            file: source.file,
            reader: Reader::from_str(text),
            text,
            counted: 0,
            line: 1,
            open: Vec::new(),
            document: Self { elements: Vec::with_capacity(tags), attributes: Vec::with_capacity(tags) },
        };
        while parser.step()? {}
        Ok(parser.document)
    }

    pub fn root(&self) -> Option<Element<'_, 't>> {
        (!self.elements.is_empty()).then_some(Element { document: self, index: 0 })
    }
}

struct Parser<'t> {
    file: &'t str,
    reader: Reader<&'t [u8]>,
    text: &'t str,
    /// Up to which byte lines have been counted, and the line there.
    counted: usize,
    line: usize,
    /// Elements whose end has not come.
    open: Vec<usize>,
    document: Document<'t>,
}

impl<'t> Parser<'t> {
    /// Takes one piece of the text; false at its end.
    fn step(&mut self) -> Result<bool, Problem> {
        let from = self.reader.buffer_position() as usize;
        self.count_lines(from);
        let event = match self.reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                self.count_lines(self.reader.error_position() as usize);
                return Err(self.problem(ProblemKind::Syntax, "syntax", format!("no XML: {error}")));
            }
        };
        match event {
            Event::Start(start) => {
                self.element(from, &start)?;
                self.open.push(self.document.elements.len() - 1);
                if self.open.len() > MAX_DEPTH {
                    let reason = format!("elements stand more than {MAX_DEPTH} deep: name inner formulas as gates");
                    return Err(self.problem(ProblemKind::TooDeep, "nesting", reason));
                }
            }
            Event::Empty(start) => self.element(from, &start)?,
            Event::End(_) => {
                let end = self.document.elements.len() as u32;
                if let Some(index) = self.open.pop() {
                    self.document.elements[index].end = end;
                }
            }
            Event::Text(text) => self.characters(text.xml_content().ok())?,
            Event::CData(text) => self.characters(text.xml_content().ok())?,
            Event::GeneralRef(name) => {
                let decoded = match name.resolve_char_ref() {
                    Ok(Some(character)) => Some(Cow::Owned(character.to_string())),
                    _ => name.decode().ok().and_then(|n| escape::resolve_predefined_entity(&n)).map(Cow::Borrowed),
                };
                self.characters(decoded)?;
            }
            Event::DocType(_) => {
                let reason = "a document type may declare entities and is not read: remove <!DOCTYPE ..>";
                return Err(self.problem(ProblemKind::NotOffered, "DOCTYPE", reason.to_owned()));
            }
            Event::Eof => return self.finish(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        Ok(true)
    }

    fn finish(&self) -> Result<bool, Problem> {
        match self.open.last().map(|index| self.document.elements[*index].tag) {
            Some(tag) => {
                let reason = format!("the file ends inside <{tag}>: it has been cut off");
                Err(self.problem(ProblemKind::Syntax, "syntax", reason))
            }
            None => Ok(false),
        }
    }

    fn element(&mut self, from: usize, start: &BytesStart<'_>) -> Result<(), Problem> {
        if self.document.elements.len() >= MAX_ELEMENTS {
            let reason = format!("there are more than {MAX_ELEMENTS} elements: split the model");
            return Err(self.problem(ProblemKind::TooBig, "file", reason));
        }
        if self.open.is_empty() && !self.document.elements.is_empty() {
            let reason = "a second outermost element: there is one in a file".to_owned();
            return Err(self.problem(ProblemKind::Syntax, "syntax", reason));
        }
        let name = start.name().as_ref().len();
        // The tag stands behind its '<'.
        let written = self.text.get(from + 1..from + 1 + start.len()).expect("an event is a part of the text");
        let attributes = self.document.attributes.len() as u32;
        self.attributes(written, name)?;
        let end = self.document.elements.len() as u32 + 1;
        let line = self.line as u32;
        let element = Written { tag: &written[..name], line, end, attributes, text: Cow::Borrowed("") };
        self.document.elements.push(element);
        Ok(())
    }

    fn attributes(&mut self, written: &'t str, name: usize) -> Result<(), Problem> {
        // Whether a name comes twice is not asked: that takes quadratic time.
        let mut attributes = Attributes::new(written, name);
        for (index, attribute) in attributes.with_checks(false).enumerate() {
            let attribute = attribute
                .map_err(|error| self.problem(ProblemKind::Syntax, &written[..name], format!("no XML: {error}")))?;
            if index == MAX_ATTRIBUTES {
                let reason = format!("has more than {MAX_ATTRIBUTES} attributes");
                return Err(self.problem(ProblemKind::TooBig, &written[..name], reason));
            }
            let text = |bytes: &'t [u8]| std::str::from_utf8(bytes).expect("a part of a str between ASCII characters");
            let Cow::Borrowed(value) = attribute.value else { unreachable!("the reader borrows from the text") };
            let value = escape::unescape(text(value))
                .map_err(|error| self.problem(ProblemKind::Syntax, &written[..name], format!("no XML: {error}")))?;
            self.document.attributes.push((text(attribute.key.0), value));
        }
        Ok(())
    }

    /// Text belongs to the innermost open element.
    fn characters(&mut self, text: Option<Cow<'t, str>>) -> Result<(), Problem> {
        let Some(text) = text else {
            let reason = "an entity that XML does not define itself: write the character".to_owned();
            return Err(self.problem(ProblemKind::NotOffered, "entity", reason));
        };
        if let Some(index) = self.open.last()
            && !text.trim().is_empty()
        {
            let element = &mut self.document.elements[*index];
            if element.text.is_empty() {
                element.text = text;
            } else {
                element.text.to_mut().push_str(&text);
            }
        }
        Ok(())
    }

    fn count_lines(&mut self, position: usize) {
        let position = position.min(self.text.len());
        let between = self.text.as_bytes().get(self.counted..position).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count();
        self.counted = position.max(self.counted);
    }

    fn problem(&self, kind: ProblemKind, field: &str, reason: String) -> Problem {
        Problem { kind, file: self.file.to_owned(), line: self.line, field: field.to_owned(), reason }
    }
}
