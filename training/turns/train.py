"""Trains the judge of turns: `python -m training.turns.train --scenes FILE ... --held-out FILE --out FILE.npz`.

The network is asked in each frame of a sound, from a fifth of a second on, what has sounded so far.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from training.shared.prepare import Rooms, convolved
from training.turns.disturbances import disturbed
from training.turns.judge import FIGURES, SHAPES, TAKEN, Judge, loss_of, of_weights
from training.turns.lines import over_a_line
from training.turns.made import made
from training.turns.revoiced import in_another_voice, put_together
from training.turns.scenes import beginnings
from training.turns.sounds import NOD, OTHER, WORD, Sound, of_commands, of_corpora, of_coughs, of_voices

from spike_engine.duplex.turn_taking import BEFORE_S, HOLDS_AFTER_S
from spike_engine.duplex.voice_shape import RATE_HZ, features

FRAME, HOP = RATE_HZ // 100, 256
LONGEST_S, AFTER_S = 1.7, 0.25  # of a sound; of the silence that follows it
ASKED_FROM = int((BEFORE_S + 0.19) * RATE_HZ) // HOP  # frames
HELD_FOR = 0.45  # of the training the learning rate is at its highest
EARLY = 84  # by this frame most has been decided: three batches in four end there
# How often each is taken beside the scenes, at a pitch and a level of its own.
RARE = {
    "person_sneeze": 40,
    "hums": 16,
    "dog_bark": 6,
    "laughs": 5,
    "baby_cry": 3,
    "nods of kokoro": 3,
    "words of kokoro": 2,
    "spoken sneezes of kokoro": 4,
}
USUAL = ("effects", "single words")  # some of these are enough
MADE = "made sounds"
REVOICED, IN_ROOMS, OVER_LINES = 0.75, 0.4, 0.25  # shares of the single sounds
OPENED = ("sentences",)  # those may begin wherever there was a pause
PITCHES = {WORD: 0.12, NOD: 0.18, OTHER: 0.3}  # as a logarithm, either way
Cut = tuple[NDArray[np.float32], int, int]  # what the network hears, the label, the kind


def detections(sounding: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The frames in which the chain has heard sound for so long that the loudspeaker holds."""
    needed = round(HOLDS_AFTER_S * 100)
    runs = np.convolve(sounding, np.ones(needed, int))[: len(sounding)] == needed
    return np.flatnonzero(runs & ~np.concatenate([[False], runs[:-1]]))


def cuts(path: Path, random: np.random.Generator, copies: int = 1) -> list[Cut]:
    """The sounds of a file of scenes as the judge gets them; what the loudspeaker left between them is neither."""
    file = np.load(path)
    voice, sounding = file["voice"], file["voice_suspected"] > 0
    found, at, events = [], detections(sounding), file["events"]
    ends = np.append(events[1:, 0], len(sounding))
    for (begin, end, label, kind), next_begin in zip(events, ends, strict=True):
        heard = at[(at >= begin) & (at < end + 15)]
        begins = heard[0] + random.integers(-4, 5, copies) if len(heard) else ()
        found += [(cut(voice, int(detected), end), int(label), int(kind)) for detected in begins]
        echoes = at[(at >= end + 45) & (at < next_begin)]
        found += [(cut(voice, int(echo), int(echo) + 60), OTHER, -1) for echo in echoes[:2]]
    return [(features(heard), label, kind) for heard, label, kind in found]


def cut(voice: NDArray[np.int16], detected: int, end: int) -> NDArray[np.float32]:
    begin = max(0, detected * FRAME - int((HOLDS_AFTER_S + BEFORE_S) * RATE_HZ))
    last = min(end * FRAME + int(AFTER_S * RATE_HZ), begin + int((BEFORE_S + LONGEST_S) * RATE_HZ))
    samples = voice[begin : max(last, begin + int((BEFORE_S + 0.4) * RATE_HZ))]
    return samples.astype(np.float32) / np.float32(32767)


