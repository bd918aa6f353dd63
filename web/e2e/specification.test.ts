import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { ComponentType } from 'react';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import { Server } from './server';
import { slug, specification } from './spec/blocks';

declare global {
  var run: (name: string) => Promise<unknown>;
  var show: (component: ComponentType) => void;
  var around: (picture: ComponentType, options: { conversationUrl: string; token: string }) => ComponentType;
  var SpecAIVideo: ComponentType;
  var App: ComponentType;
}

const ADDRESS = 'https://spike.daily.co/conv_abc123';

let server: Server;
let browser: Browser;
let context: BrowserContext;
let page: Page & { problems: string[] };
let logged: string[];

beforeAll(async () => {
  server = await Server.start();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** The page's address and token lead to a conversation of the embedded server; its device id to a device. */
beforeEach(async () => {
  context = await browser.newContext();
  const { conversation_url: url, token } = await server.create();
  await context.route(`${ADDRESS}/**`, async (route) => {
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*', 'access-control-allow-methods': '*' };
    const request = route.request();
    if (request.method() === 'OPTIONS') return route.fulfill({ status: 204, headers });
    const answer = await fetch(request.url().replace(ADDRESS, url), {
      method: request.method(),
      headers: { authorization: `Bearer ${token}` },
      body: request.postData(),
    });
    return route.fulfill({ status: answer.status, headers, body: await answer.text() });
  });
  await context.addInitScript(() => {
    const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (constraints) => {
      for (const wanted of Object.values(constraints ?? {})) {
        if (wanted?.deviceId?.exact === 'device-id') delete wanted.deviceId;
      }
      return capture(constraints);
    };
  });
  page = await openPage(context, `${inject('pages')}spec.html`);
  logged = [];
  page.on('console', (message) => logged.push(message.text()));
});
afterEach(() => context.close());

const run = (title: string) => page.evaluate((name) => globalThis.run(name).then(() => undefined), slug(title));

/** The client that the page's first block has made for those after it. */
async function joined(options: Record<string, unknown> = {}): Promise<void> {
  await page.evaluate(
    (given) => {
      globalThis.client = recorded(new SpikeClient(given as never));
      return client.join();
    },
    { conversationUrl: ADDRESS, token: 'eyJ...', joinTimeoutS: 20, ...options },
  );
}
const emit = (...event: unknown[]) => page.evaluate((event) => (client as unknown as { emit(event: unknown[]): void }).emit(event), event);

it('each block compiles', () => {
  expect(specification().size).toBe(8);
  const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url));
  execFileSync(tsc, ['-p', fileURLToPath(new URL('spec', import.meta.url))], { stdio: 'inherit' });
});

it('the types of the packages are found, as bundlers and as Node look for them', () => {
  const folder = new URL('spec/generated/', import.meta.url);
  const wrong = "client.on('ai-speaking', ({ transcript }) => {\n  // @ts-expect-error: it is a text\n  const words: number = transcript;\n  return words;\n});";
  const made = "const client = new SpikeClient({ conversationUrl: 'https://example.org/', token: 't' });";
  writeFileSync(new URL('types.mts', folder), `import { SpikeClient } from '@spike/client';\nimport { useConversation } from '@spike/react';\n${made}\n${wrong}\nexport default useConversation;\n`);
  const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url));
  for (const [module, resolution] of [['esnext', 'bundler'], ['nodenext', 'nodenext']] as const) {
    const flags = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--lib', 'es2023,dom,dom.iterable', '--module', module, '--moduleResolution', resolution];
    execFileSync(tsc, [...flags, fileURLToPath(new URL('types.mts', folder))], { stdio: 'inherit' });
  }
});

describe('each block runs', () => {
  it('Quick Start', async () => {
    await run('Quick Start');
    expect(page.problems).toEqual([]);
  });

  it('Connection Options', async () => {
    await run('Connection Options');
    const settings = await page.evaluate(async () => {
      await client.join();
      const settings = client.state.localAudioTrack!.getSettings();
      await client.leave();
      return settings;
    });
    expect(settings).toMatchObject({ echoCancellation: true, noiseSuppression: true });
  });

  it('Events', async () => {
    await page.evaluate((conversationUrl) => {
      globalThis.client = new SpikeClient({ conversationUrl, token: 'eyJ...', joinTimeoutS: 20 });
    }, ADDRESS);
    await run('Events');
    await page.evaluate(() => Promise.all([client.join(), client.waitFor('ai-idle', 20), client.waitFor('perception', 20)]));
    await page.evaluate(() => client.leave());
    for (const text of ['Connected to conversation', 'Transcript: Welcome to the browser.', 'Disconnected: left', 'Detected emotion: calm', 'Detected gesture: still']) {
      expect(logged).toContain(text);
    }
    expect(logged.some((text) => /^Audio level: 0\.\d+$/.test(text))).toBe(true);
  });

  it('Managing Media', async () => {
    await joined();
    await run('Managing Media');
    expect(await page.evaluate(() => [client.state.audioEnabled, client.state.videoEnabled])).toEqual([true, true]);
    expect(logged.filter((text) => /^(Microphones|Cameras): /.test(text)).length).toBe(2);
  });

  it('Displaying the AI', async () => {
    await joined();
    await run('Displaying the AI');
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('#ai-video')!.videoWidth > 0);
    await page.evaluate(() => client.leave());
    await page.evaluate((conversationUrl) => show(around(SpecAIVideo, { conversationUrl, token: 'eyJ...' })), ADDRESS);
    await page.getByText('join').click();
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('#root video')!.videoWidth > 0);
  });

  it('React Integration', async () => {
    await run('React Integration');
    await page.evaluate(() => show(App));
    await page.getByText('Join Conversation').click();
    await page.getByText(/^AI: Welcome/).waitFor();
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('#root video')!.videoWidth > 0);
    await page.getByText('Listening...').waitFor();
    await page.getByText('Leave').click();
    await page.getByText('Join Conversation').waitFor();
    expect(page.problems).toEqual([]);
  });

  it('Voice-Only Mode', async () => {
    await run('Voice-Only Mode');
    const tracks = await page.evaluate(async () => {
      await client.join();
      return [client.getAIAudioTrack()!.kind, client.getAIVideoTrack()];
    });
    expect(tracks).toEqual(['audio', null]);
  });

  it('Error Handling', async () => {
    await joined({ video: false });
    await run('Error Handling');
    await emit('error', { code: 'TOKEN_EXPIRED', message: 'x' });
    await emit('error', { code: 'CONVERSATION_ENDED', message: 'x' });
    await page.evaluate(() => client.leave());
    await emit('disconnected', 'network', { willReconnect: false });
    await page.evaluate(() => client.waitFor('connected', 20));
    expect(logged).toContain('Conversation token expired');
    expect(logged).toContain('Conversation was ended');
    expect(await page.evaluate(() => client.state.status)).toBe('connected');
  });
});
