"""The contenders: pictures that are there already, and thumbnails that have to be rendered."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import repeat

from bench.delivery.questions import HIT, thumbnails
from bench.delivery.stage import SLOTS, Stage
from bench.delivery.target import Question, Target, WrongAnswer, get
from bench.imaging.cases import Case
from bench.imaging.systems import ipx, thumbor

STORED, UNCHANGED, RENDERED = "picture", "304", "thumbnail"

NO_MEMORY = {"DARKROOM_DELIVERY_CACHE": "0"}
TWO_PROCESSES = ("--workers", "2")
_STORED_WITHIN = 10.0  # seconds
_HIT = {"Cache-Status": "darkroom; hit"}


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """A system, asked in one way. `install` raises NotInstalled; `prepare` starts the system."""

    name: str
    group: str
    prepare: Callable[[Stage], Target]
    install: Callable[[], None] = _nothing


def _bare(stage: Stage, *, unchanged: bool = False) -> Target:
    pid, port = stage.bare
    tag = f'"{sha256(stage.picture).hexdigest()}"'
    return Target(
        port,
        {"bare": pid},
        repeat(Question("/", HIT)),
        headers={"If-None-Match": tag} if unchanged else {},
        status=304 if unchanged else 200,
    )


def _darkroom(
    stage: Stage,
    *options: str,
    memory: bool = True,
    unchanged: bool = False,
    new_heads: bool = False,
) -> Target:
    env = {} if memory else NO_MEMORY
    port = stage.gateway(*options, **env)
    # The first request renders, or reads the store, and the second one is answered from memory.
    for _ in range(3):
        answer = get(port, stage.picture_path)
    if memory and not options and answer.headers["Age"] is None:
        raise WrongAnswer("the answer is not from memory")
    return Target(
        port,
        stage.processes(*options, **env),
        repeat(Question(stage.picture_path, HIT)),
        headers={"If-None-Match": answer.headers["ETag"]} if unchanged else {},
        status=304 if unchanged else 200,
        told={} if unchanged else _HIT,
        new_heads=new_heads,
    )


def _thumbor_stored(stage: Stage) -> Target:
    results = stage.folder / "thumbor"
    results.mkdir(exist_ok=True)
    pid, port = stage.running.enter_context(thumbor.serving(1, results=results))
    path = thumbor.path_of(HIT)
    get(port, path)
    # It stores the result after it has answered.
    deadline = time.monotonic() + _STORED_WITHIN
    while not any(file.is_file() for file in results.rglob("*")):
        if time.monotonic() > deadline:
            raise WrongAnswer("thumbor has stored no result")
        time.sleep(0.05)
    return Target(port, {"thumbor": pid}, repeat(Question(path, HIT)))


def _darkroom_rendered(stage: Stage) -> Target:
    uploaded = stage.uploaded

    def path(case: Case) -> str:
        return f"{uploaded[case.photo.name]}/render?{case.query()}"

    return Target(
        stage.gateway(),
        stage.processes(),
        (Question(path(case), case) for case in thumbnails()),
    )


def _thumbor_rendered(stage: Stage) -> Target:
    pid, port = stage.running.enter_context(thumbor.serving(SLOTS))
    questions = (Question(thumbor.path_of(case), case) for case in thumbnails())
    return Target(port, {"thumbor": pid}, questions)


def _ipx_rendered(stage: Stage) -> Target:
    pid, port = stage.running.enter_context(ipx.serving())
    questions = (Question(ipx.path_of(case), case) for case in thumbnails())
    return Target(port, {"ipx": pid}, questions)


BARE = Contender("bare uvicorn", STORED, _bare)
HITS = Contender("darkroom, from memory", STORED, _darkroom)
NEW_HEADS = Contender("darkroom, new heads", STORED, partial(_darkroom, new_heads=True))
TWO = Contender("darkroom, two processes", STORED, lambda stage: _darkroom(stage, *TWO_PROCESSES))
FROM_STORE = Contender("darkroom, from the store", STORED, partial(_darkroom, memory=False))
THUMBOR = Contender("thumbor, stored", STORED, _thumbor_stored, thumbor.install)
BARE_304 = Contender("bare uvicorn, 304", UNCHANGED, partial(_bare, unchanged=True))
HITS_304 = Contender("darkroom, 304 from memory", UNCHANGED, partial(_darkroom, unchanged=True))
NEW_HEADS_304 = Contender(
    "darkroom, 304, new heads", UNCHANGED, partial(_darkroom, unchanged=True, new_heads=True)
)
STORE_304 = Contender(
    "darkroom, 304 from the store", UNCHANGED, partial(_darkroom, memory=False, unchanged=True)
)
RENDERS = Contender("darkroom, thumbnails", RENDERED, _darkroom_rendered)
THUMBOR_RENDERS = Contender("thumbor, thumbnails", RENDERED, _thumbor_rendered, thumbor.install)
IPX_RENDERS = Contender("ipx, thumbnails", RENDERED, _ipx_rendered, ipx.install)

CONTENDERS = (
    *(HITS, NEW_HEADS, TWO, FROM_STORE, THUMBOR, BARE),
    *(HITS_304, NEW_HEADS_304, STORE_304, BARE_304),
    *(RENDERS, THUMBOR_RENDERS, IPX_RENDERS),
)
