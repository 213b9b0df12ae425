from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitCommandRequest(_message.Message):
    __slots__ = ("command_id", "aggregate_type", "aggregate_id", "payload", "metadata", "expected_version", "correlation_id", "traceparent", "tracestate")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    aggregate_type: str
    aggregate_id: str
    payload: str
    metadata: _containers.ScalarMap[str, str]
    expected_version: int
    correlation_id: str
    traceparent: str
    tracestate: str
    def __init__(self, command_id: _Optional[str] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., payload: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., expected_version: _Optional[int] = ..., correlation_id: _Optional[str] = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ...) -> None: ...

class SubmitCommandReply(_message.Message):
    __slots__ = ("command_id", "tenant_id", "aggregate_id", "version", "position", "duplicate", "gas_used", "events")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    GAS_USED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    tenant_id: str
    aggregate_id: str
    version: int
    position: str
    duplicate: bool
    gas_used: int
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, command_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., position: _Optional[str] = ..., duplicate: _Optional[bool] = ..., gas_used: _Optional[int] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class SubmitCommandsRequest(_message.Message):
    __slots__ = ("commands",)
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    commands: _containers.RepeatedCompositeFieldContainer[SubmitCommandRequest]
    def __init__(self, commands: _Optional[_Iterable[_Union[SubmitCommandRequest, _Mapping]]] = ...) -> None: ...

class SubmitCommandsReply(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CommandResult]
    def __init__(self, results: _Optional[_Iterable[_Union[CommandResult, _Mapping]]] = ...) -> None: ...

