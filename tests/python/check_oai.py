"""OAI-PMH answers against the published schemas: `check_oai.py XSD-FOLDER OAI-URL`. TLS: REQUESTS_CA_BUNDLE.

Prints one JSON document: how many answers of each request were valid, and the schema's complaints about the others.
"""

import json
import sys
from pathlib import Path

import requests
from lxml import etree

OAI = "{http://www.openarchives.org/OAI/2.0/}"
SCHEMAS = {
    "http://www.openarchives.org/OAI/2.0/": "OAI-PMH.xsd",
    "http://www.openarchives.org/OAI/2.0/oai_dc/": "oai_dc.xsd",
    "http://www.openarchives.org/OAI/2.0/oai-identifier": "oai-identifier.xsd",
    "http://schema.datacite.org/oai/oai-1.1/": "datacite-oai-1.1.xsd",
    "http://datacite.org/schema/kernel-4": "datacite-4.6/metadata.xsd",
}
REQUESTS = [
    {"verb": "Identify"},
    {"verb": "ListSets"},
    {"verb": "ListMetadataFormats"},
    {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"},
    {"verb": "ListRecords", "metadataPrefix": "oai_dc"},
    {"verb": "ListRecords", "metadataPrefix": "oai_datacite"},
    # Answers that are errors are held to the same schema.
    {"verb": "Nonsense"},
    {"verb": "ListRecords"},
    {"verb": "ListRecords", "metadataPrefix": "marc21"},
    {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": "yesterday"},
    {"verb": "ListRecords", "resumptionToken": "<&>"},
    {"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": "oai:nowhere:none"},
]


class Local(etree.Resolver):
    """The one schema that is named by an address of the web has a copy beside DataCite's."""

    def __init__(self, folder):
        self.folder = folder

    def resolve(self, url, public, context):
        if url.startswith("http"):
            return self.resolve_filename(str(self.folder / "datacite-4.6/include/xml.xsd"), context)
        return None


def schema(folder):
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local(folder))
    imports = "".join(f'<xs:import namespace="{name}" schemaLocation="{file}"/>' for name, file in SCHEMAS.items())
    driver = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(driver, parser, base_url=f"{folder}/driver.xsd"))


def answers(url, asked):
    """The answer and all that its resumption tokens lead to."""
    while asked:
        answer = requests.get(url, params=asked, timeout=60)
        xml = parsed(answer)
        yield answer, xml
        token = xml.findtext(f".//{OAI}resumptionToken")
        asked = {"verb": asked["verb"], "resumptionToken": token} if token else None


def parsed(answer):
    try:
        return etree.fromstring(answer.content)
    except etree.XMLSyntaxError as error:
        # Fails the schema, and its text says why.
        return etree.fromstring(f"<no-xml><![CDATA[{error}]]></no-xml>")


def checked(rules, url, asked):
    shown = {"asked": asked, "answers": 0, "valid": 0, "status": [], "types": [], "errors": [], "complaints": []}
    for answer, xml in answers(url, asked):
        shown["answers"] += 1
        shown["valid"] += rules.validate(xml)
        shown["complaints"] += [f"{it.line}: {it.message}" for it in rules.error_log][:5]
        shown["errors"] += [it.get("code") for it in xml.iter(f"{OAI}error")]
        shown["status"] = sorted({*shown["status"], answer.status_code})
        shown["types"] = sorted({*shown["types"], answer.headers.get("content-type", "")})
    return shown


folder, url = sys.argv[1:]
rules = schema(Path(folder).resolve())
print(json.dumps([checked(rules, url, asked) for asked in REQUESTS], ensure_ascii=False))
