# Written by `make proto`; change the .proto file instead.
from google.protobuf import empty_pb2 as _empty_pb2
from stillpoint.wire.generated.velero import shared_pb2 as _shared_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecuteRequest(_message.Message):
    __slots__ = ("plugin", "item", "backup")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    BACKUP_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    item: bytes
    backup: bytes
    def __init__(self, plugin: _Optional[str] = ..., item: _Optional[bytes] = ..., backup: _Optional[bytes] = ...) -> None: ...

class ExecuteResponse(_message.Message):
    __slots__ = ("item", "additionalItems", "operationID", "postOperationItems")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    ADDITIONALITEMS_FIELD_NUMBER: _ClassVar[int]
    OPERATIONID_FIELD_NUMBER: _ClassVar[int]
    POSTOPERATIONITEMS_FIELD_NUMBER: _ClassVar[int]
    item: bytes
    additionalItems: _containers.RepeatedCompositeFieldContainer[_shared_pb2.ResourceIdentifier]
    operationID: str
    postOperationItems: _containers.RepeatedCompositeFieldContainer[_shared_pb2.ResourceIdentifier]
    def __init__(self, item: _Optional[bytes] = ..., additionalItems: _Optional[_Iterable[_Union[_shared_pb2.ResourceIdentifier, _Mapping]]] = ..., operationID: _Optional[str] = ..., postOperationItems: _Optional[_Iterable[_Union[_shared_pb2.ResourceIdentifier, _Mapping]]] = ...) -> None: ...

class BackupItemActionAppliesToRequest(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class BackupItemActionAppliesToResponse(_message.Message):
    __slots__ = ("ResourceSelector",)
    RESOURCESELECTOR_FIELD_NUMBER: _ClassVar[int]
    ResourceSelector: _shared_pb2.ResourceSelector
    def __init__(self, ResourceSelector: _Optional[_Union[_shared_pb2.ResourceSelector, _Mapping]] = ...) -> None: ...

class BackupItemActionProgressRequest(_message.Message):
    __slots__ = ("plugin", "operationID", "backup")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    OPERATIONID_FIELD_NUMBER: _ClassVar[int]
    BACKUP_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    operationID: str
    backup: bytes
    def __init__(self, plugin: _Optional[str] = ..., operationID: _Optional[str] = ..., backup: _Optional[bytes] = ...) -> None: ...

class BackupItemActionProgressResponse(_message.Message):
    __slots__ = ("progress",)
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    progress: _shared_pb2.OperationProgress
    def __init__(self, progress: _Optional[_Union[_shared_pb2.OperationProgress, _Mapping]] = ...) -> None: ...

class BackupItemActionCancelRequest(_message.Message):
    __slots__ = ("plugin", "operationID", "backup")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    OPERATIONID_FIELD_NUMBER: _ClassVar[int]
    BACKUP_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    operationID: str
    backup: bytes
    def __init__(self, plugin: _Optional[str] = ..., operationID: _Optional[str] = ..., backup: _Optional[bytes] = ...) -> None: ...