class CommandResult(_message.Message):
    __slots__ = ("index", "command_id", "accepted", "refused")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    index: int
    command_id: str
    accepted: SubmitCommandReply
    refused: Status
    def __init__(self, index: _Optional[int] = ..., command_id: _Optional[str] = ..., accepted: _Optional[_Union[SubmitCommandReply, _Mapping]] = ..., refused: _Optional[_Union[Status, _Mapping]] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("code", "message", "details")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("tenant_id", "event_id", "aggregate_type", "aggregate_id", "version", "event_type", "payload", "command_id", "timestamp", "metadata", "position")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    event_id: str
    aggregate_type: str
    aggregate_id: str
    version: int
    event_type: str
    payload: str
    command_id: str
    timestamp: str
    metadata: _containers.ScalarMap[str, str]
    position: str
    def __init__(self, tenant_id: _Optional[str] = ..., event_id: _Optional[str] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., event_type: _Optional[str] = ..., payload: _Optional[str] = ..., command_id: _Optional[str] = ..., timestamp: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., position: _Optional[str] = ...) -> None: ...

class ReadEventsRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "after_version", "limit")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    after_version: int
    limit: int
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., after_version: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ReadEventsReply(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class SubscribeEventsRequest(_message.Message):
    __slots__ = ("after_position", "aggregate_types", "aggregate_ids")
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPES_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_IDS_FIELD_NUMBER: _ClassVar[int]
    after_position: str
    aggregate_types: _containers.RepeatedScalarFieldContainer[str]
    aggregate_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, after_position: _Optional[str] = ..., aggregate_types: _Optional[_Iterable[str]] = ..., aggregate_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SubscribeEventsReply(_message.Message):
    __slots__ = ("events", "position")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    position: str
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., position: _Optional[str] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("aggregate_type", "aggregate_id", "at_version", "at_time")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    AT_VERSION_FIELD_NUMBER: _ClassVar[int]
    AT_TIME_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    aggregate_id: str
    at_version: int
    at_time: str
    def __init__(self, aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., at_version: _Optional[int] = ..., at_time: _Optional[str] = ...) -> None: ...

class GetReply(_message.Message):
    __slots__ = ("tenant_id", "aggregate_type", "aggregate_id", "version", "state", "state_hash", "position")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    aggregate_type: str
    aggregate_id: str
    version: int
    state: str
    state_hash: str
    position: str
    def __init__(self, tenant_id: _Optional[str] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., state_hash: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("aggregate_type", "filter", "order_by", "limit", "page_token", "min_position", "summaries", "group_by", "explain")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_POSITION_FIELD_NUMBER: _ClassVar[int]
    SUMMARIES_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    filter: str
    order_by: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    page_token: str
    min_position: str
    summaries: _containers.RepeatedCompositeFieldContainer[Summary]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    explain: bool
    def __init__(self, aggregate_type: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., page_token: _Optional[str] = ..., min_position: _Optional[str] = ..., summaries: _Optional[_Iterable[_Union[Summary, _Mapping]]] = ..., group_by: _Optional[_Iterable[str]] = ..., explain: _Optional[bool] = ...) -> None: ...

class Summary(_message.Message):
    __slots__ = ("function", "path")
    class Function(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FUNCTION_UNSPECIFIED: _ClassVar[Summary.Function]
        COUNT: _ClassVar[Summary.Function]
        SUM: _ClassVar[Summary.Function]
        MIN: _ClassVar[Summary.Function]
        MAX: _ClassVar[Summary.Function]
    FUNCTION_UNSPECIFIED: Summary.Function
    COUNT: Summary.Function
    SUM: Summary.Function
    MIN: Summary.Function
    MAX: Summary.Function
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    function: Summary.Function
    path: str
    def __init__(self, function: _Optional[_Union[Summary.Function, str]] = ..., path: _Optional[str] = ...) -> None: ...

class QueryReply(_message.Message):
    __slots__ = ("rows", "next_page_token", "position", "groups", "explanation")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[Row]
    next_page_token: str
    position: str
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    explanation: Explanation
    def __init__(self, rows: _Optional[_Iterable[_Union[Row, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., position: _Optional[str] = ..., groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class Row(_message.Message):
    __slots__ = ("tenant_id", "aggregate_type", "aggregate_id", "version", "state", "position", "time")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    aggregate_type: str
    aggregate_id: str
    version: int
    state: str
    position: str
    time: str
    def __init__(self, tenant_id: _Optional[str] = ..., aggregate_type: _Optional[str] = ..., aggregate_id: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., position: _Optional[str] = ..., time: _Optional[str] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("key", "values")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Iterable[str]] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("plan", "index", "rows_read", "gas_used", "errors", "first_error")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ROWS_READ_FIELD_NUMBER: _ClassVar[int]
    GAS_USED_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    FIRST_ERROR_FIELD_NUMBER: _ClassVar[int]
    plan: str
    index: str
    rows_read: int
    gas_used: int
    errors: int
    first_error: str
    def __init__(self, plan: _Optional[str] = ..., index: _Optional[str] = ..., rows_read: _Optional[int] = ..., gas_used: _Optional[int] = ..., errors: _Optional[int] = ..., first_error: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("aggregate_type", "filter", "resume_token")
    AGGREGATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    aggregate_type: str
    filter: str
    resume_token: str
    def __init__(self, aggregate_type: _Optional[str] = ..., filter: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchReply(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[WatchEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[WatchEvent, _Mapping]]] = ...) -> None: ...

class WatchEvent(_message.Message):
    __slots__ = ("kind", "row", "resume_token")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[WatchEvent.Kind]
        ROW: _ClassVar[WatchEvent.Kind]
        ADDED: _ClassVar[WatchEvent.Kind]
        CHANGED: _ClassVar[WatchEvent.Kind]
        NO_LONGER_MATCHING: _ClassVar[WatchEvent.Kind]
        CAUGHT_UP: _ClassVar[WatchEvent.Kind]
        LAGGED: _ClassVar[WatchEvent.Kind]
    KIND_UNSPECIFIED: WatchEvent.Kind
    ROW: WatchEvent.Kind
    ADDED: WatchEvent.Kind
    CHANGED: WatchEvent.Kind
    NO_LONGER_MATCHING: WatchEvent.Kind
    CAUGHT_UP: WatchEvent.Kind
    LAGGED: WatchEvent.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    kind: WatchEvent.Kind
    row: Row
    resume_token: str
    def __init__(self, kind: _Optional[_Union[WatchEvent.Kind, str]] = ..., row: _Optional[_Union[Row, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...
