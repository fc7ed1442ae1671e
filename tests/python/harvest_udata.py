"""udata's own harvest backends on mongomock: `harvest_udata.py dcat FEED-URL...` or `harvest_udata.py ckan BASE...`.

Prints one line of JSON for each job, all into one udata. In place of a URL `-` waits for a line on stdin (empty: the
last URL again). TLS: REQUESTS_CA_BUNDLE. udata refuses local and private addresses and made-up top-level domains as a
precaution against SSRF; the settings below allow what a test needs, nothing else is changed.
"""

import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")

from udata.app import create_app
from udata.core.dataservices.models import Dataservice
from udata.core.organization.models import Organization
from udata.harvest.backends import get_backend
from udata.harvest.models import HarvestSource
from udata.models import Dataset, License
from udata.settings import Testing, tld_set


class Settings(Testing):
    """udata's settings for its own tests, and those of data.gouv.fr where a harvest depends on them."""

    MONGODB_HOST_TEST = "mongodb://localhost/octroi"
    HARVESTER_BACKENDS = ["dcat", "ckan"]
    URLS_ALLOW_LOCAL = True
    URLS_ALLOW_PRIVATE = True
    URLS_ALLOWED_TLDS = tld_set | {"example", "test", "invalid"}


# The licences that data.gouv.fr has and that concern us, with its identifiers and addresses.
LICENCES = [
    ("notspecified", "License Not Specified", None, []),
    (
        "lov2",
        "Licence Ouverte / Open Licence version 2.0",
        "https://www.etalab.gouv.fr/licence-ouverte-open-licence",
        ["https://www.etalab.gouv.fr/wp-content/uploads/2017/04/ETALAB-Licence-Ouverte-v2.0.pdf"],
    ),
    ("odc-odbl", "Open Data Commons Open Database License (ODbL)", "http://opendatacommons.org/licenses/odbl/summary/", []),
    ("cc-by", "Creative Commons Attribution", "http://www.opendefinition.org/licenses/cc-by", []),
]


def start():
    import mongoengine
    import mongomock

    connect = mongoengine.connect
    mongoengine.connect = lambda *rest, **more: connect(
        *rest, **{it: more[it] for it in more if it != "is_mock"}, mongo_client_class=mongomock.MongoClient
    )
    app = create_app(override=Settings)
    app.app_context().push()
    logging.disable(logging.DEBUG)
    for id, title, url, others in LICENCES:
        License(id=id, title=title, url=url, alternate_urls=others).save()
    return Organization(name="Ville", description="Ville").save()


def harvest(source):
    job = get_backend(source.backend)(source).harvest()
    return {
        "url": source.url,
        "status": job.status,
        "errors": [it.message for it in job.errors],
        "items": [item(it) for it in job.items],
        "datasets": [dataset(it) for it in Dataset.objects.order_by("created_at")],
        "services": [service(it) for it in Dataservice.objects.order_by("created_at")],
    }


def item(it):
    return {
        "id": it.remote_id,
        "status": it.status,
        "url": it.remote_url,
        "errors": [error.message for error in it.errors],
        "logs": [log.message for log in it.logs],
    }


def dataset(it):
    temporal = it.temporal_coverage
    return {
        "id": it.harvest.remote_id,
        "title": it.title,
        "description": it.description,
        "tags": list(it.tags),
        "licence": it.license and it.license.id,
        "frequency": it.frequency and it.frequency.value,
        "temporal": temporal and [str(temporal.start), str(temporal.end)],
        "spatial": it.spatial and it.spatial.geom,
        "access_type": it.access_type.value,
        "access_reason": it.access_type_reason_category,
        "archived": it.archived and str(it.archived),
        "contacts": [{"role": one.role, "name": one.name, "email": one.email} for one in it.contact_points],
        "harvest": {name: str(it.harvest[name]) for name in ("uri", "remote_url", "issued_at", "modified_at")},
        "extras": dict(it.extras),
        "resources": [resource(one) for one in it.resources],
    }


def resource(it):
    return {
        "title": it.title,
        "url": it.url,
        "type": it.type,
        "format": it.format,
        "mime": it.mime,
        "size": it.filesize,
        "checksum": it.checksum and it.checksum.value,
    }


def service(it):
    return {"id": it.harvest.remote_id, "title": it.title, "url": it.base_api_url, "datasets": len(it.datasets)}


owner = start()
backend, *urls = sys.argv[1:]
source = HarvestSource(name="Octroi", url=urls[0], backend=backend, organization=owner).save()
for url in urls:
    if url == "-":
        url = sys.stdin.readline().strip()
    source.url = url or source.url
    source.save()
    print(json.dumps(harvest(source), ensure_ascii=False, default=str), flush=True)
