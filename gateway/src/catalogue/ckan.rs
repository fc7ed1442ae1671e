//! Datasets as CKAN's action API shows them (CKAN 2.11, API version 3).
//!
//! Harvesters take these dictionaries into their own databases, so the fields are those that CKAN has, with the values
//! that it would take; what it has no field for stands among the `extras`, under the names that its DCAT extension
//! reads. Texts are in the catalogue's first language.

use octroi_proto::{
    Instant, Level,
    dataset::{Limitation, Theme},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    File, Language, Licence, Published, Site,
    address::Link,
    file_type::file_type,
    search::Facet,
    slug,
    vocabulary::{access_right, frequency, limitation},
    words,
};

/// A dataset as `package_show` gives it.
pub fn package(site: &Site, dataset: &Published) -> Value {
    let iri = site.base.iri(&Link::dataset(&dataset.id));
    let licence = Licence::of(&dataset.licence, dataset.level);
    let created = time(dataset.issued.unwrap_or(dataset.modified));
    let tags: Vec<Value> = dataset.tags().iter().map(|name| tag(name)).collect();
    let resources = resources(site, dataset);
    json!({
        "id": dataset.id.as_str(),
        "name": dataset.id.as_str(),
        "title": first_language(&dataset.title),
        "notes": first_language(&dataset.description),
        "url": dataset.landing_page.as_deref().unwrap_or(iri.as_str()),
        "author": dataset.owner,
        "author_email": null,
        "maintainer": dataset.contact_point.name,
        "maintainer_email": dataset.contact_point.email,
        "license_id": licence.id,
        "license_title": licence.title,
        "license_url": licence.iri,
        "isopen": licence.open && dataset.level == Level::Public,
        "version": dataset.version,
        "metadata_created": created,
        "metadata_modified": time(dataset.modified),
        "private": false,
        "state": "active",
        "type": "dataset",
        "creator_user_id": null,
        "owner_org": slug(&dataset.publisher),
        "organization": organization(&dataset.publisher, &created),
        "groups": dataset.themes.iter().map(|theme| group(*theme)).collect::<Vec<_>>(),
        "num_tags": tags.len(),
        "tags": tags,
        "num_resources": resources.len(),
        "resources": resources,
        "extras": extras(site, dataset),
        "relationships_as_object": [],
        "relationships_as_subject": [],
    })
}

/// The publisher of a dataset, with how many datasets it has.
pub fn organization_with(dataset: &Published, packages: usize) -> Value {
    let mut organization = organization(&dataset.publisher, &time(dataset.issued.unwrap_or(dataset.modified)));
    if let Some(fields) = organization.as_object_mut() {
        fields.insert("package_count".to_owned(), json!(packages));
    }
    organization
}

/// A publisher.
fn organization(name: &str, created: &str) -> Value {
    let slug = slug(name);
    json!({
        "id": slug,
        "name": slug,
        "title": name,
        "display_name": name,
        "description": "",
        "type": "organization",
        "is_organization": true,
        "approval_status": "approved",
        "state": "active",
        "image_url": "",
        "image_display_url": "",
        "created": created,
        "revision_id": slug,
        "revision_timestamp": created,
    })
}

/// A theme, which is what groups are here.
pub fn group(theme: Theme) -> Value {
    let name = theme.code().to_ascii_lowercase();
    let title = words::theme(theme, Language::French);
    json!({
        "id": name,
        "name": name,
        "title": title,
        "display_name": title,
        "description": "",
        "image_display_url": "",
    })
}

/// A keyword.
fn tag(name: &str) -> Value {
    json!({ "id": name, "name": name, "display_name": name, "state": "active", "vocabulary_id": null })
}

/// The licences that have ids.
pub fn licences() -> Value {
    let licence = |it: Licence<'static>| json!({ "id": it.id, "title": it.title, "url": it.iri, "status": "active", "is_okd_compliant": it.open });
    Licence::known().map(licence).collect()
}

/// What the site says of itself.
pub fn status(site: &Site) -> Value {
    json!({
        "ckan_version": "2.11",
        "site_url": site.base.to_string(),
        "site_title": site.publisher,
        "site_description": "",
        "error_emails_to": null,
        "locale_default": "fr",
        "extensions": [],
    })
}

/// The counts of `package_search`: by value, and with the words to show.
pub fn facets(counted: &[(Facet, Vec<(String, u64)>)]) -> (Value, Value) {
    let plain = counted.iter().map(|(facet, values)| {
        (facet.name().to_owned(), values.iter().map(|(value, count)| (value.clone(), json!(count))).collect())
    });
    let shown = counted.iter().map(|(facet, values)| {
        let item = |(value, count): &(String, u64)| {
            json!({ "name": value, "display_name": display(*facet, value), "count": count })
        };
        let items: Vec<Value> = values.iter().map(item).collect();
        (facet.name().to_owned(), json!({ "title": facet.name(), "items": items }))
    });
    (Value::Object(plain.collect()), Value::Object(shown.collect()))
}

fn display(facet: Facet, value: &str) -> String {
    match facet {
        Facet::Groups => value
            .to_ascii_uppercase()
            .parse()
            .map_or_else(|_| value.to_owned(), |theme| words::theme(theme, Language::French).to_owned()),
        Facet::Organization | Facet::Tags | Facet::License | Facet::Format | Facet::Level => value.to_owned(),
    }
}

