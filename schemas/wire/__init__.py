"""Reads, validates and writes events in protobuf, JSON and Avro.

Each row that is read becomes a valid, immutable `Message`, a `SystemTurn` or a `Rejection`. Invalid
rows never raise an exception, and a `Rejection` never contains the text of a message. `event` reads
rows, and `payload` writes them. `json`, `avro` and `protobuf` each handle one encoding; `validate`
and `values` do not depend on the encoding.
"""
