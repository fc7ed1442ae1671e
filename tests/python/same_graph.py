"""Reads the catalogue's three serialisations with rdflib and compares them as graphs."""

import sys

from rdflib import Graph
from rdflib.compare import graph_diff, isomorphic

FORMATS = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml"}


def read(folder, suffix):
    """One document. Each serialisation's pages link to pages of their own format; all else is the same."""
    with open(f"{folder}/catalog.{suffix}", encoding="utf-8") as file:
        return Graph().parse(data=file.read().replace(f"/catalog.{suffix}", "/catalog.ttl"), format=FORMATS[suffix])


graphs = {suffix: read(sys.argv[1], suffix) for suffix in FORMATS}
turtle = graphs.pop("ttl")
assert len(turtle) > 20, len(turtle)
for suffix, graph in graphs.items():
    if not isomorphic(turtle, graph):
        _, only_turtle, only_other = graph_diff(turtle, graph)
        raise AssertionError(f"only in Turtle: {only_turtle.serialize()} only in {suffix}: {only_other.serialize()}")
