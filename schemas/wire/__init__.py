"""All knowledge of the wire: how an event looks in protobuf, JSON and Avro, and when it is valid.

Past this package every message is a valid, frozen `Message`. What is refused comes back as a
`Rejection`, never as an exception, and carries no text. `event` reads, `payload` writes; `json`,
`avro` and `protobuf` know one encoding each; `validate` and `values` know none.
"""
