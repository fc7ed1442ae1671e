"""ckanext-harvest's CKAN harvester: `harvest_ckan.py BASE [LAST-TIME]`.

Prints one line of JSON for a job that takes everything and, with LAST-TIME (`2026-01-31T12:00:00`, UTC), one for a
second job that takes what changed since: the first job is then said to have begun at that time, from which the
harvester itself goes back one hour. `-` for LAST-TIME waits for it on stdin. TLS: REQUESTS_CA_BUNDLE.
"""

import json
import sys
from datetime import datetime

import ckan_memory
from ckanext.harvest.harvesters.ckanharvester import CKANHarvester
from ckanext.harvest.model import HarvestJob


def show(done):
    print(json.dumps(done, ensure_ascii=False, default=str), flush=True)


base, *last = sys.argv[1:]
ckan_memory.start()
source = ckan_memory.source(base)
show(ckan_memory.harvest(CKANHarvester(), source))
if last:
    time = sys.stdin.readline().strip() if last[0] == "-" else last[0]
    first = HarvestJob.filter(source=source).one()
    first.gather_started = datetime.fromisoformat(time)
    first.save()
    show(ckan_memory.harvest(CKANHarvester(), source))
