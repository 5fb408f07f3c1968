"""Find the caller of each request, and refuse what the caller may not do, in front of all answers.

It stands in front of the answers in memory as well, so that those need no look at keys.
"""

from collections.abc import Collection, Iterable, Sequence
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.access.keys import KeyScope
from contracts.errors import Forbidden, Internal, NotFound, ServiceError, Unauthorized
from services.gateway.access.caller import EVERYBODY, NOBODY, Caller, check_scope, set_caller
from services.gateway.access.exposure import ADVICE, Exposure
from services.gateway.access.identifiers import Identifier, keys_in
from services.gateway.access.keys.keyring import Keyring, KeysOutdated
from services.gateway.access.lasting import answer_while
from services.gateway.access.rules import Rule, Rules
from services.gateway.http.problems import problem, refusal
from services.gateway.middleware.fields import STARTS, Field

log = structlog.get_logger(__name__)

_EXPOSED = Internal(ADVICE)
_CACHE_CONTROL = b"cache-control"
_NGINX_EXPIRES = b"x-accel-expires"
_VARY = b"vary"
_IDENTITY = b"Authorization, Cookie"


class AccessMiddleware:
    """Passes each request that its caller may send, with the caller in its scope.

    `identifiers` find the caller of a request, and `by_key` that of a request for which a key is
    needed even while access is open. Both look at the keys in the memory of `keyring`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: Rules,
        keyring: Keyring,
        identifiers: Sequence[Identifier],
        by_key: Sequence[Identifier],
        exposure: Exposure,
        is_open: bool,
    ) -> None:
        self._app = app
        self._rules = rules
        self._keyring = keyring
        self._identifiers = identifiers
        self._by_key = by_key
        self._exposure = exposure
        self._nobody = EVERYBODY if is_open else NOBODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with 401 or 403."""
        rule = self._rules.find(scope)
        if self._exposure.refuses(scope) and not (rule is not None and rule.health):
            status = HTTPStatus.SERVICE_UNAVAILABLE
            await problem(_EXPOSED.failure(), scope, status=status)(scope, receive, send)
            return
        try:
            caller = await self._admit(scope, rule)
        except ServiceError as error:
            headers = _challenge(error, rule, scope)
            await refusal(error, scope, headers)(scope, receive, send)
            return
        set_caller(scope, caller)
        answer = self._app
        if rule is not None and rule.lasts and caller.key:
            answer = answer_while(answer, lambda: self._still(caller, scope, rule))
        if caller.shared:
            await answer(scope, receive, send)
        else:
            await answer(scope, receive, _privately(send))

    def rule_among(self, scopes: Collection[KeyScope], scope: Scope) -> Rule | None:
        """Return the rule of a request that needs one of `scopes`, which nothing else decides.

        None stands for a refusal as well: calling this object words it.
        """
        rule = self._rules.find(scope)
        if rule is None or rule.scope not in scopes or self._exposure.refuses(scope):
            return None
        return rule

    def admit_at_once(self, scope: Scope, rule: Rule) -> Caller | None:
        """Return the caller of such a request, if it may be answered and nothing has to wait."""
        try:
            caller = self._identify(scope, rule)
        except (KeysOutdated, ServiceError):
            return None
        return caller if rule.scope in caller.scopes else None

    async def _admit(self, scope: Scope, rule: Rule | None) -> Caller:
        """Return the caller of a request that may be answered. Raises the reason of a refusal."""
        if rule is not None and rule.open:
            return self._nobody
        caller = await self._identify_surely(scope, rule)
        if rule is None:
            raise NotFound("There is nothing at this address.")
        if rule.scope is not None:
            check_scope(caller, rule.scope)
            if rule.scope is KeyScope.ADMIN and caller.key:
                method = scope.get("method", "")
                key, project = caller.key, caller.project
                log.info("admin", key=key, project=project, method=method, path=scope["path"])
        return caller

    async def _identify_surely(self, scope: Scope, rule: Rule | None) -> Caller:
        """Return the caller of a request; reads the keys again if those in memory do not tell."""
        try:
            return self._identify(scope, rule)
        except KeysOutdated:
            await self._keyring.read_again()
            return self._identify(scope, rule, newest=True)

    def _identify(self, scope: Scope, rule: Rule | None, *, newest: bool = False) -> Caller:
        always = rule is not None and rule.always
        for identify in self._by_key if always else self._identifiers:
            caller = identify(scope, newest)
            if caller is not None:
                return caller
        raise Unauthorized("This request needs a key: send it as `Authorization: Bearer dk_...`.")

    async def _still(self, caller: Caller, scope: Scope, rule: Rule) -> bool:
        """Return whether a request that was admitted would be admitted again."""
        try:
            return await self._identify_surely(scope, rule) == caller
        except Unauthorized:
            return False
        except ServiceError:
            return True  # Redis does not answer, so nothing is known of the key.


def _challenge(error: ServiceError, rule: Rule | None, scope: Scope) -> dict[str, str]:
    """Return the field that says what a refused client has to send (RFC 6750, section 3)."""
    if isinstance(error, Forbidden) and rule is not None and rule.scope is not None:
        reason = f'Bearer realm="darkroom", error="insufficient_scope", scope="{rule.scope}"'
        return {"WWW-Authenticate": reason}
    if not isinstance(error, Unauthorized):
        return {}
    reason = ', error="invalid_token"' if keys_in(scope) else ""
    return {"WWW-Authenticate": f'Bearer realm="darkroom"{reason}'}


def _privately(send: Send) -> Send:
    """Return a `send` of answers for one client alone."""

    async def send_private(message: Message) -> None:
        if message["type"] in STARTS:
            message["headers"] = private_fields(message.get("headers", ()))
        await send(message)

    return send_private


def private_fields(fields: Iterable[Field]) -> list[Field]:
    """Return the header of an answer that no cache but the client's own may keep.

    That one may not give it to the next user of a browser, so that it varies with key and cookie.
    """
    varies = _IDENTITY
    kept = []
    for name, value in fields:
        if name == _CACHE_CONTROL:
            kept.append((name, _private(value)))
        elif name == _VARY:
            varies = b"%b, %b" % (value, varies)
        elif name != _NGINX_EXPIRES:
            kept.append((name, value))
    return [*kept, (_VARY, varies)]


def _private(directives: bytes) -> bytes:
    if b"no-store" in directives:
        return directives
    if b"public" in directives:
        return directives.replace(b"public", b"private")
    return b"private, " + directives
