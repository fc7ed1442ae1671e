"""Reads the catalogue's two serialisations with rdflib and compares them as graphs."""

import sys

from rdflib import Graph
from rdflib.compare import graph_diff, isomorphic

folder = sys.argv[1]
turtle = Graph().parse(f"{folder}/catalog.ttl", format="turtle")
# Each serialisation's pages link to pages of their own format; all else is the same.
with open(f"{folder}/catalog.jsonld", encoding="utf-8") as file:
    json = Graph().parse(data=file.read().replace("/catalog.jsonld", "/catalog.ttl"), format="json-ld")
assert len(turtle) > 20, len(turtle)
if not isomorphic(turtle, json):
    _, only_turtle, only_json = graph_diff(turtle, json)
    raise AssertionError(f"only in Turtle: {only_turtle.serialize()} only in JSON-LD: {only_json.serialize()}")
