//! The words of the vocabularies that the catalogue speaks.

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
        ACCESS_URL = "accessURL", BYTE_SIZE = "byteSize", CATALOG = "Catalog", CONTACT_POINT = "contactPoint",
        DATASET = "dataset", DATASET_CLASS = "Dataset", DISTRIBUTION = "distribution",
        DISTRIBUTION_CLASS = "Distribution", DOWNLOAD_URL = "downloadURL", KEYWORD = "keyword",
        LANDING_PAGE = "landingPage", MEDIA_TYPE = "mediaType",
    }
    /// DCMI Metadata Terms.
    dct = "http://purl.org/dc/terms/" {
        ACCESS_RIGHTS = "accessRights", DESCRIPTION = "description", IDENTIFIER = "identifier", ISSUED = "issued",
        LICENSE = "license", MODIFIED = "modified", PUBLISHER = "publisher", RIGHTS = "rights",
        RIGHTS_HOLDER = "rightsHolder", RIGHTS_STATEMENT = "RightsStatement", TITLE = "title",
    }
    /// Friend of a Friend.
    foaf = "http://xmlns.com/foaf/0.1/" { AGENT = "Agent", HOMEPAGE = "homepage", NAME = "name" }
    /// vCard.
    vcard = "http://www.w3.org/2006/vcard/ns#" {
        FN = "fn", HAS_EMAIL = "hasEmail", KIND = "Kind",
    }
    /// Hydra Core: paging.
    hydra = "http://www.w3.org/ns/hydra/core#" {
        FIRST = "first", NEXT = "next", PARTIAL_COLLECTION_VIEW = "PartialCollectionView", VIEW = "view",
    }
    /// RDF Schema.
    rdfs = "http://www.w3.org/2000/01/rdf-schema#" { LABEL = "label" }
    /// The access rights of the EU's publications office.
    access_right = "http://publications.europa.eu/resource/authority/access-right/" {
        NON_PUBLIC = "NON_PUBLIC", PUBLIC = "PUBLIC", RESTRICTED = "RESTRICTED",
    }
    /// Media types as IANA lists them.
    media_type = "http://www.iana.org/assignments/media-types/" {}
}
