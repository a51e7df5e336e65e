# Written by `make proto`; change the .proto file instead.
from stillpoint.wire.generated.velero import shared_pb2 as _shared_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeleteItemActionExecuteRequest(_message.Message):
    __slots__ = ("plugin", "item", "backup")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    BACKUP_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    item: bytes
    backup: bytes
    def __init__(self, plugin: _Optional[str] = ..., item: _Optional[bytes] = ..., backup: _Optional[bytes] = ...) -> None: ...

class DeleteItemActionAppliesToRequest(_message.Message):
    __slots__ = ("plugin",)
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    def __init__(self, plugin: _Optional[str] = ...) -> None: ...

class DeleteItemActionAppliesToResponse(_message.Message):
    __slots__ = ("ResourceSelector",)
    RESOURCESELECTOR_FIELD_NUMBER: _ClassVar[int]
    ResourceSelector: _shared_pb2.ResourceSelector
    def __init__(self, ResourceSelector: _Optional[_Union[_shared_pb2.ResourceSelector, _Mapping]] = ...) -> None: ...
