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
let loudness: Loudness[] = [];

beforeAll(async () => {
  const voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
  server = await Server.start('rambler');
  await server.ask({ do: 'voice', path: voice, names: ['tt-weasels'], pause_s: 4 });
  browser = await openBrowser({ voice });
  const page = await openPage(await browser.newContext(), inject('pages'));
  const { conversation_url: conversationUrl, token } = await server.create();
  await page.evaluate(async (options) => {
    Object.assign(globalThis, { client: recorded(new SpikeClient(options)) });
    Object.assign(globalThis, { heard: listen(client) });
    await client.join();
  }, { conversationUrl, token, video: false });
  await page.waitForFunction((turns) => record.filter(({ name }) => name === 'user-stopped-speaking').length > turns, TURNS, { timeout: LIMIT_MS });
  await page.waitForTimeout(2000); // the last answer begins
  loudness = await page.evaluate(() => heard);
}, LIMIT_MS);
afterAll(async () => {
  await browser.close();
  await server.stop();
});

interface Sentence {
  from: number;
  to: number;
}

/** From the first sound of each of the user's sentences to its last. */
function sentences(): Sentence[] {
  const found: Sentence[] = [];
  for (const { at, you } of loudness) {
    const last = found.at(-1);
    if (last && at - last.to < PAUSE_MS) last.to = you < LOUD ? last.to : at;
    else if (you > BEGUN) found.push({ from: at, to: at });
  }
  return found.filter(({ from, to }) => to - from > SENTENCE_MS);
}

const between = (from: number, to: number) => loudness.filter(({ at }) => at >= from && at < to);
const isAudible = ({ ai }: Loudness) => ai > AUDIBLE;

/** Milliseconds in their order, and in a line for the log. */
function told(what: string, delays: number[]): number {
  const sorted = delays.map(Math.round).toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  console.log(`${what}: median ${median} ms of ${sorted.length} (${sorted.join(', ')})`);
  return median;
}

describe('by the clock of the page', () => {
  it('an AI that is interrupted is silent within 200 ms of the first sound', () => {
    const delays = sentences()
      .filter(({ from }) => between(from - PAUSE_MS, from).some(isAudible))
      .map(({ from, to }) => (between(from, to).findLast(isAudible)?.at ?? from) - from);
    expect(delays.length).toBeGreaterThanOrEqual(TURNS - 1);
    expect(told('silent after', delays)).toBeLessThan(200);
  });

  it('an answer is heard within 700 ms of the end of the sentence', () => {
    const delays = sentences().map(({ to }) => (loudness.find((each) => each.at > to && isAudible(each))?.at ?? Infinity) - to);
    expect(delays.length).toBeGreaterThan(TURNS);
    expect(told('answered after', delays)).toBeLessThan(700);
  });
});
