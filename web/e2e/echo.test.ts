import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import { Server } from './server';
import { openSound, type Sound } from './sound';

const sound = await openSound();
const SPOKEN_MS = 8_000;

describe.skipIf(!sound)('a loudspeaker right before the microphone', () => {
  let server: Server;
  let browser: Browser;
  let voice: string;

  beforeAll(async () => {
    voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
    server = await Server.start('rambler');
    await server.ask({ do: 'voice', path: voice, names: ['tt-weasels'], pause_s: 0 });
    browser = await openBrowser({ sound: sound as Sound });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    sound?.close();
  });

  /** A page in which the AI talks and talks. */
  async function rambling(options: Record<string, unknown>) {
    const page = await openPage(await browser.newContext(), inject('pages'));
    const { conversation_url: conversationUrl, token } = await server.create();
    await page.evaluate(async (given) => {
      Object.assign(globalThis, { client: recorded(new SpikeClient(given as never)) });
      await client.join();
      await client.waitFor('ai-idle', 20);
      client.sendText('tell me about the weasels');
      await client.waitFor('ai-speaking', 20);
    }, { conversationUrl, token, video: false, joinTimeoutS: 20, ...options });
    return page;
  }

  it('does not let the AI interrupt itself, and the user still can', async () => {
    const page = await rambling({});
    await page.waitForTimeout(SPOKEN_MS);
    const names = await page.evaluate(() => record.map(({ name }) => name));
    expect(names).not.toContain('user-started-speaking');
    spawn('paplay', ['--device=speaker', voice], { env: { ...process.env, PULSE_SERVER: sound!.server } });
    const [{ interrupted }] = await page.evaluate(() => client.waitFor('ai-idle', 20));
    expect(interrupted).toBe(true);
    await page.context().close();
  });

  it('does where the option takes the echo canceller away', async () => {
    const page = await rambling({ echoCancellation: false });
    await page.waitForFunction(() => record.some(({ name }) => name === 'user-started-speaking'), null, { timeout: 20_000 });
    await page.context().close();
  });
});
