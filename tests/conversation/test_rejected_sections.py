"""Servers that take the voice and no video, as they say it (RFC 9429 section 5.3.1) and as they should not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from bot import Bot
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import ConnectionFailed, SpikeClient
from spike_engine.webrtc.rejected import inactive_where_rejected

pytestmark = pytest.mark.usefixtures("nothing_left_open")

REJECTED = {
    "by the book": "m=video 0 UDP/TLS/RTP/SAVPF 97\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{mid}\r\n",
    "in one line": "m=video 0 UDP/TLS/RTP/SAVPF 0\r\n",
    "without formats": "m=video 0 UDP/TLS/RTP/SAVPF\r\na=mid:{mid}\r\n",
}


def client_of(bot: Bot) -> SpikeClient:
    return SpikeClient(
        conversation_url=bot.url,
        token="t",
        audio_source=ArrayMicrophone(),
        audio_output=RecordingLoudspeaker(),
        video=True,
        video_source=ColourCamera(),
        join_timeout_s=20.0,
    )


def instead_of(kind: str, section: str, *, in_bundle: bool) -> Callable[[str], str]:
    """What puts `section` into an answer in the place of its `kind`."""

    def change(sdp: str) -> str:
        head, *sections = re.split(r"(?m)^(?=m=)", sdp)
        for index, each in enumerate(sections):
            if each.startswith(f"m={kind}"):
                mid = re.search(r"a=mid:(\S+)", each)[1]  # type: ignore[index]
                sections[index] = section.format(mid=mid)
                head = head if in_bundle else re.sub(rf"(BUNDLE.*) {mid}\b", r"\1", head)
        return head + "".join(sections)

    return change


@pytest.mark.parametrize("in_bundle", [True, False], ids=["in the bundle", "outside of it"])
@pytest.mark.parametrize("form", REJECTED)
async def test_a_server_without_video_is_talked_to(form: str, in_bundle: bool) -> None:
    async with Bot(instead_of("video", REJECTED[form], in_bundle=in_bundle)) as bot, client_of(bot) as client:
        assert client.state.is_connected
        assert (await client.get_stats()).sent_fps == 0


async def test_a_server_that_rejects_the_voice_is_told_as_such() -> None:
    rejected = REJECTED["by the book"].replace("video", "audio")
    async with Bot(instead_of("audio", rejected, in_bundle=False)) as bot:
        with pytest.raises(ConnectionFailed, match="it rejects the voice"):
            await client_of(bot).join()


async def test_a_server_that_knows_no_codec_of_ours_is_told_as_such() -> None:
    async with Bot(lambda sdp: re.sub(r"(?m)^a=rtpmap:.*\r\n", "", sdp)) as bot:
        with pytest.raises(ConnectionFailed, match="none of the codecs that were offered"):
            await client_of(bot).join()


def test_an_answer_that_rejects_all_or_more_than_was_offered_stays_as_it_is() -> None:
    nothing = "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\n"
    more = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\n"

    assert inactive_where_rejected(nothing, nothing) == nothing
    assert inactive_where_rejected(more, more.partition("m=video")[0]) == more


def test_without_a_bundle_the_video_joins_what_is_taken() -> None:
    offer = "v=0\r\nm=audio 9 X 0\r\na=mid:a\r\nm=video 9 X 97\r\na=mid:v\r\na=rtpmap:97 VP8/90000\r\n"
    answer = "v=0\r\nm=audio 9 X 0\r\na=mid:a\r\na=ice-ufrag:u\r\nm=video 0 X 97\r\n"

    made = inactive_where_rejected(answer, offer)

    assert "a=group:BUNDLE a v\r\nm=audio" in made
    assert made.endswith("m=video 9 X 97\r\na=mid:v\r\na=rtpmap:97 VP8/90000\r\na=inactive\r\na=ice-ufrag:u\r\n")
