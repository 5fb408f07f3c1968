"""Control messages: those of kinds that this version lacks are ignored."""

from uuid import uuid4

from structlog.testing import capture_logs

from contracts.control import CONTROL, Cancel
from contracts.message import Message
from contracts.methods import Transport
from services.runtime.messaging.envelope import pack_message
from services.runtime.rpc.broker import Broker
from tests.processes import until
from tests.runtime.echo import Ping, call


class Later(Message):
    """A message of a later version."""

    moment: int = 1


async def test_a_message_of_an_unknown_kind_is_no_error(caller: Broker, worker: Broker) -> None:
    cancelled: list[str] = []
    worker.on_control(Cancel, lambda cancel: cancelled.append(cancel.subject))
    with capture_logs() as lines:
        for message in (Later(), Cancel(subject="mine")):
            data = pack_message(message, uuid4().hex)
            await caller.redis.execute("PUBLISH", CONTROL, data)
        await until(lambda: bool(cancelled))
        await call(caller, Ping(), Transport.LIST)

    assert cancelled == ["mine"]
    assert [line for line in lines if line["log_level"] in ("warning", "error")] == []
