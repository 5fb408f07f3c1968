"""Write a pipeline as a URL query: the inverse of `contracts.operations.notation`."""

from contracts.operations.pipeline import Operation, Pipeline
from contracts.outputs import Output


def query_of(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """Return names and values: `op` for each operation, then the output's fields.

    Fields with their default value are left out.
    """
    operations = (("op", _operation_text(operation)) for operation in pipeline.operations)
    return (*operations, *_fields(pipeline.output))


def _operation_text(operation: Operation) -> str:
    pairs = [(name, value.replace(",", "\\,")) for name, value in _fields(operation)]
    # A value that ends with a backslash comes last: a comma after it would read as escaped.
    pairs.sort(key=lambda pair: pair[1].endswith("\\"))
    fields = ",".join(f"{name}={value}" for name, value in pairs)
    return f"{operation.op}:{fields}" if fields else operation.op


def _fields(part: Operation | Output) -> list[tuple[str, str]]:
    return [
        # Booleans as in JSON: true and false in lower case.
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in part.model_dump(mode="json", exclude_defaults=True).items()
    ]
