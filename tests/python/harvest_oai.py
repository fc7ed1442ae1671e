"""sickle on OAI-PMH: `harvest_oai.py OAI-URL [FROM [UNTIL [SET...]]]`, dates as `2026-01-31T12:00:00Z` or `-` for none.

Prints one JSON document: everything in both formats, and the headers in that window of time, whole, then for each set.
TLS: REQUESTS_CA_BUNDLE.
"""

import json
import sys

from lxml import etree
from sickle import Sickle, oaiexceptions

# These have no common ancestor of their own.
ERRORS = tuple(it for it in vars(oaiexceptions).values() if isinstance(it, type))
DATACITE = "{http://datacite.org/schema/kernel-4}"


def listed(items):
    """What the lister gives, or the name of the error that the standard has for it."""
    try:
        return list(items())
    except ERRORS as error:
        return type(error).__name__


def header(it):
    return {"id": it.identifier, "date": it.datestamp, "sets": it.setSpecs, "deleted": it.deleted}


def headers(client, **asked):
    found = listed(lambda: client.ListIdentifiers(metadataPrefix="oai_dc", **asked))
    return found if isinstance(found, str) else [header(it) for it in found]


def records(client, prefix):
    found = listed(lambda: client.ListRecords(metadataPrefix=prefix))
    return found if isinstance(found, str) else [record(it, prefix) for it in found]


def record(it, prefix):
    shown = header(it.header)
    if not it.deleted:
        # sickle flattens to names without their nesting, which is Dublin Core's form but not DataCite's.
        shown["metadata"] = dict(it.metadata) if prefix == "oai_dc" else datacite(etree.fromstring(it.raw.encode()))
    return shown


def datacite(xml):
    resource = xml.find(f".//{DATACITE}resource")
    found = {}
    for leaf in resource.iter(etree.Element):
        if len(leaf) == 0:
            found.setdefault(etree.QName(leaf).localname, []).append([leaf.text, dict(leaf.attrib)])
    return found


def bounds(since=None, until=None):
    asked = {"from": since, "until": until}
    return {name: time for name, time in asked.items() if time and time != "-"}


url, *window = sys.argv[1:]
client = Sickle(url)
asked = bounds(*window[:2])
print(
    json.dumps(
        {
            "identify": dict(client.Identify()),
            "formats": listed(lambda: [it.metadataPrefix for it in client.ListMetadataFormats()]),
            "sets": listed(lambda: [it.setSpec for it in client.ListSets()]),
            "oai_dc": records(client, "oai_dc"),
            "oai_datacite": records(client, "oai_datacite"),
            "posted": headers(Sickle(url, http_method="POST")),
            "window": headers(client, **asked),
            "window_of_set": {name: headers(client, set=name, **asked) for name in window[2:]},
            "unknown_format": records(client, "marc21"),
        },
        ensure_ascii=False,
    )
)
