//! A signed document as something that can be taken apart and put together again, and seeded dice.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Dice that fall the same way every time.
pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// An element as it is written: nothing is resolved.
#[derive(Clone, Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub inside: Vec<Node>,
    pub quote: char,
    pub blank: &'static str,
    pub short: bool,
}

#[derive(Clone, Debug)]
pub enum Node {
    Tag(Tag),
    /// Text or markup, as it is.
    Raw(String),
}

impl Tag {
    pub fn new(name: &str, inside: Vec<Node>) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), inside, quote: '"', blank: "", short: false }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    fn of(start: &BytesStart<'_>) -> Self {
        let name = start.name();
        let mut tag = Self::new(name.as_ref(), Vec::new());
        for attribute in start.attributes() {
            let attribute = attribute.unwrap();
            tag.attributes.push((attribute.key.as_ref().to_owned(), attribute.value.to_string()));
        }
        tag
    }

    /// Reads a document that was written for the test.
    fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut open = vec![Self::new("", Vec::new())];
        loop {
            let done = match reader.read_event().unwrap() {
                Event::Start(start) => {
                    open.push(Self::of(&start));
                    continue;
                }
                Event::Empty(start) => Node::Tag(Self::of(&start)),
                Event::End(_) => Node::Tag(open.pop().unwrap()),
                Event::Text(text) => Node::Raw((*text).to_owned()),
                Event::GeneralRef(name) => Node::Raw(format!("&{};", &*name)),
                Event::Eof => break,
                other => panic!("{other:?}"),
            };
            open.last_mut().unwrap().inside.push(done);
        }
        let root = open.pop().unwrap().inside.into_iter().find_map(|node| match node {
            Node::Tag(tag) => Some(tag),
            Node::Raw(_) => None,
        });
        root.unwrap()
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            let quoted = value.replace('\'', "&apos;");
            out.push_str(&format!(" {name}={}{quoted}{}", self.quote, self.quote));
        }
        out.push_str(self.blank);
        if self.short && self.inside.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for node in &self.inside {
            match node {
                Node::Tag(tag) => tag.write(out),
                Node::Raw(text) => out.push_str(text),
            }
        }
        out.push_str(&format!("</{}>", self.name));
    }

    /// How many elements there are, this one among them.
    fn count(&self) -> usize {
        1 + self.tags().map(Self::count).sum::<usize>()
    }

    fn tags(&self) -> impl Iterator<Item = &Self> {
        self.inside.iter().filter_map(|node| match node {
            Node::Tag(tag) => Some(tag),
            Node::Raw(_) => None,
        })
    }

    /// The element that begins as number `at`.
    fn nth(&mut self, at: &mut usize) -> Option<&mut Self> {
        if *at == 0 {
            return Some(self);
        }
        *at -= 1;
        self.inside.iter_mut().find_map(|node| match node {
            Node::Tag(tag) => tag.nth(at),
            Node::Raw(_) => None,
        })
    }

    /// The first element with this name.
    pub fn named(&mut self, name: &str) -> Option<&mut Self> {
        if self.name == name {
            return Some(self);
        }
        self.inside.iter_mut().find_map(|node| match node {
            Node::Tag(tag) => tag.named(name),
            Node::Raw(_) => None,
        })
    }

    /// Takes out the element that begins as number `at`, which is not 0.
    pub fn take(&mut self, at: &mut usize) -> Option<Self> {
        for index in 0..self.inside.len() {
            let Node::Tag(tag) = &mut self.inside[index] else { continue };
            *at -= 1;
            if *at == 0 {
                let Node::Tag(taken) = self.inside.remove(index) else { return None };
                return Some(taken);
            }
            if *at < tag.count() {
                return tag.take(at);
            }
            *at -= tag.count() - 1;
        }
        None
    }

    /// Puts `node` somewhere among what is inside.
    pub fn put(&mut self, node: Node, dice: &mut Dice) {
        let at = dice.below(self.inside.len() + 1);
        self.inside.insert(at, node);
    }
}

/// A document while it is being forged.
pub struct Draft {
    pub prolog: String,
    pub root: Tag,
    pub epilog: String,
    /// A document that somebody else signed.
    pub foreign: Tag,
    /// Where somebody listens.
    pub address: String,
    /// What is done to the letters at the end.
    pub late: Vec<(usize, usize, char)>,
}

impl Draft {
    pub fn of(signed: &str, foreign: &str, address: &str) -> Self {
        let (root, foreign) = (Tag::parse(signed), Tag::parse(foreign));
        Self {
            prolog: String::new(),
            root,
            epilog: String::new(),
            foreign,
            address: address.to_owned(),
            late: Vec::new(),
        }
    }

    pub fn text(&self) -> String {
        let mut out = self.prolog.clone();
        self.root.write(&mut out);
        out.push_str(&self.epilog);
        let mut letters: Vec<char> = out.chars().collect();
        for (kind, at, letter) in &self.late {
            let at = at % letters.len().max(1);
            match kind {
                0 => letters.insert(at, *letter),
                1 if !letters.is_empty() => letters[at] = *letter,
                2 => letters.truncate(at),
                _ => drop(letters.drain(at..(at + 9).min(letters.len()))),
            }
        }
        letters.into_iter().collect()
    }

    pub fn any(&mut self, dice: &mut Dice) -> &mut Tag {
        let mut at = dice.below(self.root.count());
        self.root.nth(&mut at).expect("there are as many as were counted")
    }

    /// Takes some element out that is not the root.
    pub fn take(&mut self, dice: &mut Dice) -> Option<Tag> {
        let others = self.root.count() - 1;
        let mut at = 1 + (others > 0).then(|| dice.below(others))?;
        self.root.take(&mut at)
    }
}
