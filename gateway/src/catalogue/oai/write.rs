//! Answers in XML, as OAI-PMH.xsd has them (sections 3.2 and 4).

use std::io;

use octroi_proto::Instant;
use ring::hmac;

use super::{
    super::{Coding, Published, Site},
    Cursor, Echo, Header, Part, Prefix, Problem, Record, SetSpec, datacite, dublin_core,
    identifier::Namespace,
    request::Verb,
    seconds, token,
    xml::Xml,
};

/// An answer to a request, on its way: whoever read the register for it calls what the request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Whose answer it is.
    pub site: &'a Site,
    /// When it is given.
    pub at: Instant,
    /// What it repeats of the request.
    pub echo: &'a Echo,
}

impl Answer<'_> {
    /// What is wrong with the request: at least one problem.
    ///
    /// # Errors
    /// The writer's, here as below.
    pub fn problems(&self, problems: &[Problem]) -> io::Result<Vec<u8>> {
        self.document(|xml| {
            problems.iter().try_for_each(|it| xml.text("error", &[("code", it.code())], &it.to_string()))
        })
    }

    /// What the repository is. `admin_email` is of the form `user@host.example`; no record has an earlier datestamp
    /// than `earliest`.
    ///
    /// # Errors
    /// As [`Answer::problems`].
    pub fn identify(&self, admin_email: &str, earliest: Instant) -> io::Result<Vec<u8>> {
        let publisher = &self.site.publisher;
        self.element(Verb::Identify, |xml| {
            xml.text("repositoryName", &[], &format!("Données de {publisher} / Data of {publisher}"))?;
            xml.text("baseURL", &[], &self.base_url())?;
            xml.text("protocolVersion", &[], "2.0")?;
            xml.text("adminEmail", &[], admin_email)?;
            xml.text("earliestDatestamp", &[], &seconds(earliest))?;
            xml.text("deletedRecord", &[], "persistent")?;
            xml.text("granularity", &[], "YYYY-MM-DDThh:mm:ssZ")?;
            for coding in [Coding::Gzip, Coding::Zstd].into_iter().filter_map(Coding::name) {
                xml.text("compression", &[], coding)?;
            }
            identifier_scheme(xml, &self.namespace())
        })
    }

    /// The formats of the repository, and of every dataset in it.
    ///
    /// # Errors
    /// As [`Answer::problems`].
    pub fn formats(&self) -> io::Result<Vec<u8>> {
        self.element(Verb::ListMetadataFormats, |xml| {
            Prefix::ALL.into_iter().try_for_each(|prefix| {
                xml.within("metadataFormat", &[], |xml| {
                    xml.text("metadataPrefix", &[], prefix.name())?;
                    xml.text("schema", &[], prefix.schema())?;
                    xml.text("metadataNamespace", &[], prefix.namespace())
                })
            })
        })
    }

    /// All sets, with those of the organisations of these names, which are to be such as strangers may know.
    ///
    /// # Errors
    /// As [`Answer::problems`].
    pub fn sets<'n>(&self, organisations: impl IntoIterator<Item = &'n str>) -> io::Result<Vec<u8>> {
        self.element(Verb::ListSets, |xml| {
            SetSpec::listed(organisations).into_iter().try_for_each(|(set, name)| {
                xml.within("set", &[], |xml| {
                    xml.text("setSpec", &[], &set.to_string())?;
                    xml.text("setName", &[], &name)
                })
            })
        })
    }

    /// One record.
    ///
    /// # Errors
    /// As [`Answer::problems`].
    pub fn record(&self, record: &Record<'_>, prefix: Prefix) -> io::Result<Vec<u8>> {
        self.element(Verb::GetRecord, |xml| self.write_record(xml, &self.namespace(), record, prefix))
    }

    /// The headers of a part of a list, which goes on behind `next`, if at all. No headers are no part: that answers
    /// that no record matches.
    ///
    /// # Errors
    /// As [`Answer::problems`].
    pub fn identifiers(
        &self,
        headers: &[Header],
        part: &Part,
        next: Option<Cursor>,
        key: &hmac::Key,
    ) -> io::Result<Vec<u8>> {
        if headers.is_empty() {
            return self.problems(&[Problem::NoRecordsMatch]);
        }
        let namespace = self.namespace();
        self.element(Verb::ListIdentifiers, |xml| {
            headers.iter().try_for_each(|header| write_header(xml, &namespace, header, header.deleted))?;
            resumption(xml, Verb::ListIdentifiers, part, next, key)
        })
    }

    /// A part of a list, as [`Answer::identifiers`] has it.
    ///
    /// # Errors
    /// As [`Answer::problems`].
    pub fn records(
        &self,
        records: &[Record<'_>],
        part: &Part,
        next: Option<Cursor>,
        key: &hmac::Key,
    ) -> io::Result<Vec<u8>> {
        if records.is_empty() {
            return self.problems(&[Problem::NoRecordsMatch]);
        }
        let (namespace, prefix) = (self.namespace(), part.selection.prefix);
        self.element(Verb::ListRecords, |xml| {
            records.iter().try_for_each(|record| self.write_record(xml, &namespace, record, prefix))?;
            resumption(xml, Verb::ListRecords, part, next, key)
        })
    }

    fn element(&self, verb: Verb, content: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<Vec<u8>> {
        self.document(|xml| xml.within(verb.name(), &[], content))
    }

    fn document(&self, content: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<Vec<u8>> {
        let location = schema_location(PROTOCOL, PROTOCOL_SCHEMA);
        let root = [("xmlns", PROTOCOL), SCHEMA_INSTANCE, ("xsi:schemaLocation", location.as_str())];
        let mut xml = Xml::document()?;
        xml.within("OAI-PMH", &root, |xml| {
            xml.text("responseDate", &[], &seconds(self.at))?;
            xml.text("request", &self.echo.attributes(), &self.base_url())?;
            content(xml)
        })?;
        Ok(xml.finish())
    }

    fn write_record(
        &self,
        xml: &mut Xml,
        namespace: &Namespace,
        record: &Record<'_>,
        prefix: Prefix,
    ) -> io::Result<()> {
        let published = record.published.filter(|_| !record.header.deleted);
        xml.within("record", &[], |xml| {
            write_header(xml, namespace, &record.header, published.is_none())?;
            let Some(published) = published else { return Ok(()) };
            xml.within("metadata", &[], |xml| self.metadata(xml, published, prefix))
        })
    }

    fn metadata(&self, xml: &mut Xml, published: &Published, prefix: Prefix) -> io::Result<()> {
        match prefix {
            Prefix::OaiDc => dublin_core::write(xml, self.site, published),
            Prefix::OaiDatacite => datacite::write(xml, self.site, published),
        }
    }

    fn namespace(&self) -> Namespace {
        Namespace::of(&self.site.base)
    }

    fn base_url(&self) -> String {
        format!("{}/oai", self.site.base)
    }
}

/// How identifiers are made, where the host is such that the schema for saying so has room for it.
fn identifier_scheme(xml: &mut Xml, namespace: &Namespace) -> io::Result<()> {
    if !namespace.is_domain() {
        return Ok(());
    }
    let location = schema_location(IDENTIFIER, IDENTIFIER_SCHEMA);
    let attributes = [("xmlns", IDENTIFIER), SCHEMA_INSTANCE, ("xsi:schemaLocation", location.as_str())];
    xml.within("description", &[], |xml| {
        xml.within("oai-identifier", &attributes, |xml| {
            xml.text("scheme", &[], "oai")?;
            xml.text("repositoryIdentifier", &[], namespace.host())?;
            xml.text("delimiter", &[], ":")?;
            xml.text("sampleIdentifier", &[], &namespace.identifier("example"))
        })
    })
}

fn write_header(xml: &mut Xml, namespace: &Namespace, header: &Header, deleted: bool) -> io::Result<()> {
    let attributes: &[(&str, &str)] = if deleted { &[("status", "deleted")] } else { &[] };
    xml.within("header", attributes, |xml| {
        xml.text("identifier", &[], &namespace.identifier(header.dataset.as_str()))?;
        xml.text("datestamp", &[], &seconds(header.datestamp))?;
        header.sets.iter().try_for_each(|set| xml.text("setSpec", &[], &set.to_string()))
    })
}

/// Where the list goes on: an empty token at the end of a list of parts, nothing behind one that came whole
/// (section 3.5).
fn resumption(xml: &mut Xml, verb: Verb, part: &Part, next: Option<Cursor>, key: &hmac::Key) -> io::Result<()> {
    if next.is_none() && part.cursor.is_none() {
        return Ok(());
    }
    let token = next.map(|next| token::seal(verb, &part.selection, next, key)).unwrap_or_default();
    let total = [next, part.cursor].into_iter().flatten().find_map(|cursor| cursor.total).filter(|total| *total > 0);
    let total = total.map(|total| total.to_string());
    let delivered = part.delivered().to_string();
    let mut attributes = vec![("cursor", delivered.as_str())];
    attributes.extend(total.as_deref().map(|total| ("completeListSize", total)));
    xml.text("resumptionToken", &attributes, &token)
}

/// What says where the schema of a namespace is.
pub(super) fn schema_location(namespace: &str, schema: &str) -> String {
    format!("{namespace} {schema}")
}

/// For `xsi:schemaLocation`.
pub(super) const SCHEMA_INSTANCE: (&str, &str) = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");

const PROTOCOL: &str = "http://www.openarchives.org/OAI/2.0/";
const PROTOCOL_SCHEMA: &str = "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd";
const IDENTIFIER: &str = "http://www.openarchives.org/OAI/2.0/oai-identifier";
const IDENTIFIER_SCHEMA: &str = "http://www.openarchives.org/OAI/2.0/oai-identifier.xsd";
