"""The official SHACL shapes on a DCAT feed: `check_shapes.py SHAPES-FOLDER FEED-URL [AT-MOST-PAGES]`.

Prints one JSON document: pages read, and for each file of shapes the results of severity Violation, summed up by shape
and message with three examples, and the number of weaker ones. TLS: REQUESTS_CA_BUNDLE.
"""

import json
import sys
from pathlib import Path

import requests
from pyshacl import validate
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import OWL, RDF, RDFS, SH

DCAT = Namespace("http://www.w3.org/ns/dcat#")
HIGH_VALUE = URIRef("http://data.europa.eu/eli/reg_impl/2023/138/oj")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
LEGISLATION = URIRef("http://data.europa.eu/r5r/applicableLegislation")
# What these ask for is said to be informative only.
INFORMATIVE = ("deprecateduris", "recommended")


def pages(url, at_most):
    while url and at_most:
        answer = requests.get(url, timeout=60)
        answer.raise_for_status()
        graph = Graph().parse(data=answer.text, format=answer.headers["content-type"].split(";")[0])
        yield graph
        url = next((str(it) for it in graph.objects(None, HYDRA.next)), None)
        at_most -= 1


def shapes(file):
    graph = Graph().parse(file, format="turtle")
    for shape, _, target in list(graph.triples((None, SH.property, None))):
        # Links to nothing (SEMICeu/DCAT-AP#448), which make the whole file invalid.
        if (target, None, None) not in graph:
            graph.remove((shape, SH.property, target))
    # Nothing is fetched from the web.
    graph.remove((None, OWL.imports, None))
    return graph


def entailed(page, file):
    """The page with what RDFS says of every node and, for the profile of high-value datasets, only these as such."""
    graph = Graph() + page
    for node in {*page.subjects(), *page.objects()}:
        if not isinstance(node, Literal):
            graph.add((node, RDF.type, RDFS.Resource))
    if "hvd" in file.name:
        for kind in (DCAT.Dataset, DCAT.Distribution, DCAT.DataService):
            for node in page.subjects(RDF.type, kind):
                if (node, LEGISLATION, HIGH_VALUE) not in page:
                    graph.remove((node, RDF.type, kind))
                    graph.remove((None, None, node))
    return graph


def check(found, data, rules):
    _, report, _ = validate(data, shacl_graph=rules, inference="none", advanced=True)
    # Not those that only explain another, which have severities of their own.
    for result in report.objects(None, SH.result):
        of = lambda predicate: str(report.value(result, predicate, default=""))
        if report.value(result, SH.resultSeverity) != SH.Violation:
            found["weaker"] += 1
            continue
        name = " | ".join([of(SH.resultPath), of(SH.sourceConstraintComponent).split("#")[-1], of(SH.resultMessage)])
        kind = found["violations"].setdefault(name, {"count": 0, "examples": []})
        kind["count"] += 1
        if len(kind["examples"]) < 3:
            kind["examples"].append([of(SH.focusNode), of(SH.value)])


folder, url, *at_most = sys.argv[1:]
read = list(pages(url, int(at_most[0]) if at_most else -1))
results = {}
for file in sorted(Path(folder).glob("*.ttl")):
    if not any(word in file.name for word in INFORMATIVE):
        found = results[file.name] = {"weaker": 0, "violations": {}}
        rules = shapes(file)
        for page in read:
            check(found, entailed(page, file), rules)
print(json.dumps({"pages": len(read), "triples": sum(map(len, read)), "shapes": results}, ensure_ascii=False))
