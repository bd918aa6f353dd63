"""A bot on the telephone that repeats what it hears: python phone_bot.py PORT serves Twilio's media streams."""

import base64
import json
import sys

import numpy as np
from aiohttp import web

from spike_engine import UserStartedSpeaking
from spike_engine.integrations.telephony import PhoneCall, to_mulaw


async def call(request):
    socket, phone, said, stream = web.WebSocketResponse(), PhoneCall(), [], None
    await socket.prepare(request)
    async for message in socket:
        event = json.loads(message.data)
        stream = event.get("streamSid", stream)
        if event["event"] != "media":
            continue
        said.append(phone.hear(base64.b64decode(event["media"]["payload"])))
        for turn in phone.events():
            if isinstance(turn, UserStartedSpeaking):
                phone.clear()
                await socket.send_json({"event": "clear", "streamSid": stream})
                said = said[-25:]  # what was heard of it before it was sure
                continue
            answer, said = to_mulaw(np.concatenate(said)), []
            phone.say(answer)
            media = {"payload": base64.b64encode(answer).decode()}
            await socket.send_json({"event": "media", "streamSid": stream, "media": media})
    return socket


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/media", call)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