/// Public: each file. Quasi-sensitive: the page that says how to ask. Sensitive: none.
fn resources(site: &Site, dataset: &Published) -> Vec<Value> {
    if dataset.lends() {
        let url = site.base.iri(&Link::access(&dataset.id));
        let at = time(dataset.modified);
        return vec![json!({
            "id": resource_id(url.as_str()),
            "package_id": dataset.id.as_str(),
            "position": 0,
            "name": "Demande d’accès / Request for access",
            "description": "",
            "url": url.as_str(),
            "format": "HTML",
            "mimetype": "text/html",
            "size": null,
            "hash": null,
            "resource_type": "api",
            "state": "active",
            "created": time(dataset.issued.unwrap_or(dataset.modified)),
            "last_modified": at,
            "metadata_modified": at,
        })];
    }
    dataset.files.iter().enumerate().map(|(position, file)| resource(site, dataset, position, file)).collect()
}

fn resource(site: &Site, dataset: &Published, position: usize, file: &File) -> Value {
    let url = site.base.iri(&Link::file(&dataset.id, &file.key));
    let stored = time(file.stored);
    json!({
        "id": resource_id(url.as_str()),
        "package_id": dataset.id.as_str(),
        "position": position,
        "name": file.key.as_str(),
        "description": "",
        "url": url.as_str(),
        "format": file_type(file.media_type.as_str()).unwrap_or_default(),
        "mimetype": file.media_type.as_str().split(';').next().unwrap_or_default().trim(),
        "size": file.length,
        "hash": null,
        "resource_type": "file",
        "state": "active",
        "created": stored,
        "last_modified": stored,
        "metadata_modified": stored,
    })
}

/// The same for the same address, for good: harvesters know resources again by it.
fn resource_id(url: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, url.as_bytes()).to_string()
}

fn extras(site: &Site, dataset: &Published) -> Vec<Value> {
    let mut extras = Vec::new();
    let mut say = |key: &str, value: String| extras.push(json!({ "key": key, "value": value }));
    say("uri", site.base.iri(&Link::dataset(&dataset.id)).into_string());
    say("identifier", dataset.id.to_string());
    say("level", dataset.level.as_str().to_owned());
    let right = match dataset.level {
        Level::Public => access_right::PUBLIC,
        Level::QuasiSensitive => access_right::RESTRICTED,
        Level::Sensitive => access_right::NON_PUBLIC,
    };
    say("access_rights", right.as_str().to_owned());
    if dataset.level != Level::Public {
        let letter = dataset.limitation.unwrap_or(Limitation::PERSONAL_DATA);
        say("limitation", format!("{}INSPIRE_Directive_Article13_1{letter}", limitation::PREFIX));
    }
    if dataset.lends() {
        say("policy", site.base.iri(&Link::access(&dataset.id).part("policy")).into_string());
    }
    if let Some(code) = dataset.frequency {
        say("frequency", format!("{}{code}", frequency::PREFIX));
    }
    if let Some(period) = dataset.temporal.first() {
        for (key, day) in [("temporal_start", period.from), ("temporal_end", period.to)] {
            if let Some(day) = day {
                say(key, day.to_string());
            }
        }
    }
    for place in dataset.spatial.iter().take(1) {
        if let Some(name) = &place.name {
            say("spatial-text", name.clone());
        }
        if let Some(iri) = &place.iri {
            say("spatial-uri", iri.clone());
        }
        if let Some(bounds) = &place.bounds {
            say("spatial", bounds.to_geojson());
        }
    }
    extras
}

fn first_language(texts: &octroi_proto::Localised) -> &str {
    texts.preferring(Language::French.code()).1
}

/// As CKAN writes times: in UTC, without saying so.
fn time(at: Instant) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

#[cfg(test)]
mod tests {
    use octroi_proto::{DatasetState, Level};

    use super::*;
    use crate::{
        authorise::tests::fixture,
        catalogue::specimen::{described, published, site, worded},
    };

    #[test]
    fn a_package_is_as_it_was() {
        insta::assert_json_snapshot!("public", package(&site(), &published(&described(Level::Public))));
        insta::assert_json_snapshot!("lent", package(&site(), &published(&described(Level::QuasiSensitive))));
    }

    #[test]
    fn only_public_datasets_name_files() {
        let resources = |level| {
            let dataset = published(&fixture::dataset("velos", level, DatasetState::Published));
            package(&site(), &dataset)["resources"].as_array().unwrap().clone()
        };
        assert_eq!(resources(Level::Public).len(), 2);
        assert_eq!(resources(Level::QuasiSensitive)[0]["url"], "https://data.dijon.example/access/velos");
        assert!(resources(Level::Sensitive).is_empty());
    }

    #[test]
    fn nothing_is_shown_that_is_not_published() {
        for level in Level::ALL {
            let text = package(&site(), &published(&worded(*level, "words", "planted-steward"))).to_string();
            assert!(!text.contains("planted") && !text.contains("P77Y") && !text.contains("776655"));
        }
    }

    #[test]
    fn times_are_in_utc_without_a_mark() {
        assert_eq!(time(Instant::from_second(1_790_000_000).unwrap()), "2026-09-21T14:13:20.000000");
    }
}
