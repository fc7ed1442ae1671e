"""ckanapi on the CKAN actions: `ask_ckan.py BASE [QUERY]`, each action by GET and by POST. TLS: REQUESTS_CA_BUNDLE.

Prints one JSON document: what each action answered; an error as `{"error": NAME}`.
"""

import json
import sys

from ckanapi import RemoteCKAN
from ckanapi.errors import CKANAPIError, NotAuthorized, NotFound, SearchError, SearchQueryError, ValidationError

ERRORS = (CKANAPIError, NotAuthorized, NotFound, SearchError, SearchQueryError, ValidationError)


def answer(remote, action, **asked):
    try:
        return remote.call_action(action, asked)
    except ERRORS as error:
        return {"error": type(error).__name__, "told": str(error)[:300]}


def everything(remote, query):
    """Every page of a search, asked for as harvesters do."""
    found = []
    while True:
        page = answer(remote, "package_search", q=query, rows=50, start=len(found), sort="id asc")
        if "error" in page or not page["results"]:
            return page if "error" in page else {"count": page["count"], "names": found}
        found += [it["name"] for it in page["results"]]


def asked(base, get_only, query):
    remote = RemoteCKAN(base, user_agent="octroi-tests", get_only=get_only)
    names = answer(remote, "package_list")
    plain = ["status_show", "site_read", "organization_list", "group_list", "tag_list", "license_list"]
    return {
        "package_list": names,
        "package_show": [answer(remote, "package_show", id=it) for it in names[:200]],
        "package_search": everything(remote, query),
        "facets": answer(remote, "package_search", rows=0, **{"facet.field": json.dumps(["tags", "organization"])}),
        "absent": answer(remote, "package_show", id="no-such-dataset"),
        "unnamed": answer(remote, "package_show"),
        "unknown_action": answer(remote, "no_such_action"),
        **{action: answer(remote, action) for action in plain},
    }


base, *query = sys.argv[1:]
ways = {"get": True, "post": False}
shown = {name: asked(base, get_only, query[0] if query else "") for name, get_only in ways.items()}
print(json.dumps(shown, ensure_ascii=False))
