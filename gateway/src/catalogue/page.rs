//! The catalogue for people: plain pages in French and English, readable without scripts.
//!
//! No page runs anything. What search engines read of a dataset stands in its page as a block of data, which browsers
//! do not execute and the policy on scripts does not concern (HTML, "prepare the script element").

use std::num::NonZeroU64;

use askama::Template;
use octroi_proto::{Instant, Level, Localised};

use super::{
    File, Language, Page, Published, Site,
    address::{Link, mailto},
    dcat::{Addressed, Format},
    schema_org::{self, DataBlock},
    words,
};
use facts::{Fact, facts};

mod facts;

/// The media type of the pages.
pub const HTML: &str = "text/html; charset=utf-8";

/// What the pages may do in a browser: show themselves in their own style. For the edge to send with each.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/style.css`.
pub const STYLE: &str = include_str!("../../templates/style.css");

/// The media type of [`STYLE`].
pub const CSS: &str = "text/css; charset=utf-8";

/// `/`: where the feeds are, and the datasets, a page at a time.
///
/// # Errors
/// The template's.
pub fn start(site: &Site, page: &Page, language: Language) -> askama::Result<String> {
    let here = Link::start(page.number, None);
    let feed = |format| DocumentLink::new(site, format, &Link::feed(Addressed::BySuffix(format), NonZeroU64::MIN));
    let neighbour = |number| site.base.href(&Link::start(number, Some(language)));
    Start {
        feeds: Format::ALL.map(feed),
        total: page.total,
        previous: page.previous().map(neighbour),
        next: page.next().map(neighbour),
        datasets: page.datasets.iter().map(|dataset| Entry::new(site, dataset, language)).collect(),
        frame: Frame::new(site, &here, language),
    }
    .render()
}

/// `/dataset/ID`.
///
/// # Errors
/// The template's.
pub fn dataset(site: &Site, dataset: &Published, language: Language) -> askama::Result<String> {
    let document = |format| DocumentLink::new(site, format, &Link::dataset_as(&dataset.id, format));
    DatasetPage {
        entry: Entry::new(site, dataset, language),
        description: Text::new(&dataset.description, language),
        facts: facts(site, dataset, language),
        conditions: words::conditions_of_access(dataset.level, language),
        documents: Format::ALL.map(document),
        data: schema_org::dataset(site, dataset, language),
        access: dataset.lends().then(|| site.base.href(&Link::access(&dataset.id).speaking(language))),
        files: dataset.files.iter().map(|file| Row::new(site, dataset, file, language)).collect(),
        frame: Frame::new(site, &Link::dataset(&dataset.id), language),
        dataset,
    }
    .render()
}

/// `/access/ID`: how to ask for access. `None` for a dataset that is not lent: the edge answers 404.
///
/// # Errors
/// The template's.
pub fn access(site: &Site, dataset: &Published, language: Language) -> askama::Result<Option<String>> {
    if !dataset.lends() {
        return Ok(None);
    }
    AccessPage {
        entry: Entry::new(site, dataset, language),
        api: site.api.to_string(),
        frame: Frame::new(site, &Link::access(&dataset.id), language),
        dataset,
    }
    .render()
    .map(Some)
}

/// What surrounds every page.
struct Frame<'a> {
    language: Language,
    publisher: &'a str,
    home: String,
    style: String,
    /// This page in this language, absolute: a translation is another page (RFC 6596).
    canonical: String,
    /// This page in the language that a browser prefers, absolute.
    preferred: String,
    others: Vec<Alternate>,
}

/// The same page in another language.
struct Alternate {
    language: Language,
    absolute: String,
    href: String,
}

impl<'a> Frame<'a> {
    fn new(site: &'a Site, here: &Link, language: Language) -> Self {
        let alternate = |language| {
            let link = here.speaking(language);
            Alternate { language, absolute: site.base.iri(&link).into_string(), href: site.base.href(&link) }
        };
        Self {
            language,
            publisher: &site.publisher,
            home: site.base.href(&Link::start(NonZeroU64::MIN, Some(language))),
            style: site.base.href(&Link::style()),
            canonical: site.base.iri(&here.speaking(language)).into_string(),
            preferred: site.base.iri(here).into_string(),
            others: Language::ALL.into_iter().map(alternate).collect(),
        }
    }

