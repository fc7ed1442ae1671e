//! Where search engines are to look: sitemaps (sitemaps.org, protocol 0.9) and robots.txt (RFC 9309).
//!
//! ```text
//! /robots.txt -> /sitemap.xml -> pages of datasets
//!                             -> /sitemap-1.xml, /sitemap-2.xml .. -> pages of datasets
//! ```
//!
//! Datasets are written as they come, so that memory does not grow with them. It trusts whoever calls it that
//! everybody may know of each. Whoever serves it decides which datasets stand in which file; this says how many fit.

use std::{
    io::{self, Write},
    iter,
    num::NonZeroU64,
};

use octroi_proto::{DatasetId, Instant};

use super::{Site, address::Link};

/// The media type of sitemaps.
pub const XML: &str = "application/xml; charset=utf-8";

/// The media type of robots.txt, which must be in UTF-8 (RFC 9309, section 2.3).
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Datasets in one file, at most. The protocol allows 50,000 addresses; the first of each file is the start page's, so
/// that no file is empty, which the protocol's schema forbids.
pub const MOST_IN_FILE: u64 = 49_999;

/// What `/sitemap.xml` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sitemap {
    /// The datasets themselves ([`datasets`]).
    Whole,
    /// The addresses of so many files ([`index`]), `/sitemap-1.xml` the first.
    Index(NonZeroU64),
}

impl Sitemap {
    /// Of a catalogue with so many places for datasets.
    pub fn of(places: u64) -> Self {
        match NonZeroU64::new(places.div_ceil(MOST_IN_FILE)) {
            Some(files) if files > NonZeroU64::MIN => Self::Index(files),
            Some(_) | None => Self::Whole,
        }
    }
}

/// The place, counted from 0, of the first dataset in a file.
pub fn first_place(file: NonZeroU64) -> u64 {
    (file.get() - 1).saturating_mul(MOST_IN_FILE)
}

/// One file: the start page, then datasets with the time of their last change. Takes at most [`MOST_IN_FILE`] and
/// leaves the rest.
///
/// # Errors
/// The writer's.
pub fn datasets(
    site: &Site,
    datasets: impl IntoIterator<Item = (DatasetId, Instant)>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "{DECLARATION}<urlset xmlns=\"{NAMESPACE}\">")?;
    entry(out, "url", site, &Link::start(NonZeroU64::MIN, None), None)?;
    // The count first: `zip` takes from its second half only where the first has something left.
    for (_, (id, changed)) in (0..MOST_IN_FILE).zip(datasets) {
        entry(out, "url", site, &Link::dataset(&id), Some(changed))?;
    }
    writeln!(out, "</urlset>")
}

/// What names the files, in order: for each, when one of its datasets last changed, where that is known.
///
/// # Errors
/// The writer's.
pub fn index(site: &Site, changed: impl IntoIterator<Item = Option<Instant>>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{DECLARATION}<sitemapindex xmlns=\"{NAMESPACE}\">")?;
    let numbers = iter::successors(Some(NonZeroU64::MIN), |number| number.checked_add(1));
    for (number, changed) in numbers.zip(changed) {
        entry(out, "sitemap", site, &Link::sitemap_file(number), changed)?;
    }
    writeln!(out, "</sitemapindex>")
}

/// `/robots.txt`: all may be read, and the sitemap is there. It names nothing that is not to be found, since a list of
/// such things would be the first place to look for them. Robots read it at the root of a host alone.
pub fn robots(site: &Site) -> String {
    let all = site.base.href(&Link::start(NonZeroU64::MIN, None));
    let sitemap = site.base.iri(&Link::sitemap());
    format!("User-agent: *\nAllow: {all}\n\nSitemap: {}\n", sitemap.as_str())
}

fn entry(out: &mut impl Write, element: &str, site: &Site, at: &Link, changed: Option<Instant>) -> io::Result<()> {
    // INVARIANT: a base and the links here hold nothing that XML gives a meaning to.
    write!(out, "<{element}><loc>{}</loc>", site.base.iri(at).as_str())?;
    if let Some(changed) = changed {
        write!(out, "<lastmod>{}</lastmod>", date_time(changed))?;
    }
    writeln!(out, "</{element}>")
}

/// A W3C datetime, to the second.
fn date_time(at: Instant) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{authorise::tests::fixture::at, catalogue::specimen::site};

    fn listed(number: u64) -> (DatasetId, Instant) {
        (format!("dataset-{number}").parse().unwrap(), at(1_790_000_000 + i64::try_from(number).unwrap()))
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_files_are_as_they_were() {
        insta::assert_snapshot!("datasets", written(|out| datasets(&site(), (1..=2).map(listed), out)));
        insta::assert_snapshot!("index", written(|out| index(&site(), [Some(at(1_790_000_000)), None], out)));
        insta::assert_snapshot!("robots", robots(&site()));
    }

    #[test]
    fn a_catalogue_below_a_path_stays_there() {
        let site = Site { base: "https://data.dijon.example/octroi".parse().unwrap(), ..site() };
        let robots = robots(&site);
        assert!(robots.contains("Allow: /octroi/\n"), "{robots}");
        assert!(robots.ends_with("Sitemap: https://data.dijon.example/octroi/sitemap.xml\n"), "{robots}");
    }

    #[test]
    fn no_file_is_empty_and_none_has_more_addresses_than_the_protocol_allows() {
        let empty = written(|out| datasets(&site(), iter::empty(), out));
        assert_eq!(empty.matches("<url>").count(), 1);
        let mut many = (0..MOST_IN_FILE + 3).map(listed);
        let full = written(|out| datasets(&site(), many.by_ref(), out));
        assert_eq!(full.matches("<url>").count(), 50_000);
        assert!(full.len() < 50 << 20);
        // What did not fit begins the next file.
        let rest = written(|out| datasets(&site(), many, out));
        assert!(rest.contains(&format!("/dataset/dataset-{MOST_IN_FILE}<")), "{rest}");
        assert_eq!(rest.matches("<url>").count(), 4);
    }

    #[test]
    fn an_index_stands_above_what_does_not_fit_one_file() {
        let files = |number| Sitemap::Index(NonZeroU64::new(number).unwrap());
        for (places, holds) in [
            (0, Sitemap::Whole),
            (1, Sitemap::Whole),
            (MOST_IN_FILE, Sitemap::Whole),
            (MOST_IN_FILE + 1, files(2)),
            (100_000, files(3)),
        ] {
            assert_eq!(Sitemap::of(places), holds, "{places}");
        }
    }

    proptest! {
        #[test]
        fn every_place_is_in_a_file_and_no_file_is_needless(places in 1_u64..10_000_000_000) {
            let files = match Sitemap::of(places) {
                Sitemap::Whole => NonZeroU64::MIN,
                Sitemap::Index(files) => files,
            };
            prop_assert!(first_place(files) < places);
            prop_assert!(first_place(files.saturating_add(1)) >= places);
        }

        #[test]
        fn times_are_read_back_to_the_second(second in 0_i64..16_725_225_600, nanosecond in 0_i32..1_000_000_000) {
            let written = date_time(Instant::new(second, nanosecond).unwrap());
            prop_assert_eq!(written.len(), 20);
            prop_assert_eq!(written.parse::<Instant>().unwrap(), at(second));
        }
    }
}
