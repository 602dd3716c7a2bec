from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConversationEvent(_message.Message):
    __slots__ = ("event_id", "conversation_id", "user_id", "role", "text", "sent_at_us", "platform", "plan", "country", "language", "model", "message_index", "schema_version")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[ConversationEvent.Role]
        HUMAN: _ClassVar[ConversationEvent.Role]
        ASSISTANT: _ClassVar[ConversationEvent.Role]
        SYSTEM: _ClassVar[ConversationEvent.Role]
    ROLE_UNSPECIFIED: ConversationEvent.Role
    HUMAN: ConversationEvent.Role
    ASSISTANT: ConversationEvent.Role
    SYSTEM: ConversationEvent.Role
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_US_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    conversation_id: str
    user_id: str
    role: ConversationEvent.Role
    text: str
    sent_at_us: int
    platform: str
    plan: str
    country: str
    language: str
    model: str
    message_index: int
    schema_version: int
    def __init__(self, event_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., user_id: _Optional[str] = ..., role: _Optional[_Union[ConversationEvent.Role, str]] = ..., text: _Optional[str] = ..., sent_at_us: _Optional[int] = ..., platform: _Optional[str] = ..., plan: _Optional[str] = ..., country: _Optional[str] = ..., language: _Optional[str] = ..., model: _Optional[str] = ..., message_index: _Optional[int] = ..., schema_version: _Optional[int] = ...) -> None: ...
