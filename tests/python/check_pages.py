"""Serialisations and JSON-LD of pages: `check_pages.py feed BASE...` or `check_pages.py page PAGE-URL...`.

`feed`: rdflib reads `BASE.ttl`, `.jsonld` and `.rdf` and, as each links to pages of its own format, compares them with
those suffixes taken out. `page`: extruct reads what is embedded in an HTML page. One JSON document; TLS:
REQUESTS_CA_BUNDLE.
"""

import json
import sys

import extruct
import requests
from rdflib import Graph
from rdflib.compare import graph_diff, to_isomorphic

FORMATS = {".ttl": "turtle", ".jsonld": "json-ld", ".rdf": "xml"}


def read(base, suffix, kind):
    # A query comes after the suffix: `catalog?page=2` is `catalog.ttl?page=2`.
    path, mark, query = base.partition("?")
    answer = requests.get(path + suffix + mark + query, timeout=60)
    answer.raise_for_status()
    graph = Graph().parse(data=answer.text.replace(path + suffix, path), format=kind)
    return answer, to_isomorphic(graph)


def feed(base):
    found = {suffix: read(base, suffix, kind) for suffix, kind in FORMATS.items()}
    _, first = found[".ttl"]
    shown = {"base": base, "triples": len(first), "types": {}, "differences": {}}
    for suffix, (answer, graph) in found.items():
        shown["types"][suffix] = answer.headers.get("content-type")
        if graph != first:
            _, only_first, only_this = graph_diff(first, graph)
            shown["differences"][suffix] = {"only in Turtle": lines(only_first), "only here": lines(only_this)}
    return shown


def lines(graph):
    return sorted(" ".join(it.n3() for it in triple) for triple in graph)[:20]


def page(url):
    answer = requests.get(url, timeout=60)
    answer.raise_for_status()
    kinds = ["json-ld", "microdata", "opengraph", "rdfa"]
    return {"url": url, "type": answer.headers["content-type"]} | extruct.extract(answer.text, answer.url, syntaxes=kinds)


what, *urls = sys.argv[1:]
print(json.dumps([{"feed": feed, "page": page}[what](url) for url in urls], ensure_ascii=False))
