import subprocess
import sys

import pytest

from spike_engine import errors
from spike_engine.errors import ErrorCode, MediaError, SpikeError


def leaves(error_type: type[SpikeError]) -> list[type[SpikeError]]:
    """Of the tree; what other rooms make of one, as of an extra that is missing, has its code."""
    children = [child for child in error_type.__subclasses__() if child.__module__ == errors.__name__]
    return [leaf for child in children for leaf in leaves(child)] if children else [error_type]


def test_every_code_has_exactly_one_error() -> None:
    assert sorted(error_type.code for error_type in leaves(SpikeError)) == sorted(ErrorCode)


@pytest.mark.parametrize("error_type", leaves(SpikeError))
def test_an_error_carries_its_code_and_its_message(error_type: type[SpikeError]) -> None:
    error = error_type("something was wrong")

    assert error.code == error_type.code.value
    assert error.message == str(error) == "something was wrong"


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(errors.InvalidOption, ValueError)
    assert issubclass(errors.InvalidState, RuntimeError)


def test_device_errors_are_media_errors() -> None:
    assert {error.code for error in leaves(MediaError)} == {
        ErrorCode.MEDIA_PERMISSION_DENIED,
        ErrorCode.DEVICE_NOT_FOUND,
        ErrorCode.DEVICE_IN_USE,
    }


def test_a_program_may_raise_the_base_of_media_errors() -> None:
    assert MediaError("unplugged").code == ErrorCode.DEVICE_NOT_FOUND


def test_a_subinterpreter_is_refused_in_words() -> None:
    program = """
import importlib
try:
    interpreters = importlib.import_module("_interpreters")
except ImportError:
    interpreters = importlib.import_module("_xxsubinterpreters")
inside = "try:\\n import spike_engine\\nexcept ImportError as error:\\n print(error, flush=True)"
interpreters.run_string(interpreters.create(), inside)
import spike_engine
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "cannot be used in a subinterpreter" in done.stdout
