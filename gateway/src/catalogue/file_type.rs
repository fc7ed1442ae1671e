//! The EU's file types (op.europa.eu, authority table `file-type`) of the media types that open data comes in.

/// The code of the file type that a media type stands for; none where the table has no better word than the media type.
pub(super) fn file_type(media_type: &str) -> Option<&'static str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    FILE_TYPES.iter().find(|(known, _)| *known == essence).map(|(_, code)| *code)
}

const FILE_TYPES: &[(&str, &str)] = &[
    ("application/geo+json", "GEOJSON"),
    ("application/geopackage+sqlite3", "GPKG"),
    ("application/gml+xml", "GML"),
    ("application/gzip", "GZIP"),
    ("application/json", "JSON"),
    ("application/ld+json", "JSON_LD"),
    ("application/n-triples", "RDF_N_TRIPLES"),
    ("application/netcdf", "NETCDF"),
    ("application/pdf", "PDF"),
    ("application/rdf+xml", "RDF_XML"),
    ("application/vnd.apache.parquet", "PARQUET"),
    ("application/vnd.google-earth.kml+xml", "KML"),
    ("application/vnd.google-earth.kmz", "KMZ"),
    ("application/vnd.ms-excel", "XLS"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ODS"),
    ("application/vnd.oasis.opendocument.text", "ODT"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "XLSX"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "DOCX"),
    ("application/vnd.shp", "SHP"),
    ("application/x-parquet", "PARQUET"),
    ("application/xml", "XML"),
    ("application/zip", "ZIP"),
    ("image/jpeg", "JPEG"),
    ("image/png", "PNG"),
    ("image/svg+xml", "SVG"),
    ("image/tiff", "TIFF"),
    ("text/calendar", "ICS"),
    ("text/csv", "CSV"),
    ("text/html", "HTML"),
    ("text/plain", "TXT"),
    ("text/tab-separated-values", "TSV"),
    ("text/turtle", "RDF_TURTLE"),
    ("text/xml", "XML"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!(file_type("Text/CSV; charset=utf-8"), Some("CSV"));
        assert_eq!(file_type("application/octet-stream"), None);
        assert!(FILE_TYPES.is_sorted());
    }
}
