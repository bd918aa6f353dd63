"""The button of ``turn_detection="push-to-talk"``."""

from __future__ import annotations


class Button:
    """Is pressed and let go by the user, whether there is a connection or not.

    Attributes:
        down: It is pressed.
        was_down: It has been since the last connection was lost, so that the server has to hear of it.
    """

    def __init__(self) -> None:
        self.down = self.was_down = False

    def press(self, pressed: bool) -> None:
        """Press it, or let it go."""
        self.down = pressed
        self.was_down |= pressed

    def lose(self) -> None:
        """The connection is lost."""
        self.was_down = self.down