def dry(sounds: list[Sound], random: np.random.Generator, rooms: Rooms) -> list[Cut]:
    """Single sounds that passed no chain: more voices at little cost, and more often what there is little of."""
    found = []
    drawn = [each for each in sounds if each.kind == "person_sneeze" or each.kind.startswith("spoken sneezes")]
    responses = [soxr.resample(rooms.draw(random)[0], 48000, RATE_HZ)[: RATE_HZ // 3] for _ in range(200)]
    for each in sounds:
        for _ in range(RARE.get(each.kind, 1)):
            samples = another(random, each, drawn)
            begins = beginnings(samples)
            if not begins:
                break
            opened = each.label == OTHER or each.kind in OPENED
            begin = begins[random.integers(len(begins))] if opened else begins[0]
            pace = np.exp(random.uniform(-1, 1) * PITCHES[each.label])
            response = responses[random.integers(len(responses))] if random.random() < IN_ROOMS else None
            heard = elsewhere(random, samples[begin : begin + int(1.3 * LONGEST_S * RATE_HZ)], pace, response)
            found.append((features(heard), each.label, -1))
    return found


def elsewhere(
    random: np.random.Generator, samples: NDArray[np.float32], pace: float, response: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """At another pace and pitch, in a room, over a line, between two silences, in noise."""
    heard = np.interp(np.arange(0, len(samples) - 1, pace), np.arange(len(samples)), samples).astype(np.float32)
    if response is not None:
        (heard,) = convolved(heard, response)
    if random.random() < OVER_LINES:
        received = over_a_line(random, (random.uniform(0.1, 0.7) * heard / (np.abs(heard).max() + 1e-9)))
        heard = received[next(iter(beginnings(received)), 0) :]
    heard = heard[: int(LONGEST_S * RATE_HZ)]
    before, after = (np.zeros(int(s * RATE_HZ), np.float32) for s in (random.uniform(0.2, 0.35), AFTER_S))
    heard = np.concatenate([before, heard * (0.3 / (np.abs(heard).max() + 1e-9)), after])
    heard += 10 ** random.uniform(-4.5, -2.5) * random.standard_normal(len(heard))
    return heard.astype(np.float32)


def another(random: np.random.Generator, sound: Sound, drawn: list[Sound]) -> NDArray[np.float32]:
    """The sound as somebody else makes it: a sneeze with another's breath before it, a short word in another voice."""
    if sound.kind == MADE:
        return made(random)
    samples = sound.load()
    if sound.kind == "person_sneeze" and random.random() < 0.7:
        return put_together(random, drawn[random.integers(len(drawn))].load(), samples)
    if sound.kind not in OPENED and sound.label != OTHER and random.random() < REVOICED:
        return in_another_voice(random, samples)
    return samples


def single_sounds(options: argparse.Namespace, random: np.random.Generator) -> list[Sound]:
    commands = of_commands(options.commands, "train")
    effects = of_corpora(options.corpus, "train")
    return [
        *of_voices(options.spoken, "train"),
        *(each for each in effects if each.kind in OPENED and random.random() < 0.6),
        *of_coughs(options.coughs, "train"),
        *commands,
        *[Sound(OTHER, MADE, Path())] * 1400,
        *(each for each in effects if each.kind in RARE or (each.kind in USUAL and random.random() < 0.4)),
    ]


def batch_of(items: list[Cut]) -> tuple[Tensor, Tensor]:
    """Padded to one length; frames that are not asked have the label -1."""
    longest = max(len(heard) for heard, _, _ in items)
    heard = np.zeros((len(items), longest, FIGURES), np.float32)
    labels = np.full((len(items), longest), -1)
    for i, (each, label, _) in enumerate(items):
        heard[i, : len(each)] = each
        labels[i, ASKED_FROM : len(each)] = label
    return torch.from_numpy(heard), torch.from_numpy(labels)


def share_of_rate(done: float) -> float:
    """Of the learning rate, at a share of the training: up in no time, level for half of it, then half a cosine."""
    if done < HELD_FOR:
        return min(1.0, 0.1 + done / 0.06)
    return 0.01 + 0.495 * (1 + math.cos(math.pi * (done - HELD_FOR) / (1 - HELD_FOR)))


def report(network: Judge, held: list[Cut], kinds: list[str]) -> None:
    """Of each kind, how often words are heard in it after 0.35, 0.5 and 0.8 s, and when it is over."""
    network.eval()
    asked = [(ASKED_FROM + int(s * RATE_HZ) // HOP) // TAKEN for s in (0.2, 0.35, 0.65)]
    answers: dict[str, list[list[float]]] = {}
    for heard, label, kind in held:
        with torch.no_grad():
            word = torch.softmax(network(torch.from_numpy(heard)[None])[0], -1)[:, WORD].numpy()
        row = [float(word[i]) if i < len(word) else np.nan for i in asked] + [float(word[-1])]
        answers.setdefault(f"{label} {kinds[kind] if kind >= 0 else 'own voice'}", []).append(row)
    for kind, rows in sorted(answers.items()):
        shares = [np.mean(column[~np.isnan(column)] >= 0.5) for column in np.array(rows).T]
        print(f"  {kind:32s} {len(rows):4d}", " ".join(f"{100 * share:5.0f}" for share in shares), flush=True)
    network.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", required=True, type=Path, nargs="+")
    parser.add_argument("--held-out", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--corpus", required=True, type=Path, nargs="+")
    parser.add_argument("--spoken", required=True, type=Path, nargs="+")
    parser.add_argument("--commands", required=True, type=Path)
    parser.add_argument("--rooms", required=True, type=Path)
    parser.add_argument("--coughs", required=True, type=Path)
    parser.add_argument("--begin-with", type=Path, help="weights of an earlier run")
    parser.add_argument("--width", type=int, default=6, choices=list(SHAPES), help="frames that are heard at a time")
    parser.add_argument(
        "--teachers", type=Path, nargs="+", default=[], help="weights whose answers count beside labels"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=2e-2)
    parser.add_argument("--word-weight", type=float, default=1.3, help="how much worse it is to miss a person")
    parser.add_argument("--other-weight", type=float, default=1.0, help="the same of what is neither")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    random = np.random.default_rng(options.seed)
    trained = dry(single_sounds(options, random), random, Rooms(options.rooms))
    trained += [each for path in options.scenes for each in cuts(path, random)]
    held = cuts(options.held_out, random)
    print(len(trained), "sounds,", len(held), "held out")
    network, batch = of_weights(options.begin_with) if options.begin_with else Judge(options.width), 128
    teachers = [of_weights(path).eval() for path in options.teachers]
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=options.decay)
    steps = options.rounds * (len(trained) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step / steps))
    weights = torch.tensor([options.word_weight, 1.0, options.other_weight])
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    began = time.process_time()
    for number in range(options.rounds):
        order, losses = sorted(random.permutation(len(trained)), key=lambda i: len(trained[i][0]) // 16), []
        for first in random.permutation(len(order) // batch) * batch:
            most = EARLY if random.random() < 0.75 else None
            items = [(heard[:most], label, kind) for heard, label, kind in (trained[i] for i in order[first:][:batch])]
            heard, labels = disturbed(random, *batch_of(items))
            loss = loss_of(network, teachers, heard, labels, weights)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            mean.update_parameters(network)
            losses.append(float(loss.detach()))
        print(number + 1, f"{np.mean(losses):.3f}", f"{time.process_time() - began:.0f} s", flush=True)
        if number % 4 == 3 or number == options.rounds - 1:
            report(mean.module, held, list(np.load(options.held_out)["kinds"]))
            np.savez(
                options.out,
                **{name: value.numpy().astype(np.float16) for name, value in mean.module.state_dict().items()},
            )


if __name__ == "__main__":
    main()
