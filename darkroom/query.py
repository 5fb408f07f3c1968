"""A pipeline as a query says it: the way back from `contracts.notation`, derived as it is."""

from contracts.operations import Operation, Pipeline
from contracts.outputs import Output


def query_of(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """What stands for `pipeline` in a query, with every field written out."""
    operations = (("op", _written(operation)) for operation in pipeline.operations)
    return (*operations, *_fields(pipeline.output))


def _written(operation: Operation) -> str:
    fields = ",".join(f"{name}={value}" for name, value in _fields(operation))
    return f"{operation.op}:{fields}" if fields else operation.op


def _fields(part: Operation | Output) -> list[tuple[str, str]]:
    return [
        # As JSON has them: true and false in lower case.
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in part.model_dump(mode="json", exclude={"op"}, exclude_none=True).items()
    ]
