"""Write a pipeline as a query: the inverse of `contracts.operations.notation`."""

from contracts.operations.pipeline import Operation, Pipeline
from contracts.outputs import Output


def query_of(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """What stands for `pipeline` in a query; defaults are left out, as a person would."""
    operations = (("op", _written(operation)) for operation in pipeline.operations)
    return (*operations, *_fields(pipeline.output))


def _written(operation: Operation) -> str:
    pairs = [(name, value.replace(",", "\\,")) for name, value in _fields(operation)]
    # A backslash before the comma that ends a field would make it one of the value.
    pairs.sort(key=lambda pair: pair[1].endswith("\\"))
    fields = ",".join(f"{name}={value}" for name, value in pairs)
    return f"{operation.op}:{fields}" if fields else operation.op


def _fields(part: Operation | Output) -> list[tuple[str, str]]:
    return [
        # As JSON has them: true and false in lower case.
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in part.model_dump(mode="json", exclude_defaults=True).items()
    ]
