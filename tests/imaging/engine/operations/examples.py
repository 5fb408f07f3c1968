"""The contract's examples of operations, to test with."""

from typing import Any

from pydantic import TypeAdapter

from contracts.operations.base import BaseOperation
from contracts.operations.pipeline import OPERATIONS, Operation

_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)


def examples_of(family: type[BaseOperation]) -> list[Operation]:
    """Every example of every operation of a family."""
    return [_OPERATION.validate_python(example) for example in written_examples(family)]


def written_examples(family: type[BaseOperation] = BaseOperation) -> list[dict[str, Any]]:
    """The same examples as they stand in the contract, of all families by default."""
    found: list[dict[str, Any]] = []
    for model in OPERATIONS.values():
        if issubclass(model, family):
            extra: Any = model.model_config["json_schema_extra"]
            found.extend(extra["examples"])
    return found
