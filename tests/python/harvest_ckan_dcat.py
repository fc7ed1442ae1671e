"""ckanext-dcat's RDF harvester on a DCAT feed: `harvest_ckan_dcat.py FEED-URL...`, one job for each URL into one CKAN.

Prints one line of JSON for each job. In place of a URL `-` waits for a line on stdin, which may say a URL or nothing
(then the last one is taken again): so that a test can change the catalogue between two jobs. TLS: REQUESTS_CA_BUNDLE.
"""

import json
import sys

import ckan_memory
from ckanext.dcat.harvesters.rdf import DCATRDFHarvester

ckan_memory.start()
source = ckan_memory.source(sys.argv[1])
for url in sys.argv[1:]:
    if url == "-":
        url = sys.stdin.readline().strip()
    source.url = url or source.url
    source.save()
    done = ckan_memory.harvest(DCATRDFHarvester(), source)
    print(json.dumps(done, ensure_ascii=False, default=str), flush=True)
