"""What a program can say to the AI and its server beside its voice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from spike_engine.conversation.connection import Connection
from spike_engine.conversation.stills import Still
from spike_engine.events import FunctionCall
from spike_engine.protocols.functions import Function

F = TypeVar("F", bound=Callable[..., Any])


class Messages:
    """The part of a client that writes: every call raises InvalidState while there is no connection.

    Functions are the exception: they are registered at any time, and stay for every connection to come.
    """

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}

    @abstractmethod
    def _connection(self) -> Connection:
        """The one that there is, or InvalidState."""

    @abstractmethod
    def _talk(self, *, pressed: bool) -> None:
        """The button is down or up, or InvalidState where there is no conversation."""

    @abstractmethod
    def _functions_changed(self) -> None:
        """The AI is to be told."""

    def send_message(self, kind: str, data: Any = None) -> str:
        """Send a message to the server's application; its answer is a ``message`` event with the id in `reply_to`.

        Args:
            kind: What the application calls it.
            data: Anything that JSON can hold.

        Raises:
            InvalidState: There is no connection.
        """
        connection = self._connection()
        message_id, texts = connection.protocol.message(kind, data)
        connection.send(texts)
        return message_id

    def send_text(self, content: str, *, respond: bool = True, speak: bool = True) -> None:
        """Type instead of talking.

        Args:
            content: What the user says.
            respond: Interrupt the AI and have it answer; False only lets it know.
            speak: Have the answer spoken; False leaves it text.

        Raises:
            InvalidState: There is no connection.
        """
        connection = self._connection()
        connection.send(connection.protocol.text(content, respond=respond, speak=speak))

    def send_picture(
        self, picture: NDArray[np.uint8], caption: str = "", *, respond: bool = True, speak: bool = True
    ) -> None:
        """Show the AI one picture: a page, a screen, what a camera sees now.

        It travels as a JPEG of at most 1,280 pixels, made in this call, which takes some 20 ms.

        Args:
            picture: uint8 of shape ``(height, width, 3)``, RGB.
            caption: What the user says of it.
            respond: As in `send_text`.
            speak: As in `send_text`.

        Raises:
            InvalidState: There is no connection.
            InvalidOption: `picture` is none.
        """
        connection, still = self._connection(), Still(picture)
        size = still.width, still.height
        connection.send(connection.protocol.picture(still.text, size, caption, respond=respond, speak=speak))

    def append_to_context(self, content: str, *, role: Literal["user", "system"] = "user") -> None:
        """Let the AI know something without answering or being interrupted: what the user looks at, what has changed.

        Args:
            content: A text.
            role: Who says so. With RTVI, ``"system"`` is a client message ``append-to-context`` that the server's
                application must know.

        Raises:
            InvalidState: There is no connection.
            InvalidOption: `role` is another.
        """
        connection = self._connection()
        connection.send(connection.protocol.context(content, role))

    def send_dtmf(self, keys: str) -> None:
        """Press keys of a telephone, one after the other.

        Args:
            keys: Some of ``0123456789*#``. OpenAI takes none over WebRTC, so its AI reads them as a text.

        Raises:
            InvalidState: There is no connection.
            InvalidOption: `keys` holds something else, or nothing.
        """
        connection = self._connection()
        connection.send(connection.protocol.keys(keys))

    def interrupt(self) -> None:
        """Silence the AI now, and ask the server to stop it; an RTVI bot hears a client message ``interrupt``.

        Raises:
            InvalidState: There is no connection.
        """
        self._connection().interrupt()

    def start_talking(self) -> None:
        """With ``turn_detection="push-to-talk"``: the button is down. The AI falls silent, the microphone is sent.

        An RTVI bot hears a client message ``push-to-talk`` with ``{"pressed": true}``. While the client reconnects, the
        server hears of it and of what was said afterwards.

        Raises:
            InvalidState: There is no conversation, or turns are told otherwise.
        """
        self._talk(pressed=True)

    def stop_talking(self) -> None:
        """The button is up: the microphone is silent, and the AI answers. As `start_talking`."""
        self._talk(pressed=False)

    # --- functions ----------------------------------------------------------------------------------------------------

    @overload
    def function(self, call: F, /) -> F: ...
    @overload
    def function(
        self, /, *, name: str | None = None, description: str | None = None, timeout_s: float = 10.0
    ) -> Callable[[F], F]: ...
    def function(self, call: Any = None, /, **options: Any) -> Any:
        """A decorator for a function that the AI may call; `register_function` says the rest.

        ::

            @client.function
            async def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
                "How the weather is in a city."
                return await look_up(city, unit)
        """
        if call is None:
            return lambda function: self.function(function, **options)
        self.register_function(call, **options)
        return call

    def register_function(
        self,
        call: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout_s: float = 10.0,
        declare: bool = True,
    ) -> None:
        """Have `call` carried out whenever the AI calls it, and its result told to the AI.

        An ``async`` function runs on the event loop, any other in a thread of its own. Arguments are checked against
        the annotations. The AI is told ``{"error": ...}`` where they do not fit, where `call` raises or takes too
        long, and where JSON cannot hold the result.

        Args:
            call: Takes its arguments by name: str, int, float, bool, None, Literal, Enum, list, dict, or unions of
                these; without an annotation, anything.
            name: Under which the AI calls it; by default the function's own. A name that is taken is replaced.
            description: For the AI; by default the docstring.
            timeout_s: How long it may take.
            declare: Tell OpenAI's session of it, beside the other declared functions and in place of what the session
                was made with. False where the session knows it. An RTVI bot always knows its functions by itself.

        Raises:
            InvalidOption: `call` cannot be called like that; the message says why.
        """
        function = Function.of(call, name=name, description=description, timeout_s=timeout_s, declared=declare)
        self._functions[function.name] = function
        if declare:
            self._functions_changed()

    def unregister_function(self, name: str) -> None:
        """Carry out calls of `name` no more; one that was never registered is no error."""
        function = self._functions.pop(name, None)
        if function and function.declared:
            self._functions_changed()

    def send_function_result(self, call: FunctionCall, result: Any) -> None:
        """Give the AI what a function has returned that the program carries out by itself, without registering it.

        Args:
            call: The call, from the ``function-call`` event.
            result: Anything that JSON can hold.

        Raises:
            InvalidState: There is no connection.
        """
        connection = self._connection()
        connection.send(connection.protocol.function_result(call, result))
