"""The errors that the engine raises and delivers to ``error`` handlers.

::

    SpikeError
    ├── InvalidOption (also ValueError)     INVALID_OPTION
    ├── InvalidState (also RuntimeError)    INVALID_STATE
    ├── ConnectionFailed                    CONNECTION_FAILED
    ├── TokenExpired                        TOKEN_EXPIRED
    ├── ConversationEnded                   CONVERSATION_ENDED
    ├── ServerError                         SERVER_ERROR
    └── MediaError
        ├── MediaPermissionDenied           MEDIA_PERMISSION_DENIED
        ├── DeviceNotFound                  DEVICE_NOT_FOUND
        └── DeviceInUse                     DEVICE_IN_USE
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Why something failed, as a string that a program can compare: ``error.code == "TOKEN_EXPIRED"``."""

    CONNECTION_FAILED = "CONNECTION_FAILED"
    CONVERSATION_ENDED = "CONVERSATION_ENDED"
    DEVICE_IN_USE = "DEVICE_IN_USE"
    DEVICE_NOT_FOUND = "DEVICE_NOT_FOUND"
    INVALID_OPTION = "INVALID_OPTION"
    INVALID_STATE = "INVALID_STATE"
    MEDIA_PERMISSION_DENIED = "MEDIA_PERMISSION_DENIED"
    SERVER_ERROR = "SERVER_ERROR"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 (a code, not a secret)


class SpikeError(Exception):
    """Base of every error of this package.

    Attributes:
        code: The reason, one of :class:`ErrorCode`.
        message: One sentence for a person.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidOption(SpikeError, ValueError):
    """An option or an argument has a value that is not accepted; the message names what is accepted."""

    code = ErrorCode.INVALID_OPTION


class InvalidState(SpikeError, RuntimeError):
    """The call does not fit the state of the client, for example a second ``join()`` while joined."""

    code = ErrorCode.INVALID_STATE


class ConnectionFailed(SpikeError):
    """The server could not be reached, refused the call, or gave an answer that makes no connection.

    Attributes:
        can_retry: Trying again later may help; False where the server refused for good.
    """

    code = ErrorCode.CONNECTION_FAILED

    def __init__(self, message: str, *, can_retry: bool = True) -> None:
        super().__init__(message)
        self.can_retry = can_retry


class TokenExpired(SpikeError):
    """The server does not accept the token: it has expired, is malformed, or belongs to another conversation.

    Fetch a new token and join again.
    """

    code = ErrorCode.TOKEN_EXPIRED


class ConversationEnded(SpikeError):
    """The conversation does not exist any more: the server ended it."""

    code = ErrorCode.CONVERSATION_ENDED


class ServerError(SpikeError):
    """The server reports that something failed on its side; the conversation goes on."""

    code = ErrorCode.SERVER_ERROR


class MediaError(SpikeError):
    """Base of the errors of microphones, loudspeakers and cameras; as such, it counts as a device that is not there."""

    code = ErrorCode.DEVICE_NOT_FOUND


class MediaPermissionDenied(MediaError):
    """The system does not let this program use the device."""

    code = ErrorCode.MEDIA_PERMISSION_DENIED


class DeviceNotFound(MediaError):
    """There is no such device, or it does not work."""

    code = ErrorCode.DEVICE_NOT_FOUND


class DeviceInUse(MediaError):
    """Another program holds the device."""

    code = ErrorCode.DEVICE_IN_USE
