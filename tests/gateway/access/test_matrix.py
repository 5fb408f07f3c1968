"""Each route with each scope, and with none: every cell of the table."""

from contracts.access.keys import KeyScope
from services.gateway.access.rules import RULES
from tests.gateway.access.asking import ask, make_key
from tests.gateway.access.gateways import application, settings_of
from tests.gateway.access.test_rules import CELLS, filled


async def test_each_scope_opens_the_routes_that_need_it_and_no_other(redis_url: str) -> None:
    wrong = []
    async with application(settings_of(redis_url, public_pages="")) as app:
        keys = {scope: await make_key(app, scope, project="website") for scope in KeyScope}
        for path, method in CELLS:
            rule = RULES[path][method]
            for scope, key in [(None, ""), *keys.items()]:
                answer = await ask(app, method, filled(path), key)
                challenge = answer.headers.get("www-authenticate", "")
                if rule.open or (key and rule.scope in (None, scope)):
                    right = answer.status not in (0, 401, 403)
                elif not key:
                    right = answer.status == 401 and challenge == 'Bearer realm="darkroom"'
                else:
                    right = answer.status == 403 and f'scope="{rule.scope}"' in challenge
                if not right:
                    wrong.append((method, path, scope, answer.status, challenge))
    assert wrong == []


async def test_while_access_is_open_the_routes_of_keys_alone_need_one(redis_url: str) -> None:
    wrong = []
    async with application(settings_of(redis_url, access="open")) as app:
        for path, method in CELLS:
            status = (await ask(app, method, filled(path))).status
            if (status == 401) != RULES[path][method].always or status == 403:
                wrong.append((method, path, status))
        missing = await ask(app, "GET", filled("/v1/images/{image_id}"))
    assert wrong == []
    assert missing.headers["cache-control"] == "public, max-age=5"
