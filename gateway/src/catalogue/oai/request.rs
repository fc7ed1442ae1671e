//! What a harvester asks: arguments in, a typed [`Request`] out.
//!
//! Everything that can be judged without the register is judged here, and all of it is told, as the protocol has it
//! (section 3.6).

use octroi_proto::DatasetId;
use ring::hmac;

use super::{
    super::Base,
    Part, Prefix, Selection, SetSpec,
    identifier::Namespace,
    problem::{Argument, Problem},
    selection::Datestamp,
    token,
};

/// A request of the protocol (section 4), its arguments checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// What the repository is.
    Identify,
    /// Which formats it has, or a dataset is in.
    ListMetadataFormats {
        /// The dataset, if one is named. Whether there is one, the register knows.
        dataset: Option<DatasetId>,
    },
    /// Which sets it has. The list comes whole, so that no token can be one of it.
    ListSets,
    /// One record.
    GetRecord {
        /// Whose. Whether there is one, the register knows.
        dataset: DatasetId,
        /// In which format.
        prefix: Prefix,
    },
    /// The headers of records.
    ListIdentifiers(Part),
    /// Records.
    ListRecords(Part),
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The request.
    pub request: Request,
    /// What its answer repeats, be it an error.
    pub echo: Echo,
}

/// A request that is none: to be answered with [`super::Answer::problems`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// At least one.
    pub problems: Vec<Problem>,
    /// What the answer repeats.
    pub echo: Echo,
}

/// The arguments that an answer repeats: none of a request with a bad verb or argument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Echo(Vec<(&'static str, String)>);

/// A verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Identify,
    ListMetadataFormats,
    ListSets,
    GetRecord,
    ListIdentifiers,
    ListRecords,
}

/// Reads a request: the arguments of a query or of a form, decoded. Identifiers are those of `base`; tokens must be
/// authenticated under `key`.
///
/// # Errors
/// [`Refused`] with all that is wrong.
pub fn parse(arguments: &[(String, String)], base: &Base, key: &hmac::Key) -> Result<Asked, Refused> {
    let refused = |problem| Refused { problems: vec![problem], echo: Echo::default() };
    let verb = Verb::among(arguments).map_err(refused)?;
    let namespace = Namespace::of(base);
    let mut given = Given::read(verb, arguments);
    let request = match verb {
        Verb::Identify => Some(Request::Identify),
        Verb::ListMetadataFormats => {
            let dataset = given.optional(Argument::Identifier, |text| namespace.dataset(text));
            dataset.map(|dataset| Request::ListMetadataFormats { dataset })
        }
        Verb::ListSets => {
            let token = given.optional(Argument::ResumptionToken, |_| Err::<(), _>(Problem::BadResumptionToken));
            token.map(|_| Request::ListSets)
        }
        Verb::GetRecord => given.record(&namespace),
        Verb::ListIdentifiers => given.part(key).map(Request::ListIdentifiers),
        Verb::ListRecords => given.part(key).map(Request::ListRecords),
    };
    given.finish(request)
}

impl Echo {
    /// The attributes of the answer's `request` element.
    pub(super) fn attributes(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

impl Verb {
    const ALL: [Self; 6] = [
        Self::Identify,
        Self::ListMetadataFormats,
        Self::ListSets,
        Self::GetRecord,
        Self::ListIdentifiers,
        Self::ListRecords,
    ];

    /// Its name, which is also that of the element that answers it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identify => "Identify",
            Self::ListMetadataFormats => "ListMetadataFormats",
            Self::ListSets => "ListSets",
            Self::GetRecord => "GetRecord",
            Self::ListIdentifiers => "ListIdentifiers",
            Self::ListRecords => "ListRecords",
        }
    }

    fn among(arguments: &[(String, String)]) -> Result<Self, Problem> {
        let mut given = arguments.iter().filter(|(name, _)| name == "verb");
        let (_, name) = given.next().ok_or(Problem::VerbMissing)?;
        if given.next().is_some() {
            return Err(Problem::VerbRepeated);
        }
        Self::ALL.into_iter().find(|verb| verb.name() == name).ok_or(Problem::VerbUnknown)
    }