    /// The one of two texts that is in the page's language.
    fn say<'t>(&self, french: &'t str, english: &'t str) -> &'t str {
        self.language.of(french, english)
    }

    fn level(&self, level: &Level) -> &'static str {
        match level {
            Level::Public => self.language.of("public", "public"),
            Level::QuasiSensitive => {
                self.language.of("quasi sensible, prêté sur demande", "quasi-sensitive, lent on request")
            }
            Level::Sensitive => self.language.of("sensible, jamais diffusé", "sensitive, never disclosed"),
        }
    }
}

/// Text with the language it is in, which may not be the page's.
struct Text<'a> {
    language: &'a str,
    paragraphs: Vec<&'a str>,
}

impl<'a> Text<'a> {
    fn new(texts: &'a Localised, language: Language) -> Self {
        let (language, text) = texts.preferring(language.code());
        let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()).collect();
        Self { language, paragraphs }
    }

    /// The beginning, in a line, as lists of pages show it.
    fn summary(&self) -> String {
        let line: Vec<&str> = self.paragraphs.iter().flat_map(|paragraph| paragraph.split_whitespace()).collect();
        words::beginning(&line.join(" "), MOST_SUMMARY).into_owned()
    }
}

/// A dataset in a line.
struct Entry<'a> {
    language: &'a str,
    title: &'a str,
    href: String,
    level: Level,
}

impl<'a> Entry<'a> {
    fn new(site: &Site, dataset: &'a Published, language: Language) -> Self {
        let href = site.base.href(&Link::dataset(&dataset.id).speaking(language));
        let (language, title) = dataset.title.preferring(language.code());
        Self { language, title, href, level: dataset.level }
    }
}

/// A file in a line.
struct Row<'a> {
    key: &'a str,
    href: String,
    media_type: &'a str,
    size: String,
    stored: Instant,
}

impl<'a> Row<'a> {
    fn new(site: &Site, dataset: &Published, file: &'a File, language: Language) -> Self {
        Self {
            key: file.key.as_str(),
            href: site.base.href(&Link::file(&dataset.id, &file.key)),
            media_type: file.media_type.as_str(),
            size: size(file.length, language),
            stored: file.stored,
        }
    }
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start<'a> {
    frame: Frame<'a>,
    feeds: [DocumentLink; 3],
    total: u64,
    datasets: Vec<Entry<'a>>,
    previous: Option<String>,
    next: Option<String>,
}

/// What a page shows, for programs.
struct DocumentLink {
    name: &'static str,
    media_type: &'static str,
    absolute: String,
    href: String,
}

impl DocumentLink {
    fn new(site: &Site, format: Format, at: &Link) -> Self {
        let (absolute, href) = (site.base.iri(at).into_string(), site.base.href(at));
        Self { name: format.name(), media_type: format.media_type(), absolute, href }
    }
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct DatasetPage<'a> {
    frame: Frame<'a>,
    entry: Entry<'a>,
    dataset: &'a Published,
    description: Text<'a>,
    facts: Vec<Fact<'a>>,
    conditions: &'static str,
    access: Option<String>,
    files: Vec<Row<'a>>,
    documents: [DocumentLink; 3],
    data: DataBlock,
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage<'a> {
    frame: Frame<'a>,
    entry: Entry<'a>,
    dataset: &'a Published,
    api: String,
}

/// Bytes in decimal units, to one place, as people of the language write them.
fn size(bytes: u64, language: Language) -> String {
    let units: [(u64, &str, &str); 4] =
        [(1_000_000_000_000, "To", "TB"), (1_000_000_000, "Go", "GB"), (1_000_000, "Mo", "MB"), (1_000, "ko", "kB")];
    let Some((unit, french, english)) = units.into_iter().find(|(unit, _, _)| bytes >= *unit) else {
        return format!("{bytes} {}", language.of("octets", "bytes"));
    };
    let tenths = bytes / (unit / 10);
    let mark = language.of(",", ".");
    format!("{}{mark}{} {}", tenths / 10, tenths % 10, language.of(french, english))
}

/// A day, in UTC.
fn day(at: &Instant) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Characters of a page's summary, at most: what search engines show of one.
const MOST_SUMMARY: usize = 160;

#[cfg(test)]
mod tests;
