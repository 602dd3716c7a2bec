"""The wire format: how an event looks in protobuf, JSON and Avro, and when it is valid.

After this package every message is a valid, frozen `Message`. A refused row becomes a `Rejection`,
never an exception, and a `Rejection` contains no text. `event` reads and `payload` writes. `json`,
`avro` and `protobuf` each know one encoding; `validate` and `values` know none.
"""
