# Written by `make proto`; change the .proto file instead.
import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from stillpoint.wire.generated.velero import shared_pb2 as _shared_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RestoreItemActionExecuteRequest(_message.Message):
    __slots__ = ("plugin", "item", "restore", "itemFromBackup")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    ITEMFROMBACKUP_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    item: bytes
    restore: bytes
    itemFromBackup: bytes
    def __init__(self, plugin: _Optional[str] = ..., item: _Optional[bytes] = ..., restore: _Optional[bytes] = ..., itemFromBackup: _Optional[bytes] = ...) -> None: ...

class RestoreItemActionExecuteResponse(_message.Message):
    __slots__ = ("item", "additionalItems", "skipRestore", "operationID", "waitForAdditionalItems", "additionalItemsReadyTimeout")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    ADDITIONALITEMS_FIELD_NUMBER: _ClassVar[int]
    SKIPRESTORE_FIELD_NUMBER: _ClassVar[int]
    OPERATIONID_FIELD_NUMBER: _ClassVar[int]
    WAITFORADDITIONALITEMS_FIELD_NUMBER: _ClassVar[int]
    ADDITIONALITEMSREADYTIMEOUT_FIELD_NUMBER: _ClassVar[int]
    item: bytes
    additionalItems: _containers.RepeatedCompositeFieldContainer[_shared_pb2.ResourceIdentifier]
    skipRestore: bool
    operationID: str
    waitForAdditionalItems: bool
    additionalItemsReadyTimeout: _duration_pb2.Duration
    def __init__(self, item: _Optional[bytes] = ..., additionalItems: _Optional[_Iterable[_Union[_shared_pb2.ResourceIdentifier, _Mapping]]] = ..., skipRestore: _Optional[bool] = ..., operationID: _Optional[str] = ..., waitForAdditionalItems: _Optional[bool] = ..., additionalItemsReadyTimeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RestoreItemActionAppliesToRequest(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class RestoreItemActionAppliesToResponse(_message.Message):
    __slots__ = ("ResourceSelector",)
    RESOURCESELECTOR_FIELD_NUMBER: _ClassVar[int]
    ResourceSelector: _shared_pb2.ResourceSelector
    def __init__(self, ResourceSelector: _Optional[_Union[_shared_pb2.ResourceSelector, _Mapping]] = ...) -> None: ...

class RestoreItemActionProgressRequest(_message.Message):
    __slots__ = ("plugin", "operationID", "restore")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    OPERATIONID_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    operationID: str
    restore: bytes
    def __init__(self, plugin: _Optional[str] = ..., operationID: _Optional[str] = ..., restore: _Optional[bytes] = ...) -> None: ...

class RestoreItemActionProgressResponse(_message.Message):
    __slots__ = ("progress",)
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    progress: _shared_pb2.OperationProgress
    def __init__(self, progress: _Optional[_Union[_shared_pb2.OperationProgress, _Mapping]] = ...) -> None: ...

class RestoreItemActionCancelRequest(_message.Message):
    __slots__ = ("plugin", "operationID", "restore")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    OPERATIONID_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    operationID: str
    restore: bytes
    def __init__(self, plugin: _Optional[str] = ..., operationID: _Optional[str] = ..., restore: _Optional[bytes] = ...) -> None: ...

class RestoreItemActionItemsReadyRequest(_message.Message):
    __slots__ = ("plugin", "restore", "additionalItems")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    ADDITIONALITEMS_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    restore: bytes
    additionalItems: _containers.RepeatedCompositeFieldContainer[_shared_pb2.ResourceIdentifier]
    def __init__(self, plugin: _Optional[str] = ..., restore: _Optional[bytes] = ..., additionalItems: _Optional[_Iterable[_Union[_shared_pb2.ResourceIdentifier, _Mapping]]] = ...) -> None: ...

class RestoreItemActionItemsReadyResponse(_message.Message):
    __slots__ = ("ready",)
    READY_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    def __init__(self, ready: _Optional[bool] = ...) -> None: ...
