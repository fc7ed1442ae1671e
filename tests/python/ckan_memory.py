"""A CKAN in one process: its own models and actions on SQLite in memory, for harvesters that shall run as they are.

What stands in for something else is all in this file: SQLite for PostgreSQL, no Solr, no Redis, no web application.
"""

import json
import logging
import warnings
from datetime import UTC, datetime

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles


@compiles(JSONB, "sqlite")
def _jsonb_as_json(_type, _compiler, **_more):
    return "JSON"


@compiles(sa.CheckConstraint, "sqlite")
def _no_check(_constraint, _compiler, **_more):
    return "CHECK (1)"


import ckan.lib.plugins as package_plugins
from ckan import model
from ckan.common import config, config_declaration
from ckan.lib.search import index, query
from ckan.logic import get_action
from ckan.plugins.toolkit import BaseModel
from ckanext.harvest.model import HarvestJob, HarvestObject, HarvestSource
from ckanext.harvest.queue import fetch_and_import_stages

SETTINGS = {
    "ckan.site_id": "octroi-tests",
    "ckan.site_url": "http://ckan.invalid",
    "ckan.locale_default": "fr",
    "ckan.plugins": "",
    "ckan.views.default_views": "",
    "SECRET_KEY": "only for tests",
}


class NoIndex:
    """What would be Solr: takes every document and finds none, so that CKAN looks into its database."""

    hits = 0
    docs = ()

    def __init__(self, decode_dates=True):
        pass

    def search(self, **_more):
        return self

    def add(self, docs, commit=False):
        pass

    def delete(self, q, commit=False):
        pass

    def commit(self, **_more):
        pass


def start(**settings):
    """Settings, an empty database and the default form for datasets, with what the real start takes from elsewhere left out."""
    config.update(SETTINGS | settings)
    config_declaration.setup()
    config_declaration.make_safe(config)
    config_declaration.normalize(config)
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False})
    sa.event.listen(engine, "before_cursor_execute", _without_postgres_words, retval=True)
    model.init_model(engine)
    for table in BaseModel.metadata.tables.values():
        # Indexes are written in PostgreSQL's own words, as are the checks above.
        table.indexes.clear()
    BaseModel.metadata.create_all(engine)
    index.make_connection = query.make_connection = NoIndex
    package_plugins.register_package_plugins()
    get_action("get_site_user")({"ignore_auth": True}, {})


def _without_postgres_words(_connection, _cursor, statement, parameters, _context, _many):
    if statement.startswith("SET CONSTRAINTS"):
        return "SELECT 1", ()
    return statement, parameters


def source(url, configuration=""):
    """A harvest source and the dataset that stands for it, which belongs to an organisation."""
    owner = model.Group(name="portal", title="Portal", type="organization", is_organization=True)
    made = HarvestSource(url=url, type="test", config=configuration)
    owner.save()
    made.save()
    model.Package(id=made.id, name="source", title="Source", type="harvest", owner_org=owner.id, url=url).save()
    return made


def harvest(harvester, source, started=None):
    """One job as CKAN's queue does it: gather, then fetch and import each object, then what became of them."""
    job = HarvestJob(source=source, status="Running", gather_started=started or datetime.now(UTC).replace(tzinfo=None))
    job.save()
    ids = harvester.gather_stage(job)
    found = [HarvestObject.get(it) for it in ids or []]
    for one in found:
        fetch_and_import_stages(harvester, one)
    job.status = "Finished"
    job.save()
    return {
        "url": source.url,
        "gathered": ids is not None,
        "gather_errors": [it.message for it in job.get_gather_errors()],
        "objects": [_outcome(it) for it in found],
        "packages": packages(),
    }


def _outcome(found):
    return {
        "guid": found.guid,
        "report": found.report_status,
        "errors": [it.message for it in found.errors],
        "parsed": json.loads(found.content) if found.content else None,
    }


def packages():
    """Every dataset that was stored, as CKAN itself shows it."""
    context = {"ignore_auth": True, "user": SETTINGS["ckan.site_id"]}
    rows = model.Session.query(model.Package.id).filter_by(type="dataset", state="active").order_by(model.Package.name)
    return [get_action("package_show")(dict(context), {"id": it.id}) for it in rows]
