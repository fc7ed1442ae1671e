//! Resumption tokens: where a list goes on, said by us and nobody else.
//!
//! A token is what was asked and how far the list came, with an HMAC-SHA-256 over both, in base64url. It is kept
//! nowhere and never expires: it holds as long as the key does, across restarts, and asking twice with one gives the
//! same part (section 3.5.1), but for what changed since, which moves to the end of the list. It is not secret: what
//! it says is what its holder asked, and counts that stand beside it in the answer.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use prost::Message;
use ring::hmac;

use super::{
    Cursor, Part, Prefix, Selection, SetSpec,
    request::Verb,
    selection::{Datestamp, InvalidDatestamp},
};

/// The token of the part behind `cursor` in the list of a selection.
pub(super) fn seal(verb: Verb, selection: &Selection, cursor: Cursor, key: &hmac::Key) -> String {
    let Selection { prefix, from, until, set } = selection;
    let Cursor { after, delivered, total } = cursor;
    let payload = Payload {
        verb: verb.name().to_owned(),
        prefix: prefix.name().to_owned(),
        from: from.map(|it| it.to_string()),
        until: until.map(|it| it.to_string()),
        set: set.as_ref().map(ToString::to_string),
        after,
        delivered,
        total,
    };
    let mut token = payload.encode_to_vec();
    let tag = hmac::sign(key, &labelled(&token));
    token.extend_from_slice(tag.as_ref());
    BASE64_URL_SAFE_NO_PAD.encode(token)
}

/// The part that a token names; `None` for a token that was not sealed under this key, or not for this verb.
pub(super) fn open(token: &str, verb: Verb, key: &hmac::Key) -> Option<Part> {
    if token.len() > MOST_BYTES {
        return None;
    }
    let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (payload, tag) = token.split_last_chunk::<TAG_BYTES>()?;
    hmac::verify(key, &labelled(payload), tag).ok()?;
    let payload = Payload::decode(payload).ok()?;
    (payload.verb == verb.name()).then(|| payload.part()).flatten()
}

/// What a token says.
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(string, tag = "1")]
    verb: String,
    #[prost(string, tag = "2")]
    prefix: String,
    #[prost(string, optional, tag = "3")]
    from: Option<String>,
    #[prost(string, optional, tag = "4")]
    until: Option<String>,
    #[prost(string, optional, tag = "5")]
    set: Option<String>,
    #[prost(uint64, tag = "6")]
    after: u64,
    #[prost(uint64, tag = "7")]
    delivered: u64,
    #[prost(uint64, optional, tag = "8")]
    total: Option<u64>,
}

impl Payload {
    /// Parsed once more, since an older gateway may have said what this one would not.
    fn part(self) -> Option<Part> {
        let Self { verb: _, prefix, from, until, set, after, delivered, total } = self;
        let datestamp = |text: Option<String>| -> Result<Option<Datestamp>, InvalidDatestamp> {
            text.map(|text| text.parse()).transpose()
        };
        let set = set.map(|text| SetSpec::parse(&text)).transpose().ok()?;
        let (from, until) = (datestamp(from).ok()?, datestamp(until).ok()?);
        let selection = Selection::new(Prefix::parse(&prefix).ok()?, from, until, set).ok()?;
        Some(Part { selection, cursor: Some(Cursor { after, delivered, total }) })
    }
}

/// The key may sign other things too.
fn labelled(payload: &[u8]) -> Vec<u8> {
    [b"octroi/oai-resumption-token/v1\0".as_slice(), payload].concat()
}

/// HMAC-SHA-256's.
const TAG_BYTES: usize = 32;

/// More than the longest there is: a set of 413 bytes, two datestamps, three numbers, the names, and the tag.
const MOST_BYTES: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::Index};

    use super::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn selection() -> Selection {
        let (from, until) = ("2026-01-01".parse().ok(), "2026-12-31".parse().ok());
        Selection::new(Prefix::OaiDatacite, from, until, SetSpec::parse("theme:TRAN").ok()).unwrap()
    }

    fn cursor() -> Cursor {
        Cursor { after: 1_234_567, delivered: 200, total: Some(4_321) }
    }

    fn token() -> String {
        seal(Verb::ListRecords, &selection(), cursor(), &key(1))
    }

    #[test]
    fn a_token_says_what_was_asked_and_how_far_it_came() {
        let part = open(&token(), Verb::ListRecords, &key(1)).unwrap();
        assert_eq!(part, Part { selection: selection(), cursor: Some(cursor()) });
        assert_eq!(part.delivered(), 200);
    }

    #[test]
    fn another_key_or_verb_opens_none() {
        assert_eq!(open(&token(), Verb::ListRecords, &key(2)), None);
        assert_eq!(open(&token(), Verb::ListIdentifiers, &key(1)), None);
    }

    #[test]
    fn what_is_too_short_or_too_long_is_no_token() {
        for text in ["", "A", "AAAA", "=", &"A".repeat(MOST_BYTES), &"A".repeat(MOST_BYTES + 4)] {
            assert_eq!(open(text, Verb::ListRecords, &key(1)), None, "{text}");
        }
        let padded = format!("{}=", token());
        assert_eq!(open(&padded, Verb::ListRecords, &key(1)), None);
    }

    #[test]
    fn the_longest_token_is_opened() {
        let set = SetSpec::organisation(&"œ".repeat(200));
        let second = |text: &str| text.parse().ok();
        let (from, until) = (second("2026-01-01T00:00:00Z"), second("2026-12-31T23:59:59Z"));
        let selection = Selection::new(Prefix::OaiDatacite, from, until, Some(set)).unwrap();
        let cursor = Cursor { after: u64::MAX, delivered: u64::MAX, total: Some(u64::MAX) };
        let token = seal(Verb::ListIdentifiers, &selection, cursor, &key(1));
        assert_eq!(open(&token, Verb::ListIdentifiers, &key(1)), Some(Part { selection, cursor: Some(cursor) }));
    }

    proptest! {
        #[test]
        fn any_cursor_comes_back((after, delivered, total) in any::<(u64, u64, Option<u64>)>()) {
            let cursor = Cursor { after, delivered, total };
            let token = seal(Verb::ListIdentifiers, &selection(), cursor, &key(1));
            let part = open(&token, Verb::ListIdentifiers, &key(1));
            prop_assert_eq!(part, Some(Part { selection: selection(), cursor: Some(cursor) }));
        }

        #[test]
        fn no_altered_token_is_opened(place in any::<Index>(), other in "[A-Za-z0-9_=+/ -]") {
            let token = token();
            let place = place.index(token.len());
            let mut altered = token.clone();
            altered.replace_range(place..=place, &other);
            prop_assume!(altered != token);
            prop_assert_eq!(open(&altered, Verb::ListRecords, &key(1)), None);
        }

        #[test]
        fn no_part_of_a_token_is_opened(place in any::<Index>(), more in "[A-Za-z0-9_-]{1,8}") {
            let token = token();
            let (head, tail) = token.split_at(place.index(token.len()));
            let (behind, before) = (format!("{token}{more}"), format!("{more}{token}"));
            for text in [head.to_owned(), behind, before, format!("{head}{more}{tail}")] {
                prop_assert_eq!(open(&text, Verb::ListRecords, &key(1)), None);
            }
        }

        #[test]
        fn no_other_text_is_opened(text in ".{0,300}") {
            prop_assert_eq!(open(&text, Verb::ListRecords, &key(1)), None);
        }
    }
}
