import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import { Server } from './server';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

let server: Server;
let browser: Browser;
let context: BrowserContext | undefined;
let page: Page & { problems: string[] };

const invite = async (from = server) => ((await from.ask({ do: 'invite' })) as { page: string }).page;

async function open(url: string, options: BrowserContextOptions = {}, from = browser): Promise<void> {
  context = await from.newContext(options);
  page = await openPage(context, url);
}
const start = () => page.getByRole('button', { name: /Start talking|Talk again/ }).click();
const mood = (name: string) => page.locator(`[data-mood="${name}"]`).waitFor({ timeout: 30_000 });
const press = (name: string | RegExp) => page.getByRole('button', { name }).click();

/** What axe finds wrong, in short. */
async function flaws(): Promise<string[]> {
  // Not by a script element: the page's policy lets none in.
  const results = (await page.evaluate(`${AXE}; axe.run({ resultTypes: ['violations'] })`)) as AxeResults;
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

beforeAll(async () => {
  const voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
  server = await Server.start();
  await server.ask({ do: 'voice', path: voice, names: ['please-try-again'], pause_s: 4 });
  browser = await openBrowser({ voice });
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});
afterEach(() => context?.close());

describe('a conversation', () => {
  it('from the address that was printed to the end, and once more', async () => {
    await open(await invite());
    expect(new URL(page.url()).hash).toBe('');
    await start();
    await mood('speaking');
    await page.getByRole('log').getByText('Welcome to the browser.').waitFor();
    await mood('listening');
    await mood('hearing');
    await page.getByRole('log').getByText('You said something.').waitFor();
    await page.getByText(/^\d+ ms$/).first().waitFor();
    await page.getByText('The AI stopped because it had said everything.').first().waitFor();
    await press('Leave');
    await page.getByText('You left.').waitFor();
    await press('Talk again');
    await mood('speaking');
    expect(page.problems).toEqual([]);
  });

  it('typed, stopped and muted by the keyboard', async () => {
    await open(await invite());
    await start();
    await mood('listening');
    await page.keyboard.press('m');
    await mood('muted');
    await page.getByLabel('Type instead of talking').fill('tell me a story');
    await page.keyboard.press('Enter');
    await page.getByRole('log').getByText('Once upon a time').waitFor();
    await page.getByRole('log').focus();
    await page.keyboard.press('Escape');
    await page.getByText('The AI stopped because you stopped it.').waitFor();
    await page.getByText('interrupted here').waitFor();
  });

  it('with other devices and a camera', async () => {
    await open(await invite());
    await start();
    await mood('listening');
    await press('Camera on');
    await page.getByLabel('Your camera').waitFor();
    await press('Devices');
    await page.getByLabel('Microphone', { exact: true }).selectOption({ index: 2 });
    await page.getByLabel('Camera', { exact: true }).selectOption({ index: 2 });
    await mood('hearing');
    expect(await page.getByRole('alert').count()).toBe(0);
    await press('Camera off');
    await page.getByLabel('Your camera').waitFor({ state: 'detached' });
  });

  it('in two tabs at once', async () => {
    await open(await invite());
    await start();
    await mood('speaking');
    const first = page;
    page = await openPage(context!, await invite());
    await start();
    await mood('speaking');
    await first.locator('[data-mood="listening"], [data-mood="hearing"], [data-mood="speaking"]').waitFor();
  });
});

describe('what goes wrong is said in words', () => {
  const notice = (text: RegExp) => page.getByRole('alert').filter({ hasText: text }).waitFor({ timeout: 30_000 });

  it('an invitation that was used', async () => {
    const strict = await Server.start('host', 0, undefined, true);
    try {
      const address = await invite(strict);
      await open(address);
      await start();
      await mood('speaking');
      await context!.close();
      await open(address);
      await start();
      await notice(/invitation is not valid any more.*new address/);
    } finally {
      await strict.stop();
    }
  });

  it('a microphone that the user does not allow', async () => {
    const other = await openBrowser({ allow: false });
    await open(await invite(), {}, other);
    await start();
    await notice(/does not let this page use the microphone.*Until then, type/);
    await page.getByLabel('Type instead of talking').fill('hello');
    await press('Send');
    await page.getByRole('log').getByText('You said hello.').waitFor();
    await other.close();
    context = undefined;
  });

  it('a connection that breaks, until it is mended', async () => {
    const own = await Server.start();
    try {
      await open(await invite(own));
      await start();
      await mood('listening');
      own.signal('SIGSTOP');
      await notice(/connection broke.*Trying to connect again/);
      expect(await page.locator('.face video').count()).toBe(0);
      own.signal('SIGCONT');
      await page.locator('.face video').waitFor();
      await page.getByRole('alert').waitFor({ state: 'detached' });
      await page.getByRole('log').getByText('Welcome to the browser.').waitFor();
    } finally {
      await own.stop();
    }
  });

  it('a server that goes away, and comes back', async () => {
    const own = await Server.start();
    const address = await invite(own);
    await open(address);
    await start();
    await mood('listening');
    await own.stop('SIGKILL');
    await mood('connecting');
    const again = await Server.start('host', Number(new URL(address).port));
    try {
      await notice(/server has ended the conversation.*Start another/);
      await start();
      await mood('speaking');
      expect(await page.getByRole('alert').count()).toBe(0);
    } finally {
      await again.stop();
    }
  });
});

describe('for everybody', () => {
  it.each([
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['a phone', PHONE],
    ['a phone in the dark with reduced motion', { ...PHONE, colorScheme: 'dark', reducedMotion: 'reduce' }],
  ] as [string, BrowserContextOptions][])('axe finds nothing: %s', async (_name, options) => {
    await open(await invite(), options);
    expect(await flaws()).toEqual([]);
    await start();
    await mood('speaking');
    expect(await flaws()).toEqual([]);
    await mood('listening');
    await press('Devices');
    expect(await flaws()).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });

  it('without a mouse', async () => {
    await open(await invite());
    await page.getByRole('button', { name: 'Start talking' }).focus();
    await page.keyboard.press('Enter');
    await mood('listening');
    const names = new Set<string>();
    for (let tab = 0; tab < 12; tab++) {
      await page.keyboard.press('Tab');
      names.add(await page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.id || ''));
    }
    for (const name of ['Mute', 'Camera on', 'Devices', 'Leave', 'typed', 'What happens']) expect([...names]).toContain(name);
  });

  it('is painted within a second', async () => {
    const paintedMs: number[] = []; // a busy machine may hold one of them up
    while (paintedMs.length < 3 && paintedMs.every((each) => each >= 1000)) {
      if (paintedMs.length) await context?.close();
      await open(await invite());
      paintedMs.push(await page.evaluate(
        () => new Promise<number>((resolve) => new PerformanceObserver((list) => resolve(list.getEntries()[0]!.startTime)).observe({ type: 'paint', buffered: true })),
      ));
    }
    expect(Math.min(...paintedMs)).toBeLessThan(1000);
  });
});