    fn takes(self) -> &'static [Argument] {
        match self {
            Self::Identify => &[],
            Self::ListMetadataFormats => &[Argument::Identifier],
            Self::ListSets => &[Argument::ResumptionToken],
            Self::GetRecord => &[Argument::Identifier, Argument::MetadataPrefix],
            Self::ListIdentifiers | Self::ListRecords => {
                &[Argument::MetadataPrefix, Argument::From, Argument::Until, Argument::Set, Argument::ResumptionToken]
            }
        }
    }
}

/// The arguments that a verb takes, each at most once, and what is wrong with them.
struct Given<'a> {
    verb: Verb,
    arguments: Vec<(Argument, &'a str)>,
    problems: Vec<Problem>,
}

impl<'a> Given<'a> {
    fn read(verb: Verb, arguments: &'a [(String, String)]) -> Self {
        let mut given = Self { verb, arguments: Vec::new(), problems: Vec::new() };
        for (name, value) in arguments.iter().filter(|(name, _)| name != "verb") {
            match verb.takes().iter().find(|argument| argument.name() == name) {
                None => given.refuse(Problem::UnknownArgument),
                Some(argument) if given.value(*argument).is_some() => given.refuse(Problem::Repeated(*argument)),
                Some(argument) => given.arguments.push((*argument, value.as_str())),
            }
        }
        given
    }

    fn refuse(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn value(&self, wanted: Argument) -> Option<&'a str> {
        self.arguments.iter().find(|(argument, _)| *argument == wanted).map(|(_, value)| *value)
    }

    /// An argument's value; `None` if there is one that is refused.
    fn optional<T>(
        &mut self,
        argument: Argument,
        parse: impl FnOnce(&'a str) -> Result<T, Problem>,
    ) -> Option<Option<T>> {
        match self.value(argument).map(parse).transpose() {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(problem);
                None
            }
        }
    }

    fn required<T>(&mut self, argument: Argument, parse: impl FnOnce(&'a str) -> Result<T, Problem>) -> Option<T> {
        let value = self.optional(argument, parse)?;
        if value.is_none() {
            self.refuse(Problem::Missing(argument));
        }
        value
    }

    fn datestamp(&mut self, argument: Argument) -> Option<Option<Datestamp>> {
        self.optional(argument, |text| text.parse().map_err(|_| Problem::Malformed(argument)))
    }

    fn record(&mut self, namespace: &Namespace) -> Option<Request> {
        let dataset = self.required(Argument::Identifier, |text| namespace.dataset(text));
        let prefix = self.required(Argument::MetadataPrefix, Prefix::parse);
        Some(Request::GetRecord { dataset: dataset?, prefix: prefix? })
    }

    /// The part of a list that is asked for: its first, or the one that a token names.
    fn part(&mut self, key: &hmac::Key) -> Option<Part> {
        let Some(token) = self.value(Argument::ResumptionToken) else {
            return self.selection().map(|selection| Part { selection, cursor: None });
        };
        if self.arguments.len() > 1 {
            self.refuse(Problem::NotExclusive);
            return None;
        }
        let part = token::open(token, self.verb, key);
        if part.is_none() {
            self.refuse(Problem::BadResumptionToken);
        }
        part
    }

    fn selection(&mut self) -> Option<Selection> {
        let prefix = self.required(Argument::MetadataPrefix, Prefix::parse);
        let (from, until) = (self.datestamp(Argument::From), self.datestamp(Argument::Until));
        let set = self.optional(Argument::Set, SetSpec::parse);
        Selection::new(prefix?, from?, until?, set?).map_err(|problem| self.refuse(problem)).ok()
    }

    fn finish(self, request: Option<Request>) -> Result<Asked, Refused> {
        let echo =
            if self.problems.iter().all(|problem| problem.allows_echo()) { self.echo() } else { Echo::default() };
        match request {
            Some(request) if self.problems.is_empty() => Ok(Asked { request, echo }),
            Some(_) | None => Err(Refused { problems: self.problems, echo }),
        }
    }

    fn echo(&self) -> Echo {
        // What is left off is of no use to anybody: the token is not ours, the set not there.
        let plain = |value: &str| value.len() <= MOST_ECHOED && value.bytes().all(|b| b.is_ascii_graphic());
        let given = self.arguments.iter().filter(|(_, value)| plain(value));
        let given = given.map(|(argument, value)| (argument.name(), (*value).to_owned()));
        Echo([("verb", self.verb.name().to_owned())].into_iter().chain(given).collect())
    }
}

/// Bytes of an argument that an answer repeats, at most.
const MOST_ECHOED: usize = 1_024;

#[cfg(test)]
mod tests;
