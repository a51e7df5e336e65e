# Written by `make proto`; change the .proto file instead.
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
    __slots__ = ("item", "additionalItems", "skipRestore")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    ADDITIONALITEMS_FIELD_NUMBER: _ClassVar[int]
    SKIPRESTORE_FIELD_NUMBER: _ClassVar[int]
    item: bytes
    additionalItems: _containers.RepeatedCompositeFieldContainer[_shared_pb2.ResourceIdentifier]
    skipRestore: bool
    def __init__(self, item: _Optional[bytes] = ..., additionalItems: _Optional[_Iterable[_Union[_shared_pb2.ResourceIdentifier, _Mapping]]] = ..., skipRestore: _Optional[bool] = ...) -> None: ...

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
