//! What a client would rather have: the weighted lists of `Accept`, `Accept-Encoding` and `Accept-Language`
//! (RFC 9110, section 12.5).

use super::{Language, dcat::Format};

/// What a catalogue or a dataset is served as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Representation {
    /// A page for people.
    Page,
    /// A document for programs.
    Document(Format),
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Nothing that is offered is accepted: 406.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAcceptable;

impl Representation {
    /// What `Accept` asks for, Turtle where it does not say. What does not parse in it is passed over.
    ///
    /// # Errors
    /// [`NotAcceptable`] if it names nothing that there is.
    pub fn accepted(header: Option<&str>) -> Result<Self, NotAcceptable> {
        let Some(header) = header.filter(|header| !header.trim().is_empty()) else {
            return Ok(Self::Document(Format::Turtle));
        };
        let offers = [
            Self::Document(Format::Turtle),
            Self::Document(Format::JsonLd),
            Self::Document(Format::RdfXml),
            Self::Page,
        ];
        let ranges: Vec<(&str, f32)> = weighted(header).collect();
        let weighed = offers.into_iter().filter_map(|offer| Some((offer, offer.weight(&ranges)?)));
        best(weighed).ok_or(NotAcceptable)
    }

    /// The weight of the most specific range that it is in.
    fn weight(self, ranges: &[(&str, f32)]) -> Option<f32> {
        let names = match self {
            Self::Page => ["text/html", "application/xhtml+xml"],
            Self::Document(Format::Turtle) => ["text/turtle", "application/x-turtle"],
            Self::Document(Format::JsonLd) => ["application/ld+json", "application/json"],
            Self::Document(Format::RdfXml) => ["application/rdf+xml", "application/xml"],
        };
        let family = names[0].split_once('/').map_or("*/*", |(family, _)| family);
        let of =
            |wanted: &dyn Fn(&str) -> bool| ranges.iter().find(|(range, _)| wanted(range)).map(|(_, weight)| *weight);
        of(&|range| range.eq_ignore_ascii_case(names[0]))
            .or_else(|| of(&|range| range.eq_ignore_ascii_case(names[1])))
            .or_else(|| of(&|range| range.strip_suffix("/*").is_some_and(|it| it.eq_ignore_ascii_case(family))))
            .or_else(|| of(&|range| range == "*/*"))
    }
}

impl Coding {
    /// The best that `Accept-Encoding` allows; as it is where it allows nothing else.
    pub fn accepted(header: Option<&str>) -> Self {
        let named = |coding: &str| match coding.to_ascii_lowercase().as_str() {
            "zstd" => Some(Self::Zstd),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "identity" => Some(Self::Identity),
            _ => None,
        };
        let codings = weighted(header.unwrap_or_default());
        best(codings.filter_map(|(name, weight)| Some((named(name)?, weight)))).unwrap_or(Self::Identity)
    }

    /// Its name in `Content-Encoding`, but for identity, which has none there.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

impl Language {
    /// The language asked for: by `?lang=`, else by `Accept-Language`, else French.
    pub fn choose(lang: Option<&str>, accept_language: Option<&str>) -> Self {
        let accepted = || {
            let tags = weighted(accept_language.unwrap_or_default());
            best(tags.filter_map(|(tag, weight)| Some((Self::from_tag(tag)?, weight))))
        };
        lang.and_then(Self::from_tag).or_else(accepted).unwrap_or(Self::French)
    }
}

/// The items of a weighted list with their weights, at most 32 of them. What does not parse is passed over.
fn weighted(header: &str) -> impl Iterator<Item = (&str, f32)> {
    header.split(',').take(32).filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok())?;
        weight.is_finite().then_some((name, weight))
    })
}

/// What weighs most, the first of equals; nothing that weighs nothing.
fn best<T>(weighed: impl Iterator<Item = (T, f32)>) -> Option<T> {
    let mut best: Option<(T, f32)> = None;
    for (it, weight) in weighed {
        if weight > best.as_ref().map_or(0.0, |(_, weight)| *weight) {
            best = Some((it, weight));
        }
    }
    best.map(|(it, _)| it)
}

#[cfg(test)]
mod tests {
    use super::{Language::*, *};

    #[test]
    fn clients_get_what_they_ask_for() {
        use Format::*;
        for (header, expected) in [
            (None, Ok(Representation::Document(Turtle))),
            (Some("*/*"), Ok(Representation::Document(Turtle))),
            (Some("application/ld+json"), Ok(Representation::Document(JsonLd))),
            (Some("application/rdf+xml, text/turtle;q=0.5"), Ok(Representation::Document(RdfXml))),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Ok(Representation::Page)),
            (Some("text/*;q=0.3, application/ld+json;q=0.2"), Ok(Representation::Document(Turtle))),
            (Some("text/turtle;q=0, */*"), Ok(Representation::Document(JsonLd))),
            (Some(";;;,q=,\u{e9}, application/json"), Ok(Representation::Document(JsonLd))),
            (Some("image/png"), Err(NotAcceptable)),
            (Some("text/turtle;q=nan"), Err(NotAcceptable)),
        ] {
            assert_eq!(Representation::accepted(header), expected, "{header:?}");
        }
    }

    #[test]
    fn bodies_are_packed_as_the_client_likes() {
        for (header, expected) in [
            (None, Coding::Identity),
            (Some("gzip, deflate"), Coding::Gzip),
            (Some("gzip, deflate, br, zstd"), Coding::Gzip),
            (Some("gzip;q=0.5, zstd"), Coding::Zstd),
            (Some("gzip;q=0"), Coding::Identity),
            (Some("br"), Coding::Identity),
        ] {
            assert_eq!(Coding::accepted(header), expected, "{header:?}");
        }
    }

    #[test]
    fn the_query_wins_then_the_header_then_french() {
        for (lang, header, chosen) in [
            (None, None, French),
            (Some("en"), Some("fr"), English),
            (Some("xx"), Some("en-GB,en;q=0.9"), English),
            (None, Some("de, fr;q=0.2, en;q=0.4"), English),
            (None, Some("en;q=0, fr;q=0.1"), French),
            (None, Some("en;q=abc, ;;,"), French),
            (None, Some("de"), French),
            (Some("EN-us"), None, English),
        ] {
            assert_eq!(Language::choose(lang, header), chosen, "{lang:?} {header:?}");
        }
    }
}
