"""The sentences of the reference of messages, which the code does not hold."""

INTRO = """\
# Messages

The gateway and the imaging workers talk over Redis. The gateway and every imaging service show
these messages at <a href="/asyncapi">/asyncapi</a>; <a href="/asyncapi.yaml">/asyncapi.yaml</a> and
`asyncapi.yaml` in the repository are the AsyncAPI document (version {version}).

- A message is JSON in FastStream's binary envelope, which holds the headers, too. In an entry of a
  stream, the envelope is the field `__data__`.
- Unknown fields are refused.
- Image bytes are not in messages. A message has a [Blob](#blob), which names bytes that are stored
  in Redis.
- [Three transports](../explain/transports.md) says which transport to choose."""

DIRECT_CALLS = ""
