//! The words of the vocabularies that the catalogue speaks.

use octroi_proto::dataset::HighValueCategory;
use oxrdf::NamedNode;

macro_rules! vocabulary {
    ($($(#[$doc:meta])* $module:ident = $prefix:literal { $($name:ident = $local:literal),* $(,)? })+) => {
        $(
            $(#[$doc])*
            pub(in crate::catalogue) mod $module {
                #[allow(unused_imports, reason = "some vocabularies name no word here, only their prefix")]
                use oxrdf::NamedNodeRef;

                #[allow(dead_code, reason = "where only whole words of a vocabulary are used")]
                pub(in crate::catalogue) const PREFIX: &str = $prefix;
                $(
                    pub(in crate::catalogue) const $name: NamedNodeRef<'static> =
                        NamedNodeRef::new_unchecked(concat!($prefix, $local));
                )*
            }
        )+
    };
}

vocabulary! {
    /// Data Catalog Vocabulary 3.
    dcat = "http://www.w3.org/ns/dcat#" {
        ACCESS_SERVICE = "accessService", ACCESS_URL = "accessURL", BBOX = "bbox", BYTE_SIZE = "byteSize",
        CATALOG = "Catalog", CONTACT_POINT = "contactPoint", DATASET = "dataset", DATASET_CLASS = "Dataset",
        DATA_SERVICE = "DataService", DISTRIBUTION = "distribution", DISTRIBUTION_CLASS = "Distribution",
        DOWNLOAD_URL = "downloadURL", END_DATE = "endDate",
        ENDPOINT_URL = "endpointURL", KEYWORD = "keyword", LANDING_PAGE = "landingPage", MEDIA_TYPE = "mediaType",
        SERVES_DATASET = "servesDataset", SERVICE = "service", START_DATE = "startDate", THEME = "theme",
        THEME_TAXONOMY = "themeTaxonomy", VERSION = "version",
    }
    /// DCMI Metadata Terms.
    dct = "http://purl.org/dc/terms/" {
        ACCESS_RIGHTS = "accessRights", ACCRUAL_PERIODICITY = "accrualPeriodicity", CONFORMS_TO = "conformsTo",
        DESCRIPTION = "description", FREQUENCY = "Frequency", FORMAT = "format", IDENTIFIER = "identifier", ISSUED = "issued",
        LANGUAGE = "language", LICENSE = "license", LICENSE_DOCUMENT = "LicenseDocument",
        LINGUISTIC_SYSTEM = "LinguisticSystem", LOCATION = "Location", MEDIA_TYPE = "MediaType",
        MEDIA_TYPE_OR_EXTENT = "MediaTypeOrExtent", MODIFIED = "modified",
        PERIOD_OF_TIME = "PeriodOfTime", PROVENANCE = "provenance",
        PROVENANCE_STATEMENT = "ProvenanceStatement", PUBLISHER = "publisher", RIGHTS = "rights", RIGHTS_HOLDER = "rightsHolder",
        RIGHTS_STATEMENT = "RightsStatement", SPATIAL = "spatial", STANDARD = "Standard", TEMPORAL = "temporal",
        TITLE = "title",
    }
    /// What DCAT-AP adds for the regulation on datasets of high value.
    dcatap = "http://data.europa.eu/r5r/" {
        APPLICABLE_LEGISLATION = "applicableLegislation", HVD_CATEGORY = "hvdCategory",
    }
    /// Friend of a Friend.
    foaf = "http://xmlns.com/foaf/0.1/" { AGENT = "Agent", DOCUMENT = "Document", HOMEPAGE = "homepage", NAME = "name", PAGE = "page" }
    /// vCard.
    vcard = "http://www.w3.org/2006/vcard/ns#" {
        FN = "fn", HAS_EMAIL = "hasEmail", KIND = "Kind",
    }
    /// Open Digital Rights Language 2.2.
    odrl = "http://www.w3.org/ns/odrl/2/" {
        ACTION = "action", ASSIGNER = "assigner", CONSTRAINT = "constraint", EQ = "eq", HAS_POLICY = "hasPolicy",
        LEFT_OPERAND = "leftOperand", OFFER = "Offer", OPERATOR = "operator", PERMISSION = "permission", POLICY = "Policy",
        PURPOSE = "purpose", RIGHT_OPERAND = "rightOperand", TARGET = "target", USE = "use",
    }
    /// Provenance.
    prov = "http://www.w3.org/ns/prov#" { WAS_DERIVED_FROM = "wasDerivedFrom" }
    /// GeoSPARQL.
    geosparql = "http://www.opengis.net/ont/geosparql#" { WKT_LITERAL = "wktLiteral" }
    /// Hydra Core: paging.
    hydra = "http://www.w3.org/ns/hydra/core#" {
        COLLECTION = "Collection", FIRST = "first", LAST = "last", NEXT = "next",
        PARTIAL_COLLECTION_VIEW = "PartialCollectionView", PREVIOUS = "previous", TOTAL_ITEMS = "totalItems",
        VIEW = "view",
    }
    /// European Legislation Identifier.
    eli = "http://data.europa.eu/eli/ontology#" { LEGAL_RESOURCE = "LegalResource" }
    /// SKOS.
    skos = "http://www.w3.org/2004/02/skos/core#" {
        CONCEPT = "Concept", CONCEPT_SCHEME = "ConceptScheme", IN_SCHEME = "inScheme", PREF_LABEL = "prefLabel",
    }
    /// RDF Schema.
    rdfs = "http://www.w3.org/2000/01/rdf-schema#" { LABEL = "label", SEE_ALSO = "seeAlso" }
    /// The access rights of the EU's publications office.
    access_right = "http://publications.europa.eu/resource/authority/access-right/" {
        NON_PUBLIC = "NON_PUBLIC", PUBLIC = "PUBLIC", RESTRICTED = "RESTRICTED",
    }
    /// The data themes of the EU's publications office.
    theme = "http://publications.europa.eu/resource/authority/data-theme/" {}
    /// Its frequencies.
    frequency = "http://publications.europa.eu/resource/authority/frequency/" {}
    /// Its languages.
    language = "http://publications.europa.eu/resource/authority/language/" {}
    /// Its file types.
    file_type = "http://publications.europa.eu/resource/authority/file-type/" {}
    /// Why the public has no access, of INSPIRE's registry.
    limitation = "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/" {}
    /// Media types as IANA lists them.
    media_type = "https://www.iana.org/assignments/media-types/" {}
}

/// What the IRIs of the EU's authority tables begin with.
pub(in crate::catalogue) const AUTHORITIES: &str = "http://publications.europa.eu/resource/authority/";

/// The themes, as a whole.
pub(in crate::catalogue) const THEMES: &str = "http://publications.europa.eu/resource/authority/data-theme";

/// The regulation that says which datasets are of high value.
pub(in crate::catalogue) const HIGH_VALUE_REGULATION: &str = "http://data.europa.eu/eli/reg_impl/2023/138/oj";

/// The IRI of a category of that regulation (the vocabulary that DCAT-AP HVD names).
pub(in crate::catalogue) fn high_value_category(category: HighValueCategory) -> NamedNode {
    let code = match category.code() {
        "companies" => "c_a9135398",
        "earth-observation" => "c_dd313021",
        "geospatial" => "c_ac64a52d",
        "meteorological" => "c_164e0bf5",
        "mobility" => "c_b79e35eb",
        // INVARIANT: the list is closed, and `statistics` is what is left of it.
        _ => "c_e1da4e07",
    };
    NamedNode::new_unchecked(format!("http://data.europa.eu/bna/{code}"))
}

/// A word of an authority table: its prefix, then a code that the domain types hold to letters, digits and `_`.
pub(in crate::catalogue) fn word(prefix: &str, code: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{prefix}{code}"))
}
