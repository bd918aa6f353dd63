import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import type { Loudness } from './pages/ear';
import { Server } from './server';

// What a user waits for, by the clock of the page: a recorded sentence is said again and again to an AI that rambles.
const TURNS = Number(process.env['SPIKE_TURNS'] ?? 3);
const LIMIT_MS = 30_000 + TURNS * 15_000;
const BEGUN = 0.003; // the user's first sound: the recording has digital silence around it
const LOUD = 0.01; // and the last one
const AUDIBLE = 0.004; // of the AI's
const PAUSE_MS = 400; // longer than any between two words
const SENTENCE_MS = 1000;

let server: Server;
let browser: Browser;
let voice: string;
let loudness: Loudness[] | null = null;

beforeAll(async () => {
  voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
  server = await Server.start('rambler');
  await server.ask({ do: 'voice', path: voice, names: ['tt-weasels'], pause_s: 4 });
  browser = await openBrowser({ voice });
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** How loud both were at each moment of a conversation. */
async function measure(): Promise<Loudness[]> {
  const page = await openPage(await browser.newContext(), inject('pages'));
  const { conversation_url: conversationUrl, token } = await server.create();
  await page.evaluate(async (options) => {
    Object.assign(globalThis, { client: recorded(new SpikeClient(options)) });
    Object.assign(globalThis, { heard: listen(client) });
    await client.join();
  }, { conversationUrl, token, video: false, joinTimeoutS: 20 });
  await page.waitForFunction((turns) => record.filter(({ name }) => name === 'user-stopped-speaking').length > turns, TURNS, { timeout: LIMIT_MS });
  await page.waitForTimeout(2000); // the last answer begins
  const measured = await page.evaluate(() => heard);
  await page.context().close();
  return measured;
}

interface Sentence {
  from: number;
  to: number;
}

/** From the first sound of each of the user's sentences to its last. */
function sentences(heard: Loudness[]): Sentence[] {
  const found: Sentence[] = [];
  for (const { at, you } of heard) {
    const last = found.at(-1);
    if (last && at - last.to < PAUSE_MS) last.to = you < LOUD ? last.to : at;
    else if (you > BEGUN) found.push({ from: at, to: at });
  }
  return found.filter(({ from, to }) => to - from > SENTENCE_MS);
}

const between = (heard: Loudness[], from: number, to: number) => heard.filter(({ at }) => at >= from && at < to);
const isAudible = ({ ai }: Loudness) => ai > AUDIBLE;

/** The median of what `delaysOf` takes from one conversation; where that is too long, the next attempt measures anew. */
async function expectWithin(limitMs: number, what: string, delaysOf: (heard: Loudness[]) => number[]): Promise<void> {
  loudness ??= await measure();
  const delays = delaysOf(loudness).map(Math.round).toSorted((a, b) => a - b);
  const middle = (delays.length - 1) / 2;
  const median = delays.length ? (delays[Math.floor(middle)]! + delays[Math.ceil(middle)]!) / 2 : Infinity;
  console.log(`${what}: median ${median} ms of ${delays.length} (${delays.join(', ')})`);
  if (median >= limitMs) loudness = null;
  expect(delays.length).toBeGreaterThanOrEqual(TURNS - 1);
  expect(median).toBeLessThan(limitMs);
}

describe('by the clock of the page', () => {
  it('an AI that is interrupted is silent within 200 ms of the first sound', async () => {
    await expectWithin(200, 'silent after', (heard) =>
      sentences(heard)
        .filter(({ from }) => between(heard, from - PAUSE_MS, from).some(isAudible))
        .map(({ from, to }) => (between(heard, from, to).findLast(isAudible)?.at ?? from) - from),
    );
  }, LIMIT_MS);

  it('an answer is heard within 700 ms of the end of the sentence', async () => {
    await expectWithin(700, 'answered after', (heard) =>
      sentences(heard).map(({ to }) => (heard.find((each) => each.at > to && isAudible(each))?.at ?? Infinity) - to),
    );
  }, LIMIT_MS);
});
